/*-------------------------------------------------------------------------
 *
 * parent_search.h
 *	  Searching parents one by one first, and then all at once.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_PARENT_SEARCH_H
#define CNAP_PARENT_SEARCH_H

#include "nodes/pathnodes.h"

/* CASE WHEN function(args) THEN result ELSE otherwise END; the function is boolean. */
extern Node *CnapMakeChoice(Oid function, List *args, Node *result, Node *otherwise);

/*
 * The search for all visible parents by the first argument of
 * cnap.parent_visible(), in an expression that is planned; NULL if there is none.
 */
extern const SubPlan *CnapHashedSearch(Node *visible);

/* The number of rows in the table that a subplan searches; 0 if not known. */
extern double CnapSearchedRows(PlannerInfo *root, const SubPlan *subplan);

/*
 * What is to replace that argument when the paths of the table have been found: a
 * choice of its alternatives, or, if there is but one way, the argument itself.
 */
extern Node *CnapChooseWhenExecuted(PlannerInfo *root, Node *visible);

#endif							/* CNAP_PARENT_SEARCH_H */
