/*-------------------------------------------------------------------------
 *
 * audit.c
 *	  The audit log.
 *
 * A row trigger on each table writes the entries, so that every change is
 * recorded, whether it is made by a public function, psql or an ORM.  While a
 * public function executes its statement, current_act says who is acting and
 * by which right; any other change is recorded as a direct statement.
 *
 * Members, invitations and install links that are deleted along with their
 * organization or workspace leave no entries of their own; the entry about the
 * organization or workspace covers them.  Neither do new rows that are
 * inserted with a created_at other than now(), because of the triggers' WHEN
 * conditions.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
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

#include "audit.h"
#include "lookup.h"
#include "notify.h"
#include "relations.h"

PG_FUNCTION_INFO_V1(cnap_record_change);
PG_FUNCTION_INFO_V1(cnap_audit_log_before_write);

/* The act whose statement is being executed, or NULL. */
static const CnapAct *current_act = NULL;

/* The contents of an entry, apart from who acted and by which right. */
typedef struct Entry
{
	const char *action;
	const pg_uuid_t *organization;
	const pg_uuid_t *workspace;
	text	   *subject;
	StringInfoData detail;		/* the inside of a JSON object */
} Entry;

/*
 * The old and new versions of a changed row; NULL if there is no such version.
 */
typedef struct Change
{
	TupleDesc	desc;
	HeapTuple	before;
	HeapTuple	after;
} Change;

/* ---- building entries ---- */

static void
begin_entry(Entry *entry, const char *action)
{
	memset(entry, 0, sizeof(*entry));
	entry->action = action;
	initStringInfo(&entry->detail);
}

/* Add "key": "value" to a JSON object, unless value is NULL. */
static void
append_pair(StringInfo json, const char *key, const char *value)
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
write_entry(const CnapAct *act, Entry *entry)
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
	append_pair(&payload, "action", entry->action);
	append_pair(&payload, "organization",
				organization != NULL ? CnapUuidString(organization) : NULL);
	append_pair(&payload, "workspace",
				entry->workspace != NULL ? CnapUuidString(entry->workspace) : NULL);
	append_pair(&payload, "subject",
				entry->subject != NULL ? text_to_cstring(entry->subject) : NULL);
	append_pair(&payload, "actor",
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
	Entry		entry;

	begin_entry(&entry, action);
	entry.subject = subject;
	appendStringInfoString(&entry.detail, detail);
	write_entry(act, &entry);
}

/*
 * Record an entry as part of the current act, or else of a direct statement.
 */
static void
record(Entry *entry)
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

/* ---- reading changed rows ---- */

static Datum
get(const Change *change, HeapTuple tuple, AttrNumber attno, bool *isnull)
{
	return heap_getattr(tuple, attno, change->desc, isnull);
}

/*
 * Get a not-null column from the new version of the row, or from the old one
 * if it was deleted.
 */
static Datum
get_current(const Change *change, AttrNumber attno)
{
	bool		isnull;

	return get(change, change->after ? change->after : change->before, attno,
			   &isnull);
}

static char *
get_text(const Change *change, HeapTuple tuple, AttrNumber attno)
{
	bool		isnull;
	Datum		value = get(change, tuple, attno, &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

static const char *
get_role(const Change *change, HeapTuple tuple, AttrNumber attno)
{
	bool		isnull;
	Datum		value = get(change, tuple, attno, &isnull);

	return isnull ? NULL : CnapRoleName(CnapRoleFromOid(DatumGetObjectId(value)));
}

static const pg_uuid_t *
get_uuid(const Change *change, HeapTuple tuple, AttrNumber attno)
{
	bool		isnull;
	Datum		value = get(change, tuple, attno, &isnull);

	return isnull ? NULL : DatumGetUUIDP(value);
}

static bool
is_update(const Change *change)
{
	return change->before != NULL && change->after != NULL;
}

/* Did the UPDATE change a column? */
static bool
changed(const Change *change, AttrNumber attno)
{
	return CnapColumnDiffers(change->desc, change->before, change->after, attno);
}

/* Did an UPDATE set a column that was null? */
static bool
was_set(const Change *change, AttrNumber attno)
{
	return is_update(change) &&
		heap_attisnull(change->before, attno, change->desc) &&
		!heap_attisnull(change->after, attno, change->desc);
}

/*
 * Add "changed": [names], listing those of the columns that the UPDATE
 * changed, apart from any InvalidAttrNumber.  Returns false, without adding
 * anything, if there are none.
 */
static bool
append_changed(StringInfo json, const Change *change,
			   const AttrNumber *columns, int ncolumns)
{
	bool		any = false;

	for (int i = 0; i < ncolumns; i++)
	{
		if (columns[i] == InvalidAttrNumber || !changed(change, columns[i]))
			continue;
		if (json->len > 0)
			appendStringInfoString(json, ", ");
		if (!any)
			appendStringInfoString(json, "\"changed\": [");
		escape_json(json, NameStr(TupleDescAttr(change->desc, columns[i] - 1)->attname));
		any = true;
	}
	if (any)
		appendStringInfoChar(json, ']');
	return any;
}

/* ---- entries of each table ---- */

static void
record_organization(const Change *change)
{
	static const AttrNumber settings[] = {
		Anum_organization_name, Anum_organization_slug, Anum_organization_logo,
		Anum_organization_management_email, Anum_organization_customer_id,
		Anum_organization_metadata
	};
	Entry		entry;

	begin_entry(&entry, "organization.update");
	entry.organization = DatumGetUUIDP(get_current(change, Anum_organization_id));
	if (is_update(change))
	{
		if (!append_changed(&entry.detail, change, settings, lengthof(settings)))
			return;
	}
	else
	{
		entry.action = change->after != NULL ?
			"organization.create" : "organization.delete";
		append_pair(&entry.detail, "name",
					TextDatumGetCString(get_current(change, Anum_organization_name)));
	}
	record(&entry);
}

/* The two tables of members have the same layout. */
static void
record_member(const Change *change, CnapTable table)
{
	bool		of_organization = table == CNAP_ORGANIZATION_MEMBER;
	const pg_uuid_t *id = DatumGetUUIDP(get_current(change, Anum_organization_member_organization_id));
	Entry		entry;

	if (change->after == NULL)
	{
		CnapWorkspace workspace;

		if (of_organization ? !CnapOrganizationExists(id) :
			!CnapFindWorkspace(id, &workspace))
			return;
		begin_entry(&entry, of_organization ?
					"organization_member.remove" : "workspace_member.remove");
	}
	else if (change->before == NULL)
		begin_entry(&entry, of_organization ?
					"organization_member.add" : "workspace_member.add");
	else if (changed(change, Anum_organization_member_role))
	{
		begin_entry(&entry, of_organization ?
					"organization_member.role" : "workspace_member.role");
		append_pair(&entry.detail, "was",
					get_role(change, change->before, Anum_organization_member_role));
	}
	else
		return;

	if (of_organization)
		entry.organization = id;
	else
		entry.workspace = id;
	entry.subject = DatumGetTextPP(get_current(change, Anum_organization_member_user_id));
	append_pair(&entry.detail, "role",
				get_role(change, change->after ? change->after : change->before,
						 Anum_organization_member_role));
	record(&entry);
}

/* The organization that manages the workspace at this moment, or NULL. */
static const pg_uuid_t *
get_manager(const Change *change, HeapTuple workspace)
{
	bool		isnull;
	Datum		until = get(change, workspace, Anum_workspace_managed_until, &isnull);

	if (!isnull && !CnapHoldsUntil(DatumGetTimestampTz(until)))
		return NULL;
	return get_uuid(change, workspace, Anum_workspace_managed_by);
}

/* Record the change of a workspace's management, if there is one. */
static void
record_management(const Change *change)
{
	const pg_uuid_t *before = NULL;
	const pg_uuid_t *after = NULL;
	HeapTuple	terms = change->after;
	Entry		entry;
	bool		isnull;
	Datum		until;

	if (change->before != NULL)
		before = get_uuid(change, change->before, Anum_workspace_managed_by);
	if (change->after != NULL)
		after = get_uuid(change, change->after, Anum_workspace_managed_by);
	if (before == NULL && after == NULL)
		return;

	if (after == NULL)
	{
		if (change->after == NULL)
			return;				/* covered by the entry about the deletion */
		begin_entry(&entry, "management.revoke");
		entry.organization = before;
		terms = change->before;
	}
	else
	{
		bool		renewed = before == NULL ||
			changed(change, Anum_workspace_managed_by) ||
			changed(change, Anum_workspace_managed_since);

		if (!renewed && !changed(change, Anum_workspace_managed_role) &&
			!changed(change, Anum_workspace_managed_until))
			return;
		begin_entry(&entry, renewed ? "management.grant" : "management.change");
		entry.organization = after;
	}
	entry.workspace = DatumGetUUIDP(get_current(change, Anum_workspace_id));
	append_pair(&entry.detail, "role",
				get_role(change, terms, Anum_workspace_managed_role));
	until = get(change, terms, Anum_workspace_managed_until, &isnull);
	if (!isnull)
		append_pair(&entry.detail, "until",
					CnapJsonMoment(DatumGetTimestampTz(until)));
	record(&entry);
}

static void
record_workspace(const Change *change)
{
	static const AttrNumber billing[] = {
		Anum_workspace_billing_email, Anum_workspace_customer_id
	};
	static const AttrNumber settings[] = {
		Anum_workspace_name, Anum_workspace_metadata
	};
	const pg_uuid_t *id = DatumGetUUIDP(get_current(change, Anum_workspace_id));
	Entry		entry;

	if (!is_update(change))
	{
		begin_entry(&entry, change->after != NULL ?
					"workspace.create" : "workspace.delete");
		entry.workspace = id;
		entry.subject = DatumGetTextPP(get_current(change, Anum_workspace_owner_id));
		/* An organization whose management has ended learns nothing more. */
		if (change->after == NULL)
			entry.organization = get_manager(change, change->before);
		append_pair(&entry.detail, "name",
					TextDatumGetCString(get_current(change, Anum_workspace_name)));
		record(&entry);
	}
	else
	{
		if (changed(change, Anum_workspace_owner_id))
		{
			begin_entry(&entry, "workspace.transfer");
			entry.workspace = id;
			entry.subject = DatumGetTextPP(get_current(change, Anum_workspace_owner_id));
			append_pair(&entry.detail, "from",
						get_text(change, change->before, Anum_workspace_owner_id));
			record(&entry);
		}

		begin_entry(&entry, "workspace.billing");
		entry.workspace = id;
		if (append_changed(&entry.detail, change, billing, lengthof(billing)))
			record(&entry);

		begin_entry(&entry, "workspace.update");
		entry.workspace = id;
		if (append_changed(&entry.detail, change, settings, lengthof(settings)))
			record(&entry);
	}
	record_management(change);
}

/*
 * Record that an UPDATE changed any of the columns of a token, link or
 * invitation that its terms consist of.  The entry begins with the details of
 * the one before it.
 */
static void
record_terms(const Change *change, Entry *entry, const char *action,
			 const AttrNumber *terms, int nterms)
{
	if (!is_update(change) ||
		!append_changed(&entry->detail, change, terms, nterms))
		return;
	entry->action = action;
	record(entry);
}

/* Record that an access token was created, revoked, changed, or deleted. */
static void
record_access_token(const Change *change)
{
	bool		revoked = was_set(change, Anum_access_token_revoked_at);
	AttrNumber	terms[] = {
		Anum_access_token_id, Anum_access_token_user_id, Anum_access_token_name,
		Anum_access_token_token_hash, Anum_access_token_expires_at,
		revoked ? InvalidAttrNumber : Anum_access_token_revoked_at
	};
	Entry		entry;

	begin_entry(&entry, change->after == NULL ? "access_token.delete" :
				change->before == NULL ? "access_token.create" :
				"access_token.revoke");
	entry.subject = DatumGetTextPP(get_current(change, Anum_access_token_user_id));
	append_pair(&entry.detail, "id",
				CnapUuidString(DatumGetUUIDP(get_current(change, Anum_access_token_id))));
	append_pair(&entry.detail, "name",
				TextDatumGetCString(get_current(change, Anum_access_token_name)));
	if (revoked || !is_update(change))
		record(&entry);
	record_terms(change, &entry, "access_token.update", terms, lengthof(terms));
}

static int32
uses_of(const Change *change, HeapTuple link)
{
	bool		isnull;

	return DatumGetInt32(get(change, link, Anum_install_link_uses, &isnull));
}

/*
 * Record that an install link was created, redeemed, revoked, changed, or
 * deleted.  Its row does not contain the workspace that it is redeemed for, so
 * that comes from the current act.  The entry about a redemption can be read by
 * the workspace's side as well, so it contains nothing of the link but its id.
 */
static void
record_install_link(const Change *change)
{
	const pg_uuid_t *organization =
		DatumGetUUIDP(get_current(change, Anum_install_link_organization_id));
	HeapTuple	row = change->after ? change->after : change->before;
	bool		redeemed = is_update(change) &&
		uses_of(change, change->before) < uses_of(change, change->after);
	bool		revoked = was_set(change, Anum_install_link_revoked_at);
	AttrNumber	terms[] = {
		Anum_install_link_id, Anum_install_link_organization_id,
		Anum_install_link_label, Anum_install_link_token_hash,
		Anum_install_link_role, Anum_install_link_duration,
		Anum_install_link_max_uses, Anum_install_link_expires_at,
		redeemed ? InvalidAttrNumber : Anum_install_link_uses,
		revoked ? InvalidAttrNumber : Anum_install_link_revoked_at
	};
	Entry		entry;

	if (change->after == NULL && !CnapOrganizationExists(organization))
		return;

	begin_entry(&entry, "install_link.redeem");
	entry.organization = organization;
	append_pair(&entry.detail, "id",
				CnapUuidString(DatumGetUUIDP(get_current(change, Anum_install_link_id))));
	if (redeemed)
	{
		entry.workspace = current_act != NULL ? current_act->workspace : NULL;
		record(&entry);
		entry.workspace = NULL;
	}

	entry.action = change->after == NULL ? "install_link.delete" :
		change->before == NULL ? "install_link.create" : "install_link.revoke";
	append_pair(&entry.detail, "label",
				get_text(change, row, Anum_install_link_label));
	append_pair(&entry.detail, "role",
				get_role(change, row, Anum_install_link_role));
	if (revoked || !is_update(change))
		record(&entry);
	record_terms(change, &entry, "install_link.update", terms, lengthof(terms));
}

/*
 * Record that an invitation was created, sent again, accepted, declined,
 * revoked, changed, or deleted.  The log is kept after a user has been
 * forgotten, so it does not contain the e-mail address.  For the same reason,
 * the inviter of an invitation that has ended is not one of its terms.
 */
static void
record_invitation(const Change *change)
{
	HeapTuple	row = change->after ? change->after : change->before;
	char	   *outcome = get_text(change, row, Anum_invitation_outcome);
	bool		ended = was_set(change, Anum_invitation_outcome);
	bool		resent = is_update(change) && !ended &&
		changed(change, Anum_invitation_token_hash);
	AttrNumber	terms[] = {
		Anum_invitation_id, Anum_invitation_organization_id,
		Anum_invitation_workspace_id, Anum_invitation_role,
		resent ? InvalidAttrNumber : Anum_invitation_token_hash,
		resent ? InvalidAttrNumber : Anum_invitation_expires_at,
		resent || outcome != NULL ? InvalidAttrNumber : Anum_invitation_inviter,
		ended ? InvalidAttrNumber : Anum_invitation_outcome
	};
	bool		isnull;
	Datum		person;
	Entry		entry;

	begin_entry(&entry, "invitation.create");
	entry.organization = get_uuid(change, row, Anum_invitation_organization_id);
	entry.workspace = get_uuid(change, row, Anum_invitation_workspace_id);
	append_pair(&entry.detail, "id",
				CnapUuidString(DatumGetUUIDP(get_current(change, Anum_invitation_id))));
	append_pair(&entry.detail, "role", get_role(change, row, Anum_invitation_role));

	if (change->after == NULL)
	{
		CnapWorkspace workspace;

		if (entry.organization != NULL ? !CnapOrganizationExists(entry.organization) :
			!CnapFindWorkspace(entry.workspace, &workspace))
			return;
		entry.action = "invitation.delete";
	}
	else if (resent)
		entry.action = "invitation.resend";
	else if (ended)
	{
		entry.action = strcmp(outcome, "accepted") == 0 ? "invitation.accept" :
			strcmp(outcome, "declined") == 0 ? "invitation.decline" : "invitation.revoke";
		person = get(change, row, Anum_invitation_outcome_by, &isnull);
		if (!isnull && strcmp(outcome, "revoked") != 0)
			entry.subject = DatumGetTextPP(person);
	}
	if (resent || ended || !is_update(change))
		record(&entry);
	record_terms(change, &entry, "invitation.update", terms, lengthof(terms));
}

/*
 * Record that all rows of a table were removed without firing row triggers.
 */
static void
record_truncation(Relation rel)
{
	Entry		entry;

	begin_entry(&entry, psprintf("%s.truncate", RelationGetRelationName(rel)));
	record(&entry);
}

/*
 * cnap.record_change(): AFTER row trigger, and AFTER TRUNCATE trigger
 *
 * Everything is allocated in the memory context of the trigger call.
 */
Datum
cnap_record_change(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = (TriggerData *) fcinfo->context;
	Change		change = {0};
	CnapTable	table;

	if (!CALLED_AS_TRIGGER(fcinfo))
		elog(ERROR, "cnap.record_change() was not called as a trigger");
	if (TRIGGER_FIRED_BY_TRUNCATE(trigdata->tg_event))
	{
		record_truncation(trigdata->tg_relation);
		return PointerGetDatum(NULL);
	}
	if (!TRIGGER_FIRED_FOR_ROW(trigdata->tg_event))
		elog(ERROR, "cnap.record_change() was not called as a row trigger");

	change.desc = RelationGetDescr(trigdata->tg_relation);
	if (TRIGGER_FIRED_BY_INSERT(trigdata->tg_event))
		change.after = trigdata->tg_trigtuple;
	else
	{
		change.before = trigdata->tg_trigtuple;
		if (TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event))
			change.after = trigdata->tg_newtuple;
	}

	table = CnapTableOf(trigdata->tg_relation);
	switch (table)
	{
		case CNAP_ORGANIZATION:
			record_organization(&change);
			break;
		case CNAP_ORGANIZATION_MEMBER:
		case CNAP_WORKSPACE_MEMBER:
			record_member(&change, table);
			break;
		case CNAP_WORKSPACE:
			record_workspace(&change);
			break;
		case CNAP_ACCESS_TOKEN:
			record_access_token(&change);
			break;
		case CNAP_INSTALL_LINK:
			record_install_link(&change);
			break;
		case CNAP_INVITATION:
			record_invitation(&change);
			break;
		default:
			elog(ERROR, "table \"%s\" is not audited",
				 RelationGetRelationName(trigdata->tg_relation));
	}
	return PointerGetDatum(NULL);
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
