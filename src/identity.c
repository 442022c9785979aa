/*-------------------------------------------------------------------------
 *
 * identity.c
 *	  Who is asking.
 *
 * The current user is what the setting cnap.user_id says.  Only a superuser,
 * or a role that was given SET on the parameter, can set it; PostgreSQL's own
 * machinery checks that, ends a SET LOCAL with its transaction, undoes it with
 * its savepoint, applies ALTER ROLE ... SET at login, and carries the value to
 * parallel workers.
 *
 * Hazard: before the library is loaded, anybody can set a placeholder of that
 * name.  When the library defines the setting, PostgreSQL checks the right of
 * whoever set the placeholder and throws a forged value away.  So nothing but
 * this file may read the identity: current_setting() in a session that has not
 * loaded the library would return the forgery.
 *
 * The system is a superuser without a current user.  Both the role that calls
 * and the role of the session must be superusers: a SECURITY DEFINER function
 * that belongs to a superuser must not make its callers the system, nor must
 * somebody else's code that a superuser runs under that somebody's name
 * (a trigger's owner, an index expression, a SECURITY DEFINER function).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"

#include "cache.h"
#include "identity.h"
#include "validate.h"

static char *user_id_setting = NULL;

PG_FUNCTION_INFO_V1(cnap_current_user);

/*
 * check_hook of cnap.user_id: empty, or a user id.  GUC_DISALLOW_IN_FILE stops
 * ALTER SYSTEM alone, and that only while the setting is defined.
 */
static bool
check_user_id(char **newval, void **extra, GucSource source)
{
	int			len;

	if (*newval == NULL || **newval == '\0')
		return true;

	if (source == PGC_S_FILE)
	{
		GUC_check_errdetail("A configuration file would make everybody the same user.");
		return false;
	}

	len = strlen(*newval);
	if (!CnapIsUserId(*newval, len) ||
		!pg_verify_mbstr(GetDatabaseEncoding(), *newval, len, true))
	{
		GUC_check_errdetail("A user id has 1 to %d bytes, and no blank at either end.",
							CNAP_MAX_USER_ID);
		return false;
	}
	return true;
}

/* assign_hook of cnap.user_id */
static void
assign_user_id(const char *newval, void *extra)
{
	CnapCurrentUserChanged();
}

void
CnapIdentityInit(void)
{
	DefineCustomStringVariable("cnap.user_id",
							   "Id of the user in whose name statements are executed.",
							   "The empty string means no user.",
							   &user_id_setting,
							   "",
							   PGC_SUSET,
							   GUC_DISALLOW_IN_FILE | GUC_NOT_IN_SAMPLE,
							   check_user_id, assign_user_id, NULL);
}

const char *
CnapCurrentUser(void)
{
	if (user_id_setting == NULL || user_id_setting[0] == '\0')
		return NULL;
	return user_id_setting;
}

/* Whether, in the absence of a current user, the caller is the system. */
static bool
is_system(void)
{
	return superuser_arg(GetUserId()) && superuser_arg(GetOuterUserId()) &&
		!InSecurityRestrictedOperation();
}

static void
no_current_user(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
			 errmsg("no current user"),
			 errhint("Set cnap.user_id in the transaction, as a role that cnap_trust() was called for.")));
}

void
CnapGetActor(CnapActor *actor)
{
	const char *user = CnapCurrentUser();

	if (user == NULL && !is_system())
		no_current_user();
	actor->user = user != NULL ? cstring_to_text(user) : NULL;
	actor->role = GetUserId();
}

void
CnapGetUser(CnapActor *actor)
{
	if (CnapCurrentUser() == NULL)
		no_current_user();
	CnapGetActor(actor);
}

/*
 * cnap_current_user() -> text
 *
 * The current user, or null.
 */
Datum
cnap_current_user(PG_FUNCTION_ARGS)
{
	const char *user = CnapCurrentUser();

	if (user == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(user));
}
