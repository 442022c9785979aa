/*-------------------------------------------------------------------------
 *
 * workspace.c
 *	  Public functions about workspaces.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/builtins.h"

#include "change/authorize.h"
#include "core/arguments.h"
#include "core/compat.h"
#include "core/rows.h"

PG_FUNCTION_INFO_V1(cnap_create_workspace);
PG_FUNCTION_INFO_V1(cnap_update_workspace);
PG_FUNCTION_INFO_V1(cnap_workspace);
PG_FUNCTION_INFO_V1(cnap_workspace_billing);
PG_FUNCTION_INFO_V1(cnap_set_workspace_billing);
PG_FUNCTION_INFO_V1(cnap_transfer_workspace);
PG_FUNCTION_INFO_V1(cnap_delete_workspace);
PG_FUNCTION_INFO_V1(cnap_workspaces);
PG_FUNCTION_INFO_V1(cnap_workspace_members);
PG_FUNCTION_INFO_V1(cnap_workspace_audit);

/* cnap_create_workspace(name, owner) -> uuid */
Datum
cnap_create_workspace(PG_FUNCTION_ARGS)
{
	static CnapStatement insert = {
		"INSERT INTO cnap.workspace (id, name, owner_id) VALUES ($1, $2, $3)",
		3, {UUIDOID, TEXTOID, TEXTOID}
	};
	CnapAct		act;
	text	   *owner;
	Datum		values[3];

	owner = CnapAuthorizeCreation(fcinfo, 1, &act);
	values[0] = CnapNewUuid();
	values[1] = PointerGetDatum(CnapRequiredName(fcinfo, 0));
	values[2] = PointerGetDatum(owner);
	CnapExecuteAct(&act, &insert, values, NULL);
	PG_RETURN_DATUM(values[0]);
}

/*
 * cnap_update_workspace(workspace, name, metadata) -> void
 *
 * Null means unchanged.
 */
Datum
cnap_update_workspace(PG_FUNCTION_ARGS)
{
	static CnapStatement update = {
		"UPDATE cnap.workspace SET"
		" name = coalesce($2, name), metadata = coalesce($3, metadata)"
		" WHERE id = $1",
		3, {UUIDOID, TEXTOID, JSONBOID}
	};
	CnapAct		act;
	Datum		values[3];
	char		nulls[3];

	CnapAuthorizeWorkspace(CnapRequiredUuid(fcinfo, 0, "workspace"),
						   CNAP_ADMINISTER, CNAP_CHANGE, &act);
	if (!PG_ARGISNULL(1))
		CnapRequiredName(fcinfo, 1);
	CnapCheckMetadata(fcinfo, 2);

	CnapArguments(fcinfo, 3, values, nulls);
	CnapExecuteActOnRow(&act, &update, values, nulls);
	PG_RETURN_VOID();
}

/*
 * cnap_workspace(workspace) -> one row
 *
 * Everybody with access sees who manages it, and until when, even if nobody gets
 * in by that at the moment, so that cnap_workspace_members() names no organization.
 */
Datum
cnap_workspace(PG_FUNCTION_ARGS)
{
	static CnapStatement query = {
		"SELECT * FROM cnap.show_workspace($1)", 1, {UUIDOID}
	};

	return CnapWorkspaceRows(fcinfo, CNAP_ACCESS, &query);
}

/*
 * cnap_workspace_billing(workspace) -> who is billed
 *
 * Only whoever may change this can read it: not the managers.
 */
Datum
cnap_workspace_billing(PG_FUNCTION_ARGS)
{
	static CnapStatement query = {
		"SELECT billing_email, customer_id FROM cnap.workspace WHERE id = $1",
		1, {UUIDOID}
	};

	return CnapWorkspaceRows(fcinfo, CNAP_BILLING, &query);
}

/*
 * cnap_set_workspace_billing(workspace, billing_email, customer_id) -> void
 *
 * Null means unchanged, '' clears.
 */
Datum
cnap_set_workspace_billing(PG_FUNCTION_ARGS)
{
	static CnapStatement update = {
		"UPDATE cnap.workspace SET"
		" billing_email = CASE WHEN $2 IS NULL THEN billing_email ELSE nullif($2, '') END,"
		" customer_id = CASE WHEN $3 IS NULL THEN customer_id ELSE nullif($3, '') END"
		" WHERE id = $1",
		3, {UUIDOID, TEXTOID, TEXTOID}
	};
	CnapAct		act;
	text	   *email;
	text	   *customer_id;
	Datum		values[3];
	char		nulls[3];

	CnapAuthorizeWorkspace(CnapRequiredUuid(fcinfo, 0, "workspace"),
						   CNAP_BILLING, CNAP_CHANGE, &act);
	email = CnapOptionalText(fcinfo, 1);
	if (email != NULL && VARSIZE_ANY_EXHDR(email) > 0)
		CnapCheckEmail(email, "billing_email");
	customer_id = CnapOptionalText(fcinfo, 2);
	if (customer_id != NULL && VARSIZE_ANY_EXHDR(customer_id) > 0)
		CnapCheckText(customer_id, "customer_id");

	CnapArguments(fcinfo, 3, values, nulls);
	CnapExecuteActOnRow(&act, &update, values, nulls);
	PG_RETURN_VOID();
}

/*
 * cnap_transfer_workspace(workspace, new_owner) -> void
 *
 * The new owner must be a direct member; the former owner stays as a direct
 * admin.
 */
Datum
cnap_transfer_workspace(PG_FUNCTION_ARGS)
{
	static CnapStatement remove_member = {
		"DELETE FROM cnap.workspace_member WHERE workspace_id = $1 AND user_id = $2",
		2, {UUIDOID, TEXTOID}
	};
	static CnapStatement keep_former_owner = {
		"INSERT INTO cnap.workspace_member (workspace_id, user_id, role, added_by)"
		" VALUES ($1, $2, 'admin', $3)"
		" ON CONFLICT (workspace_id, user_id) DO UPDATE SET role = 'admin'",
		3, {UUIDOID, TEXTOID, TEXTOID}
	};
	static CnapStatement set_owner = {
		"UPDATE cnap.workspace SET owner_id = $2 WHERE id = $1",
		2, {UUIDOID, TEXTOID}
	};
	const pg_uuid_t *id = CnapRequiredUuid(fcinfo, 0, "workspace");
	CnapAct		act;
	CnapWorkspace workspace;
	text	   *new_owner;
	Datum		values[3];
	char		nulls[3] = {' ', ' ', ' '};

	CnapAuthorizeWorkspace(id, CNAP_TRANSFER, CNAP_END, &act);
	new_owner = CnapRequiredUserId(fcinfo, 1, "new_owner");
	if (CnapDirectRole(id, new_owner) == CNAP_ROLE_NONE)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("user \"%s\" is not a member of the workspace",
						text_to_cstring(new_owner)),
				 errdetail("A workspace can only be transferred to one of its direct members.")));
	CnapFindWorkspace(id, &workspace);

	values[0] = UUIDPGetDatum(id);
	values[1] = PointerGetDatum(new_owner);
	CnapExecuteActOnRow(&act, &remove_member, values, NULL);
	CnapExecuteActOnRow(&act, &set_owner, values, NULL);

	if (!CnapTextEqual(workspace.owner, new_owner))
	{
		values[1] = PointerGetDatum(workspace.owner);
		values[2] = PointerGetDatum(act.actor.user);
		nulls[2] = act.actor.user != NULL ? ' ' : 'n';
		CnapExecuteAct(&act, &keep_former_owner, values, nulls);
	}
	PG_RETURN_VOID();
}

/* cnap_delete_workspace(workspace) -> void */
Datum
cnap_delete_workspace(PG_FUNCTION_ARGS)
{
	static CnapStatement delete = {
		"DELETE FROM cnap.workspace WHERE id = $1",
		1, {UUIDOID}
	};
	CnapAct		act;
	Datum		value;

	CnapAuthorizeWorkspace(CnapRequiredUuid(fcinfo, 0, "workspace"),
						   CNAP_DELETE, CNAP_REMOVE, &act);
	value = PG_GETARG_DATUM(0);
	CnapExecuteActOnRow(&act, &delete, &value, NULL);
	PG_RETURN_VOID();
}

/*
 * cnap_workspaces(after, max_rows) -> the workspaces that the current user has
 * access to
 */
Datum
cnap_workspaces(PG_FUNCTION_ARGS)
{
	static CnapStatement query = {
		"SELECT * FROM cnap.list_workspaces($1, $2, $3, $4, $5, $6)",
		6, {UUIDOID, INT4OID, TEXTOID, BOOLOID, TEXTOID, BOOLOID}
	};
	CnapActor	actor;
	Datum		values[6];
	char		nulls[6];

	CnapCheckMaxRows(fcinfo, 1);
	CnapGetLimitedActor(&actor);
	if (actor.limits == NULL)
		CnapGetUser(&actor);
	CnapArguments(fcinfo, 2, values, nulls);
	values[2] = PointerGetDatum(actor.user);
	values[3] = BoolGetDatum(actor.limits != NULL);
	nulls[2] = nulls[3] = ' ';
	nulls[4] = nulls[5] = nulls[0];
	if (!PG_ARGISNULL(0))
	{
		const pg_uuid_t *after = PG_GETARG_UUID_P(0);
		CnapWorkspace workspace;
		text	   *name;

		if (!CnapFindNamedWorkspace(after, &workspace, &name) ||
			!CnapSeesWorkspace(&actor, after) ||
			(actor.limits != NULL && !CnapLimitsAllow(actor.limits, after, CNAP_ACCESS)))
			CnapNoWorkspace(after);
		values[4] = PointerGetDatum(name);
		values[5] = BoolGetDatum(!CnapTextEqual(workspace.owner, actor.user));
	}
	return CnapReturnRows(fcinfo, &query, values, nulls);
}

/*
 * cnap_workspace_members(workspace, after, max_rows) -> everyone with access, by
 * which ways
 */
Datum
cnap_workspace_members(PG_FUNCTION_ARGS)
{
	static CnapStatement query = {
		"SELECT * FROM cnap.list_workspace_members($1, $2, $3)",
		3, {UUIDOID, TEXTOID, INT4OID}, CURSOR_OPT_GENERIC_PLAN
	};

	if (!PG_ARGISNULL(1))
		CnapRequiredUserId(fcinfo, 1, "after");
	CnapCheckMaxRows(fcinfo, 2);
	return CnapWorkspaceRows(fcinfo, CNAP_ACCESS, &query);
}

/*
 * cnap_workspace_audit(workspace, before, max_rows) -> its audit entries
 *
 * This requires manage_members, which the managing organization never has.
 */
Datum
cnap_workspace_audit(PG_FUNCTION_ARGS)
{
	static CnapStatement query = {
		"SELECT * FROM cnap.list_workspace_audit($1, $2, $3)",
		3, {UUIDOID, INT8OID, INT4OID}, CURSOR_OPT_CUSTOM_PLAN
	};

	CnapCheckMaxRows(fcinfo, 2);
	return CnapWorkspaceRows(fcinfo, CNAP_MANAGE_MEMBERS, &query);
}
