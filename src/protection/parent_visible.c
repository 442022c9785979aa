/*-------------------------------------------------------------------------
 *
 * parent_visible.c
 *	  cnap.parent_visible(), which checks a row's parent, and its planner
 *	  support.
 *
 * The function returns its first argument, the search for the parent.  Its
 * purpose is to make our policies recognizable by their dependencies, and to
 * offer the planner an index condition that it does not find by itself.  In a
 * call of the form
 *
 *		cnap.parent_visible(EXISTS (SELECT FROM parent WHERE id = parent_id),
 *							parent_id, ARRAY(SELECT id FROM parent))
 *
 * the further arguments, in pairs, are a key and its values in all visible
 * parents.  They are redundant, but allow the index condition parent_id = ANY
 * (values), for which the parents are searched only once.
 *
 * A filter evaluates all arguments of a function, at least for its first row.
 * So at the beginning of planning the values are wrapped in a CASE that never
 * evaluates them, and the index condition takes them out of it again.
 *
 * The index condition is not offered if the query itself gives the keys, as in
 * parent_id = $1, or by a join with the parent, or if there are few rows, or it finds a
 * few by another index.  Then no other parents have to be searched.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/stratnum.h"
#include "catalog/pg_am.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "nodes/pathnodes.h"
#include "nodes/supportnodes.h"
#include "optimizer/optimizer.h"
#include "optimizer/paths.h"
#include "optimizer/restrictinfo.h"
#include "parser/parse_coerce.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

#include "access/other_conditions.h"
#include "access/planner.h"
#include "core/own_catalog.h"
#include "protection/parent_lookup.h"
#include "protection/parent_search.h"
#include "protection/parent_visible.h"

PG_FUNCTION_INFO_V1(cnap_parent_visible);
PG_FUNCTION_INFO_V1(cnap_never);
PG_FUNCTION_INFO_V1(cnap_visible_support);

/*
 * The maximum number of values, and the largest fraction of a table, for which
 * an index condition is offered.  The planner assumes ten values, so many
 * values would cost far more than it estimates.  For a query that an index-only scan
 * answers, as count(*), there is no better index that could lose.
 */
#define MAX_VALUES 512
#define MAX_INDEXED_FRACTION 0.2

static set_rel_pathlist_hook_type previous_hook = NULL;

/* cnap.parent_visible(visible [, key, values ...]) -> boolean */
Datum
cnap_parent_visible(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(!PG_ARGISNULL(0) && PG_GETARG_BOOL(0));
}

/* cnap.never() -> false, unknown to the planner */
Datum
cnap_never(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(false);
}

/*
 * Replace a call by one that does not evaluate the values; NULL if it already
 * is one.
 */
static Node *
make_values_lazy(SupportRequestSimplify *req)
{
	FuncExpr   *call = req->fcall;
	FuncExpr   *lazy;
	List	   *args = NIL;
	ListCell   *lc;
	bool		changed = false;

	foreach(lc, call->args)
	{
		Node	   *arg = lfirst(lc);
		int			i = foreach_current_index(lc);

		if (i > 0 && i % 2 == 0 && IsA(arg, SubLink))
		{
			arg = CnapMakeLazy(arg);
			changed = true;
		}
		args = lappend(args, arg);
	}
	if (!changed)
		return NULL;

	/* The result must not be the node that we were given. */
	lazy = makeNode(FuncExpr);
	*lazy = *call;
	lazy->args = args;
	return (Node *) lazy;
}

/*
 * Find the search for all visible parents: either the hashed alternative of
 * the first argument, or the one that computes the values.
 */
static const SubPlan *
find_search(PlannerInfo *root, List *args)
{
	const SubPlan *search = CnapHashedSearch(linitial(args));
	Param	   *values;

	if (search != NULL || list_length(args) < 3)
		return search;
	values = (Param *) CnapLazyArgument(lthird(args));
	if (values == NULL || !IsA(values, Param))
		return NULL;
	return CnapSearchOfKeys(root, values);
}

/*
 * Estimate the fraction of all parents that is visible, and the number of
 * those; negative if not known.
 */
static double
visible_fraction(PlannerInfo *root, List *args, double *nvisible)
{
	const SubPlan *search = find_search(root, args);
	double		total;

	if (search == NULL)
		return -1;
	*nvisible = CnapPlanOf(root, search)->plan_rows;
	total = CnapSearchedRows(root, search);
	return total > 0 ? Min(*nvisible / total, 1.0) : -1;
}

/*
 * Estimate the fraction of rows with a visible parent, by the fraction of
 * parents that is visible.
 */
static bool
estimate_selectivity(SupportRequestSelectivity *req)
{
	double		nvisible;
	double		fraction;

	if (req->is_join)
		return false;
	fraction = visible_fraction(req->root, req->args, &nvisible);
	if (fraction < 0)
		return false;
	req->selectivity = fraction;
	return true;
}

/*
 * Return the operator that compares an index's column with the values: the
 * equality operator of the column type's default btree opclass, as used for
 * the foreign key.
 */
static Oid
find_operator(const SupportRequestIndexCondition *req, Oid value_type)
{
	Oid			column_type = req->index->opcintype[req->indexcol];

	if (req->indexcol != 0 || req->index->relam != BTREE_AM_OID ||
		lookup_type_cache(column_type, TYPECACHE_BTREE_OPFAMILY)->btree_opf != req->opfamily)
		return InvalidOid;
	if (value_type != column_type && IsBinaryCoercible(value_type, column_type))
		value_type = column_type;
	return get_opfamily_member(req->opfamily, column_type, value_type,
							   BTEqualStrategyNumber);
}

/* The range table entry of a query; NULL if there is none with this number. */
static RangeTblEntry *
find_entry(PlannerInfo *root, int number)
{
	return number > 0 && number < root->simple_rel_array_size ?
		root->simple_rte_array[number] : NULL;
}

/*
 * Is an expression a column of the table, to which the planner applies
 * policies?
 */
static bool
is_of_protected(PlannerInfo *root, Expr *expr, Oid relid)
{
	RangeTblEntry *rte = IsA(expr, Var) ? find_entry(root, ((Var *) expr)->varno) : NULL;

	return rte != NULL && rte->rtekind == RTE_RELATION && rte->relid == relid &&
		rte->securityQuals != NIL;
}

/*
 * Does the query join the index's column with a column of the parent?  Then it
 * finds the rows by way of the visible parents anyway.
 */
static bool
is_joined_with_parent(const SupportRequestIndexCondition *req, List *args)
{
	const SubPlan *search = find_search(req->root, args);
	RangeTblEntry *parent;
	ListCell   *lc;

	if (search == NULL)
		return false;
	parent = find_entry(CnapRootOf(req->root, search), 1);
	if (parent == NULL || parent->rtekind != RTE_RELATION)
		return false;
	foreach(lc, req->root->eq_classes)
	{
		bool		ours = false;
		bool		theirs = false;
		ListCell   *lc2;

		foreach(lc2, lfirst_node(EquivalenceClass, lc)->ec_members)
		{
			Expr	   *expr = lfirst_node(EquivalenceMember, lc2)->em_expr;

			ours |= match_index_to_operand((Node *) expr, req->indexcol, req->index);
			theirs |= is_of_protected(req->root, expr, parent->relid);
		}
		if (ours && theirs)
			return true;
	}
	return false;
}

/*
 * Are there so few rows, in all or by another index and the query's own conditions, that it
 * costs less to search the parent of each than to collect all visible ones?
 * PostgreSQL would collect them, and read both indexes, to search fewer parents: it
 * takes the array, which is not part of the scan, for free.
 */
static bool
are_few_rows(const SupportRequestIndexCondition *req, List *args)
{
	PlannerInfo *root = req->root;
	RelOptInfo *rel = req->index->rel;
	const SubPlan *search = find_search(root, args);
	ListCell   *lc;

	if (search == NULL)
		return false;
	if (CnapIsCheaperOneByOne(root, linitial(args), search, rel->tuples))
		return true;
	foreach(lc, rel->indexlist)
	{
		IndexOptInfo *index = lfirst_node(IndexOptInfo, lc);
		List	   *clauses = NIL;
		ListCell   *lc2;

		if (index == req->index || (index->indpred != NIL && !index->predOK))
			continue;
		foreach(lc2, rel->baserestrictinfo)
		{
			RestrictInfo *restriction = lfirst_node(RestrictInfo, lc2);

			if (restriction_is_securely_promotable(restriction, rel) &&
				OidIsValid(CnapComparesColumn(root, index, 0, restriction->clause)))
				clauses = lappend(clauses, restriction);
		}
		if (clauses != NIL &&
			CnapIsCheaperOneByOne(root, linitial(args), search, rel->tuples *
								  clauselist_selectivity(root, clauses, rel->relid, JOIN_INNER, NULL)))
			return true;
	}
	return false;
}

/* Return an index condition for the check, if it is worthwhile. */
static List *
make_index_condition(SupportRequestIndexCondition *req)
{
	FuncExpr   *call = (FuncExpr *) req->node;
	Node	   *values;
	Oid			operator;
	double		nvisible;
	double		fraction;
	ScalarArrayOpExpr *condition;

	if (!IsA(call, FuncExpr) || req->indexarg % 2 == 0 ||
		req->indexarg + 1 >= list_length(call->args))
		return NIL;
	values = CnapLazyArgument(list_nth(call->args, req->indexarg + 1));
	if (values == NULL || !is_pseudo_constant_for_index(req->root, values, req->index))
		return NIL;
	operator = find_operator(req, get_element_type(exprType(values)));
	if (!OidIsValid(operator) || CnapValuesAreGiven(req) ||
		is_joined_with_parent(req, call->args) || are_few_rows(req, call->args))
		return NIL;

	fraction = visible_fraction(req->root, call->args, &nvisible);
	if (fraction < 0 || fraction > MAX_INDEXED_FRACTION ||
		(nvisible > MAX_VALUES && !CnapIsCovered(req)))
		return NIL;

	condition = makeNode(ScalarArrayOpExpr);
	condition->opno = operator;
	condition->opfuncid = get_opcode(operator);
	condition->useOr = true;
	condition->inputcollid = req->index->indexcollations[req->indexcol];
	condition->args = list_make2(list_nth(call->args, req->indexarg), values);
	condition->location = -1;

	/*
	 * The first argument decides, and may be stricter.  Moreover, an index
	 * with a nondeterministic collation finds more than the equal keys.
	 */
	req->lossy = true;
	return list_make1(condition);
}

/* cnap.visible_support(internal) -> internal */
Datum
cnap_visible_support(PG_FUNCTION_ARGS)
{
	Node	   *request = (Node *) PG_GETARG_POINTER(0);
	Node	   *answer = NULL;

	if (IsA(request, SupportRequestSimplify))
		answer = make_values_lazy((SupportRequestSimplify *) request);
	else if (IsA(request, SupportRequestIndexCondition))
		answer = (Node *) make_index_condition((SupportRequestIndexCondition *) request);
	else if (IsA(request, SupportRequestSelectivity))
	{
		if (estimate_selectivity((SupportRequestSelectivity *) request))
			answer = request;
	}
	PG_RETURN_POINTER(answer);
}

/*
 * Is a query executed for each row of an outer one?  Then that has parameters for it;
 * if not for it, but for a query between them, this says so as well.
 */
static bool
is_repeated(PlannerInfo *root)
{
	for (PlannerInfo *outer = root->parent_root; outer != NULL; outer = outer->parent_root)
	{
		if (outer->plan_params != NIL)
			return true;
	}
	return false;
}

/* expression_tree_walker callback: collect the numbers of subqueries. */
static bool
collect_subplans(Node *node, void *context)
{
	Bitmapset **numbers = context;

	if (node == NULL)
		return false;
	if (IsA(node, SubPlan))
		*numbers = bms_add_member(*numbers, ((SubPlan *) node)->plan_id);
	return expression_tree_walker(node, collect_subplans, context);
}

/* Likewise in a list of conditions. */
static void
collect_subplans_of(List *restrictions, Bitmapset **numbers)
{
	ListCell   *lc;

	foreach(lc, restrictions)
		collect_subplans((Node *) lfirst_node(RestrictInfo, lc)->clause, numbers);
}

/*
 * The subqueries of which there are copies in conditions that do not come here.  The arms
 * of UNION ALL, some of which may be no tables, have copies of the conditions of the
 * query of that; and partitions have copies of those of joins, of which an OR may also
 * be a condition of each table.
 */
static Bitmapset *
subplans_of_copies(PlannerInfo *root, RelOptInfo *rel, Index rti, RangeTblEntry *rte)
{
	Bitmapset  *numbers = NULL;

	if (rte->inh || IS_OTHER_REL(rel))
		collect_subplans_of(rel->joininfo, &numbers);
	while (root->append_rel_array != NULL && root->append_rel_array[rti] != NULL)
	{
		rti = root->append_rel_array[rti]->parent_relid;
		if (root->simple_rte_array[rti]->rtekind != RTE_RELATION)
			collect_subplans_of(root->simple_rel_array[rti]->baserestrictinfo, &numbers);
	}
	return numbers;
}

/*
 * Improve the searches in a condition that is a check of a parent or combines such ones:
 * let them be chosen when they are executed, if wanted, and look up the keys.  The
 * condition is changed in place: the lists in which the planner keeps conditions share
 * it.
 *
 * PostgreSQL drops the plan of an alternative that it does not choose, so all copies of
 * a check that are executed must make the same choice.  Those for partitions come here
 * as well.  But an operand of an operator can also be copied to join conditions, which
 * do not: such a check is left as it is.  So is one with a subquery in shared.
 */
static void
improve_searches(PlannerInfo *root, Node *condition, bool choose_when_executed,
				 const Bitmapset *shared)
{
	FuncExpr   *call = (FuncExpr *) condition;
	ListCell   *lc;

	check_stack_depth();
	if (IsA(condition, BoolExpr))
	{
		foreach(lc, ((BoolExpr *) condition)->args)
			improve_searches(root, lfirst(lc), choose_when_executed, shared);
	}
	else if (IsA(condition, FuncExpr) && call->args != NIL &&
			 IsA(linitial(call->args), AlternativeSubPlan) && CnapIsSupportedBy(call->funcid, cnap_visible_support))
	{
		Bitmapset  *alternatives = NULL;

		CnapOfferLookup(root, call);
		collect_subplans(linitial(call->args), &alternatives);
		if (choose_when_executed && !bms_overlap(alternatives, shared))
			linitial(call->args) = CnapChooseWhenExecuted(root, linitial(call->args));
	}
}

/*
 * set_rel_pathlist_hook
 *
 * Without a LIMIT, a scan goes to its end, as PostgreSQL assumes when it chooses; and
 * many short scans may never need all parents, however many rows they have in sum.
 */
static void
improve_checks(PlannerInfo *root, RelOptInfo *rel, Index rti, RangeTblEntry *rte)
{
	bool		choose_when_executed;
	Bitmapset  *shared;
	ListCell   *lc;

	if (previous_hook != NULL)
		previous_hook(root, rel, rti, rte);
	if (rte->rtekind != RTE_RELATION || !root->hasAlternativeSubPlans)
		return;
	choose_when_executed = root->parse->limitCount != NULL && !is_repeated(root);
	shared = choose_when_executed ? subplans_of_copies(root, rel, rti, rte) : NULL;
	foreach(lc, rel->baserestrictinfo)
		improve_searches(root, (Node *) lfirst_node(RestrictInfo, lc)->clause,
						 choose_when_executed, shared);
}

void
CnapParentVisibleInit(void)
{
	previous_hook = set_rel_pathlist_hook;
	set_rel_pathlist_hook = improve_checks;
	CnapParentLookupInit(cnap_visible_support);
}
