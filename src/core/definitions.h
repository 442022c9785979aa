/*-------------------------------------------------------------------------
 *
 * definitions.h
 *	  Roles and permissions by name.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_DEFINITIONS_H
#define CNAP_DEFINITIONS_H

#include "core/permission.h"

/* Which roles can be given: those of organizations, or those in workspaces. */
typedef enum CnapRoleKind
{
	CNAP_ORGANIZATION_ROLES,
	CNAP_WORKSPACE_ROLES		/* all but owner */
} CnapRoleKind;

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

#endif							/* CNAP_DEFINITIONS_H */
