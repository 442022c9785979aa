/*-------------------------------------------------------------------------
 *
 * session_token.c
 *	  The access token that a session is signed in by.
 *
 * The id of the token is kept in the setting cnap.session_token, which only
 * cnap_authenticate() can set.  So GUC resets it at the end of the transaction,
 * restores it on rollback to a savepoint, and copies it to parallel workers.
 *
 * The token is looked up when the current user is asked for.  The result stays
 * valid until an invalidation message of any kind arrives (epoch.h; changing
 * or deleting a token sends one), or until the clock passes the token's expiry.
 * So a session is signed out as of its first statement after the token's
 * revocation, even in the middle of a transaction, and on a standby as of
 * replay.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/parallel.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/inval.h"

#include "core/compat.h"
#include "core/epoch.h"
#include "core/formats.h"
#include "core/freshness.h"
#include "core/rows.h"
#include "identity/generation.h"
#include "identity/session_token.h"

static char *session_token = NULL;	/* id of an access token */

/* Is cnap_authenticate() setting cnap.session_token? */
static bool signing_in = false;

/* The token of this session, as of its last lookup. */
static struct
{
	char		id[UUID_LEN * 2 + 5];	/* text form; empty if none yet */
	uint64		events;			/* epoch total before the lookup */
	bool		valid;			/* apart from its expiry */
	bool		limited;
	TimestampTz expires_at;
	char		user[CNAP_MAX_USER_ID + 1];
	CnapLimits	limits;			/* if limited */
}			session;

/*
 * check_hook of cnap.session_token.  A parallel worker must accept the value
 * of its leader.
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

/* Tell who the current user is by the token that was looked up last. */
static void
announce_user(void)
{
	CnapIdentityChanged(session.valid ? session.user : "",
						session.valid && session.limited ? session.limits.serial : 0);
}

/*
 * assign_hook of cnap.session_token
 *
 * cnap_authenticate() looks the token up at once, and so tells who that is.
 */
static void
assign_session_token(const char *newval, void *extra)
{
	if (newval == NULL || newval[0] == '\0' || signing_in)
		CnapIdentityChanged("", 0);
	else if (strcmp(newval, session.id) == 0)
		announce_user();
	else
		CnapIdentityChanged(NULL, 0);
}

void
CnapSessionTokenInit(void)
{
	DefineCustomStringVariable("cnap.session_token",
							   "Id of the access token that the session is signed in with.",
							   "Set by cnap_authenticate() alone.",
							   &session_token,
							   "",
							   PGC_SUSET,
							   GUC_DISALLOW_IN_FILE | GUC_NOT_IN_SAMPLE | GUC_ALLOW_IN_PARALLEL,
							   check_session_token, assign_session_token, NULL);
}

bool
CnapSignedInByToken(void)
{
	return session_token != NULL && session_token[0] != '\0';
}

/* Look up the token of this session. */
static void
look_up(void)
{
	Datum		id = DirectFunctionCall1(uuid_in, CStringGetDatum(session_token));
	CnapAccessToken token;

	session.id[0] = '\0';
	session.events = CnapCurrentEpoch.total;
	session.valid = false;
	if (CnapFindAccessToken(CnapById(DatumGetUUIDP(id)), &token))
	{
		session.expires_at = token.expires_at;
		text_to_cstring_buffer(token.user, session.user, sizeof(session.user));
		session.limited = CnapIsLimited(&token);
		if (session.limited)
			CnapSetLimits(&session.limits, &token);
		session.valid = !token.revoked;
		CnapFreeAccessToken(&token);
	}
	pfree(DatumGetUUIDP(id));
	if (CnapEpochMayKeep())
		strlcpy(session.id, session_token, sizeof(session.id));
}

const char *
CnapTokenUser(void)
{
	if (!CnapSignedInByToken())
		return NULL;
	AcceptInvalidationMessages();
	if (session.events != CnapCurrentEpoch.total ||
		strcmp(session.id, session_token) != 0)
	{
		look_up();
		announce_user();
	}
	if (!session.valid || !CnapHoldsUntil(session.expires_at) || !CnapDataIsFresh())
		return NULL;
	return session.user;
}

const CnapLimits *
CnapTokenLimits(void)
{
	return CnapSignedInByToken() && session.limited ? &session.limits : NULL;
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
	CnapTokenUser();
}

void
CnapInvalidToken(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
			 errmsg("invalid API key")));
}
