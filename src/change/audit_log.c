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

#include "access/table.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/json.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "change/audit_log.h"
#include "change/notifications.h"
#include "core/own_catalog.h"
#include "core/rows.h"

PG_FUNCTION_INFO_V1(cnap_audit_log_before_write);

/* The act whose statement is being executed, or NULL. */
static const CnapAct *current_act = NULL;

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

/*
 * Does the audit log have an insert trigger?  The extension itself has none,
 * so it would be an application's.
 */
static bool
has_listener(void)
{
	Relation	log = CnapOpenTable(CNAP_AUDIT_LOG);
	TriggerDesc *triggers = log->trigdesc;
	bool		result = triggers != NULL &&
		(triggers->trig_insert_before_row || triggers->trig_insert_after_row ||
		 triggers->trig_insert_before_statement || triggers->trig_insert_after_statement);

	table_close(log, AccessShareLock);
	return result;
}

/*
 * Write an entry, and queue its notification.  The trigger function has no SET
 * search_path clause, which would cost as much as all the rest of it, so the
 * statement must qualify every name.
 *
 * The triggers that invalidate the caches may not have fired yet.  An
 * application's trigger on the log must not get stale answers from the cache,
 * so if there is one, we invalidate the cache of this session here.
 */
static void
write_entry(const CnapAct *act, CnapEntry *entry)
{
	static CnapStatement insert = {
		"INSERT INTO cnap.audit_log (actor, database_role, action, organization_id,"
		" workspace_id, subject, path, detail)"
		" VALUES ($1, $2, $3, $4, $5, $6, $7, $8::pg_catalog.jsonb)",
		8, {TEXTOID, TEXTOID, TEXTOID, UUIDOID, UUIDOID, TEXTOID, TEXTOID, TEXTOID}
	};
	const pg_uuid_t *organization = entry->organization;
	Datum		values[8];
	char		nulls[8];
	StringInfoData payload;

	if (organization == NULL && act->as_manager)
		organization = &act->manager;

	memset(nulls, ' ', sizeof(nulls));
	values[0] = PointerGetDatum(act->actor.user);
	nulls[0] = act->actor.user != NULL ? ' ' : 'n';
	values[1] = CStringGetTextDatum(GetUserNameFromId(act->actor.role, false));
	values[2] = CStringGetTextDatum(entry->action);
	values[3] = PointerGetDatum(organization);
	nulls[3] = organization != NULL ? ' ' : 'n';
	values[4] = PointerGetDatum(entry->workspace);
	nulls[4] = entry->workspace != NULL ? ' ' : 'n';
	values[5] = PointerGetDatum(entry->subject);
	nulls[5] = entry->subject != NULL ? ' ' : 'n';
	values[6] = CStringGetTextDatum(act->path);
	values[7] = CStringGetTextDatum(psprintf("{%s}", entry->detail.data));
	if (has_listener())
		CnapEpochAdvance();
	CnapExecute(&insert, values, nulls);

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

/* ---- the log itself ---- */

/*
 * cnap.audit_log_before_write(): BEFORE UPDATE, DELETE or TRUNCATE trigger
 *
 * Keeps a role from rewriting history even if it has been granted privileges
 * on the log.
 */
Datum
cnap_audit_log_before_write(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo))
		elog(ERROR, "cnap.audit_log_before_write() was not called as a trigger");

	if (!has_privs_of_role(GetUserId(), CnapOwner()))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("the audit log is append-only"),
				 errdetail("Only the owner of the extension can prune it.")));

	if (TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event))
		return PointerGetDatum(trigdata->tg_newtuple);
	return PointerGetDatum(trigdata->tg_trigtuple);
}
