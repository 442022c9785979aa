/*-------------------------------------------------------------------------
 *
 * planner.h
 *	  What our planner support functions have in common.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_PLANNER_H
#define CNAP_PLANNER_H

#include "fmgr.h"
#include "nodes/supportnodes.h"

#include "access/estimates.h"

/* Does a function have this planner support? */
extern bool CnapIsSupportedBy(Oid function, PGFunction support);

/* Is the function one of the checks? */
extern bool CnapIsCheck(Oid function);

/*
 * Make the index condition that is equivalent to a check, or return NULL if the
 * index does not support it, or the query itself gives values of the column.
 */
extern ScalarArrayOpExpr *CnapMakeCondition(SupportRequestIndexCondition *req,
											const CnapCheck *check);

/*
 * Does the query ask for all rows of a single relation that the check accepts,
 * and only for columns that are in the index?
 */
extern bool CnapIsCovered(const SupportRequestIndexCondition *req);

#endif							/* CNAP_PLANNER_H */
