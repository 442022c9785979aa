/*-------------------------------------------------------------------------
 *
 * permission.c
 *	  Who may do what: the two matrices, and nothing else.
 *
 * Every decision of the extension about whether somebody is allowed to do
 * something is made here.  The matrices are those of the README, line by line;
 * to change a rule, change its line.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "core/compat.h"
#include "core/permission.h"

/* The names of the roles. */
static const char *const role_names[] = {
	[CNAP_ROLE_MEMBER] = "member",
	[CNAP_ROLE_ADMIN] = "admin",
	[CNAP_ROLE_OWNER] = "owner",
};

#define yes true
#define no false

/* What a person can do with an organization, by their role in it. */
static const struct
{
	bool		owner;
	bool		admin;
	bool		member;
}			organization_matrix[CNAP_ORGANIZATION_ACTS] = {
	/* INDENT OFF */
	/* act									  owner admin member */
	[CNAP_ORGANIZATION_SEE] =				{yes, yes, yes},
	[CNAP_ORGANIZATION_UPDATE] =			{yes, yes, no},
	[CNAP_ORGANIZATION_MANAGE_MEMBERS] =	{yes, yes, no},
	[CNAP_ORGANIZATION_MANAGE_LINKS] =		{yes, yes, no},
	[CNAP_ORGANIZATION_RELEASE] =			{yes, yes, no},
	[CNAP_ORGANIZATION_READ_AUDIT] =		{yes, yes, no},
	[CNAP_ORGANIZATION_MANAGE_ROLES] =		{yes, no, no},
	[CNAP_ORGANIZATION_DELETE] =			{yes, no, no},
	/* INDENT ON */
};

#define WAYS(owner, admin, member, manager, manager_member) \
	(((owner) ? CNAP_WAY_OWNER : 0) | ((admin) ? CNAP_WAY_ADMIN : 0) | \
	 ((member) ? CNAP_WAY_MEMBER : 0) | ((manager) ? CNAP_WAY_MANAGER : 0) | \
	 ((manager_member) ? CNAP_WAY_MANAGER_MEMBER : 0))

/*
 * What a person can do with a workspace, by the way in which they reach it: as
 * its owner, as a direct admin or member, through managed_by while
 * managed_role is 'admin', and while that is 'member'.
 */
static const struct
{
	const char *name;
	CnapWays	ways;
}			workspace_matrix[CNAP_PERMISSIONS] = {
	/* INDENT OFF */
	/* permission					  name						 owner admin member manager capped */
	[CNAP_ACCESS] =				{"access",				WAYS(yes, yes, yes, yes, yes)},
	[CNAP_ADMINISTER] =			{"administer",			WAYS(yes, yes, no, yes, no)},
	[CNAP_MANAGE_MEMBERS] =		{"manage_members",		WAYS(yes, yes, no, no, no)},
	[CNAP_MANAGE_ROLES] =		{"manage_roles",		WAYS(yes, no, no, no, no)},
	[CNAP_MANAGE_DELEGATION] =	{"manage_delegation",	WAYS(yes, no, no, no, no)},
	[CNAP_BILLING] =			{"billing",				WAYS(yes, no, no, no, no)},
	[CNAP_TRANSFER] =			{"transfer",			WAYS(yes, no, no, no, no)},
	[CNAP_DELETE] =				{"delete",				WAYS(yes, no, no, no, no)},
	/* INDENT ON */
};

#undef WAYS
#undef yes
#undef no

/* The name of a role. */
const char *
CnapRoleName(CnapRole role)
{
	Assert(role != CNAP_ROLE_NONE);
	return role_names[role];
}

/* The name of a permission. */
const char *
CnapPermissionName(CnapPermission permission)
{
	return workspace_matrix[permission].name;
}

/* The ways that allow the permission, each on its own. */
CnapWays
CnapWaysThatAllow(CnapPermission permission)
{
	return workspace_matrix[permission].ways;
}

/* The highest role that any of the ways gives. */
CnapRole
CnapWaysRole(CnapWays ways)
{
	if (ways & CNAP_WAY_OWNER)
		return CNAP_ROLE_OWNER;
	if (ways & (CNAP_WAY_ADMIN | CNAP_WAY_MANAGER))
		return CNAP_ROLE_ADMIN;
	if (ways & (CNAP_WAY_MEMBER | CNAP_WAY_MANAGER_MEMBER))
		return CNAP_ROLE_MEMBER;
	return CNAP_ROLE_NONE;
}

/* The way of a direct member with that role; none for CNAP_ROLE_NONE. */
CnapWays
CnapWayOfMember(CnapRole role)
{
	switch (role)
	{
		case CNAP_ROLE_ADMIN:
			return CNAP_WAY_ADMIN;
		case CNAP_ROLE_MEMBER:
			return CNAP_WAY_MEMBER;
		default:
			return 0;
	}
}

/* The way of members of a managing organization, capped at that role. */
CnapWays
CnapWayOfManager(CnapRole role)
{
	switch (role)
	{
		case CNAP_ROLE_ADMIN:
			return CNAP_WAY_MANAGER;
		case CNAP_ROLE_MEMBER:
			return CNAP_WAY_MANAGER_MEMBER;
		default:
			return 0;
	}
}

pg_noreturn static void
role_required(CnapRole role)
{
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("%s role required", CnapRoleName(role))));
}

/* Raise an error if none of the ways allows the permission. */
void
CnapRequirePermission(CnapWays ways, CnapPermission permission)
{
	if ((ways & CnapWaysThatAllow(permission)) == 0)
		role_required((workspace_matrix[permission].ways & CNAP_WAY_ADMIN) ?
					  CNAP_ROLE_ADMIN : CNAP_ROLE_OWNER);
}

/* Does a role in an organization allow the act? */
bool
CnapOrganizationAllows(CnapRole role, CnapOrganizationAct act)
{
	switch (role)
	{
		case CNAP_ROLE_OWNER:
			return organization_matrix[act].owner;
		case CNAP_ROLE_ADMIN:
			return organization_matrix[act].admin;
		case CNAP_ROLE_MEMBER:
			return organization_matrix[act].member;
		default:
			return false;
	}
}

/* Raise an error if a role in an organization does not allow the act. */
void
CnapRequireOrganizationAct(CnapRole role, CnapOrganizationAct act)
{
	if (!CnapOrganizationAllows(role, act))
		role_required(organization_matrix[act].admin ?
					  CNAP_ROLE_ADMIN : CNAP_ROLE_OWNER);
}

CnapOrganizationAct
CnapOrganizationActOnRole(CnapRole role)
{
	return role == CNAP_ROLE_MEMBER ?
		CNAP_ORGANIZATION_MANAGE_MEMBERS : CNAP_ORGANIZATION_MANAGE_ROLES;
}

CnapPermission
CnapPermissionOnRole(CnapRole role)
{
	return role == CNAP_ROLE_MEMBER ? CNAP_MANAGE_MEMBERS : CNAP_MANAGE_ROLES;
}
