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

/* How a subplan was planned, and what the result is. */
extern PlannerInfo *CnapRootOf(PlannerInfo *root, const SubPlan *subplan);
extern const Plan *CnapPlanOf(PlannerInfo *root, const SubPlan *subplan);

/* CASE WHEN function(args) THEN result ELSE otherwise END; the function is boolean. */
extern Node *CnapMakeChoice(Oid function, List *args, Node *result, Node *otherwise);

/*
 * CASE WHEN cnap.never() THEN values END, which never evaluates them, and what is inside
 * such an expression; NULL if it is another one.
 */
extern Node *CnapMakeLazy(Node *values);
extern Node *CnapLazyArgument(Node *node);

/*
 * The search for all visible parents by the first argument of
 * cnap.parent_visible(), in an expression that is planned; NULL if there is none.
 */
extern const SubPlan *CnapHashedSearch(Node *visible);

/* The subquery whose result such keys are; NULL if it is not one of this query level. */
extern const SubPlan *CnapSearchOfKeys(PlannerInfo *root, const Param *keys);

/* That argument with another expression instead of that search, which it must have. */
extern Node *CnapReplaceHashedSearch(Node *visible, Node *replacement);

/* The number of rows in the table that a subplan searches; 0 if not known. */
extern double CnapSearchedRows(PlannerInfo *root, const SubPlan *subplan);

/*
 * Does it cost less to search the parent of each of so many rows than all visible ones?
 * The arguments are the first one of cnap.parent_visible(), and a search for all.
 */
extern bool CnapIsCheaperOneByOne(PlannerInfo *root, Node *visible, const SubPlan *all, double rows);

/*
 * What is to replace that argument when the paths of the table have been found: a
 * choice of its alternatives, or, if there is but one way, the argument itself.
 */
extern Node *CnapChooseWhenExecuted(PlannerInfo *root, Node *visible);

#endif							/* CNAP_PARENT_SEARCH_H */
