/*-------------------------------------------------------------------------
 *
 * identity.c
 *	  Who is asking.
 *
 * There are three sources, and the first that says something decides:
 * 1. The access token that cnap_authenticate() has signed the session in with
 *	 (access_token.c).  Once it is revoked or has expired, there is no current
 *	 user, whatever the other sources say.
 * 2. The setting cnap.user_id.  Only a superuser, or a role that was given SET
 *	 on the parameter, can set it.
 * 3. The claims of a gateway, where a superuser has turned that on (claims.c).
 *
 * The token is kept as a setting as well, cnap.session_token, which holds its
 * id and which cnap_authenticate() alone can set.  So PostgreSQL's own machinery
 * ends either with its transaction, undoes it with its savepoint, and carries it
 * to parallel workers; it also checks who sets cnap.user_id, and applies ALTER
 * ROLE ... SET at login.
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

#include "access/parallel.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"

#include "access_token.h"
#include "cache.h"
#include "claims.h"
#include "identity.h"
#include "lookup.h"
#include "validate.h"

static char *user_id_setting = NULL;
static char *session_token = NULL;	/* the id of an access token */

/* cnap_authenticate() is setting cnap.session_token. */
static bool signing_in = false;

/*
 * The current user cannot change without an assignment to one of our settings.
 * False after any assignment, until somebody asks.
 */
bool		CnapIdentityIsFixed = false;

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

/*
 * check_hook of cnap.session_token.  A parallel worker takes over what its
 * leader has.
 */
static bool
check_session_token(char **newval, void **extra, GucSource source)
{
	if (*newval == NULL || **newval == '\0' || signing_in ||
		InitializingParallelWorker)
		return true;
	GUC_check_errcode(ERRCODE_INSUFFICIENT_PRIVILEGE);
	GUC_check_errmsg("parameter \"%s\" cannot be changed", "cnap.session_token");
	GUC_check_errhint("Sign in with cnap_authenticate().");
	return false;
}

/* assign_hook of both */
static void
assign_identity(const char *newval, void *extra)
{
	CnapIdentityChanged();
}

void
CnapIdentityChanged(void)
{
	CnapIdentityIsFixed = false;
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
							   check_user_id, assign_identity, NULL);
	DefineCustomStringVariable("cnap.session_token",
							   "Id of the access token that the session is signed in with.",
							   "Set by cnap_authenticate() alone.",
							   &session_token,
							   "",
							   PGC_SUSET,
							   GUC_DISALLOW_IN_FILE | GUC_NOT_IN_SAMPLE,
							   check_session_token, assign_identity, NULL);
}

const char *
CnapCurrentUser(void)
{
	bool		has_claims;
	const char *user;

	if (CnapSignedInByToken())
		return CnapTokenUser(session_token);
	if (user_id_setting != NULL && user_id_setting[0] != '\0')
	{
		CnapIdentityIsFixed = true;
		return user_id_setting;
	}
	user = CnapClaimsUser(&has_claims);
	CnapIdentityIsFixed = !has_claims;
	return user;
}

bool
CnapSignedInByToken(void)
{
	return session_token != NULL && session_token[0] != '\0';
}

void
CnapSignIn(const pg_uuid_t *token_id, bool is_local)
{
	PG_TRY();
	{
		signing_in = true;
		set_config_option("cnap.session_token", CnapUuidString(token_id),
						  PGC_SUSET, PGC_S_SESSION,
						  is_local ? GUC_ACTION_LOCAL : GUC_ACTION_SET,
						  true, 0, false);
	}
	PG_FINALLY();
	{
		signing_in = false;
	}
	PG_END_TRY();
}

void
CnapInvalidToken(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
			 errmsg("invalid API key")));
}

/*
 * Whether, in the absence of a current user, the caller is the system.  A token
 * that has ended, and claims that name nobody, do not make anybody that.
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
		CnapInvalidToken();
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
