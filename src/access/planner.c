/*-------------------------------------------------------------------------
 *
 * planner.c
 *	  Planner support for the checks.
 *
 * The plain policy USING (cnap_can_access(workspace_id)) supports two kinds of
 * plans.  A scan that checks each row needs one probe of the cache per row.
 * For a user who reaches few workspaces, a query can use the index on
 * workspace_id: we provide the equivalent index condition
 *
 *		workspace_id = ANY (cnap.reachable('access'))
 *
 * which is evaluated once per scan, for the current user at that time, so a
 * cached plan is correct whoever executes it.
 *
 * cnap.reachable() is declared volatile.  The planner would evaluate a stable
 * function during estimation, and cost each element of the array for each
 * index path, so that planning time would be proportional to the size of the
 * user's set.  For a volatile function it assumes that the array has ten
 * elements.  So the condition is offered only if the set is not much larger
 * than that, and the user does not reach a large part of the table; for larger
 * sets, see large_sets.c.  For these it is offered here only if the query asks for
 * nothing but the whole set, and can be answered by an index-only scan, as with
 * count(*): then there is no better index that could lose against the wrong estimate,
 * and it is faster than a scan of the table.
 *
 * Nor is it offered if the query itself compares the column with given values,
 * as in workspace_id = $1.  The index would be searched for each combination of
 * those and the array's elements (before PostgreSQL 17), and would appear
 * ten times as expensive.  For the same reason, of several checks of the column
 * only the one that accepts the fewest rows gives the condition: a command that
 * writes rows may require one permission to do so, and another to see them.
 *
 * A query that gives a unique key finds one row at most, whoever asks.  So nothing is
 * looked up for it, and its plan serves all users.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/stratnum.h"
#include "access/sysattr.h"
#include "catalog/pg_am.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_statistic.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "nodes/pathnodes.h"
#include "nodes/supportnodes.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/restrictinfo.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/selfuncs.h"

#include "access/cache.h"
#include "access/estimates.h"
#include "access/other_conditions.h"
#include "access/plan_kinds.h"
#include "access/planner.h"
#include "access/reach.h"
#include "core/compat.h"
#include "core/definitions.h"
#include "core/own_catalog.h"
#include "identity/trusted.h"

PG_FUNCTION_INFO_V1(cnap_check_support);

/* Like CNAP_MAX_INDEXED_FRACTION, for an index that can answer the whole query. */
#define MAX_COVERED_FRACTION 0.6

/* Minimum number of rows per element of the array for an index-only scan. */
#define MIN_ROWS_PER_ELEMENT 16

/*
 * Cost of a check from the cache, and extra cost of lookups, in units of
 * cpu_operator_cost.
 */
#define CACHED_COST 2
#define UNCACHED_COST 20

/*
 * Return the operator for the condition if the index supports it, otherwise
 * InvalidOid.  It must be a btree on uuid, with our column first: an array
 * condition on a later column would break the order that the planner expects of
 * the index.  A hash index must not get the condition: it supports arrays in
 * bitmap scans only, which the planner observes only for clauses that are array
 * conditions as written, and a plain scan with ours would fail at execution.
 */
static Oid
find_operator(SupportRequestIndexCondition *req)
{
	Oid			operator;

	if (req->indexcol != 0 || req->index->relam != BTREE_AM_OID)
		return InvalidOid;
	operator = get_opfamily_member(req->opfamily, UUIDOID, UUIDOID,
								   BTEqualStrategyNumber);
	return OidIsValid(operator) && get_opcode(operator) == F_UUID_EQ ?
		operator : InvalidOid;
}

bool
CnapIsCovered(const SupportRequestIndexCondition *req)
{
	IndexOptInfo *index = req->index;
	RelOptInfo *rel = index->rel;
	Bitmapset  *used = NULL;
	Bitmapset  *stored = NULL;

	if (req->root->tuple_fraction > 0 ||
		bms_membership(req->root->all_baserels) != BMS_SINGLETON ||
		list_length(rel->baserestrictinfo) != 1 || rel->allvisfrac < 0.9)
		return false;

	pull_varattnos((Node *) rel->reltarget->exprs, rel->relid, &used);
	pull_varattnos((Node *) ((RestrictInfo *) linitial(rel->baserestrictinfo))->clause,
				   rel->relid, &used);
	for (int i = 0; i < index->ncolumns; i++)
	{
		if (index->canreturn[i] && index->indexkeys[i] != 0)
			stored = bms_add_member(stored, index->indexkeys[i] -
									FirstLowInvalidHeapAttributeNumber);
	}
	return bms_is_subset(used, stored);
}

/*
 * Is the index condition worthwhile for the user's set?  If the set is not
 * known to be small, its size is determined only if it matters: loading the
 * set costs little compared with scanning the whole table, which would load it
 * as well.
 */
static bool
is_worth_it(const SupportRequestIndexCondition *req, const CnapCheck *check, const CnapKnown *known)
{
	double		tuples = req->index->rel->tuples;
	double		fraction;
	int			set_size = known->set_size;

	if (!known->is_known || known->user == NULL)
		return true;
	fraction = CnapEstimateFraction(req->root, check, known, 0);
	if (set_size >= 0 && set_size <= CNAP_SMALL_SET && fraction <= CNAP_MAX_INDEXED_FRACTION)
		return true;
	if (fraction > MAX_COVERED_FRACTION || !CnapIsCovered(req))
		return false;
	if (set_size < 0)
		set_size = CnapReachSize(known->user,
								 Min(tuples / CNAP_MIN_ROWS_PER_READ, PG_INT32_MAX - 1));
	return set_size >= 0 && set_size <= tuples / MIN_ROWS_PER_ELEMENT;
}

/*
 * Estimate the fraction of rows that a check accepts.  What is known about it, and
 * about any other check, must be found out anew after that.
 */
static double
estimate_fraction(PlannerInfo *root, const CnapCheck *check)
{
	CnapKnown	known;

	CnapKnowCheck(root, check, &known);
	return CnapEstimateFraction(root, check, &known, 0);
}

/*
 * Is there another check of the column for the same user that accepts fewer rows,
 * or as many and comes first?
 */
static bool
is_narrower_check(const SupportRequestIndexCondition *req, const CnapCheck *check)
{
	RelOptInfo *rel = req->index->rel;
	bool		is_past = false;	/* the check itself */
	ListCell   *lc;

	foreach(lc, rel->baserestrictinfo)
	{
		RestrictInfo *restriction = lfirst_node(RestrictInfo, lc);
		FuncExpr   *call = (FuncExpr *) restriction->clause;
		CnapCheck	other;
		double		fraction;
		double		fraction_of_other;

		if ((Node *) call == req->node)
		{
			is_past = true;
			continue;
		}
		if (!IsA(call, FuncExpr) || !restriction_is_securely_promotable(restriction, rel) ||
			!CnapIsCheck(call->funcid) || !CnapParseCheck(call->funcid, call->args, &other) ||
			!equal(other.workspace, check->workspace) || !equal(other.user, check->user))
			continue;
		fraction = estimate_fraction(req->root, check);
		fraction_of_other = estimate_fraction(req->root, &other);
		if (fraction_of_other < fraction || (fraction_of_other == fraction && !is_past))
			return true;
	}
	return false;
}

ScalarArrayOpExpr *
CnapMakeCondition(SupportRequestIndexCondition *req, const CnapCheck *check)
{
	Oid			operator;
	Oid			function;
	Node	   *permission;
	FuncExpr   *array;
	ScalarArrayOpExpr *condition;

	if ((check->user != NULL &&
		 !is_pseudo_constant_for_index(req->root, check->user, req->index)) ||
		(check->permission != NULL &&
		 !is_pseudo_constant_for_index(req->root, check->permission, req->index)))
		return NULL;

	operator = find_operator(req);
	if (!OidIsValid(operator) || CnapValuesAreGiven(req))
		return NULL;

	/* A role that can execute the check, but not this, needs another plan. */
	function = CnapReachableFunction(check->user != NULL ?
									 exprType(check->user) : InvalidOid);
	if (check->user != NULL)
		req->root->glob->dependsOnRole = true;
	if (!CnapMayExecute(function, GetUserId()))
		return NULL;

	permission = check->permission;
	if (permission == NULL)
		permission = (Node *) makeConst(TEXTOID, -1, DEFAULT_COLLATION_OID, -1,
										CnapPermissionToDatum(CNAP_ACCESS),
										false, false);
	array = makeFuncExpr(function, UUIDARRAYOID,
						 check->user != NULL ? list_make2(check->user, permission) :
						 list_make1(permission),
						 InvalidOid, InvalidOid, COERCE_EXPLICIT_CALL);

	condition = makeNode(ScalarArrayOpExpr);
	condition->opno = operator;
	condition->opfuncid = get_opcode(operator);
	condition->useOr = true;
	condition->args = list_make2(check->workspace, array);
	condition->location = -1;
	return condition;
}

bool
CnapIsSupportedBy(Oid function, PGFunction support)
{
	Oid			found = get_func_support(function);
	FmgrInfo	info;

	if (!OidIsValid(found))
		return false;
	fmgr_info(found, &info);
	return info.fn_addr == support;
}

bool
CnapIsCheck(Oid function)
{
	return CnapIsSupportedBy(function, cnap_check_support);
}

/*
 * Return the index condition that is equivalent to a check, if it is
 * worthwhile.
 */
static List *
make_index_condition(SupportRequestIndexCondition *req)
{
	FuncExpr   *call = (FuncExpr *) req->node;
	CnapCheck	check;
	CnapKnown	known;
	ScalarArrayOpExpr *condition;

	if (!IsA(call, FuncExpr) || !CnapParseCheck(req->funcid, call->args, &check) ||
		req->indexarg != check.workspace_arg || CnapChecksOneRow(req->root, &check))
		return NIL;
	condition = CnapMakeCondition(req, &check);
	if (condition == NULL)
		return NIL;
	if (is_narrower_check(req, &check))
		return NIL;
	CnapKnowCheck(req->root, &check, &known);
	if (!is_worth_it(req, &check, &known))
		return NIL;

	/*
	 * In a parallel index scan, each process evaluates the array on its own,
	 * and they then share a position in it.  But the user's set may change
	 * before the last of them begins, and rows would be missing or returned
	 * twice.  The IndexOptInfo exists only while this query is planned.
	 */
	req->index->amcanparallel = false;

	req->lossy = false;
	return list_make1(condition);
}

/*
 * Let the plan last only as long as the current user is one for whom the same
 * would be planned.  Members of a partitioned table have estimates of their own,
 * but share its entry, with the number of workspaces alone.
 */
static void
note_kind(PlannerInfo *root, const CnapCheck *check, const CnapKnown *known, double fraction)
{
	Oid			relid = InvalidOid;
	AttrNumber	attno = 0;

	if (check->user != NULL || !known->is_known)
		return;
	if (IsA(check->workspace, Var) && ((Var *) check->workspace)->varlevelsup == 0)
	{
		Index		varno = ((Var *) check->workspace)->varno;

		attno = ((Var *) check->workspace)->varattno;
		while (root->append_rel_array != NULL && root->append_rel_array[varno] != NULL)
		{
			varno = root->append_rel_array[varno]->parent_relid;
			attno = 0;
			fraction = -1;
		}
		relid = root->simple_rte_array[varno]->relid;
	}
	CnapNotePlanKind(root, relid, attno, known->permission, known->user,
					 known->set_size, fraction);
}

/*
 * Estimate the fraction of rows that a check accepts.  PostgreSQL asks for this before
 * it looks for indexes, so here is the place to tell it about the other conditions.
 */
static bool
estimate_selectivity(SupportRequestSelectivity *req)
{
	CnapCheck	check;
	CnapKnown	known;

	if (req->is_join || !CnapParseCheck(req->funcid, req->args, &check))
		return false;
	CnapMarkHarmless(req->root, &check);
	if (CnapChecksOneRow(req->root, &check))
	{
		req->selectivity = 1;
		return true;
	}
	CnapKnowCheck(req->root, &check, &known);
	req->selectivity = CnapEstimateFraction(req->root, &check, &known, req->varRelid);
	note_kind(req->root, &check, &known, req->selectivity);
	return true;
}

/*
 * Estimate the cost of a check: a probe of the cache, plus a share of lookups
 * for a user who reaches so many workspaces that the set may not be loaded.
 */
static bool
estimate_cost(SupportRequestCost *req)
{
	FuncExpr   *call = (FuncExpr *) req->node;
	CnapCheck	check;
	CnapKnown	known;
	double		operators = CACHED_COST;

	if (call == NULL || !IsA(call, FuncExpr) ||
		!CnapParseCheck(req->funcid, call->args, &check))
		return false;
	if (!CnapChecksOneRow(req->root, &check))
	{
		CnapKnowCheck(req->root, &check, &known);
		if (known.is_known && known.user != NULL && known.set_size < 0)
			operators += UNCACHED_COST;
	}
	req->startup = 0;
	req->per_tuple = operators * cpu_operator_cost;
	return true;
}

/* cnap.check_support(internal) -> internal */
Datum
cnap_check_support(PG_FUNCTION_ARGS)
{
	Node	   *request = (Node *) PG_GETARG_POINTER(0);
	Node	   *answer = NULL;

	if (IsA(request, SupportRequestIndexCondition))
		answer = (Node *) make_index_condition((SupportRequestIndexCondition *) request);
	else if (IsA(request, SupportRequestSelectivity))
	{
		if (estimate_selectivity((SupportRequestSelectivity *) request))
			answer = request;
	}
	else if (IsA(request, SupportRequestCost))
	{
		if (estimate_cost((SupportRequestCost *) request))
			answer = request;
	}
	PG_RETURN_POINTER(answer);
}
