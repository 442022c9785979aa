/*-------------------------------------------------------------------------
 *
 * permission.h
 *	  Who may do what.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_PERMISSION_H
#define CNAP_PERMISSION_H

/*
 * A role: one of the built-in ones, lowest first, which are those of
 * organizations as well, or the number of one that the application has defined.
 */
typedef uint8 CnapRole;

#define CNAP_ROLE_NONE		((CnapRole) 0)
#define CNAP_ROLE_MEMBER	((CnapRole) 1)
#define CNAP_ROLE_ADMIN		((CnapRole) 2)
#define CNAP_ROLE_OWNER		((CnapRole) 3)
#define CNAP_FIRST_OWN_ROLE	((CnapRole) 4)
#define CNAP_LAST_ROLE		((CnapRole) 250)
#define CNAP_ROLE_UNDEFINED	((CnapRole) 255)	/* allows nothing */

/*
 * What a person may do with a workspace: one of the built-in permissions, or
 * the number of one that the application has defined.
 */
typedef uint8 CnapPermission;

#define CNAP_ACCESS				((CnapPermission) 0)
#define CNAP_ADMINISTER			((CnapPermission) 1)
#define CNAP_MANAGE_MEMBERS		((CnapPermission) 2)
#define CNAP_MANAGE_ROLES		((CnapPermission) 3)
#define CNAP_MANAGE_DELEGATION	((CnapPermission) 4)
#define CNAP_BILLING			((CnapPermission) 5)
#define CNAP_TRANSFER			((CnapPermission) 6)
#define CNAP_DELETE				((CnapPermission) 7)
#define CNAP_FIRST_OWN_PERMISSION ((CnapPermission) 8)
#define CNAP_LAST_PERMISSION	((CnapPermission) 63)
#define CNAP_PERMISSION_UNDEFINED ((CnapPermission) 255)	/* nobody has it */

/* A set of permissions. */
typedef uint64 CnapPermissions;

#define CNAP_ALL_PERMISSIONS (~UINT64CONST(0))

#define CnapPermissionBit(permission) (UINT64CONST(1) << (permission))

/* What a person may do with an organization. */
typedef enum CnapOrganizationAct
{
	CNAP_ORGANIZATION_SEE,		/* and leave */
	CNAP_ORGANIZATION_UPDATE,
	CNAP_ORGANIZATION_MANAGE_MEMBERS,
	CNAP_ORGANIZATION_MANAGE_LINKS,
	CNAP_ORGANIZATION_RELEASE,
	CNAP_ORGANIZATION_ASSIGN,	/* managers to a workspace */
	CNAP_ORGANIZATION_READ_AUDIT,
	CNAP_ORGANIZATION_MANAGE_ROLES,
	CNAP_ORGANIZATION_DELETE
} CnapOrganizationAct;

#define CNAP_ORGANIZATION_ACTS (CNAP_ORGANIZATION_DELETE + 1)

/*
 * The ways in which a person reaches a workspace: the role as its owner or a
 * direct member, and the role of the managers if the person is one of them.  A
 * person with both has the union of the permissions that they give.
 */
typedef uint16 CnapWays;

#define CNAP_NO_WAY			((CnapWays) 0)
#define CNAP_WAY_OWNER		((CnapWays) CNAP_ROLE_OWNER)
#define CNAP_DIRECT_WAY		((CnapWays) 0x00FF)
#define CNAP_MANAGED_WAY	((CnapWays) 0xFF00)

static inline CnapWays
CnapWayOfMember(CnapRole role)
{
	return role;
}

static inline CnapWays
CnapWayOfManager(CnapRole role)
{
	return (CnapWays) role << 8;
}

static inline CnapRole
CnapDirectRoleOf(CnapWays ways)
{
	return ways & CNAP_DIRECT_WAY;
}

static inline CnapRole
CnapManagedRoleOf(CnapWays ways)
{
	return ways >> 8;
}

/*
 * The matrix of permissions in workspaces: what each role allows when it is
 * held directly, and as the role of managers.
 */
typedef struct CnapMatrix
{
	CnapPermissions direct[256];
	CnapPermissions managed[256];
} CnapMatrix;

extern CnapMatrix CnapCurrentMatrix;

static inline CnapPermissions
CnapWaysPermissions(CnapWays ways)
{
	return CnapCurrentMatrix.direct[CnapDirectRoleOf(ways)] |
		CnapCurrentMatrix.managed[CnapManagedRoleOf(ways)];
}

static inline bool
CnapWaysAllow(CnapWays ways, CnapPermission permission)
{
	return (CnapWaysPermissions(ways) >> permission) & 1;
}

/* Set the matrix to the built-in one, and complete it. */
extern void CnapBeginMatrix(CnapMatrix *matrix);
extern void CnapMatrixAllow(CnapMatrix *matrix, CnapRole role, CnapPermission permission);
extern void CnapEndMatrix(CnapMatrix *matrix, CnapPermissions delegable);

/* Of the built-in roles and permissions. */
extern const char *CnapBuiltinRole(CnapRole role);
extern const char *CnapBuiltinPermission(CnapPermission permission);
extern CnapPermissions CnapBuiltinDelegable(void);
extern bool CnapMayBeGiven(CnapPermission permission);

extern CnapWays CnapJoinWays(CnapWays a, CnapWays b);
extern int	CnapRoleRank(CnapRole role);
extern CnapRole CnapWaysRole(CnapWays ways);
extern CnapRole CnapLimitedRole(CnapWays ways, CnapPermissions permissions);

extern CnapRole CnapRoleWith(CnapPermission permission);
extern bool CnapOrganizationAllows(CnapRole role, CnapOrganizationAct act);
extern CnapRole CnapOrganizationRoleFor(CnapOrganizationAct act);

/* What is required to add, invite or remove somebody with that role. */
extern CnapOrganizationAct CnapOrganizationActOnRole(CnapRole role);
extern CnapPermission CnapPermissionOnRole(CnapRole role);

#endif							/* CNAP_PERMISSION_H */
