/*-------------------------------------------------------------------------
 *
 * plan_kinds.h
 *	  Which users' plans are alike.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_PLAN_KINDS_H
#define CNAP_PLAN_KINDS_H

#include "nodes/pathnodes.h"

#include "access/cache.h"

extern void CnapPlanKindsInit(void);

/*
 * Note that a plan is being made for the current user, who may be NULL, with
 * that many workspaces (-1 if unknown), and for whom the check with that
 * permission accepts that fraction of the column's rows (-1 if unknown).
 */
extern void CnapNotePlanKind(PlannerInfo *root, Oid relid, AttrNumber attno,
							 CnapPermission permission, const CnapUser *user,
							 int set_size, double fraction);

#endif							/* CNAP_PLAN_KINDS_H */
