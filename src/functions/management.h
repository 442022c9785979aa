/*-------------------------------------------------------------------------
 *
 * management.h
 *	  Granting an organization the management of a workspace.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_MANAGEMENT_H
#define CNAP_MANAGEMENT_H

#include "change/authorize.h"
#include "core/managers.h"

/*
 * Check that the actor is allowed to grant an organization the management of a
 * workspace.  This locks the organization's row against deletion and then the
 * workspace's row, which is the order in which that deletion locks them.
 * Returns false if there is no such organization.
 */
extern bool CnapAuthorizeGrant(const pg_uuid_t *workspace,
							   const pg_uuid_t *organization, CnapAct *act);

/* Grant the management, until a time or DT_NOEND, or change its terms. */
extern void CnapGrantManagement(const CnapAct *act, const pg_uuid_t *workspace,
								const pg_uuid_t *organization, CnapRole role,
								TimestampTz until, const CnapManagerTerms *terms);

#endif							/* CNAP_MANAGEMENT_H */
