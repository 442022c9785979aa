/*-------------------------------------------------------------------------
 *
 * access_token.c
 *	  Personal access tokens.
 *
 * A user creates a token and gives it to a script, which signs in with it.
 * The database stores only its hash, so nothing that can be read from the
 * tables or from a dump can be used to sign in.
 *
 * How a session remembers its token, and notices its end, is in
 * session_token.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "change/audit_log.h"
#include "change/authorize.h"
#include "core/arguments.h"
#include "core/definitions.h"
#include "core/freshness.h"
#include "core/own_catalog.h"
#include "core/rows.h"
#include "core/token.h"
#include "core/trigger.h"
#include "identity/identity.h"
#include "identity/session_token.h"

PG_FUNCTION_INFO_V1(cnap_authenticate);
PG_FUNCTION_INFO_V1(cnap_create_access_token);
PG_FUNCTION_INFO_V1(cnap_access_tokens);
PG_FUNCTION_INFO_V1(cnap_revoke_access_token);
PG_FUNCTION_INFO_V1(cnap_access_token_after_delete);

/*
 * The minimum interval between two updates of a token's last use, in
 * milliseconds.
 */
#define LAST_USE_PRECISION (60 * 1000)

/* Is the token valid at this moment? */
static bool
is_valid(const CnapAccessToken *token)
{
	return !token->revoked && CnapHoldsUntil(token->expires_at);
}

/*
 * Record that a token is being used now.  We neither wait for another session
 * that is doing the same, nor update a row whose current version our snapshot
 * does not see.
 */
static void
record_use(const pg_uuid_t *token_id)
{
	static CnapStatement update = {
		"UPDATE cnap.access_token_use SET last_used_at = clock_timestamp()"
		" WHERE token_id = (SELECT token_id FROM cnap.access_token_use"
		" WHERE token_id = $1 AND coalesce(last_used_at, '-infinity') = $2"
		" FOR NO KEY UPDATE SKIP LOCKED)",
		2, {UUIDOID, TIMESTAMPTZOID}
	};
	TimestampTz last_used_at;
	Datum		values[2];

	if (RecoveryInProgress() || XactReadOnly ||
		!CnapFindTokenUse(token_id, &last_used_at) ||
		(last_used_at != DT_NOBEGIN &&
		 !TimestampDifferenceExceeds(last_used_at, GetCurrentTimestamp(),
									 LAST_USE_PRECISION)))
		return;

	values[0] = UUIDPGetDatum(token_id);
	values[1] = TimestampTzGetDatum(last_used_at);
	CnapExecute(&update, values, NULL);
}

/*
 * cnap_authenticate(token, is_local) -> text
 *
 * Unknown, expired, revoked and malformed tokens all raise the same error, and
 * the first three take the same work.  A mistyped token is detected by its
 * checksum, which reveals nothing about the contents of the database.
 */
Datum
cnap_authenticate(PG_FUNCTION_ARGS)
{
	text	   *given = DatumGetTextPP(CnapRequiredArg(fcinfo, 0, "token"));
	bool		is_local = DatumGetBool(CnapRequiredArg(fcinfo, 1, "is_local"));
	Datum		hash;
	CnapAccessToken token;

	CnapRefuseTwoUsers();
	CnapRequireFreshData();
	if (!CnapHashToken(CNAP_ACCESS_TOKEN_PREFIX, given, &hash) ||
		!CnapFindAccessToken(CnapByHash(hash), &token) || !is_valid(&token))
		CnapInvalidToken();

	record_use(&token.id);
	CnapSignIn(&token.id, is_local);
	PG_RETURN_TEXT_P(token.user);
}

/* The elements of an array argument that is a list without nulls. */
static int
list_argument(FunctionCallInfo fcinfo, int argno, const char *argname, Oid type,
			  int16 length, char align, Datum **elements)
{
	ArrayType  *array = PG_GETARG_ARRAYTYPE_P(argno);
	int			count;

	if (ARR_NDIM(array) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must be a list", argname)));
	if (array_contains_nulls(array))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must not contain nulls", argname)));
	deconstruct_array(array, type, length, false, align, elements, NULL, &count);
	return count;
}

/*
 * Check the limits of a token, which may be null.  What a token is limited to must
 * exist now, which detects typing errors; if it ends later, nothing is left of it.
 */
static void
check_limits(FunctionCallInfo fcinfo, int workspaces, int permissions, const CnapActor *actor)
{
	Datum	   *elements;
	int			count;

	if (!PG_ARGISNULL(workspaces))
	{
		count = list_argument(fcinfo, workspaces, "workspaces", UUIDOID, UUID_LEN,
							  TYPALIGN_CHAR, &elements);
		if (count > CNAP_MAX_TOKEN_WORKSPACES)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("too many workspaces"),
					 errdetail("A token can be limited to at most %d workspaces.",
							   CNAP_MAX_TOKEN_WORKSPACES)));
		for (int i = 0; i < count; i++)
		{
			CHECK_FOR_INTERRUPTS();
			if (!CnapSeesWorkspace(actor, DatumGetUUIDP(elements[i])))
				CnapNoWorkspace(DatumGetUUIDP(elements[i]));
		}
	}
	if (!PG_ARGISNULL(permissions))
	{
		count = list_argument(fcinfo, permissions, "permissions", TEXTOID, -1,
							  TYPALIGN_INT, &elements);
		for (int i = 0; i < count; i++)
			CnapNamedPermission(DatumGetTextPP(elements[i]));
	}
}

/*
 * cnap_create_access_token(name, expires_at, workspaces, permissions) -> text
 *
 * A session signed in by a token cannot create another token, which would
 * survive the revocation of the first.
 */
Datum
cnap_create_access_token(PG_FUNCTION_ARGS)
{
	static CnapStatement insert = {
		"WITH token AS ("
		"INSERT INTO cnap.access_token (user_id, name, token_hash, expires_at, workspaces, permissions)"
		" VALUES ($1, $2, $3, $4,"
		" CASE WHEN $5 IS NOT NULL THEN ARRAY(SELECT DISTINCT w FROM unnest($5) w ORDER BY w) END,"
		" CASE WHEN $6 IS NOT NULL THEN ARRAY(SELECT DISTINCT p COLLATE \"C\" FROM unnest($6) p ORDER BY 1) END)"
		" RETURNING id)"
		" INSERT INTO cnap.access_token_use (token_id) SELECT id FROM token",
		6, {TEXTOID, TEXTOID, BYTEAOID, TIMESTAMPTZOID, UUIDARRAYOID, TEXTARRAYOID}
	};
	CnapAct		act = {0};
	text	   *token;
	Datum		values[6];
	char		nulls[6] = {' ', ' ', ' ', ' ', ' ', ' '};

	CnapGetUser(&act.actor);
	if (CnapSignedInByToken())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("an access token cannot create another one"),
				 errdetail("The new token would outlive this one.")));
	act.path = "as its creator";

	values[0] = PointerGetDatum(act.actor.user);
	values[1] = PointerGetDatum(CnapRequiredName(fcinfo, 0));
	CnapCheckFuture(fcinfo, 1, "expires_at");
	token = CnapNewToken(CNAP_ACCESS_TOKEN_PREFIX, &values[2]);
	values[3] = PG_GETARG_DATUM(1);
	nulls[3] = PG_ARGISNULL(1) ? 'n' : ' ';
	check_limits(fcinfo, 2, 3, &act.actor);
	for (int i = 2; i < 4; i++)
	{
		values[i + 2] = PG_GETARG_DATUM(i);
		nulls[i + 2] = PG_ARGISNULL(i) ? 'n' : ' ';
	}
	CnapExecuteAct(&act, &insert, values, nulls);
	PG_RETURN_TEXT_P(token);
}

/* cnap_access_tokens() -> the current user's tokens, newest first */
Datum
cnap_access_tokens(PG_FUNCTION_ARGS)
{
	static CnapStatement query = {
		"SELECT * FROM cnap.list_access_tokens($1)", 1, {TEXTOID}
	};

	return CnapCurrentUserRows(fcinfo, &query);
}

/*
 * cnap_revoke_access_token(token_id) -> void
 *
 * Users can revoke their own tokens, the system anybody's.
 */
Datum
cnap_revoke_access_token(PG_FUNCTION_ARGS)
{
	static CnapStatement revoke = {
		"UPDATE cnap.access_token SET revoked_at = now()"
		" WHERE id = $1 AND revoked_at IS NULL",
		1, {UUIDOID}
	};
	const pg_uuid_t *id;
	CnapAct		act = {0};
	CnapAccessToken token;
	pg_uuid_t	key;
	Datum		value;

	CnapGetActor(&act.actor);
	id = CnapRequiredUuid(fcinfo, 0, "token_id");
	if (!CnapFindAccessToken(CnapById(id), &token) ||
		(act.actor.user != NULL && !CnapTextEqual(token.user, act.actor.user)))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("access token \"%s\" does not exist", CnapUuidString(id))));
	act.path = act.actor.user != NULL ? "as its owner" : CNAP_AS_SYSTEM;

	/* A session that a token has signed in may be that of a thief. */
	key = CnapUserKey(token.user);
	CnapEnterFirst(CNAP_HELD_TOKENS, &key, act.actor.user == NULL ? CNAP_RANK_SYSTEM :
				   CnapSignedInByToken() ? CNAP_RANK_MEMBER : CNAP_RANK_OWNER);

	value = UUIDPGetDatum(id);
	if (!token.revoked)
	{
		if (CnapExecuteAct(&act, &revoke, &value, NULL) > 0)
			PG_RETURN_VOID();
		if (IsolationUsesXactSnapshot())
			CnapSerializationFailure();
	}
	CnapEndedAlready("access token");
	PG_RETURN_VOID();
}

/*
 * cnap.access_token_after_delete(): row trigger
 *
 * Deletes the row with the token's last use as well, unless a session that is
 * signing in has it locked.  In that case a row with just an id and a time is
 * left behind.
 */
Datum
cnap_access_token_after_delete(PG_FUNCTION_ARGS)
{
	static CnapStatement delete = {
		"DELETE FROM cnap.access_token_use"
		" WHERE token_id = (SELECT token_id FROM cnap.access_token_use"
		" WHERE token_id = $1 FOR UPDATE SKIP LOCKED)",
		1, {UUIDOID}
	};
	TriggerData *trigdata = CnapRowTriggerData(fcinfo);
	bool		isnull;
	Datum		id;

	id = heap_getattr(trigdata->tg_trigtuple, Anum_access_token_id,
					  RelationGetDescr(trigdata->tg_relation), &isnull);
	CnapExecute(&delete, &id, NULL);
	return PointerGetDatum(NULL);
}
