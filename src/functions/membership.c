/*-------------------------------------------------------------------------
 *
 * membership.c
 *	  Public functions about the members of organizations and workspaces.
 *
 * The two kinds of membership differ in their tables, their names and the
 * permissions required to change them (permission.c), but are otherwise
 * handled by the same code.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/builtins.h"

#include "access/ways.h"
#include "core/arguments.h"
#include "core/definitions.h"
#include "core/rows.h"
#include "functions/membership.h"

PG_FUNCTION_INFO_V1(cnap_add_organization_member);
PG_FUNCTION_INFO_V1(cnap_set_organization_role);
PG_FUNCTION_INFO_V1(cnap_remove_organization_member);
PG_FUNCTION_INFO_V1(cnap_leave_organization);
PG_FUNCTION_INFO_V1(cnap_add_workspace_member);
PG_FUNCTION_INFO_V1(cnap_set_workspace_role);
PG_FUNCTION_INFO_V1(cnap_remove_workspace_member);
PG_FUNCTION_INFO_V1(cnap_leave_workspace);

/* ---- organizations ---- */

static void
authorize_organization(const pg_uuid_t *id, CnapLock lock, CnapAct *act)
{
	CnapAuthorizeOrganization(id, CNAP_ORGANIZATION_SEE, lock, act);
}

static void
require_on_organization_role(const CnapAct *act, CnapRole role)
{
	CnapRequireOrganizationAct(act->role, CnapOrganizationActOnRole(role));
}

static bool
allows_on_organization_role(const pg_uuid_t *id, text *user, CnapRole role)
{
	return CnapOrganizationAllows(CnapOrganizationRole(id, user),
								  CnapOrganizationActOnRole(role));
}

CnapMembership CnapOrganizationMembership = {
	"organization",
	CNAP_ORGANIZATION_ROLES,
	CnapOrganizationRole,
	CnapSeesOrganization,
	authorize_organization,
	require_on_organization_role,
	allows_on_organization_role,
	CnapHoldOrganization,
	{
		"INSERT INTO cnap.organization_member (organization_id, user_id, role, added_by)"
		" VALUES ($1, $2, $3, $4)",
		4, {UUIDOID, TEXTOID, TEXTOID, TEXTOID}
	},
	{
		"UPDATE cnap.organization_member SET role = $3"
		" WHERE organization_id = $1 AND user_id = $2",
		3, {UUIDOID, TEXTOID, TEXTOID}
	},
	{
		"DELETE FROM cnap.organization_member WHERE organization_id = $1 AND user_id = $2",
		2, {UUIDOID, TEXTOID}
	}
};

/* ---- workspaces ---- */

static void
authorize_workspace(const pg_uuid_t *id, CnapLock lock, CnapAct *act)
{
	CnapAuthorizeWorkspace(id, CNAP_ACCESS, lock, act);
}

static void
require_on_workspace_role(const CnapAct *act, CnapRole role)
{
	CnapRequireOfAct(act, CnapPermissionOnRole(role));
}

static bool
allows_on_workspace_role(const pg_uuid_t *id, text *user, CnapRole role)
{
	return CnapWaysAllow(CnapFindAccess(user, id, NULL).ways, CnapPermissionOnRole(role));
}

/* A workspace's owner is stored in the workspace's own row. */
static CnapRole
workspace_role_of(const pg_uuid_t *id, text *user)
{
	CnapWorkspace workspace;

	if (CnapFindWorkspace(id, &workspace) && CnapTextEqual(workspace.owner, user))
		return CNAP_ROLE_OWNER;
	return CnapDirectRole(id, user);
}

CnapMembership CnapWorkspaceMembership = {
	"workspace",
	CNAP_WORKSPACE_ROLES,
	workspace_role_of,
	CnapSeesWorkspace,
	authorize_workspace,
	require_on_workspace_role,
	allows_on_workspace_role,
	CnapHoldWorkspace,
	{
		"INSERT INTO cnap.workspace_member (workspace_id, user_id, role, added_by)"
		" VALUES ($1, $2, $3, $4)",
		4, {UUIDOID, TEXTOID, TEXTOID, TEXTOID}
	},
	{
		"UPDATE cnap.workspace_member SET role = $3"
		" WHERE workspace_id = $1 AND user_id = $2",
		3, {UUIDOID, TEXTOID, TEXTOID}
	},
	{
		"DELETE FROM cnap.workspace_member WHERE workspace_id = $1 AND user_id = $2",
		2, {UUIDOID, TEXTOID}
	}
};

/* ---- common to both ---- */

pg_noreturn static void
not_a_member(const CnapMembership *kind, text *user)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("user \"%s\" is not a member of the %s",
					text_to_cstring(user), kind->name)));
}

/* Is this the role of a workspace's owner, which is transferred, not given? */
static bool
is_transferred(const CnapMembership *kind, CnapRole role)
{
	return kind->roles == CNAP_WORKSPACE_ROLES && role == CNAP_ROLE_OWNER;
}

/*
 * Check the role of a user whose membership is to be changed or ended.  The
 * owner of a workspace has no row in workspace_member, so it is an error to
 * name them: ownership has to be transferred.
 */
static void
check_target(const CnapMembership *kind, text *user, CnapRole role)
{
	if (role == CNAP_ROLE_NONE)
		not_a_member(kind, user);
	if (is_transferred(kind, role))
		ereport(ERROR,
				(errcode(ERRCODE_RESTRICT_VIOLATION),
				 errmsg("user \"%s\" is the owner of the %s",
						text_to_cstring(user), kind->name),
				 errhint("Transfer the %s first.", kind->name)));
}

void
CnapAddMember(const CnapAct *act, CnapMembership *kind, const pg_uuid_t *id,
			  text *user, CnapRole role, text *added_by)
{
	Datum		values[4];
	char		nulls[4] = {' ', ' ', ' ', ' '};

	if (kind->role_of(id, user) != CNAP_ROLE_NONE)
		ereport(ERROR,
				(errcode(ERRCODE_UNIQUE_VIOLATION),
				 errmsg("user \"%s\" is already a member of the %s",
						text_to_cstring(user), kind->name)));

	values[0] = UUIDPGetDatum(id);
	values[1] = PointerGetDatum(user);
	values[2] = CnapRoleToDatum(role);
	values[3] = PointerGetDatum(added_by);
	nulls[3] = added_by != NULL ? ' ' : 'n';
	CnapExecuteAct(act, &kind->add, values, nulls);
}

/* (object, user_id, role) -> void */
static Datum
add_member(FunctionCallInfo fcinfo, CnapMembership *kind)
{
	const pg_uuid_t *id = CnapRequiredUuid(fcinfo, 0, kind->name);
	CnapAct		act;
	text	   *user;
	CnapRole	role;

	kind->authorize(id, CNAP_CHANGE, &act);
	user = CnapRequiredUserId(fcinfo, 1, "user_id");
	role = CnapRequiredRole(fcinfo, 2, kind->roles);
	kind->require_on_role(&act, role);
	CnapAddMember(&act, kind, id, user, role, act.actor.user);
	PG_RETURN_VOID();
}

/* (object, user_id, role) -> void */
static Datum
set_role(FunctionCallInfo fcinfo, CnapMembership *kind)
{
	const pg_uuid_t *id = CnapRequiredUuid(fcinfo, 0, kind->name);
	CnapAct		act;
	text	   *user;
	CnapRole	role;
	Datum		values[3];

	kind->authorize(id, CNAP_END, &act);
	/* Changing any role requires the right to add an owner. */
	kind->require_on_role(&act, CNAP_ROLE_OWNER);
	user = CnapRequiredUserId(fcinfo, 1, "user_id");
	role = CnapRequiredRole(fcinfo, 2, kind->roles);
	values[0] = UUIDPGetDatum(id);
	values[1] = PointerGetDatum(user);
	values[2] = CnapRoleToDatum(role);
	check_target(kind, user, kind->role_of(id, user));
	CnapExecuteActOnRow(&act, &kind->set_role, values, NULL);
	PG_RETURN_VOID();
}

/* (object, user_id) -> void */
static Datum
remove_member(FunctionCallInfo fcinfo, CnapMembership *kind)
{
	const pg_uuid_t *id = CnapRequiredUuid(fcinfo, 0, kind->name);
	CnapAct		act;
	text	   *user;
	CnapRole	role;
	Datum		values[2];

	kind->authorize(id, CNAP_END, &act);
	user = CnapRequiredUserId(fcinfo, 1, "user_id");
	role = kind->role_of(id, user);
	if (role == CNAP_ROLE_NONE || is_transferred(kind, role))
		kind->require_on_role(&act, CNAP_ROLE_MEMBER);
	else
		kind->require_on_role(&act, role);
	check_target(kind, user, role);

	values[0] = UUIDPGetDatum(id);
	values[1] = PointerGetDatum(user);
	CnapExecuteActOnRow(&act, &kind->remove, values, NULL);
	PG_RETURN_VOID();
}

/* (object) -> void, for the current user */
static Datum
leave(FunctionCallInfo fcinfo, CnapMembership *kind)
{
	const pg_uuid_t *id;
	CnapAct		act;
	Datum		values[2];

	CnapGetUser(&act.actor);
	id = CnapRequiredUuid(fcinfo, 0, kind->name);
	kind->authorize(id, CNAP_END, &act);
	check_target(kind, act.actor.user, kind->role_of(id, act.actor.user));

	values[0] = UUIDPGetDatum(id);
	values[1] = PointerGetDatum(act.actor.user);
	CnapExecuteActOnRow(&act, &kind->remove, values, NULL);
	PG_RETURN_VOID();
}

/* ---- SQL functions ---- */

Datum
cnap_add_organization_member(PG_FUNCTION_ARGS)
{
	return add_member(fcinfo, &CnapOrganizationMembership);
}

Datum
cnap_set_organization_role(PG_FUNCTION_ARGS)
{
	return set_role(fcinfo, &CnapOrganizationMembership);
}

Datum
cnap_remove_organization_member(PG_FUNCTION_ARGS)
{
	return remove_member(fcinfo, &CnapOrganizationMembership);
}

Datum
cnap_leave_organization(PG_FUNCTION_ARGS)
{
	return leave(fcinfo, &CnapOrganizationMembership);
}

Datum
cnap_add_workspace_member(PG_FUNCTION_ARGS)
{
	return add_member(fcinfo, &CnapWorkspaceMembership);
}

Datum
cnap_set_workspace_role(PG_FUNCTION_ARGS)
{
	return set_role(fcinfo, &CnapWorkspaceMembership);
}

Datum
cnap_remove_workspace_member(PG_FUNCTION_ARGS)
{
	return remove_member(fcinfo, &CnapWorkspaceMembership);
}

Datum
cnap_leave_workspace(PG_FUNCTION_ARGS)
{
	return leave(fcinfo, &CnapWorkspaceMembership);
}
