/*-------------------------------------------------------------------------
 *
 * other_conditions.h
 *	  The conditions that a query has beside a check.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_OTHER_CONDITIONS_H
#define CNAP_OTHER_CONDITIONS_H

#include "nodes/pathnodes.h"
#include "nodes/supportnodes.h"

#include "access/estimates.h"

/*
 * Let those that give nothing away of a row be used with an index, as if they
 * stood alone.
 */
extern void CnapMarkHarmless(PlannerInfo *root, const CnapCheck *check);

/*
 * The operator by which a clause compares a column of an index with given values, in a way
 * that the index supports; InvalidOid if it does not.
 */
extern Oid	CnapComparesColumn(PlannerInfo *root, IndexOptInfo *index, int column, Expr *clause);

/* Does the query itself give the values of the column for which the index has to be searched? */
extern bool CnapValuesAreGiven(const SupportRequestIndexCondition *req);

/*
 * Does the query give a unique key of the relation, so that an index finds at most one
 * row of it before any check is made?
 */
extern bool CnapFindsOneRow(PlannerInfo *root, RelOptInfo *rel);

/* Likewise, for the relation whose column the check is about. */
extern bool CnapChecksOneRow(PlannerInfo *root, const CnapCheck *check);

#endif							/* CNAP_OTHER_CONDITIONS_H */
