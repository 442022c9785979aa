/*-------------------------------------------------------------------------
 *
 * access.c
 *	  The check: who reaches which workspace, and how.
 *
 * The functions here decide nothing by themselves.  They ask lookup.c for the
 * user's ways into the workspace, and permission.c what these allow.
 *
 * They are not strict: null, where a boolean is asked for, gives false and not
 * null, so that NOT, a CHECK constraint and an application's own test for
 * "not false" are refused as well.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "arguments.h"
#include "identity.h"
#include "lookup.h"
#include "permission.h"
#include "relations.h"
#include "validate.h"

PG_FUNCTION_INFO_V1(cnap_can_access);
PG_FUNCTION_INFO_V1(cnap_can_access_user);
PG_FUNCTION_INFO_V1(cnap_can_access_uuid);
PG_FUNCTION_INFO_V1(cnap_has_permission);
PG_FUNCTION_INFO_V1(cnap_has_permission_user);
PG_FUNCTION_INFO_V1(cnap_has_permission_uuid);
PG_FUNCTION_INFO_V1(cnap_workspace_role);
PG_FUNCTION_INFO_V1(cnap_workspace_role_user);
PG_FUNCTION_INFO_V1(cnap_accessible_workspaces);
PG_FUNCTION_INFO_V1(cnap_accessible_workspaces_user);
PG_FUNCTION_INFO_V1(cnap_explain_access);

/* The current user as text, or a null pointer. */
static text *
current_user_text(void)
{
	const char *user = CnapCurrentUser();

	return user != NULL ? cstring_to_text(user) : NULL;
}

/* A user argument of type uuid, in the text form that uuids have as user ids. */
static text *
user_from_uuid(FunctionCallInfo fcinfo, int argno)
{
	if (PG_ARGISNULL(argno))
		return NULL;
	return cstring_to_text(CnapUuidString(PG_GETARG_UUID_P(argno)));
}

/*
 * The ways of a user into the workspace of an argument, at this moment.  No
 * user, no workspace and what can't be a user id have none.
 */
static CnapWays
argument_ways(FunctionCallInfo fcinfo, text *user, int argno)
{
	CnapAccess	access;

	if (user == NULL || PG_ARGISNULL(argno) ||
		!CnapIsUserId(VARDATA_ANY(user), VARSIZE_ANY_EXHDR(user)))
		return 0;
	access = CnapFindAccess(user, PG_GETARG_UUID_P(argno));
	return CnapWaysNow(&access);
}

static Datum
can_access(FunctionCallInfo fcinfo, text *user, int argno)
{
	PG_RETURN_BOOL((argument_ways(fcinfo, user, argno) &
					CnapWaysThatAllow(CNAP_ACCESS)) != 0);
}

/* The permission is the argument behind the workspace. */
static Datum
has_permission(FunctionCallInfo fcinfo, text *user, int argno)
{
	CnapPermission permission;

	if (PG_ARGISNULL(argno + 1))
		PG_RETURN_BOOL(false);
	permission = CnapPermissionFromOid(PG_GETARG_OID(argno + 1));
	PG_RETURN_BOOL((argument_ways(fcinfo, user, argno) &
					CnapWaysThatAllow(permission)) != 0);
}

static Datum
workspace_role(FunctionCallInfo fcinfo, text *user, int argno)
{
	CnapRole	role = CnapWaysRole(argument_ways(fcinfo, user, argno));

	if (role == CNAP_ROLE_NONE)
		PG_RETURN_NULL();
	PG_RETURN_OID(CnapRoleToOid(role));
}

static Datum
accessible_workspaces(text *user)
{
	if (user == NULL ||
		!CnapIsUserId(VARDATA_ANY(user), VARSIZE_ANY_EXHDR(user)))
		PG_RETURN_ARRAYTYPE_P(construct_empty_array(UUIDOID));
	PG_RETURN_ARRAYTYPE_P(CnapFindWorkspaces(user));
}

/*
 * cnap_can_access(workspace) -> boolean, for the current user
 *
 * This is the function of the row-level security policies.
 */
Datum
cnap_can_access(PG_FUNCTION_ARGS)
{
	return can_access(fcinfo, current_user_text(), 0);
}

/* cnap_can_access(user_id text, workspace) -> boolean */
Datum
cnap_can_access_user(PG_FUNCTION_ARGS)
{
	return can_access(fcinfo, CnapOptionalText(fcinfo, 0), 1);
}

/* cnap_can_access(user_id uuid, workspace) -> boolean */
Datum
cnap_can_access_uuid(PG_FUNCTION_ARGS)
{
	return can_access(fcinfo, user_from_uuid(fcinfo, 0), 1);
}

/* cnap_has_permission(workspace, permission) -> boolean, for the current user */
Datum
cnap_has_permission(PG_FUNCTION_ARGS)
{
	return has_permission(fcinfo, current_user_text(), 0);
}

/* cnap_has_permission(user_id text, workspace, permission) -> boolean */
Datum
cnap_has_permission_user(PG_FUNCTION_ARGS)
{
	return has_permission(fcinfo, CnapOptionalText(fcinfo, 0), 1);
}

/* cnap_has_permission(user_id uuid, workspace, permission) -> boolean */
Datum
cnap_has_permission_uuid(PG_FUNCTION_ARGS)
{
	return has_permission(fcinfo, user_from_uuid(fcinfo, 0), 1);
}

/* cnap_workspace_role(workspace) -> cnap.role, for the current user; null: none */
Datum
cnap_workspace_role(PG_FUNCTION_ARGS)
{
	return workspace_role(fcinfo, current_user_text(), 0);
}

/* cnap_workspace_role(user_id text, workspace) -> cnap.role; null: none */
Datum
cnap_workspace_role_user(PG_FUNCTION_ARGS)
{
	return workspace_role(fcinfo, CnapOptionalText(fcinfo, 0), 1);
}

/* cnap_accessible_workspaces() -> uuid[], for the current user */
Datum
cnap_accessible_workspaces(PG_FUNCTION_ARGS)
{
	return accessible_workspaces(current_user_text());
}

/* cnap_accessible_workspaces(user_id text) -> uuid[] */
Datum
cnap_accessible_workspaces_user(PG_FUNCTION_ARGS)
{
	return accessible_workspaces(CnapOptionalText(fcinfo, 0));
}

/* Adds one row to the result of cnap_explain_access(). */
static void
explain_row(ReturnSetInfo *rsinfo, const char *path, CnapRole role,
			bool granted, TimestampTz until, const char *reason)
{
	Datum		values[5];
	bool		nulls[5] = {false};

	values[0] = CStringGetTextDatum(path);
	nulls[1] = role == CNAP_ROLE_NONE;
	if (!nulls[1])
		values[1] = ObjectIdGetDatum(CnapRoleToOid(role));
	values[2] = BoolGetDatum(granted);
	nulls[3] = until == DT_NOEND;
	values[3] = TimestampTzGetDatum(until);
	values[4] = CStringGetTextDatum(reason);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

/* The row of cnap_explain_access() about the managing organization. */
static void
explain_management(ReturnSetInfo *rsinfo, const CnapWorkspace *workspace, text *user)
{
	char	   *organization;
	CnapRole	role;
	CnapRole	given = CNAP_ROLE_NONE;
	char	   *reason;

	if (!workspace->managed)
	{
		explain_row(rsinfo, "organization", CNAP_ROLE_NONE, false, DT_NOEND,
					"no organization manages the workspace");
		return;
	}

	organization = CnapUuidString(&workspace->managed_by);
	role = CnapOrganizationRole(&workspace->managed_by, user);
	if (role == CNAP_ROLE_NONE)
		reason = psprintf("organization %s manages the workspace, but the user is not a member of it",
						  organization);
	else if (!CnapManagedNow(workspace))
		reason = psprintf("%s of organization %s, whose management has ended",
						  CnapRoleName(role), organization);
	else
	{
		given = CnapWaysRole(CnapWayOfManager(workspace->managed_role));
		reason = psprintf("%s of organization %s, which manages the workspace",
						  CnapRoleName(role), organization);
	}
	explain_row(rsinfo, "organization", given, given != CNAP_ROLE_NONE,
				workspace->managed_until, reason);
}

/*
 * cnap_explain_access(user_id text, workspace)
 *	 -> setof (path, role, granted, until, reason)
 *
 * One row for each way into a workspace that there is, saying whether the user
 * has it and why; one row in all if there is no such workspace.
 */
Datum
cnap_explain_access(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	text	   *user = CnapRequiredUserId(fcinfo, 0, "user_id");
	const pg_uuid_t *id = CnapRequiredUuid(fcinfo, 1, "workspace");
	CnapWorkspace workspace;
	CnapRole	role;

	InitMaterializedSRF(fcinfo, 0);
	if (!CnapFindWorkspace(id, &workspace))
	{
		explain_row(rsinfo, "none", CNAP_ROLE_NONE, false, DT_NOEND,
					"the workspace does not exist");
		return (Datum) 0;
	}

	if (CnapTextEqual(workspace.owner, user))
		explain_row(rsinfo, "owner", CNAP_ROLE_OWNER, true, DT_NOEND,
					"the user owns the workspace");
	else
		explain_row(rsinfo, "owner", CNAP_ROLE_NONE, false, DT_NOEND,
					"somebody else owns the workspace");

	role = CnapDirectRole(id, user);
	explain_row(rsinfo, "member", role, role != CNAP_ROLE_NONE, DT_NOEND,
				role != CNAP_ROLE_NONE ? "the user is a direct member" :
				"the user is not a direct member");

	explain_management(rsinfo, &workspace, user);
	return (Datum) 0;
}
