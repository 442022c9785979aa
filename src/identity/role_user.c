/*-------------------------------------------------------------------------
 *
 * role_user.c
 *	  The user whom a superuser has recorded for a database role.
 *
 * cnap_set_role_user() records who a person is that logs in with a role of
 * their own.  The table cnap.role_user holds the role by its OID, as a regrole:
 * so the record goes along with a role that is renamed, means nothing once the
 * role is dropped, and is dumped with the name that the role has then.
 *
 * It is the session's role that counts (session_user).  SET ROLE and SECURITY
 * DEFINER change the current role, but not who the person is.
 *
 * The row is looked up when the current user is asked for.  The result stays
 * valid until anything is announced (epoch.h), as a change of the row is: so every
 * session looks again at its next check, and a standby as of replay.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/inval.h"

#include "core/epoch.h"
#include "core/formats.h"
#include "core/rows.h"
#include "identity/generation.h"
#include "identity/role_user.h"

/* The user of a role, as of the last lookup. */
static struct
{
	Oid			role;			/* InvalidOid if none yet */
	uint64		events;			/* epoch total before the lookup */
	char		user[CNAP_MAX_USER_ID + 1]; /* empty if there is none */
}			known;

/*
 * Most announcements are about something else, so that the user stays the same,
 * and nothing has to be reported.
 */
static void
look_up(Oid role)
{
	char		before[sizeof(known.user)];
	text	   *user;

	strlcpy(before, known.user, sizeof(before));
	known.role = InvalidOid;
	known.events = CnapCurrentEpoch.total;
	user = CnapFindRoleUser(role);
	known.user[0] = '\0';
	if (user != NULL)
	{
		text_to_cstring_buffer(user, known.user, sizeof(known.user));
		pfree(user);
	}
	if (CnapEpochMayKeep())
		known.role = role;
	if (strcmp(before, known.user) != 0)
		CnapIdentityChanged(known.user[0] != '\0' ? known.user : NULL, 0);
}

const char *
CnapRoleUser(void)
{
	Oid			role = GetSessionUserId();

	AcceptInvalidationMessages();
	if (known.events != CnapCurrentEpoch.total || known.role != role)
		look_up(role);
	return known.user[0] != '\0' ? known.user : NULL;
}

bool
CnapRoleUserIsKept(void)
{
	return OidIsValid(known.role);
}
