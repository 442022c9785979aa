/*-------------------------------------------------------------------------
 *
 * management.h
 *	  Letting an organization manage a workspace.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_MANAGEMENT_H
#define CNAP_MANAGEMENT_H

#include "authorize.h"

/*
 * Authorizes the actor to grant an organization the management of a workspace,
 * and locks both: the workspace's row, and before that the organization's
 * against deletion, in the order in which that deletion locks them.  False:
 * there is no such organization.
 */
extern bool CnapAuthorizeGrant(const pg_uuid_t *workspace,
							   const pg_uuid_t *organization, CnapAct *act);

/* Grants it, until a time (DT_NOEND: without end), or changes the terms. */
extern void CnapGrantManagement(const CnapAct *act, const pg_uuid_t *workspace,
								const pg_uuid_t *organization, CnapRole role,
								TimestampTz until);

#endif							/* CNAP_MANAGEMENT_H */
