/*-------------------------------------------------------------------------
 *
 * audit_log.c
 *	  The audit log.
 *
 * Triggers on each table have the entries written (audit_triggers.c), so that every
 * change is recorded, whether it is made by a public function, psql or an ORM.
 * While a public function executes its statement, current_act says who is
 * acting and by which right; any other change is recorded as a direct statement.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "commands/sequence.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "optimizer/optimizer.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/timestamp.h"
#include "utils/xid8.h"

#include "change/audit_log.h"
#include "change/notifications.h"
#include "core/compat.h"
#include "core/epoch.h"
#include "core/own_catalog.h"
#include "core/rows.h"
#include "core/trigger.h"

PG_FUNCTION_INFO_V1(cnap_is_import);
PG_FUNCTION_INFO_V1(cnap_audit_log_before_insert);
PG_FUNCTION_INFO_V1(cnap_audit_log_before_write);

/* The act whose statement is being executed, or NULL. */
static const CnapAct *current_act = NULL;

/*
 * The CHECK constraints of the log, which PostgreSQL would read and compile anew for
 * each row.  They are in TopTransactionContext, and good for that transaction.
 */
static struct
{
	FullTransactionId xid;
	int			count;
	char	  **sources;		/* as in pg_constraint.conbin */
	ExprState **states;
}			compiled;

/* ---- entries ---- */

void
CnapBeginEntry(CnapEntry *entry, const char *action)
{
	memset(entry, 0, sizeof(*entry));
	entry->action = action;
	initStringInfo(&entry->detail);
}

void
CnapAppendPair(StringInfo json, const char *key, const char *value)
{
	if (value == NULL)
		return;
	if (json->len > 0)
		appendStringInfoString(json, ", ");
	escape_json(json, key);
	appendStringInfoString(json, ": ");
	escape_json(json, value);
}

/* Are these the constraints that have been compiled for the transaction? */
static bool
are_compiled(const TupleConstr *constr, FullTransactionId xid)
{
	if (!FullTransactionIdEquals(compiled.xid, xid) || compiled.count != constr->num_check)
		return false;
	for (int i = 0; i < compiled.count; i++)
	{
		if (strcmp(compiled.sources[i], constr->check[i].ccbin) != 0)
			return false;
	}
	return true;
}

/* The CHECK constraints of the log, ready to be evaluated; NULL if there are none. */
static ExprState **
compile_constraints(Relation log)
{
	const TupleConstr *constr = RelationGetDescr(log)->constr;
	FullTransactionId xid = GetTopFullTransactionId();
	MemoryContext old;

	if (constr == NULL || constr->num_check == 0)
		return NULL;
	if (are_compiled(constr, xid))
		return compiled.states;

	compiled.xid = InvalidFullTransactionId;
	old = MemoryContextSwitchTo(TopTransactionContext);
	compiled.count = constr->num_check;
	compiled.sources = palloc(compiled.count * sizeof(char *));
	compiled.states = palloc(compiled.count * sizeof(ExprState *));
	for (int i = 0; i < compiled.count; i++)
	{
		Expr	   *check = stringToNode(constr->check[i].ccbin);

		compiled.sources[i] = pstrdup(constr->check[i].ccbin);
		compiled.states[i] = ExecInitExpr(expression_planner(check), NULL);
	}
	MemoryContextSwitchTo(old);
	compiled.xid = xid;
	return compiled.states;
}

/*
 * Insert a row into the audit log.  This bypasses the executor's INSERT, and with
 * it the triggers and rules that somebody may have put on the table: none of their
 * code is ever executed with our owner's rights, nor can it make a change of access
 * fail.  Constraints and indexes work as always.
 */
static void
insert_row(Relation log, Datum *values, const bool *nulls)
{
	EState	   *estate = CreateExecutorState();
	ResultRelInfo *target = makeNode(ResultRelInfo);
	TupleTableSlot *slot;

	InitResultRelInfo(target, log, 0, NULL, 0);
	target->ri_TrigDesc = NULL;
	target->ri_CheckConstraintExprs = compile_constraints(log);
	slot = ExecInitExtraTupleSlot(estate, RelationGetDescr(log), &TTSOpsVirtual);
	memcpy(slot->tts_values, values, sizeof(Datum) * Natts_audit_log);
	memcpy(slot->tts_isnull, nulls, sizeof(bool) * Natts_audit_log);
	ExecStoreVirtualTuple(slot);

	ExecOpenIndices(target, false);
	ExecSimpleRelationInsert(target, estate, slot);
	ExecCloseIndices(target);
	ExecResetTupleTable(estate->es_tupleTable, false);
	FreeExecutorState(estate);
}

static void
set_value(Datum *values, bool *nulls, AttrNumber attno, const void *value)
{
	values[attno - 1] = PointerGetDatum(value);
	nulls[attno - 1] = value == NULL;
}

/* Write an entry, and queue its notification. */
static void
write_entry(const CnapAct *act, CnapEntry *entry)
{
	Relation	log = table_open(CnapTableOid(CNAP_AUDIT_LOG), RowExclusiveLock);
	Oid			ids = get_relname_relid("audit_log_id_seq", RelationGetNamespace(log));
	const pg_uuid_t *organization = entry->organization;
	char	   *detail = psprintf("{%s}", entry->detail.data);
	Datum		values[Natts_audit_log] = {0};
	bool		nulls[Natts_audit_log] = {false};
	StringInfoData payload;

	if (organization == NULL && act->as_manager)
		organization = &act->manager;
	if (!OidIsValid(ids))
		elog(ERROR, "the sequence of the audit log does not exist");

	values[Anum_audit_log_id - 1] = Int64GetDatum(nextval_internal(ids, false));
	values[Anum_audit_log_occurred_at - 1] = TimestampTzGetDatum(GetCurrentTimestamp());
	set_value(values, nulls, Anum_audit_log_actor, act->actor.user);
	set_value(values, nulls, Anum_audit_log_database_role,
			  cstring_to_text(GetUserNameFromId(act->actor.role, false)));
	set_value(values, nulls, Anum_audit_log_action, cstring_to_text(entry->action));
	set_value(values, nulls, Anum_audit_log_organization_id, organization);
	set_value(values, nulls, Anum_audit_log_workspace_id, entry->workspace);
	set_value(values, nulls, Anum_audit_log_subject, entry->subject);
	set_value(values, nulls, Anum_audit_log_path, cstring_to_text(act->path));
	values[Anum_audit_log_detail - 1] =
		DirectFunctionCall1(jsonb_in, CStringGetDatum(detail));
	values[Anum_audit_log_xid - 1] = FullTransactionIdGetDatum(GetTopFullTransactionId());
	insert_row(log, values, nulls);
	table_close(log, NoLock);

	initStringInfo(&payload);
	CnapAppendPair(&payload, "action", entry->action);
	CnapAppendPair(&payload, "organization",
				   organization != NULL ? CnapUuidString(organization) : NULL);
	CnapAppendPair(&payload, "workspace",
				   entry->workspace != NULL ? CnapUuidString(entry->workspace) : NULL);
	CnapAppendPair(&payload, "subject",
				   entry->subject != NULL ? text_to_cstring(entry->subject) : NULL);
	CnapAppendPair(&payload, "actor",
				   act->actor.user != NULL ? text_to_cstring(act->actor.user) : NULL);
	CnapNotify(psprintf("{%s}", payload.data));
}

char *
CnapJsonMoment(TimestampTz moment)
{
	char	   *buffer = palloc(MAXDATELEN + 1);

	return JsonEncodeDateTime(buffer, TimestampTzGetDatum(moment), TIMESTAMPTZOID, NULL);
}

char *
CnapJsonInterval(const Interval *interval)
{
	char	   *buffer = palloc(MAXDATELEN + 1);
	struct pg_itm itm;

	interval2itm(*interval, &itm);
	EncodeInterval(&itm, INTSTYLE_ISO_8601, buffer);
	return buffer;
}

void
CnapRecord(const CnapAct *act, const char *action, text *subject, const char *detail)
{
	CnapEntry	entry;

	CnapBeginEntry(&entry, action);
	entry.subject = subject;
	appendStringInfoString(&entry.detail, detail);
	write_entry(act, &entry);
}

void
CnapRecordEntry(CnapEntry *entry)
{
	CnapAct		direct = {0};
	const char *user;

	if (current_act != NULL)
	{
		if (!current_act->unrecorded)
			write_entry(current_act, entry);
		return;
	}
	user = CnapCurrentUser();
	direct.actor.user = user != NULL ? cstring_to_text(user) : NULL;
	direct.actor.role = GetOuterUserId();
	direct.path = "by a direct statement";
	write_entry(&direct, entry);
}

/* ---- acts ---- */

const pg_uuid_t *
CnapActWorkspace(void)
{
	return current_act != NULL ? current_act->workspace : NULL;
}

uint64
CnapExecuteAct(const CnapAct *act, CnapStatement *statement,
			   Datum *values, const char *nulls)
{
	const CnapAct *outer = current_act;
	uint64		processed = 0;

	PG_TRY();
	{
		current_act = act;
		processed = CnapExecuteChange(statement, values, nulls);
	}
	PG_FINALLY();
	{
		current_act = outer;
	}
	PG_END_TRY();
	return processed;
}

void
CnapExecuteActOnRow(const CnapAct *act, CnapStatement *statement,
					Datum *values, const char *nulls)
{
	if (CnapExecuteAct(act, statement, values, nulls) == 0)
		CnapSerializationFailure();
}

/*
 * cnap.is_import() -> boolean
 *
 * For the triggers of new rows, which leave those alone that are restored.
 */
Datum
cnap_is_import(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(current_act != NULL && current_act->import);
}

/* ---- the log itself ---- */

/*
 * cnap.audit_log_before_insert(): BEFORE INSERT trigger
 *
 * Entries that are restored from a dump, or inserted by hand, are entries of the
 * transaction that inserts them: those of another database would mean nothing here
 * (audit_feed.c).
 */
Datum
cnap_audit_log_before_insert(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = CnapRowTriggerData(fcinfo);
	int			column = Anum_audit_log_xid;
	Datum		xid = FullTransactionIdGetDatum(GetTopFullTransactionId());
	bool		isnull = false;

	return PointerGetDatum(heap_modify_tuple_by_cols(trigdata->tg_trigtuple,
													 RelationGetDescr(trigdata->tg_relation),
													 1, &column, &xid, &isnull));
}

/*
 * cnap.audit_log_before_write(): BEFORE UPDATE, DELETE or TRUNCATE trigger
 *
 * Keeps a role from rewriting history even if it has been granted privileges
 * on the log.
 */
Datum
cnap_audit_log_before_write(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = CnapTriggerData(fcinfo);

	if (!has_privs_of_role(GetUserId(), CnapOwner()))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("the audit log is append-only"),
				 errdetail("Only the owner of the extension can prune it.")));

	if (TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event))
		return PointerGetDatum(trigdata->tg_newtuple);
	return PointerGetDatum(trigdata->tg_trigtuple);
}
