/*-------------------------------------------------------------------------
 *
 * forget.c
 *	  Removing users who are to be forgotten, and old audit entries.
 *
 * Forgetting a user involves any number of organizations and workspaces, while
 * every other function involves just one.  To avoid deadlocks, it locks first
 * the organizations and then the workspaces, each in the order of their ids.
 * Two such calls, each with the user of the other as the successor, could still
 * leave both users in place, so only one is executed at a time.
 *
 * The rows to change are found by the user's id in each table, among the
 * locked organizations and workspaces, to which nobody can add the user
 * meanwhile.  If the user has been added elsewhere meanwhile, or the
 * transaction's snapshot is too old to see a row, we raise a serialization
 * failure.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/timestamp.h"

#include "change/authorize.h"
#include "core/arguments.h"
#include "core/formats.h"
#include "core/own_catalog.h"
#include "core/progress.h"
#include "core/rows.h"
#include "identity/trusted.h"

PG_FUNCTION_INFO_V1(cnap_forget_user);
PG_FUNCTION_INFO_V1(cnap_prune_audit);

/* ---- people ---- */

/* The parameters of all statements below. */
enum
{
	USER,
	ORGANIZATIONS,				/* the ids of the locked ones, as an array */
	WORKSPACES,
	SUCCESSOR,
	ACTOR,
	PARAMETERS
};

/*
 * The arrays can be long.  As constants they are hashed when rows are compared
 * with them; a generic plan would search the array anew for each row.
 */
#define FORGET(statement) \
	{statement, PARAMETERS, \
	{TEXTOID, UUIDARRAYOID, UUIDARRAYOID, TEXTOID, TEXTOID}, CURSOR_OPT_CUSTOM_PLAN}

/*
 * The organizations, and the workspaces, that rows about the user belong to, as
 * queries; and the statements that return their ids as an array, without or after
 * locking their rows.
 */
#define USERS_ORGANIZATIONS \
	" SELECT id FROM cnap.organization WHERE created_by = $1" \
	" UNION ALL SELECT organization_id FROM cnap.organization_member WHERE $1 IN (user_id, added_by)" \
	" UNION ALL SELECT organization_id FROM cnap.invitation WHERE $1 IN (inviter, outcome_by, user_id)" \
	" UNION ALL SELECT organization_id FROM cnap.install_link WHERE created_by = $1"
#define USERS_WORKSPACES \
	" SELECT id FROM cnap.workspace WHERE owner_id = $1" \
	" UNION ALL SELECT workspace_id FROM cnap.workspace_member WHERE $1 IN (user_id, added_by)" \
	" UNION ALL SELECT workspace_id FROM cnap.assignment WHERE $1 IN (user_id, assigned_by)" \
	" UNION ALL SELECT workspace_id FROM cnap.invitation WHERE $1 IN (inviter, outcome_by, user_id)"
#define FIND(query) \
	FORGET("SELECT array_agg(DISTINCT id) FROM (" query ") found WHERE id IS NOT NULL")
#define LOCK(table, query) \
	FORGET("SELECT array_agg(id) FROM (SELECT id FROM " table " WHERE id IN (" query ")" \
		   " ORDER BY id FOR NO KEY UPDATE) locked")

/* Execute one of these statements. */
static Datum
find_ids(CnapStatement *statement, Datum *values, const char *nulls)
{
	char	   *ids = CnapQueryText(statement, values, nulls);

	return OidFunctionCall3(F_ARRAY_IN, CStringGetDatum(ids != NULL ? ids : "{}"),
							ObjectIdGetDatum(UUIDOID), Int32GetDatum(-1));
}

/*
 * End the open transactions of others that have locked what is about to be
 * locked.  Somebody who locks it later is waited for.
 */
static void
end_changes(Datum *values, const char *nulls)
{
	static CnapStatement organizations = FIND(USERS_ORGANIZATIONS);
	static CnapStatement workspaces = FIND(USERS_WORKSPACES);
	pg_uuid_t	tokens = CnapUserKey(DatumGetTextPP(values[USER]));
	Datum	   *ids;
	int			count;

	deconstruct_array(DatumGetArrayTypeP(find_ids(&organizations, values, nulls)),
					  UUIDOID, UUID_LEN, false, TYPALIGN_CHAR, &ids, NULL, &count);
	for (int i = 0; i < count; i++)
		CnapEndLower(CNAP_HELD_ORGANIZATION, DatumGetUUIDP(ids[i]), CNAP_RANK_SYSTEM);

	deconstruct_array(DatumGetArrayTypeP(find_ids(&workspaces, values, nulls)),
					  UUIDOID, UUID_LEN, false, TYPALIGN_CHAR, &ids, NULL, &count);
	for (int i = 0; i < count; i++)
		CnapEndChanges(DatumGetUUIDP(ids[i]), CNAP_RANK_SYSTEM);

	CnapEndLower(CNAP_HELD_TOKENS, &tokens, CNAP_RANK_SYSTEM);
}

/*
 * Lock everything that rows about the user belong to against other changes.
 * If that has to wait for a row, the row is locked because of what it
 * contained before, even if that has changed.
 */
static void
lock_for_forgetting(Datum *values, char *nulls)
{
	static CnapStatement organizations = LOCK("cnap.organization", USERS_ORGANIZATIONS);
	static CnapStatement workspaces = LOCK("cnap.workspace", USERS_WORKSPACES);

	LockDatabaseObject(RelationRelationId, CnapTableOid(CNAP_AUDIT_LOG), 0,
					   ExclusiveLock);
	end_changes(values, nulls);
	values[ORGANIZATIONS] = find_ids(&organizations, values, nulls);
	nulls[ORGANIZATIONS] = ' ';
	values[WORKSPACES] = find_ids(&workspaces, values, nulls);
	nulls[WORKSPACES] = ' ';
}

/* Raise an error if the user is the sole owner of something. */
static void
refuse_sole_owner(Datum *values, const char *nulls)
{
	static CnapStatement list =
		FORGET("SELECT string_agg(what, ', ' ORDER BY n) FILTER (WHERE n <= 10)"
			   " || CASE WHEN count(*) > 10 THEN format(', and %s more', count(*) - 10) ELSE '' END"
			   " FROM (SELECT format('%s \"%s\" (%s)', kind, name, id) AS what,"
			   "  row_number() OVER (ORDER BY kind, name, id) AS n"
			   "  FROM cnap.list_sole_property($1)) property");
	char	   *property = CnapQueryText(&list, values, nulls);

	if (property != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_RESTRICT_VIOLATION),
				 errmsg("user \"%s\" is the sole owner of organizations or workspaces",
						TextDatumGetCString(values[USER])),
				 errdetail("They are: %s.", property),
				 errhint("Name a successor, or delete or hand over what they own first.")));
}

/* Make the successor an owner of what the user is the sole owner of. */
static CnapStatement hand_over[] = {
	FORGET("INSERT INTO cnap.organization_member AS m (organization_id, user_id, role, added_by)"
		   " SELECT p.id, $4, 'owner', nullif($5, $1) FROM cnap.list_sole_property($1) p"
		   " WHERE p.kind = 'organization' AND p.id = ANY ($2)"
		   " ON CONFLICT (organization_id, user_id) DO UPDATE SET role = 'owner'"),
	FORGET("DELETE FROM cnap.workspace_member m USING cnap.workspace w"
		   " WHERE w.id = m.workspace_id AND w.owner_id = $1 AND w.id = ANY ($3)"
		   " AND m.user_id = $4"),
	FORGET("UPDATE cnap.workspace SET owner_id = $4"
		   " WHERE owner_id = $1 AND id = ANY ($3)"),
};

/*
 * Remove a user who is no longer the sole owner of anything from the tables.
 */
static CnapStatement forget[] = {
	FORGET("DELETE FROM cnap.workspace_member"
		   " WHERE user_id = $1 AND workspace_id = ANY ($3)"),
	FORGET("DELETE FROM cnap.assignment WHERE user_id = $1"),
	FORGET("DELETE FROM cnap.organization_member"
		   " WHERE user_id = $1 AND organization_id = ANY ($2)"),
	FORGET("DELETE FROM cnap.access_token WHERE user_id = $1"),
	FORGET("DELETE FROM cnap.role_user WHERE user_id = $1"),

	/*
	 * Invitations by them end, and those for nobody else; in those to them,
	 * the address is removed as well.
	 */
	FORGET("UPDATE cnap.invitation SET user_id = NULL, email = NULL,"
		   " outcome = coalesce(outcome, 'revoked'), outcome_at = coalesce(outcome_at, now())"
		   " WHERE user_id = $1 AND (organization_id = ANY ($2) OR workspace_id = ANY ($3))"),
	FORGET("UPDATE cnap.invitation SET inviter = NULL, outcome = coalesce(outcome, 'revoked'),"
		   " outcome_at = coalesce(outcome_at, now()) WHERE inviter = $1"
		   " AND (organization_id = ANY ($2) OR workspace_id = ANY ($3))"),
	FORGET("UPDATE cnap.invitation SET outcome_by = NULL,"
		   " email = CASE WHEN outcome = 'revoked' THEN email END WHERE outcome_by = $1"
		   " AND (organization_id = ANY ($2) OR workspace_id = ANY ($3))"),

	/* Install links belong to the organization, and are kept. */
	FORGET("UPDATE cnap.install_link SET created_by = NULL"
		   " WHERE created_by = $1 AND organization_id = ANY ($2)"),
	FORGET("UPDATE cnap.organization SET created_by = NULL"
		   " WHERE created_by = $1 AND id = ANY ($2)"),
	FORGET("UPDATE cnap.organization_member SET added_by = NULL"
		   " WHERE added_by = $1 AND organization_id = ANY ($2)"),
	FORGET("UPDATE cnap.workspace_member SET added_by = NULL"
		   " WHERE added_by = $1 AND workspace_id = ANY ($3)"),
	FORGET("UPDATE cnap.assignment SET assigned_by = NULL WHERE assigned_by = $1"),
};

/*
 * cnap_forget_user(user_id, successor) -> void
 *
 * No permission of the current user is checked: a trusted role can act as any
 * user anyway.
 */
Datum
cnap_forget_user(PG_FUNCTION_ARGS)
{
	CnapAct		act;
	text	   *user;
	text	   *successor = NULL;
	Datum		values[PARAMETERS] = {0};
	char		nulls[PARAMETERS] = {'n', 'n', 'n', 'n', 'n'};
	StringInfoData detail;

	CnapRequireTrust(fcinfo);
	CnapActByPrivilege(&act);
	user = CnapRequiredUserId(fcinfo, 0, "user_id");
	if (!PG_ARGISNULL(1))
		successor = CnapRequiredUserId(fcinfo, 1, "successor");
	if (successor != NULL && CnapTextEqual(user, successor))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("successor must be somebody else")));

	values[USER] = PointerGetDatum(user);
	nulls[USER] = ' ';
	values[SUCCESSOR] = PointerGetDatum(successor);
	nulls[SUCCESSOR] = successor != NULL ? ' ' : 'n';
	values[ACTOR] = PointerGetDatum(act.actor.user);
	nulls[ACTOR] = act.actor.user != NULL ? ' ' : 'n';

	initStringInfo(&detail);
	lock_for_forgetting(values, nulls);
	if (successor == NULL)
		refuse_sole_owner(values, nulls);
	else
	{
		for (int i = 0; i < (int) lengthof(hand_over); i++)
			CnapExecuteAct(&act, &hand_over[i], values, nulls);
		appendStringInfoString(&detail, "\"successor\": ");
		escape_json(&detail, text_to_cstring(successor));
	}
	for (int i = 0; i < (int) lengthof(forget); i++)
	{
		CnapProgressPart(i + 1, lengthof(forget));
		CnapProgress(forget[i].sql);
		CnapExecuteAct(&act, &forget[i], values, nulls);
	}
	CnapProgressEnd();

	if (CnapIsNamed(user))
		CnapSerializationFailure();
	CnapRecord(&act, "user.forget", user, detail.data);
	PG_RETURN_VOID();
}

/* ---- the audit log ---- */

/* cnap_prune_audit(older_than) -> bigint */
Datum
cnap_prune_audit(PG_FUNCTION_ARGS)
{
	static CnapStatement prune = {
		"DELETE FROM cnap.audit_log WHERE occurred_at < $1", 1, {TIMESTAMPTZOID}
	};
	CnapAct		act;
	Datum		older_than;
	Datum		before;
	uint64		entries;

	if (!has_privs_of_role(GetUserId(), CnapOwner()))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be owner of the extension to prune the audit log")));
	CnapActByPrivilege(&act);
	older_than = CnapRequiredAge(fcinfo, 0, "older_than");
	before = DirectFunctionCall2(timestamptz_mi_interval,
								 TimestampTzGetDatum(GetCurrentTransactionStartTimestamp()),
								 older_than);
	entries = CnapExecuteAct(&act, &prune, &before, NULL);
	if (entries > 0)
		CnapRecord(&act, "audit.prune", NULL,
				   psprintf("\"before\": \"%s\", \"entries\": " UINT64_FORMAT,
							CnapJsonMoment(DatumGetTimestampTz(before)), entries));
	PG_RETURN_INT64((int64) entries);
}
