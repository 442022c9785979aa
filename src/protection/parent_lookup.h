/*-------------------------------------------------------------------------
 *
 * parent_lookup.h
 *	  Looking up a row's parent in an array of the keys of all visible ones.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_PARENT_LOOKUP_H
#define CNAP_PARENT_LOOKUP_H

#include "fmgr.h"
#include "nodes/pathnodes.h"

/*
 * Offer the lookup to the plans that are made for a table, if a call of
 * cnap.parent_visible() in its conditions allows for it.  The call is changed in place.
 */
extern void CnapOfferLookup(PlannerInfo *root, FuncExpr *call);

/* The calls are those of functions with this planner support function. */
extern void CnapParentLookupInit(PGFunction support);

#endif							/* CNAP_PARENT_LOOKUP_H */
