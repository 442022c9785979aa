/*-------------------------------------------------------------------------
 *
 * audit_triggers.c
 *	  The triggers that record changes of the tables in the audit log.
 *
 * Members, invitations and install links that are deleted along with their
 * organization or workspace leave no entries of their own; the entry about the
 * organization or workspace covers them.  Neither do new rows that are
 * restored, with a created_at other than now(), unless they are imported: the
 * triggers' WHEN conditions see to that.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "change/audit_log.h"
#include "change/changed_row.h"
#include "core/own_catalog.h"
#include "core/rows.h"
#include "core/trigger.h"

PG_FUNCTION_INFO_V1(cnap_record_change);

/*
 * Does the organization or workspace that a row belonged to still exist?  One of
 * the ids is NULL.
 */
static bool
object_exists(const pg_uuid_t *organization, const pg_uuid_t *workspace)
{
	CnapWorkspace found;

	return organization != NULL ? CnapOrganizationExists(organization) :
		CnapFindWorkspace(workspace, &found);
}

/* ---- entries of each table ---- */

static void
record_organization(const CnapChange *change)
{
	static const AttrNumber settings[] = {
		Anum_organization_name, Anum_organization_slug, Anum_organization_logo,
		Anum_organization_management_email, Anum_organization_customer_id,
		Anum_organization_metadata, Anum_organization_accepts
	};
	CnapEntry	entry;

	CnapBeginEntry(&entry, "organization.update");
	entry.organization = DatumGetUUIDP(CnapCurrentValue(change, Anum_organization_id));
	if (CnapIsUpdate(change))
	{
		if (!CnapAppendChanged(&entry.detail, change, settings, lengthof(settings)))
			return;
	}
	else
	{
		entry.action = change->after != NULL ?
			"organization.create" : "organization.delete";
		CnapAppendPair(&entry.detail, "name",
					   TextDatumGetCString(CnapCurrentValue(change, Anum_organization_name)));
	}
	CnapRecordEntry(&entry);
}

/* The two tables of members have the same layout. */
static void
record_member(const CnapChange *change, CnapTable table)
{
	bool		of_organization = table == CNAP_ORGANIZATION_MEMBER;
	const pg_uuid_t *id = DatumGetUUIDP(CnapCurrentValue(change, Anum_organization_member_organization_id));
	const pg_uuid_t *organization = of_organization ? id : NULL;
	const pg_uuid_t *workspace = of_organization ? NULL : id;
	CnapEntry	entry;

	if (change->after == NULL)
	{
		if (!object_exists(organization, workspace))
			return;
		CnapBeginEntry(&entry, of_organization ?
					   "organization_member.remove" : "workspace_member.remove");
	}
	else if (change->before == NULL)
		CnapBeginEntry(&entry, of_organization ?
					   "organization_member.add" : "workspace_member.add");
	else if (CnapColumnChanged(change, Anum_organization_member_role))
	{
		CnapBeginEntry(&entry, of_organization ?
					   "organization_member.role" : "workspace_member.role");
		CnapAppendPair(&entry.detail, "was",
					   CnapChangedText(change, change->before, Anum_organization_member_role));
	}
	else
		return;

	entry.organization = organization;
	entry.workspace = workspace;
	entry.subject = DatumGetTextPP(CnapCurrentValue(change, Anum_organization_member_user_id));
	CnapAppendPair(&entry.detail, "role",
				   CnapChangedText(change, CnapCurrentRow(change), Anum_organization_member_role));
	CnapRecordEntry(&entry);
}

/* The organization that manages the workspace at this moment, or NULL. */
static const pg_uuid_t *
get_manager(const CnapChange *change, HeapTuple workspace)
{
	bool		isnull;
	Datum		until = CnapChangedValue(change, workspace, Anum_workspace_managed_until, &isnull);

	if (!isnull && !CnapHoldsUntil(DatumGetTimestampTz(until)))
		return NULL;
	return CnapChangedUuid(change, workspace, Anum_workspace_managed_by);
}

/*
 * Add which of the managers get in, and for how long they can activate that, unless
 * all do as before.
 */
static void
append_terms(StringInfo json, const CnapChange *change, HeapTuple row,
			 AttrNumber managers, AttrNumber activation)
{
	char	   *name = CnapChangedText(change, row, managers);
	bool		were_others = CnapIsUpdate(change) &&
		!heap_attisnull(change->before, managers, change->desc) &&
		!heap_attisnull(change->after, managers, change->desc) && CnapColumnChanged(change, managers);
	bool		isnull;
	Datum		value = CnapChangedValue(change, row, activation, &isnull);

	if (were_others || strcmp(name, CnapManagersName(CNAP_MANAGERS_ALL)) != 0)
		CnapAppendPair(json, "managers", name);
	if (!isnull)
		CnapAppendPair(json, "activation", CnapJsonInterval(DatumGetIntervalP(value)));
}

/* Record the change of a workspace's management, if there is one. */
static void
record_management(const CnapChange *change)
{
	const pg_uuid_t *before = NULL;
	const pg_uuid_t *after = NULL;
	HeapTuple	terms = change->after;
	CnapEntry	entry;
	bool		isnull;
	Datum		until;

	if (change->before != NULL)
		before = CnapChangedUuid(change, change->before, Anum_workspace_managed_by);
	if (change->after != NULL)
		after = CnapChangedUuid(change, change->after, Anum_workspace_managed_by);
	if (before == NULL && after == NULL)
		return;

	if (after == NULL)
	{
		if (change->after == NULL)
			return;				/* covered by the entry about the deletion */
		CnapBeginEntry(&entry, "management.revoke");
		entry.organization = before;
		terms = change->before;
	}
	else
	{
		bool		renewed = before == NULL ||
			CnapColumnChanged(change, Anum_workspace_managed_by) ||
			CnapColumnChanged(change, Anum_workspace_managed_since);

		if (!renewed && !CnapColumnChanged(change, Anum_workspace_managed_role) &&
			!CnapColumnChanged(change, Anum_workspace_managed_until) &&
			!CnapColumnChanged(change, Anum_workspace_managed_access) &&
			!CnapColumnChanged(change, Anum_workspace_managed_activation))
			return;
		CnapBeginEntry(&entry, renewed ? "management.grant" : "management.change");
		entry.organization = after;
	}
	entry.workspace = DatumGetUUIDP(CnapCurrentValue(change, Anum_workspace_id));
	CnapAppendPair(&entry.detail, "role",
				   CnapChangedText(change, terms, Anum_workspace_managed_role));
	until = CnapChangedValue(change, terms, Anum_workspace_managed_until, &isnull);
	if (!isnull)
		CnapAppendPair(&entry.detail, "until",
					   CnapJsonMoment(DatumGetTimestampTz(until)));
	append_terms(&entry.detail, change, terms, Anum_workspace_managed_access,
				 Anum_workspace_managed_activation);
	CnapRecordEntry(&entry);
}

/*
 * Record that a manager was assigned to a workspace, has activated the management,
 * or lost that again; unless the grant or the membership has ended, which has an
 * entry of its own, or it had ended by itself.
 */
static void
record_assignment(const CnapChange *change)
{
	HeapTuple	row = CnapCurrentRow(change);
	const pg_uuid_t *id = DatumGetUUIDP(CnapCurrentValue(change, Anum_assignment_workspace_id));
	text	   *user = DatumGetTextPP(CnapCurrentValue(change, Anum_assignment_user_id));
	CnapAssignment assignment = {0};
	CnapWorkspace workspace;
	CnapOrganizationMember member;
	CnapEntry	entry;
	bool		isnull;
	Datum		until = CnapChangedValue(change, row, Anum_assignment_until, &isnull);

	assignment.management_id = *DatumGetUUIDP(CnapCurrentValue(change, Anum_assignment_management_id));
	assignment.membership_id = *DatumGetUUIDP(CnapCurrentValue(change, Anum_assignment_membership_id));
	assignment.until = isnull ? DT_NOEND : DatumGetTimestampTz(until);
	if (!CnapFindWorkspace(id, &workspace) || !workspace.managed ||
		!CnapFindMemberAsOf(NULL, &workspace.managed_by, user, &member) ||
		!CnapAssignmentCounts(&assignment, &workspace, &member.id))
		return;

	if (change->after == NULL)
	{
		if (!CnapHoldsUntil(assignment.until))
			return;
		CnapBeginEntry(&entry, "manager.unassign");
	}
	else
	{
		if (CnapIsUpdate(change) && !CnapColumnChanged(change, Anum_assignment_until) &&
			!CnapColumnChanged(change, Anum_assignment_reason) &&
			!CnapColumnChanged(change, Anum_assignment_management_id) &&
			!CnapColumnChanged(change, Anum_assignment_membership_id))
			return;
		CnapBeginEntry(&entry, heap_attisnull(row, Anum_assignment_reason, change->desc) ?
					   "manager.assign" : "manager.activate");
	}
	entry.organization = &workspace.managed_by;
	entry.workspace = id;
	entry.subject = user;
	CnapAppendPair(&entry.detail, "reason", CnapChangedText(change, row, Anum_assignment_reason));
	if (!isnull)
		CnapAppendPair(&entry.detail, "until", CnapJsonMoment(assignment.until));
	CnapRecordEntry(&entry);
}

static void
record_workspace(const CnapChange *change)
{
	static const AttrNumber billing[] = {
		Anum_workspace_billing_email, Anum_workspace_customer_id
	};
	static const AttrNumber settings[] = {
		Anum_workspace_name, Anum_workspace_metadata
	};
	const pg_uuid_t *id = DatumGetUUIDP(CnapCurrentValue(change, Anum_workspace_id));
	CnapEntry	entry;

	if (!CnapIsUpdate(change))
	{
		CnapBeginEntry(&entry, change->after != NULL ?
					   "workspace.create" : "workspace.delete");
		entry.workspace = id;
		entry.subject = DatumGetTextPP(CnapCurrentValue(change, Anum_workspace_owner_id));
		/* An organization whose management has ended learns nothing more. */
		if (change->after == NULL)
			entry.organization = get_manager(change, change->before);
		CnapAppendPair(&entry.detail, "name",
					   TextDatumGetCString(CnapCurrentValue(change, Anum_workspace_name)));
		CnapRecordEntry(&entry);
	}
	else
	{
		if (CnapColumnChanged(change, Anum_workspace_owner_id))
		{
			CnapBeginEntry(&entry, "workspace.transfer");
			entry.workspace = id;
			entry.subject = DatumGetTextPP(CnapCurrentValue(change, Anum_workspace_owner_id));
			CnapAppendPair(&entry.detail, "from",
						   CnapChangedText(change, change->before, Anum_workspace_owner_id));
			CnapRecordEntry(&entry);
		}

		CnapBeginEntry(&entry, "workspace.billing");
		entry.workspace = id;
		if (CnapAppendChanged(&entry.detail, change, billing, lengthof(billing)))
			CnapRecordEntry(&entry);

		CnapBeginEntry(&entry, "workspace.update");
		entry.workspace = id;
		if (CnapAppendChanged(&entry.detail, change, settings, lengthof(settings)))
			CnapRecordEntry(&entry);
	}
	record_management(change);
}

/*
 * Record that an UPDATE changed any of the columns of a token, link or
 * invitation that its terms consist of.  The entry begins with the details of
 * the one before it.
 */
static void
record_terms(const CnapChange *change, CnapEntry *entry, const char *action,
			 const AttrNumber *terms, int nterms)
{
	if (!CnapIsUpdate(change) ||
		!CnapAppendChanged(&entry->detail, change, terms, nterms))
		return;
	entry->action = action;
	CnapRecordEntry(entry);
}

/* Record that an access token was created, revoked, changed, or deleted. */
static void
record_access_token(const CnapChange *change)
{
	bool		revoked = CnapColumnWasSet(change, Anum_access_token_revoked_at);
	AttrNumber	terms[] = {
		Anum_access_token_id, Anum_access_token_user_id, Anum_access_token_name,
		Anum_access_token_token_hash, Anum_access_token_expires_at,
		Anum_access_token_workspaces, Anum_access_token_permissions,
		revoked ? InvalidAttrNumber : Anum_access_token_revoked_at
	};
	CnapEntry	entry;

	CnapBeginEntry(&entry, change->after == NULL ? "access_token.delete" :
				   change->before == NULL ? "access_token.create" :
				   "access_token.revoke");
	entry.subject = DatumGetTextPP(CnapCurrentValue(change, Anum_access_token_user_id));
	CnapAppendPair(&entry.detail, "id",
				   CnapUuidString(DatumGetUUIDP(CnapCurrentValue(change, Anum_access_token_id))));
	CnapAppendPair(&entry.detail, "name",
				   TextDatumGetCString(CnapCurrentValue(change, Anum_access_token_name)));
	if (revoked || !CnapIsUpdate(change))
		CnapRecordEntry(&entry);
	record_terms(change, &entry, "access_token.update", terms, lengthof(terms));
}

/*
 * Record that a superuser said which user a database role belongs to, or that
 * it is nobody any more.
 */
static void
record_role_user(const CnapChange *change)
{
	Oid			role = DatumGetObjectId(CnapCurrentValue(change, Anum_role_user_role));
	const char *name = GetUserNameFromId(role, true);
	CnapEntry	entry;

	if (CnapIsUpdate(change) && !CnapColumnChanged(change, Anum_role_user_role) &&
		!CnapColumnChanged(change, Anum_role_user_user_id))
		return;
	CnapBeginEntry(&entry, change->after != NULL ? "role.set_user" : "role.unset_user");
	entry.subject = DatumGetTextPP(CnapCurrentValue(change, Anum_role_user_user_id));
	CnapAppendPair(&entry.detail, "role", name != NULL ? name : psprintf("%u", role));
	if (CnapIsUpdate(change))
		CnapAppendPair(&entry.detail, "was",
					   CnapChangedText(change, change->before, Anum_role_user_user_id));
	CnapRecordEntry(&entry);
}

static int32
uses_of(const CnapChange *change, HeapTuple link)
{
	bool		isnull;

	return DatumGetInt32(CnapChangedValue(change, link, Anum_install_link_uses, &isnull));
}

/*
 * Record that an install link was created, revoked, changed, or deleted.  A use
 * that a public function counts is no change: the entry about the redemption
 * covers it.
 */
static void
record_install_link(const CnapChange *change)
{
	const pg_uuid_t *organization =
		DatumGetUUIDP(CnapCurrentValue(change, Anum_install_link_organization_id));
	HeapTuple	row = CnapCurrentRow(change);
	bool		redeemed = CnapIsUpdate(change) && CnapActWorkspace() != NULL &&
		uses_of(change, change->before) < uses_of(change, change->after);
	bool		revoked = CnapColumnWasSet(change, Anum_install_link_revoked_at);
	AttrNumber	terms[] = {
		Anum_install_link_id, Anum_install_link_organization_id,
		Anum_install_link_label, Anum_install_link_token_hash,
		Anum_install_link_role, Anum_install_link_duration,
		Anum_install_link_managers, Anum_install_link_activation,
		Anum_install_link_max_uses, Anum_install_link_expires_at,
		redeemed ? InvalidAttrNumber : Anum_install_link_uses,
		revoked ? InvalidAttrNumber : Anum_install_link_revoked_at
	};
	CnapEntry	entry;

	if (change->after == NULL && !CnapOrganizationExists(organization))
		return;

	CnapBeginEntry(&entry, change->after == NULL ? "install_link.delete" :
				   change->before == NULL ? "install_link.create" :
				   "install_link.revoke");
	entry.organization = organization;
	CnapAppendPair(&entry.detail, "id",
				   CnapUuidString(DatumGetUUIDP(CnapCurrentValue(change, Anum_install_link_id))));
	CnapAppendPair(&entry.detail, "label",
				   CnapChangedText(change, row, Anum_install_link_label));
	CnapAppendPair(&entry.detail, "role",
				   CnapChangedText(change, row, Anum_install_link_role));
	append_terms(&entry.detail, change, row, Anum_install_link_managers,
				 Anum_install_link_activation);
	if (revoked || !CnapIsUpdate(change))
		CnapRecordEntry(&entry);
	record_terms(change, &entry, "install_link.update", terms, lengthof(terms));
}

/*
 * Record that an install link was redeemed.  The entry can be read by the
 * workspace's side as well, so it contains nothing of the link but its id.
 */
static void
record_redemption(const CnapChange *change)
{
	const pg_uuid_t *link_id =
		DatumGetUUIDP(CnapCurrentValue(change, Anum_redemption_link_id));
	CnapInstallLink link;
	CnapEntry	entry;

	if (!CnapFindInstallLink(CnapById(link_id), &link))
		return;					/* deleted by the same statement */
	CnapBeginEntry(&entry, "install_link.redeem");
	entry.organization = &link.organization;
	entry.workspace =
		DatumGetUUIDP(CnapCurrentValue(change, Anum_redemption_workspace_id));
	CnapAppendPair(&entry.detail, "id", CnapUuidString(link_id));
	CnapRecordEntry(&entry);
}

/*
 * Record that an invitation was created, sent again, accepted, declined,
 * revoked, changed, or deleted.  The log is kept after a user has been
 * forgotten, so it does not contain the e-mail address.  For the same reason,
 * the inviter of an invitation that has ended, and the user whom it was for, are
 * not among its terms.
 */
static void
record_invitation(const CnapChange *change)
{
	HeapTuple	row = CnapCurrentRow(change);
	char	   *outcome = CnapChangedText(change, row, Anum_invitation_outcome);
	bool		ended = CnapColumnWasSet(change, Anum_invitation_outcome);
	bool		resent = CnapIsUpdate(change) && !ended &&
		CnapColumnChanged(change, Anum_invitation_token_hash);
	AttrNumber	terms[] = {
		Anum_invitation_id, Anum_invitation_organization_id,
		Anum_invitation_workspace_id, Anum_invitation_role,
		resent ? InvalidAttrNumber : Anum_invitation_token_hash,
		resent ? InvalidAttrNumber : Anum_invitation_expires_at,
		resent || outcome != NULL ? InvalidAttrNumber : Anum_invitation_inviter,
		outcome != NULL ? InvalidAttrNumber : Anum_invitation_user_id,
		ended ? InvalidAttrNumber : Anum_invitation_outcome
	};
	bool		isnull;
	Datum		person;
	CnapEntry	entry;

	CnapBeginEntry(&entry, "invitation.create");
	entry.organization = CnapChangedUuid(change, row, Anum_invitation_organization_id);
	entry.workspace = CnapChangedUuid(change, row, Anum_invitation_workspace_id);
	person = CnapChangedValue(change, row, Anum_invitation_user_id, &isnull);
	if (!isnull)
		entry.subject = DatumGetTextPP(person);
	CnapAppendPair(&entry.detail, "id",
				   CnapUuidString(DatumGetUUIDP(CnapCurrentValue(change, Anum_invitation_id))));
	CnapAppendPair(&entry.detail, "role", CnapChangedText(change, row, Anum_invitation_role));

	if (change->after == NULL)
	{
		if (!object_exists(entry.organization, entry.workspace))
			return;
		entry.action = "invitation.delete";
	}
	else if (resent)
		entry.action = "invitation.resend";
	else if (ended)
	{
		entry.action = strcmp(outcome, "accepted") == 0 ? "invitation.accept" :
			strcmp(outcome, "declined") == 0 ? "invitation.decline" : "invitation.revoke";
		person = CnapChangedValue(change, row, Anum_invitation_outcome_by, &isnull);
		if (!isnull && strcmp(outcome, "revoked") != 0)
			entry.subject = DatumGetTextPP(person);
	}
	if (resent || ended || !CnapIsUpdate(change))
		CnapRecordEntry(&entry);
	record_terms(change, &entry, "invitation.update", terms, lengthof(terms));
}

/*
 * Record that a role or permission of the application's own was defined,
 * changed or dropped, with what belongs to it.
 */
static void
record_definition(const CnapChange *change, CnapTable table)
{
	bool		is_role = table == CNAP_ROLE_DEFINITION;
	const char *what = is_role ? "role" : "permission";
	Datum		names = CnapCurrentValue(change, is_role ? Anum_role_definition_permissions :
										 Anum_permission_definition_roles);
	CnapEntry	entry;

	if (is_role)
		CnapBeginEntry(&entry, change->after != NULL ? "role.define" : "role.drop");
	else
		CnapBeginEntry(&entry, change->after != NULL ? "permission.define" : "permission.drop");
	CnapAppendPair(&entry.detail, what,
				   TextDatumGetCString(CnapCurrentValue(change, Anum_role_definition_name)));
	CnapAppendPair(&entry.detail, is_role ? "permissions" : "roles",
				   OidOutputFunctionCall(F_ARRAY_OUT, names));
	if (!is_role)
		appendStringInfo(&entry.detail, ", \"delegable\": %s",
						 DatumGetBool(CnapCurrentValue(change, Anum_permission_definition_delegable)) ?
						 "true" : "false");
	CnapRecordEntry(&entry);
}

/*
 * Record that all rows of a table were removed without firing row triggers.
 */
static void
record_truncation(Relation rel)
{
	CnapEntry	entry;

	CnapBeginEntry(&entry, psprintf("%s.truncate", RelationGetRelationName(rel)));
	CnapRecordEntry(&entry);
}

/*
 * cnap.record_change(): AFTER row trigger, and AFTER TRUNCATE trigger
 *
 * Everything is allocated in the memory context of the trigger call.
 */
Datum
cnap_record_change(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = CnapTriggerData(fcinfo);
	CnapChange	change = {0};
	CnapTable	table;

	if (TRIGGER_FIRED_BY_TRUNCATE(trigdata->tg_event))
	{
		record_truncation(trigdata->tg_relation);
		return PointerGetDatum(NULL);
	}
	trigdata = CnapRowTriggerData(fcinfo);
	change.desc = RelationGetDescr(trigdata->tg_relation);
	if (TRIGGER_FIRED_BY_INSERT(trigdata->tg_event))
		change.after = trigdata->tg_trigtuple;
	else
	{
		change.before = trigdata->tg_trigtuple;
		if (TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event))
			change.after = trigdata->tg_newtuple;
	}
	Assert(change.before != NULL || change.after != NULL);

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
		case CNAP_ASSIGNMENT:
			record_assignment(&change);
			break;
		case CNAP_ACCESS_TOKEN:
			record_access_token(&change);
			break;
		case CNAP_ROLE_USER:
			record_role_user(&change);
			break;
		case CNAP_INSTALL_LINK:
			record_install_link(&change);
			break;
		case CNAP_REDEMPTION:
			record_redemption(&change);
			break;
		case CNAP_INVITATION:
			record_invitation(&change);
			break;
		case CNAP_ROLE_DEFINITION:
		case CNAP_PERMISSION_DEFINITION:
			record_definition(&change, table);
			break;
		default:
			elog(ERROR, "table \"%s\" is not audited",
				 RelationGetRelationName(trigdata->tg_relation));
	}
	return PointerGetDatum(NULL);
}
