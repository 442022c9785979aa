/*-------------------------------------------------------------------------
 *
 * definitions.h
 *	  Roles and permissions by name, and what each role allows.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_DEFINITIONS_H
#define CNAP_DEFINITIONS_H

#include "utils/snapshot.h"

#include "core/permission.h"

/* The longest name, in bytes. */
#define CNAP_MAX_DEFINED_NAME 63

/* Which roles can be given: those of organizations, or those in workspaces. */
typedef enum CnapRoleKind
{
	CNAP_ORGANIZATION_ROLES,
	CNAP_WORKSPACE_ROLES		/* all but owner */
} CnapRoleKind;

/* Read the definitions again if they may have changed since. */
extern void CnapRefreshDefinitions(void);

/*
 * A number that changes with the definitions.  The number of a role or permission
 * means the same only as long as it stays the same.
 */
extern uint64 CnapDefinitionsVersion(void);

/*
 * A fresh snapshot for finding out somebody's ways, with the definitions that are
 * known, or read now; and, when all rows have been read: are the definitions
 * others as of the snapshot?  If so, roles have to be read again.
 */
extern Snapshot CnapDecisionSnapshot(void);
extern bool CnapDefinitionsDiffer(Snapshot snapshot);

/* The permissions that managers can have, as of the last refresh. */
extern CnapPermissions CnapDelegable(void);

/* The names of a role and a permission; NULL if there is none of that number. */
extern const char *CnapRoleName(CnapRole role);
extern const char *CnapPermissionName(CnapPermission permission);

/* The role in a column of one of our tables, and the other way round. */
extern CnapRole CnapRoleFromDatum(Datum value);
extern Datum CnapRoleToDatum(CnapRole role);

/* Find a role or permission by its name; false if there is none. */
extern bool CnapFindRole(const text *name, CnapRole *role);
extern bool CnapFindPermission(const text *name, CnapPermission *permission);

/*
 * Likewise for an argument.  A name that is not defined raises 22023
 * (invalid_parameter_value), with a hint that lists those that are.
 */
extern CnapRole CnapNamedRole(const text *name, CnapRoleKind kind);
extern CnapPermission CnapNamedPermission(const text *name);
extern Datum CnapPermissionToDatum(CnapPermission permission);

/* Can this be the name of a role or permission of the application's own? */
extern bool CnapIsDefinableName(const char *string, int len);

#endif							/* CNAP_DEFINITIONS_H */
