/*-------------------------------------------------------------------------
 *
 * permission.h
 *	  Who may do what.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_PERMISSION_H
#define CNAP_PERMISSION_H

/* The roles, lowest first. */
typedef enum CnapRole
{
	CNAP_ROLE_NONE,
	CNAP_ROLE_MEMBER,
	CNAP_ROLE_ADMIN,
	CNAP_ROLE_OWNER
} CnapRole;

/* What a person may do with a workspace. */
typedef enum CnapPermission
{
	CNAP_ACCESS,
	CNAP_ADMINISTER,
	CNAP_MANAGE_MEMBERS,
	CNAP_MANAGE_ROLES,
	CNAP_MANAGE_DELEGATION,
	CNAP_BILLING,
	CNAP_TRANSFER,
	CNAP_DELETE
} CnapPermission;

#define CNAP_PERMISSIONS (CNAP_DELETE + 1)

/* What a person may do with an organization. */
typedef enum CnapOrganizationAct
{
	CNAP_ORGANIZATION_SEE,		/* and leave */
	CNAP_ORGANIZATION_UPDATE,
	CNAP_ORGANIZATION_MANAGE_MEMBERS,
	CNAP_ORGANIZATION_MANAGE_LINKS,
	CNAP_ORGANIZATION_RELEASE,
	CNAP_ORGANIZATION_READ_AUDIT,
	CNAP_ORGANIZATION_MANAGE_ROLES,
	CNAP_ORGANIZATION_DELETE
} CnapOrganizationAct;

#define CNAP_ORGANIZATION_ACTS (CNAP_ORGANIZATION_DELETE + 1)

/*
 * The ways in which a person reaches a workspace, as a bit set.  A person with
 * several ways has the union of the permissions that they give.
 */
typedef uint8 CnapWays;

#define CNAP_WAY_OWNER			((CnapWays) 1 << 0)
#define CNAP_WAY_ADMIN			((CnapWays) 1 << 1)
#define CNAP_WAY_MEMBER			((CnapWays) 1 << 2)
#define CNAP_WAY_MANAGER		((CnapWays) 1 << 3) /* managed_role 'admin' */
#define CNAP_WAY_MANAGER_MEMBER	((CnapWays) 1 << 4) /* managed_role 'member' */

#define CNAP_WAYS_MANAGED (CNAP_WAY_MANAGER | CNAP_WAY_MANAGER_MEMBER)

extern const char *CnapRoleName(CnapRole role);
extern const char *CnapPermissionName(CnapPermission permission);

/* Conversions between ways, permissions and roles. */
extern CnapWays CnapWaysThatAllow(CnapPermission permission);
extern CnapRole CnapWaysRole(CnapWays ways);
extern CnapWays CnapWayOfMember(CnapRole role);
extern CnapWays CnapWayOfManager(CnapRole role);

/*
 * CnapRequireXXX() raise 42501 (insufficient_privilege) and name the lowest
 * role that would suffice: "admin role required" or "owner role required".
 */
extern void CnapRequirePermission(CnapWays ways, CnapPermission permission);
extern void CnapRequireOrganizationAct(CnapRole role, CnapOrganizationAct act);
extern bool CnapOrganizationAllows(CnapRole role, CnapOrganizationAct act);

/* What is required to add, invite or remove somebody with that role. */
extern CnapOrganizationAct CnapOrganizationActOnRole(CnapRole role);
extern CnapPermission CnapPermissionOnRole(CnapRole role);

#endif							/* CNAP_PERMISSION_H */
