/*-------------------------------------------------------------------------
 *
 * rows.c
 *	  Lookups of the current contents of the tables.
 *
 * All of them are index scans with a fresh snapshot (table_scan.c), so they find
 * what is committed at that moment.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/timestamp.h"

#include "core/compat.h"
#include "core/definitions.h"
#include "core/own_catalog.h"
#include "core/formats.h"
#include "core/rows.h"
#include "core/table_scan.h"

/* Get the time at which something ends from a column; null means never. */
static TimestampTz
end_column(const CnapScan *scan, HeapTuple tuple, AttrNumber attno)
{
	bool		isnull;
	Datum		value = CnapField(scan, tuple, attno, &isnull);

	return isnull ? DT_NOEND : DatumGetTimestampTz(value);
}

/* Get which of the managers are let in, and for how long, from two columns. */
static CnapManagerTerms
terms_columns(const CnapScan *scan, HeapTuple tuple, AttrNumber managers, AttrNumber activation)
{
	CnapManagerTerms terms = {0};
	bool		isnull;
	Datum		value = CnapField(scan, tuple, managers, &isnull);

	terms.managers = CnapManagersFromDatum(value);
	if (terms.managers == CNAP_MANAGERS_ACTIVATED)
	{
		value = CnapField(scan, tuple, activation, &isnull);
		terms.activation = *DatumGetIntervalP(value);
	}
	return terms;
}

/* Scan a table that has an object and a user as its primary key for one of them. */
static HeapTuple
begin_row_of_user(CnapScan *scan, CnapTable table, Snapshot snapshot,
				  const pg_uuid_t *id, text *user)
{
	ScanKeyData keys[2];

	CnapKeyUuid(&keys[0], Anum_organization_member_organization_id, id);
	CnapKeyText(&keys[1], Anum_organization_member_user_id, user);
	CnapBeginScan(scan, table, snapshot, 2, keys);
	return CnapNextRow(scan);
}

/* The fields of the row of an assignment that a scan has found. */
CnapAssignment
CnapGetAssignment(const CnapScan *scan, HeapTuple tuple)
{
	CnapAssignment assignment;
	bool		isnull;
	Datum		value = CnapField(scan, tuple, Anum_assignment_management_id, &isnull);

	assignment.management_id = *DatumGetUUIDP(value);
	value = CnapField(scan, tuple, Anum_assignment_membership_id, &isnull);
	assignment.membership_id = *DatumGetUUIDP(value);
	assignment.until = end_column(scan, tuple, Anum_assignment_until);
	CnapField(scan, tuple, Anum_assignment_reason, &isnull);
	assignment.activated = !isnull;
	return assignment;
}

/*
 * The user's role in one of the two tables of members, or CNAP_ROLE_NONE.  A
 * NULL snapshot stands for a fresh one.
 */
CnapRole
CnapMemberRoleAsOf(Snapshot snapshot, CnapTable table, const pg_uuid_t *id, text *user)
{
	CnapScan	scan;
	HeapTuple	tuple;
	CnapRole	role = CNAP_ROLE_NONE;

	tuple = begin_row_of_user(&scan, table, snapshot, id, user);
	if (HeapTupleIsValid(tuple))
	{
		bool		isnull;
		Datum		value = CnapField(&scan, tuple, Anum_organization_member_role,
									  &isnull);

		role = CnapRoleFromDatum(value);
	}
	CnapEndScan(&scan);
	return role;
}

/* Likewise, the user's membership of an organization; false if there is none. */
bool
CnapFindMemberAsOf(Snapshot snapshot, const pg_uuid_t *organization, text *user,
				   CnapOrganizationMember *member)
{
	CnapScan	scan;
	HeapTuple	tuple;
	bool		found;

	tuple = begin_row_of_user(&scan, CNAP_ORGANIZATION_MEMBER, snapshot, organization, user);
	found = HeapTupleIsValid(tuple);
	if (found)
	{
		bool		isnull;
		Datum		value = CnapField(&scan, tuple, Anum_organization_member_role, &isnull);

		member->role = CnapRoleFromDatum(value);
		value = CnapField(&scan, tuple, Anum_organization_member_membership_id, &isnull);
		member->id = *DatumGetUUIDP(value);
	}
	CnapEndScan(&scan);
	return found;
}

/*
 * Likewise, the user's assignment to a workspace.  It may have ended; see
 * CnapAssignmentCounts().
 */
bool
CnapFindAssignmentAsOf(Snapshot snapshot, const pg_uuid_t *workspace, text *user,
					   CnapAssignment *assignment)
{
	CnapScan	scan;
	HeapTuple	tuple;
	bool		found;

	tuple = begin_row_of_user(&scan, CNAP_ASSIGNMENT, snapshot, workspace, user);
	found = HeapTupleIsValid(tuple);
	if (found)
		*assignment = CnapGetAssignment(&scan, tuple);
	CnapEndScan(&scan);
	return found;
}

/*
 * Does an assignment to a workspace belong to its current management, and to that
 * membership?  Until when it does is another question.
 */
bool
CnapAssignmentCounts(const CnapAssignment *assignment, const CnapWorkspace *workspace,
					 const pg_uuid_t *membership_id)
{
	return workspace->managed &&
		memcmp(&assignment->management_id, &workspace->management_id, sizeof(pg_uuid_t)) == 0 &&
		memcmp(&assignment->membership_id, membership_id, sizeof(pg_uuid_t)) == 0;
}

/* Does the organization exist? */
bool
CnapOrganizationExists(const pg_uuid_t *organization)
{
	ScanKeyData key;
	CnapScan	scan;
	bool		found;

	CnapKeyUuid(&key, Anum_organization_id, organization);
	found = HeapTupleIsValid(CnapScanRow(&scan, CNAP_ORGANIZATION, &key));
	CnapEndScan(&scan);
	return found;
}

/* Can anyone make the organization a manager, without one of its links? */
bool
CnapAcceptsAnyone(const pg_uuid_t *organization)
{
	ScanKeyData key;
	CnapScan	scan;
	HeapTuple	tuple;
	bool		result = false;

	CnapKeyUuid(&key, Anum_organization_id, organization);
	tuple = CnapScanRow(&scan, CNAP_ORGANIZATION, &key);
	if (HeapTupleIsValid(tuple))
	{
		bool		isnull;
		text	   *accepts = DatumGetTextPP(CnapField(&scan, tuple, Anum_organization_accepts,
													   &isnull));

		result = CnapTextEqual(accepts, cstring_to_text(CNAP_ACCEPTS_ANYONE));
	}
	CnapEndScan(&scan);
	return result;
}

/* Is there any organization? */
bool
CnapAnyOrganization(void)
{
	CnapScan	scan;
	bool		found;

	CnapBeginScan(&scan, CNAP_ORGANIZATION, NULL, 0, NULL);
	found = HeapTupleIsValid(CnapNextRow(&scan));
	CnapEndScan(&scan);
	return found;
}

/* One of the organization's owners, or NULL if it has none. */
text *
CnapFindOwner(const pg_uuid_t *organization)
{
	ScanKeyData key;
	CnapScan	scan;
	HeapTuple	tuple;
	text	   *owner = NULL;

	CnapKeyUuid(&key, Anum_organization_member_organization_id, organization);
	CnapBeginScan(&scan, CNAP_ORGANIZATION_MEMBER, NULL, 1, &key);
	while (owner == NULL && HeapTupleIsValid(tuple = CnapNextRow(&scan)))
	{
		bool		isnull;
		Datum		role = CnapField(&scan, tuple, Anum_organization_member_role,
									 &isnull);

		if (CnapRoleFromDatum(role) == CNAP_ROLE_OWNER)
			owner = DatumGetTextPCopy(CnapField(&scan, tuple,
												Anum_organization_member_user_id,
												&isnull));
	}
	CnapEndScan(&scan);
	return owner;
}

/* The user's role in an organization, or CNAP_ROLE_NONE. */
CnapRole
CnapOrganizationRole(const pg_uuid_t *organization, text *user)
{
	return CnapMemberRoleAsOf(NULL, CNAP_ORGANIZATION_MEMBER, organization, user);
}

/* The user's role as a direct member of a workspace, or CNAP_ROLE_NONE. */
CnapRole
CnapDirectRole(const pg_uuid_t *workspace, text *user)
{
	return CnapMemberRoleAsOf(NULL, CNAP_WORKSPACE_MEMBER, workspace, user);
}

/*
 * Fetch the fields of a workspace that access depends on, and also its name, if that is
 * asked for; false if there is no workspace with that id.
 */
static bool
find_workspace(Snapshot snapshot, const pg_uuid_t *id, CnapWorkspace *workspace, text **name)
{
	ScanKeyData key;
	CnapScan	scan;
	HeapTuple	tuple;
	bool		found;

	CnapKeyUuid(&key, Anum_workspace_id, id);
	CnapBeginScan(&scan, CNAP_WORKSPACE, snapshot, 1, &key);
	tuple = CnapNextRow(&scan);
	found = HeapTupleIsValid(tuple);
	if (found)
	{
		bool		isnull;
		Datum		value;

		workspace->xmin = HeapTupleHeaderGetRawXmin(tuple->t_data);
		value = CnapField(&scan, tuple, Anum_workspace_owner_id, &isnull);
		workspace->owner = DatumGetTextPCopy(value);
		value = CnapField(&scan, tuple, Anum_workspace_managed_by, &isnull);
		workspace->managed = !isnull;
		if (workspace->managed)
		{
			workspace->managed_by = *DatumGetUUIDP(value);
			value = CnapField(&scan, tuple, Anum_workspace_managed_role, &isnull);
			workspace->managed_role = CnapRoleFromDatum(value);
			workspace->managed_until = end_column(&scan, tuple,
												  Anum_workspace_managed_until);
			workspace->terms = terms_columns(&scan, tuple, Anum_workspace_managed_access,
											 Anum_workspace_managed_activation);
			value = CnapField(&scan, tuple, Anum_workspace_management_id, &isnull);
			workspace->management_id = *DatumGetUUIDP(value);
		}
		if (name != NULL)
			*name = DatumGetTextPCopy(CnapField(&scan, tuple, Anum_workspace_name, &isnull));
	}
	CnapEndScan(&scan);
	return found;
}

/*
 * Fetch the fields of a workspace that access depends on; false if there is no
 * workspace with that id.  A NULL snapshot stands for a fresh one.
 */
bool
CnapFindWorkspaceAsOf(Snapshot snapshot, const pg_uuid_t *id, CnapWorkspace *workspace)
{
	return find_workspace(snapshot, id, workspace, NULL);
}

/* Likewise, as of now. */
bool
CnapFindWorkspace(const pg_uuid_t *id, CnapWorkspace *workspace)
{
	return find_workspace(NULL, id, workspace, NULL);
}

/* Likewise, with its name. */
bool
CnapFindNamedWorkspace(const pg_uuid_t *id, CnapWorkspace *workspace, text **name)
{
	return find_workspace(NULL, id, workspace, name);
}

/* Is the workspace managed by an organization at this moment? */
bool
CnapManagedNow(const CnapWorkspace *workspace)
{
	return workspace->managed && CnapHoldsUntil(workspace->managed_until);
}

/*
 * Does any row name the user, except in the audit log?  Some of the columns
 * have no index, and are searched by a sequential scan.
 */
bool
CnapIsNamed(text *user)
{
	static const struct
	{
		CnapTable	table;
		AttrNumber	attno;
	}			places[] = {
		{CNAP_ORGANIZATION_MEMBER, Anum_organization_member_user_id},
		{CNAP_WORKSPACE_MEMBER, Anum_workspace_member_user_id},
		{CNAP_WORKSPACE, Anum_workspace_owner_id},
		{CNAP_ACCESS_TOKEN, Anum_access_token_user_id},
		{CNAP_ROLE_USER, Anum_role_user_user_id},
		{CNAP_INVITATION, Anum_invitation_inviter},
		{CNAP_INVITATION, Anum_invitation_outcome_by},
		{CNAP_INVITATION, Anum_invitation_user_id},
		{CNAP_INSTALL_LINK, Anum_install_link_created_by},
		{CNAP_ORGANIZATION, Anum_organization_created_by},
		{CNAP_ORGANIZATION_MEMBER, Anum_organization_member_added_by},
		{CNAP_WORKSPACE_MEMBER, Anum_organization_member_added_by},
		{CNAP_ASSIGNMENT, Anum_assignment_user_id},
		{CNAP_ASSIGNMENT, Anum_assignment_assigned_by},
	};
	bool		found = false;

	for (int i = 0; i < (int) lengthof(places) && !found; i++)
	{
		ScanKeyData key;
		CnapScan	scan;

		CnapKeyText(&key, places[i].attno, user);
		found = HeapTupleIsValid(CnapScanRow(&scan, places[i].table, &key));
		CnapEndScan(&scan);
	}
	return found;
}

/*
 * The three tables of tokens have the id and the token's hash in the same
 * columns.
 */
StaticAssertDecl(Anum_install_link_id == Anum_access_token_id &&
				 Anum_invitation_id == Anum_access_token_id &&
				 Anum_install_link_token_hash == Anum_access_token_token_hash &&
				 Anum_invitation_token_hash == Anum_access_token_token_hash,
				 "the tables of tokens differ");

static HeapTuple
begin_token_row(CnapScan *scan, CnapTable table, CnapTokenKey by)
{
	ScanKeyData key;

	if (by.id != NULL)
		CnapKeyUuid(&key, Anum_access_token_id, by.id);
	else
		ScanKeyInit(&key, Anum_access_token_token_hash, BTEqualStrategyNumber,
					F_BYTEAEQ, by.hash);
	return CnapScanRow(scan, table, &key);
}

/* A copy of the array in a column, or NULL if it is null. */
static ArrayType *
copy_array(const CnapScan *scan, HeapTuple tuple, AttrNumber attno)
{
	bool		isnull;
	Datum		value = CnapField(scan, tuple, attno, &isnull);

	return isnull ? NULL : DatumGetArrayTypePCopy(value);
}

/* Fetch the access token with that key; false if there is none. */
bool
CnapFindAccessToken(CnapTokenKey key, CnapAccessToken *token)
{
	CnapScan	scan;
	HeapTuple	tuple;
	bool		found;

	tuple = begin_token_row(&scan, CNAP_ACCESS_TOKEN, key);
	found = HeapTupleIsValid(tuple);
	if (found)
	{
		bool		isnull;
		Datum		value;

		value = CnapField(&scan, tuple, Anum_access_token_id, &isnull);
		token->id = *DatumGetUUIDP(value);
		value = CnapField(&scan, tuple, Anum_access_token_user_id, &isnull);
		token->user = DatumGetTextPCopy(value);
		token->expires_at = end_column(&scan, tuple, Anum_access_token_expires_at);
		CnapField(&scan, tuple, Anum_access_token_revoked_at, &isnull);
		token->revoked = !isnull;
		token->workspaces = copy_array(&scan, tuple, Anum_access_token_workspaces);
		token->permissions = copy_array(&scan, tuple, Anum_access_token_permissions);
	}
	CnapEndScan(&scan);
	return found;
}

/* Free what a token that was found consists of. */
void
CnapFreeAccessToken(CnapAccessToken *token)
{
	pfree(token->user);
	if (token->workspaces != NULL)
		pfree(token->workspaces);
	if (token->permissions != NULL)
		pfree(token->permissions);
}

/* The user who was recorded for a database role, or NULL if there is none. */
text *
CnapFindRoleUser(Oid role)
{
	ScanKeyData key;
	CnapScan	scan;
	HeapTuple	tuple;
	text	   *user = NULL;

	CnapKeyOid(&key, Anum_role_user_role, role);
	tuple = CnapScanRow(&scan, CNAP_ROLE_USER, &key);
	if (HeapTupleIsValid(tuple))
	{
		bool		isnull;

		user = DatumGetTextPCopy(CnapField(&scan, tuple, Anum_role_user_user_id, &isnull));
	}
	CnapEndScan(&scan);
	return user;
}

/*
 * Find out when an access token was last used; DT_NOBEGIN means never.
 * Returns false if there is no row to record that in.
 */
bool
CnapFindTokenUse(const pg_uuid_t *token_id, TimestampTz *last_used_at)
{
	ScanKeyData key;
	CnapScan	scan;
	HeapTuple	tuple;
	bool		found;

	CnapKeyUuid(&key, Anum_access_token_use_token_id, token_id);
	tuple = CnapScanRow(&scan, CNAP_ACCESS_TOKEN_USE, &key);
	found = HeapTupleIsValid(tuple);
	if (found)
	{
		bool		isnull;
		Datum		value = CnapField(&scan, tuple,
									  Anum_access_token_use_last_used_at, &isnull);

		*last_used_at = isnull ? DT_NOBEGIN : DatumGetTimestampTz(value);
	}
	CnapEndScan(&scan);
	return found;
}

/* Fetch the install link with that key; false if there is none. */
bool
CnapFindInstallLink(CnapTokenKey key, CnapInstallLink *link)
{
	CnapScan	scan;
	HeapTuple	tuple;
	bool		found;

	tuple = begin_token_row(&scan, CNAP_INSTALL_LINK, key);
	found = HeapTupleIsValid(tuple);
	if (found)
	{
		bool		isnull;
		Datum		value;
		int32		uses;

		value = CnapField(&scan, tuple, Anum_install_link_id, &isnull);
		link->id = *DatumGetUUIDP(value);
		value = CnapField(&scan, tuple, Anum_install_link_organization_id, &isnull);
		link->organization = *DatumGetUUIDP(value);
		value = CnapField(&scan, tuple, Anum_install_link_role, &isnull);
		link->role = CnapRoleFromDatum(value);
		link->duration = NULL;
		value = CnapField(&scan, tuple, Anum_install_link_duration, &isnull);
		if (!isnull)
		{
			link->duration = palloc(sizeof(Interval));
			*link->duration = *DatumGetIntervalP(value);
		}
		link->terms = terms_columns(&scan, tuple, Anum_install_link_managers,
									Anum_install_link_activation);
		CnapField(&scan, tuple, Anum_install_link_revoked_at, &isnull);
		link->revoked = !isnull;
		value = CnapField(&scan, tuple, Anum_install_link_uses, &isnull);
		uses = DatumGetInt32(value);
		value = CnapField(&scan, tuple, Anum_install_link_max_uses, &isnull);
		link->valid = !link->revoked &&
			(isnull || uses < DatumGetInt32(value)) &&
			CnapHoldsUntil(end_column(&scan, tuple, Anum_install_link_expires_at));
	}
	CnapEndScan(&scan);
	return found;
}

/* Fetch the invitation with that key; false if there is none. */
bool
CnapFindInvitation(CnapTokenKey key, CnapInvitation *invitation)
{
	CnapScan	scan;
	HeapTuple	tuple;
	bool		found;

	tuple = begin_token_row(&scan, CNAP_INVITATION, key);
	found = HeapTupleIsValid(tuple);
	if (found)
	{
		bool		isnull;
		Datum		value;

		value = CnapField(&scan, tuple, Anum_invitation_id, &isnull);
		invitation->id = *DatumGetUUIDP(value);
		value = CnapField(&scan, tuple, Anum_invitation_organization_id, &isnull);
		invitation->to_organization = !isnull;
		if (isnull)
			value = CnapField(&scan, tuple, Anum_invitation_workspace_id, &isnull);
		invitation->object = *DatumGetUUIDP(value);
		value = CnapField(&scan, tuple, Anum_invitation_role, &isnull);
		invitation->role = CnapRoleFromDatum(value);
		value = CnapField(&scan, tuple, Anum_invitation_inviter, &isnull);
		invitation->inviter = isnull ? NULL : DatumGetTextPCopy(value);
		value = CnapField(&scan, tuple, Anum_invitation_user_id, &isnull);
		invitation->user = isnull ? NULL : DatumGetTextPCopy(value);
		CnapField(&scan, tuple, Anum_invitation_outcome, &isnull);
		invitation->ended = !isnull;
		invitation->valid = isnull &&
			CnapHoldsUntil(end_column(&scan, tuple, Anum_invitation_expires_at));
	}
	CnapEndScan(&scan);
	return found;
}

/* Are two user ids the same? */
bool
CnapTextEqual(const text *a, const text *b)
{
	return VARSIZE_ANY_EXHDR(a) == VARSIZE_ANY_EXHDR(b) &&
		memcmp(VARDATA_ANY(a), VARDATA_ANY(b), VARSIZE_ANY_EXHDR(a)) == 0;
}

/* The text form of a uuid. */
char *
CnapUuidString(const pg_uuid_t *uuid)
{
	return DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(uuid)));
}
