/*-------------------------------------------------------------------------
 *
 * permission.c
 *	  Who may do what: the two matrices, and nothing else.
 *
 * Every decision of the extension about whether somebody is allowed to do
 * something is made here.  The matrices are those of the README, line by line;
 * to change a rule, change its line.  The roles and permissions of the application's
 * own are added to the matrix of workspaces by definitions.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "port/pg_bitutils.h"

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
	[CNAP_ORGANIZATION_ASSIGN] =			{yes, yes, no},
	[CNAP_ORGANIZATION_READ_AUDIT] =		{yes, yes, no},
	[CNAP_ORGANIZATION_MANAGE_ROLES] =		{yes, no, no},
	[CNAP_ORGANIZATION_DELETE] =			{yes, no, no},
	/* INDENT ON */
};

/*
 * What a person can do with a workspace, by their role in it, and whether
 * managers can do it too if their role allows it.
 */
static const struct
{
	const char *name;
	bool		owner;
	bool		admin;
	bool		member;
	bool		delegable;
	bool		own_roles;		/* may be given to a role of the application's
								 * own */
}			workspace_matrix[CNAP_FIRST_OWN_PERMISSION] = {
	/* INDENT OFF */
	/* permission					  name				owner admin member delegable own */
	[CNAP_ACCESS] =				{"access",				yes, yes, yes, yes, yes},
	[CNAP_ADMINISTER] =			{"administer",			yes, yes, no, yes, yes},
	[CNAP_MANAGE_MEMBERS] =		{"manage_members",		yes, yes, no, no, yes},
	[CNAP_MANAGE_ROLES] =		{"manage_roles",		yes, no, no, no, no},
	[CNAP_MANAGE_DELEGATION] =	{"manage_delegation",	yes, no, no, no, no},
	[CNAP_BILLING] =			{"billing",				yes, no, no, no, no},
	[CNAP_TRANSFER] =			{"transfer",			yes, no, no, no, no},
	[CNAP_DELETE] =				{"delete",				yes, no, no, no, no},
	/* INDENT ON */
};

#undef yes
#undef no

/* Allows nothing until definitions.c has filled it in. */
CnapMatrix	CnapCurrentMatrix = {0};

const char *
CnapBuiltinRole(CnapRole role)
{
	return role_names[role];
}

const char *
CnapBuiltinPermission(CnapPermission permission)
{
	return workspace_matrix[permission].name;
}

/* Can a role of the application's own have that built-in permission? */
bool
CnapMayBeGiven(CnapPermission permission)
{
	return permission >= CNAP_FIRST_OWN_PERMISSION || workspace_matrix[permission].own_roles;
}

CnapPermissions
CnapBuiltinDelegable(void)
{
	CnapPermissions delegable = 0;

	for (CnapPermission i = 0; i < CNAP_FIRST_OWN_PERMISSION; i++)
	{
		if (workspace_matrix[i].delegable)
			delegable |= CnapPermissionBit(i);
	}
	return delegable;
}

void
CnapMatrixAllow(CnapMatrix *matrix, CnapRole role, CnapPermission permission)
{
	matrix->direct[role] |= CnapPermissionBit(permission);
}

void
CnapBeginMatrix(CnapMatrix *matrix)
{
	memset(matrix, 0, sizeof(*matrix));
	for (CnapPermission i = 0; i < CNAP_FIRST_OWN_PERMISSION; i++)
	{
		if (workspace_matrix[i].owner)
			CnapMatrixAllow(matrix, CNAP_ROLE_OWNER, i);
		if (workspace_matrix[i].admin)
			CnapMatrixAllow(matrix, CNAP_ROLE_ADMIN, i);
		if (workspace_matrix[i].member)
			CnapMatrixAllow(matrix, CNAP_ROLE_MEMBER, i);
	}
}

/* Managers have what is delegable of what their role allows. */
void
CnapEndMatrix(CnapMatrix *matrix, CnapPermissions delegable)
{
	for (int i = 0; i < (int) lengthof(matrix->direct); i++)
		matrix->managed[i] = i == CNAP_ROLE_OWNER ? 0 : matrix->direct[i] & delegable;
}

/*
 * All ways of two sets.  There is at most one membership and at most one
 * manager, but an owner may have a membership as well.
 */
CnapWays
CnapJoinWays(CnapWays a, CnapWays b)
{
	CnapRole	direct = CnapDirectRoleOf(a) == CNAP_ROLE_OWNER ||
		CnapDirectRoleOf(b) == CNAP_ROLE_OWNER ? CNAP_ROLE_OWNER :
		Max(CnapDirectRoleOf(a), CnapDirectRoleOf(b));

	return CnapWayOfMember(direct) |
		CnapWayOfManager(Max(CnapManagedRoleOf(a), CnapManagedRoleOf(b)));
}

/*
 * The order of roles: those of the application's own are between member and
 * admin, the more permissions the higher.
 */
int
CnapRoleRank(CnapRole role)
{
	switch (role)
	{
		case CNAP_ROLE_OWNER:
			return 1001;
		case CNAP_ROLE_ADMIN:
			return 1000;
		case CNAP_ROLE_MEMBER:
			return 1;
		case CNAP_ROLE_NONE:
			return 0;
		default:
			return 1 + pg_popcount64(CnapCurrentMatrix.direct[role]);
	}
}

/* The higher one of two roles, the first among equals. */
static CnapRole
higher(CnapRole a, CnapRole b)
{
	return CnapRoleRank(b) > CnapRoleRank(a) ? b : a;
}

/*
 * The highest role that the ways give if only these permissions count: one of
 * theirs, if it gives no others, or else a built-in one that gives less.  The
 * owner's other ways need not be known, so they do not count.
 */
CnapRole
CnapLimitedRole(CnapWays ways, CnapPermissions permissions)
{
	CnapRole	direct = CnapDirectRoleOf(ways);
	CnapRole	managed = direct == CNAP_ROLE_OWNER ? CNAP_ROLE_NONE : CnapManagedRoleOf(ways);
	CnapPermissions allowed = CnapWaysPermissions(ways) & permissions;
	CnapRole	role = CNAP_ROLE_NONE;

	if ((CnapCurrentMatrix.direct[direct] & ~permissions) == 0)
		role = direct;
	if ((CnapCurrentMatrix.managed[managed] & ~permissions) == 0)
		role = higher(role, managed);
	if (permissions == CNAP_ALL_PERMISSIONS)
		return role;
	for (CnapRole i = CNAP_ROLE_MEMBER; i <= CNAP_ROLE_ADMIN; i++)
	{
		if ((CnapCurrentMatrix.direct[i] & ~allowed) == 0)
			role = higher(role, i);
	}
	return role;
}

/* The highest role that any of the ways gives; a direct one among equals. */
CnapRole
CnapWaysRole(CnapWays ways)
{
	return CnapLimitedRole(ways, CNAP_ALL_PERMISSIONS);
}

/* The lowest built-in role with the (built-in) permission. */
CnapRole
CnapRoleWith(CnapPermission permission)
{
	return workspace_matrix[permission].admin ? CNAP_ROLE_ADMIN : CNAP_ROLE_OWNER;
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

/* The lowest role in an organization, above that of a member, that allows the act. */
CnapRole
CnapOrganizationRoleFor(CnapOrganizationAct act)
{
	return organization_matrix[act].admin ? CNAP_ROLE_ADMIN : CNAP_ROLE_OWNER;
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
