/*-------------------------------------------------------------------------
 *
 * identity.c
 *	  Who the current user is.
 *
 * There are four sources, in order of precedence:
 * 1. The access token that the session was signed in with by
 *	 cnap_authenticate() (session_token.c).  Once it is revoked or has expired,
 *	 there is no current user, whatever the other sources say.
 * 2. The setting cnap.user_id.  Only superusers, and roles with the SET
 *	 privilege on the parameter, can set it (trusted.c).
 * 3. The user whom a superuser has recorded for the session's role
 *	 (role_user.c).
 * 4. The claims of a gateway, where a superuser has turned that on (claims.c).
 *
 * The id of the token is kept in a setting as well.  So GUC resets both settings
 * at the end of the transaction, restores them on rollback to a savepoint, and
 * copies them to parallel workers; it also checks who sets cnap.user_id.
 *
 * It does not check that for a value that ALTER ROLE or ALTER DATABASE has given
 * the setting, because it did so when that was executed.  What a role gave
 * itself while it was trusted would outlast the trust.  So such a value counts
 * only as long as the session's role is trusted.  Where the value comes from is
 * remembered in the "extra" data of the setting, which GUC keeps along with
 * each value.
 *
 * A token and the setting never override each other.  A session on a pooled
 * connection may have been signed in by whoever had it before, and what is then
 * done for the user in the setting would be done for the token's.  So each of
 * them is refused while the other is in force.  Both can still come to be: one
 * that was covered by SET LOCAL comes back at the end of the transaction, where
 * nothing can be refused any more.  Then whoever asks for the current user gets
 * an error.
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
 * Code of another role that PostgreSQL executes unasked, such as an index expression
 * when somebody or autovacuum maintains a table, is executed in a security-restricted
 * operation, as that role.  The session's identity must not be its to use, any more
 * than the session's privileges are, so there is no current user then, nor in a SECURITY
 * DEFINER function that such code calls.  What a role does itself in such an operation,
 * as when it refreshes a materialized view of its own, is done for the current user, and
 * so is what we do for one as another role (CNAP_SECURITY_FOR_USER).
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

#include "access/parallel.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"

#include "core/compat.h"
#include "core/formats.h"
#include "core/freshness.h"
#include "core/run_as_owner.h"
#include "identity/claims.h"
#include "identity/generation.h"
#include "identity/identity.h"
#include "identity/role_user.h"
#include "identity/session_token.h"
#include "identity/trusted.h"

#define END_SIGN_IN "A sign-in ends with its transaction, or by RESET ALL or DISCARD ALL."

static char *user_id_setting = NULL;

/* Was its value given to the session, rather than set in it? */
static bool user_id_is_default = true;

PG_FUNCTION_INFO_V1(cnap_current_user);

/*
 * check_hook of cnap.user_id: empty, or a valid user id.  We reject
 * configuration files here because GUC_DISALLOW_IN_FILE only prevents ALTER
 * SYSTEM, and that only once the setting is defined.
 *
 * A value that the client gives at login is checked like one that is set later.
 */
static bool
check_user_id(char **newval, void **extra, GucSource source)
{
	bool	   *is_default;

	if (*newval != NULL && **newval != '\0')
	{
		int			len = strlen(*newval);

		if (source == PGC_S_FILE)
		{
			GUC_check_errdetail("A configuration file would make everybody the same user.");
			return false;
		}
		if (!CnapIsUserId(*newval, len) ||
			!pg_verify_mbstr(GetDatabaseEncoding(), *newval, len, true))
		{
			GUC_check_errdetail("A user id has 1 to %d bytes, and no blank at either end.",
								CNAP_MAX_USER_ID);
			return false;
		}
		if (source == PGC_S_SESSION && CnapSignedInByToken() &&
			!InitializingParallelWorker)
		{
			GUC_check_errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE);
			GUC_check_errmsg("parameter \"%s\" cannot be set while an access token is signed in",
							 CNAP_USER_ID_SETTING);
			GUC_check_errhint(END_SIGN_IN);
			return false;
		}
	}

	is_default = CnapGucAlloc(sizeof(bool));
	if (is_default == NULL)
		return false;
	*is_default = source < PGC_S_CLIENT;
	*extra = is_default;
	return true;
}

/* assign_hook of cnap.user_id */
static void
assign_user_id(const char *newval, void *extra)
{
	user_id_is_default = *(bool *) extra;
	CnapIdentityChanged(newval != NULL ? newval : "", 0);
}

void
CnapIdentityInit(void)
{
	DefineCustomStringVariable(CNAP_USER_ID_SETTING,
							   "Id of the user on whose behalf statements are executed.",
							   "The empty string means no user.",
							   &user_id_setting,
							   "",
							   PGC_SUSET,
							   GUC_DISALLOW_IN_FILE | GUC_NOT_IN_SAMPLE | GUC_ALLOW_IN_PARALLEL,
							   check_user_id, assign_user_id, NULL);
}

const char *
CnapStatedUser(void)
{
	if (user_id_setting == NULL || user_id_setting[0] == '\0' ||
		(user_id_is_default && !CnapIsTrusted(GetSessionUserId())))
		return NULL;
	return user_id_setting;
}

bool
CnapIsUnasked(void)
{
	Oid			role;
	int			sec_context;

	GetUserIdAndSecContext(&role, &sec_context);
	return (sec_context & SECURITY_RESTRICTED_OPERATION) != 0 &&
		(sec_context & CNAP_SECURITY_FOR_USER) == 0 &&
		(role != GetOuterUserId() || (sec_context & SECURITY_LOCAL_USERID_CHANGE) != 0);
}

const char *
CnapFindCurrentUser(CnapIdentityBasis *basis)
{
	const char *user;

	*basis = CNAP_BY_NOTHING;
	if (CnapIsUnasked())
		return NULL;
	user = CnapStatedUser();
	if (CnapSignedInByToken())
	{
		if (user != NULL)
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("there cannot be two current users"),
					 errdetail("An access token is signed in, and parameter \"%s\" is set.",
							   CNAP_USER_ID_SETTING),
					 errhint(END_SIGN_IN)));
		return CnapTokenUser();
	}
	if (user != NULL)
	{
		/* SET SESSION AUTHORIZATION assigns to no setting of ours. */
		*basis = user_id_is_default ? CNAP_BY_SESSION : CNAP_BY_STATEMENT;
		return user;
	}
	user = CnapRoleUser();
	if (user == NULL)
		return CnapClaimsUser();
	if (CnapRoleUserIsKept())
		*basis = CNAP_BY_SESSION;
	return user;
}

void
CnapRefuseTwoUsers(void)
{
	if (CnapStatedUser() != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("an access token cannot be signed in while parameter \"%s\" is set",
						CNAP_USER_ID_SETTING),
				 errhint("RESET the parameter first, or sign in within a session of its own.")));
}

const char *
CnapCurrentUser(void)
{
	CnapIdentityBasis basis;

	return CnapFindCurrentUser(&basis);
}

const CnapLimits *
CnapCurrentLimits(void)
{
	return CnapTokenLimits();
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

pg_noreturn static void
no_current_user(void)
{
	if (CnapIsUnasked())
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
				 errmsg("no current user"),
				 errdetail("Code that maintains a table or a materialized view of another role is executed for nobody."),
				 errhint("Let the owner execute the command.")));
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
CnapTokenIsLimited(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("access token is limited"),
			 errdetail("It gives certain rights in workspaces, and nothing beyond them."),
			 errhint("Sign in by another token, or without one.")));
}

void
CnapRefuseLimitedToken(void)
{
	if (CnapCurrentUser() != NULL && CnapCurrentLimits() != NULL)
		CnapTokenIsLimited();
}

void
CnapGetLimitedActor(CnapActor *actor)
{
	const char *user = CnapCurrentUser();

	if (user == NULL && !is_system())
		no_current_user();
	if (user != NULL)
		CnapRequireFreshData();
	actor->user = user != NULL ? cstring_to_text(user) : NULL;
	actor->role = GetUserId();
	actor->limits = user != NULL ? CnapCurrentLimits() : NULL;
}

void
CnapGetActor(CnapActor *actor)
{
	CnapGetLimitedActor(actor);
	if (actor->limits != NULL)
		CnapTokenIsLimited();
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
