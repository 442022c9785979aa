/*-------------------------------------------------------------------------
 *
 * retention.c
 *	  What is not kept: people who are to be forgotten, and old audit entries.
 *
 * To forget a user concerns any number of organizations and workspaces, where
 * every other function concerns one.  It locks the organizations first and the
 * workspaces after them, each in the order of their ids, so that it waits for
 * no one who waits for it.  Two of its kind would still meet in the rows where
 * one person added the other, so they come one after the other.
 *
 * What it changes is found by the user's id in each table.  Nobody can join
 * the user to what is locked already; where somebody did so elsewhere in the
 * meantime, or the transaction's snapshot is too old to see it, the transaction
 * fails, to be repeated.
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
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/timestamp.h"

#include "arguments.h"
#include "authorize.h"
#include "lookup.h"
#include "relations.h"
#include "validate.h"

PG_FUNCTION_INFO_V1(cnap_forget_user);
PG_FUNCTION_INFO_V1(cnap_prune_audit);

/* ---- people ---- */

/* Locks all that the user has a part in, against other changes. */
static void
lock_for_forgetting(Datum *user)
{
	static CnapStatement lock_organizations = {
		"SELECT FROM cnap.organization WHERE id IN ("
		" SELECT organization_id FROM cnap.organization_member WHERE user_id = $1"
		" UNION ALL SELECT organization_id FROM cnap.invitation"
		"  WHERE inviter = $1 AND outcome IS NULL)"
		" ORDER BY id FOR NO KEY UPDATE",
		1, {TEXTOID}
	};
	static CnapStatement lock_workspaces = {
		"SELECT FROM cnap.workspace WHERE id IN ("
		" SELECT id FROM cnap.workspace WHERE owner_id = $1"
		" UNION ALL SELECT workspace_id FROM cnap.workspace_member WHERE user_id = $1"
		" UNION ALL SELECT workspace_id FROM cnap.invitation"
		"  WHERE inviter = $1 AND outcome IS NULL)"
		" ORDER BY id FOR NO KEY UPDATE",
		1, {TEXTOID}
	};

	LockDatabaseObject(RelationRelationId, CnapTableOid(CNAP_ACCESS_EPOCH), 0,
					   ExclusiveLock);
	CnapExecute(&lock_organizations, user, NULL);
	CnapExecute(&lock_workspaces, user, NULL);
}

/* Refuses to forget somebody who alone owns something. */
static void
refuse_sole_owner(Datum *user)
{
	static CnapStatement list = {
		"SELECT string_agg(what, ', ' ORDER BY n) FILTER (WHERE n <= 10)"
		" || CASE WHEN count(*) > 10 THEN format(', and %s more', count(*) - 10) ELSE '' END"
		" FROM (SELECT format('%s \"%s\" (%s)', kind, name, id) AS what,"
		"  row_number() OVER (ORDER BY kind, name, id) AS n"
		"  FROM cnap.list_sole_property($1)) property",
		1, {TEXTOID}
	};
	char	   *property = CnapQueryText(&list, user, NULL);

	if (property != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_RESTRICT_VIOLATION),
				 errmsg("user \"%s\" is the sole owner of organizations or workspaces",
						TextDatumGetCString(*user)),
				 errdetail("They are: %s.", property),
				 errhint("Name a successor, or delete or hand over what they own first.")));
}

/*
 * Makes the successor the owner of what the user alone owns.  $3 is who did
 * that, unless it is the user.
 */
static void
hand_over(const CnapAct *act, Datum user, text *successor)
{
	static CnapStatement organizations = {
		"INSERT INTO cnap.organization_member AS m (organization_id, user_id, role, added_by)"
		" SELECT p.id, $2, 'owner', nullif($3, $1) FROM cnap.list_sole_property($1) p"
		" WHERE p.kind = 'organization'"
		" ON CONFLICT (organization_id, user_id) DO UPDATE SET role = 'owner'",
		3, {TEXTOID, TEXTOID, TEXTOID}
	};
	static CnapStatement memberships = {
		"DELETE FROM cnap.workspace_member m USING cnap.workspace w"
		" WHERE w.id = m.workspace_id AND w.owner_id = $1 AND m.user_id = $2",
		2, {TEXTOID, TEXTOID}
	};
	static CnapStatement workspaces = {
		"UPDATE cnap.workspace SET owner_id = $2 WHERE owner_id = $1",
		2, {TEXTOID, TEXTOID}
	};
	Datum		values[3];
	char		nulls[3] = {' ', ' ', ' '};

	values[0] = user;
	values[1] = PointerGetDatum(successor);
	values[2] = PointerGetDatum(act->actor.user);
	nulls[2] = act->actor.user != NULL ? ' ' : 'n';
	CnapExecuteAct(act, &organizations, values, nulls);
	CnapExecuteAct(act, &memberships, values, nulls);
	CnapExecuteAct(act, &workspaces, values, nulls);
}

/* What the tables have of a user who owns nothing alone any more. */
static CnapStatement forget[] = {
	{"DELETE FROM cnap.workspace_member WHERE user_id = $1", 1, {TEXTOID}},
	{"DELETE FROM cnap.organization_member WHERE user_id = $1", 1, {TEXTOID}},
	{"DELETE FROM cnap.access_token WHERE user_id = $1", 1, {TEXTOID}},

	/* Their invitations end; of those to them, the address is theirs as well. */
	{
		"UPDATE cnap.invitation SET inviter = NULL, outcome = coalesce(outcome, 'revoked'),"
		" outcome_at = coalesce(outcome_at, now()) WHERE inviter = $1",
		1, {TEXTOID}
	},
	{
		"UPDATE cnap.invitation SET outcome_by = NULL,"
		" email = CASE WHEN outcome = 'revoked' THEN email END WHERE outcome_by = $1",
		1, {TEXTOID}
	},

	/* Install links are their organization's, and stay. */
	{"UPDATE cnap.install_link SET created_by = NULL WHERE created_by = $1", 1, {TEXTOID}},
	{"UPDATE cnap.organization SET created_by = NULL WHERE created_by = $1", 1, {TEXTOID}},
	{"UPDATE cnap.organization_member SET added_by = NULL WHERE added_by = $1", 1, {TEXTOID}},
	{"UPDATE cnap.workspace_member SET added_by = NULL WHERE added_by = $1", 1, {TEXTOID}},
};

/*
 * cnap_forget_user(user_id, successor) -> void
 *
 * Any trusted role may call it, in whosever name: it can be anybody.
 */
Datum
cnap_forget_user(PG_FUNCTION_ARGS)
{
	CnapAct		act;
	text	   *user;
	text	   *successor = NULL;
	Datum		value;
	StringInfoData detail;

	CnapActByPrivilege(&act);
	user = CnapRequiredUserId(fcinfo, 0, "user_id");
	if (!PG_ARGISNULL(1))
		successor = CnapRequiredUserId(fcinfo, 1, "successor");
	if (successor != NULL && CnapTextEqual(user, successor))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("successor must be somebody else")));

	value = PointerGetDatum(user);
	initStringInfo(&detail);
	lock_for_forgetting(&value);
	if (successor == NULL)
		refuse_sole_owner(&value);
	else
	{
		hand_over(&act, value, successor);
		appendStringInfoString(&detail, "\"successor\": ");
		escape_json(&detail, text_to_cstring(successor));
	}
	for (int i = 0; i < (int) lengthof(forget); i++)
		CnapExecuteAct(&act, &forget[i], &value, NULL);

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
	older_than = CnapRequiredArg(fcinfo, 0, "older_than");
	if (!CnapIsAge(DatumGetIntervalP(older_than)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid older_than"),
				 errdetail("No part of an age is negative, or more than %d years.",
						   CNAP_MAX_DURATION)));

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
