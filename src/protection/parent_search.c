/*-------------------------------------------------------------------------
 *
 * parent_search.c
 *	  Searching parents one by one first, and then all at once.
 *
 * PostgreSQL plans the search for a row's parent in two ways: a search for the
 * parent of one row, and one for all visible parents, which are kept in a hash
 * table.  It chooses between them by the number of rows that a scan would return
 * to its end, as if there were no LIMIT.  So a page of fifty rows would collect all
 * parents that the user sees, which can take a thousand times as long as the page.
 *
 * Which way is better is known when the rows have been counted.  So where there is a
 * LIMIT, we replace the two alternatives by
 *
 *		CASE WHEN cnap.at_first(n) THEN search for one ELSE search for all END
 *
 * where n is the number of rows for which both are estimated to cost the same.  A scan
 * that ends earlier has never collected anything, and one that goes on has spent at most
 * twice of what it needed, as far as the estimates are right: the rule of who does not
 * know for how many days to rent skis that could be bought as well (Karlin, Manasse,
 * Rudolph and Sleator, Competitive Snoopy Caching, Algorithmica 3, 1988).
 *
 * This is done when the paths of a table have been found, and their costs are known.
 * All of these are for one table, and remain valid for either way.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "nodes/pathnodes.h"
#include "optimizer/optimizer.h"

#include "core/own_catalog.h"
#include "protection/parent_search.h"

PG_FUNCTION_INFO_V1(cnap_at_first);

/*
 * How many rows are checked by a scan of the table, and how many put into a hash table,
 * in the time of a search for one parent, as measured.  The planner does not count the
 * latter, and takes a search by an index, which mostly finds its pages in memory, for as
 * expensive as if it read them.
 */
#define SCANNED_PER_SEARCH 40
#define HASHED_PER_SEARCH 3

/* The least and the greatest number of searches for one parent. */
#define MIN_SEARCHES 16
#define MAX_SEARCHES 100000

/*
 * cnap.at_first(calls) -> true for that many calls in an execution of a query, then
 * false.
 *
 * The count is kept with the expression, in the memory of the query; a scan that is
 * repeated goes on counting.
 */
Datum
cnap_at_first(PG_FUNCTION_ARGS)
{
	int32	   *left = fcinfo->flinfo->fn_extra;

	if (left == NULL)
	{
		left = MemoryContextAlloc(fcinfo->flinfo->fn_mcxt, sizeof(int32));
		*left = PG_GETARG_INT32(0);
		fcinfo->flinfo->fn_extra = left;
	}
	if (*left <= 0)
		PG_RETURN_BOOL(false);
	(*left)--;
	PG_RETURN_BOOL(true);
}

/* The alternative of a search that keeps all parents in a hash table, or does not. */
static SubPlan *
find_alternative(Node *visible, bool hashed)
{
	ListCell   *lc;

	if (!IsA(visible, AlternativeSubPlan))
		return NULL;
	foreach(lc, ((AlternativeSubPlan *) visible)->subplans)
	{
		if (lfirst_node(SubPlan, lc)->useHashTable == hashed)
			return lfirst_node(SubPlan, lc);
	}
	return NULL;
}

PlannerInfo *
CnapRootOf(PlannerInfo *root, const SubPlan *subplan)
{
	return list_nth(root->glob->subroots, subplan->plan_id - 1);
}

const Plan *
CnapPlanOf(PlannerInfo *root, const SubPlan *subplan)
{
	return list_nth(root->glob->subplans, subplan->plan_id - 1);
}

const SubPlan *
CnapSearchOfKeys(PlannerInfo *root, const Param *keys)
{
	ListCell   *lc;

	if (keys->paramkind != PARAM_EXEC)
		return NULL;
	foreach(lc, root->init_plans)
	{
		if (list_member_int(lfirst_node(SubPlan, lc)->setParam, keys->paramid))
			return lfirst_node(SubPlan, lc);
	}
	return NULL;
}

double
CnapSearchedRows(PlannerInfo *root, const SubPlan *subplan)
{
	PlannerInfo *subroot = CnapRootOf(root, subplan);
	double		rows = 0;

	for (int i = 1; i < subroot->simple_rel_array_size; i++)
	{
		RelOptInfo *rel = subroot->simple_rel_array[i];

		/*
		 * For an inheritance parent, tuples is an estimate of the rows
		 * returned.
		 */
		if (rel != NULL && !subroot->simple_rte_array[i]->inh)
			rows += rel->tuples;
	}
	return rows;
}

/* The number of searches for one parent that cost as much as that for all. */
static int
searches_at_first(PlannerInfo *root, const SubPlan *one, const SubPlan *all)
{
	const Plan *one_plan = CnapPlanOf(root, one);
	const Plan *all_plan = CnapPlanOf(root, all);
	double		searches = all_plan->total_cost / Max(one_plan->total_cost, cpu_operator_cost) +
		all_plan->plan_rows / HASHED_PER_SEARCH;

	if (IsA(all_plan, SeqScan))
		searches += CnapSearchedRows(root, all) / SCANNED_PER_SEARCH;
	return (int) Min(Max(searches, MIN_SEARCHES), MAX_SEARCHES);
}

bool
CnapIsCheaperOneByOne(PlannerInfo *root, Node *visible, const SubPlan *all, double rows)
{
	const SubPlan *one = IsA(visible, SubPlan) ? (SubPlan *) visible : find_alternative(visible, false);

	return one != NULL && !one->useHashTable && rows <= searches_at_first(root, one, all);
}

Node *
CnapMakeChoice(Oid function, List *args, Node *result, Node *otherwise)
{
	CaseExpr   *choice = makeNode(CaseExpr);
	CaseWhen   *when = makeNode(CaseWhen);

	when->expr = (Expr *) makeFuncExpr(function, BOOLOID, args, InvalidOid, InvalidOid,
									   COERCE_EXPLICIT_CALL);
	when->result = (Expr *) result;
	when->location = -1;
	choice->casetype = exprType(result);
	choice->casecollid = exprCollation(result);
	choice->args = list_make1(when);
	choice->defresult = (Expr *) otherwise;
	choice->location = -1;
	return (Node *) choice;
}

Node *
CnapMakeLazy(Node *values)
{
	return CnapMakeChoice(CnapNeverFunction(), NIL, values,
						  (Node *) makeNullConst(exprType(values), exprTypmod(values),
												 exprCollation(values)));
}

Node *
CnapLazyArgument(Node *node)
{
	CaseExpr   *choice = (CaseExpr *) node;
	CaseWhen   *when;

	if (!IsA(choice, CaseExpr) || list_length(choice->args) != 1)
		return NULL;
	when = linitial_node(CaseWhen, choice->args);
	return IsA(when->expr, FuncExpr) && ((FuncExpr *) when->expr)->funcid == CnapNeverFunction() ?
		(Node *) when->result : NULL;
}

Node *
CnapChooseWhenExecuted(PlannerInfo *root, Node *visible)
{
	SubPlan    *one = find_alternative(visible, false);
	SubPlan    *all = find_alternative(visible, true);
	Const	   *calls;

	if (one == NULL || all == NULL)
		return visible;
	calls = makeConst(INT4OID, -1, InvalidOid, sizeof(int32),
					  Int32GetDatum(searches_at_first(root, one, all)), false, true);
	return CnapMakeChoice(CnapAtFirstFunction(), list_make1(calls), (Node *) one, (Node *) all);
}

/*
 * Where is the search for all, when it is the only alternative that is left, or one of
 * a choice?  NULL if nowhere.
 */
static Node **
find_hashed(Node **visible)
{
	Node	  **place = visible;

	if (IsA(*visible, CaseExpr))
		place = (Node **) &((CaseExpr *) *visible)->defresult;
	return *place != NULL && IsA(*place, SubPlan) && ((SubPlan *) *place)->useHashTable ? place : NULL;
}

const SubPlan *
CnapHashedSearch(Node *visible)
{
	Node	  **place = find_hashed(&visible);

	return place != NULL ? (SubPlan *) *place : find_alternative(visible, true);
}

Node *
CnapReplaceHashedSearch(Node *visible, Node *replacement)
{
	Node	   *copy = copyObject(visible);

	*find_hashed(&copy) = replacement;
	return copy;
}
