/*-------------------------------------------------------------------------
 *
 * identity.c
 *	  Who the current user is.
 *
 * There are three sources, in order of precedence:
 * 1. The access token that the session was signed in with by
 *	 cnap_authenticate() (session_token.c).  Once it is revoked or has expired,
 *	 there is no current user, whatever the other sources say.
 * 2. The setting cnap.user_id.  Only superusers, and roles with the SET
 *	 privilege on the parameter, can set it.
 * 3. The claims of a gateway, where a superuser has turned that on (claims.c).
 *
 * The id of the token is kept in a setting as well.  So GUC resets both settings
 * at the end of the transaction, restores them on rollback to a savepoint, and
 * copies them to parallel workers; it also checks who sets cnap.user_id, and
 * applies ALTER ROLE ... SET at login.
 *
 * Hazard: before the library is loaded, anybody can set a placeholder of that
 * name.  When the library defines the setting, PostgreSQL checks the privilege
 * of the role that set the placeholder, and discards a forged value.  So
 * nothing but this file may read the identity: current_setting() in a session
 * that has not loaded the library would return the forged value.
 *
 * Hazard: the library may be loaded while a parallel query is running, by its
 * leader or by a worker.  Without GUC_ALLOW_IN_PARALLEL, PostgreSQL would discard
 * all placeholders then, and a superuser with a current user would become the
 * system.
 *
 * The system is a superuser without a current user.  Both the current role
 * (GetUserId()) and the outer one (GetOuterUserId()) must be superusers, and
 * there must be no security-restricted operation: a SECURITY DEFINER function
 * owned by a superuser must not make its callers the system, nor must code
 * that a superuser executes under another role's name (SECURITY DEFINER
 * functions, index expressions).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"

#include "core/compat.h"
#include "core/formats.h"
#include "core/freshness.h"
#include "identity/claims.h"
#include "identity/generation.h"
#include "identity/identity.h"
#include "identity/session_token.h"

static char *user_id_setting = NULL;

PG_FUNCTION_INFO_V1(cnap_current_user);

/*
 * check_hook of cnap.user_id: empty, or a valid user id.  We reject
 * configuration files here because GUC_DISALLOW_IN_FILE only prevents ALTER
 * SYSTEM, and that only once the setting is defined.
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
	CnapIdentityChanged(newval != NULL ? newval : "");
}

void
CnapIdentityInit(void)
{
	DefineCustomStringVariable("cnap.user_id",
							   "Id of the user on whose behalf statements are executed.",
							   "The empty string means no user.",
							   &user_id_setting,
							   "",
							   PGC_SUSET,
							   GUC_DISALLOW_IN_FILE | GUC_NOT_IN_SAMPLE | GUC_ALLOW_IN_PARALLEL,
							   check_user_id, assign_user_id, NULL);
}

const char *
CnapFindCurrentUser(bool *is_fixed)
{
	bool		has_claims;
	const char *user;

	*is_fixed = false;
	if (CnapSignedInByToken())
		return CnapTokenUser();
	if (user_id_setting != NULL && user_id_setting[0] != '\0')
	{
		*is_fixed = true;
		return user_id_setting;
	}
	user = CnapClaimsUser(&has_claims);
	*is_fixed = !has_claims;
	return user;
}

const char *
CnapCurrentUser(void)
{
	bool		is_fixed;

	return CnapFindCurrentUser(&is_fixed);
}

/*
 * Is the caller the system, given that there is no current user?  Not if the
 * session is signed in with a token that has ended, or there are claims that
 * name no user.
 */
static bool
is_system(void)
{
	return superuser_arg(GetUserId()) && superuser_arg(GetOuterUserId()) &&
		!InSecurityRestrictedOperation() &&
		!CnapSignedInByToken() && !CnapClaimsGiven();
}

static void
no_current_user(void)
{
	if (CnapSignedInByToken())
	{
		CnapRequireFreshData();
		CnapInvalidToken();
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
			 errmsg("no current user"),
			 errhint("Set cnap.user_id in the transaction, as a role that cnap_trust() was called for, or call cnap_authenticate().")));
}

void
CnapGetActor(CnapActor *actor)
{
	const char *user = CnapCurrentUser();

	if (user == NULL && !is_system())
		no_current_user();
	if (user != NULL)
		CnapRequireFreshData();
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
