/*-------------------------------------------------------------------------
 *
 * parent_lookup.c
 *	  Looking up a row's parent in an array of the keys of all visible ones.
 *
 * A scan that collects all visible parents (parent_search.c) does so in the hash
 * table of a subquery, which is made for rows of any kind: each lookup forms a row, and
 * takes several times as long as one by PostgreSQL's hash table for the elements of an
 * array, with which it executes x IN (1, 2, ...).  The planner uses that for
 * constants alone.  But a call of cnap.parent_visible() may have the keys of all visible
 * parents as an array as well, which is computed once, as the hash table is.
 *
 * So we let the executor look for the key in the array, instead of in the subquery's
 * hash table.  This takes three steps.  While a table's paths are made, the queries of
 * both are at hand; if they are the same search, the lookup is put where the call had the
 * array, which it never evaluates.  Then PostgreSQL chooses between the ways of
 * searching, for each plan of which the table is a part.  And when the plan is finished,
 * we replace the calls for which it has chosen the hash table.
 *
 * Only queries that neither change nor lock rows get lookups.  A statement that waits for
 * a row evaluates the conditions again when it goes on, each with a hash table that is
 * new, so a user who has lost access meanwhile does not get the row.  The array would be
 * as it was.
 *
 * The executor fills the hash table of an array when it first needs it, and keeps it
 * until the end of the query.  Hence the array must not change while the query is
 * executed: an ARRAY subquery that depends on another query, even if only on one outside
 * of the child's, does, and we leave it alone.  Nor can an array have more than 1 GB, as a
 * subquery's hash table can; so it is made for so few keys that the planner's estimate may be
 * sixteen times too small.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "nodes/plannodes.h"
#include "optimizer/planner.h"
#include "parser/parse_coerce.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "access/planner.h"
#include "core/compat.h"
#include "protection/parent_lookup.h"
#include "protection/parent_search.h"

static planner_hook_type previous_hook = NULL;
static PGFunction support_function = NULL;

/* Has a lookup been offered to the plan that is being made? */
static bool is_offered = false;

/* Does a query return those rows of a single table that meet its condition, one column of each? */
static bool
is_plain_search(const Query *query)
{
	return query->commandType == CMD_SELECT &&
		list_length(query->targetList) == 1 &&
		list_length(query->jointree->fromlist) == 1 &&
		IsA(linitial(query->jointree->fromlist), RangeTblRef) &&
		linitial_node(RangeTblRef, query->jointree->fromlist)->rtindex == 1 &&
		linitial_node(RangeTblEntry, query->rtable)->rtekind == RTE_RELATION &&
		linitial_node(RangeTblEntry, query->rtable)->tablesample == NULL &&
		!query->hasAggs && !query->hasWindowFuncs && !query->hasTargetSRFs &&
		query->cteList == NIL && query->setOperations == NULL && query->rowMarks == NIL &&
		query->groupClause == NIL && query->groupingSets == NIL && query->havingQual == NULL &&
		query->distinctClause == NIL &&
		query->limitOffset == NULL && query->limitCount == NULL;
}

/* The column that a plain search returns; NULL if it is an expression. */
static Var *
searched_column(const Query *query)
{
	Expr	   *column = linitial_node(TargetEntry, query->targetList)->expr;

	if (IsA(column, RelabelType))
		column = ((RelabelType *) column)->arg;
	return IsA(column, Var) ? (Var *) column : NULL;
}

/*
 * expression_tree_walker callback: does a condition contain what is computed elsewhere,
 * as a value of an outer query is?
 */
static bool
depends_on_others(Node *node, void *context)
{
	if (node == NULL)
		return false;
	return (IsA(node, Param) && ((Param *) node)->paramkind == PARAM_EXEC) ||
		IsA(node, SubPlan) || IsA(node, AlternativeSubPlan) ||
		expression_tree_walker(node, depends_on_others, context);
}

/*
 * Do two queries search the same table with the same condition for the same column, as the
 * same role?  Then the table's policies are the same for both.
 */
static bool
is_same_search(Query *a, Query *b)
{
	RangeTblEntry *table;
	RangeTblEntry *other;

	if (!is_plain_search(a) || !is_plain_search(b) || searched_column(a) == NULL)
		return false;
	table = linitial_node(RangeTblEntry, a->rtable);
	other = linitial_node(RangeTblEntry, b->rtable);
	return table->relid == other->relid && table->inh == other->inh &&
		CnapCheckAsUser(a, table) == CnapCheckAsUser(b, other) &&
		equal(searched_column(a), searched_column(b)) &&
		equal(a->jointree->quals, b->jointree->quals) &&
		!depends_on_others(a->jointree->quals, NULL);
}

/*
 * Can an array of all keys that a search finds be made?  It is allocated in powers of two,
 * and the estimate may be far too small.
 */
static bool
fits_into_array(PlannerInfo *root, const SubPlan *search)
{
	const Plan *plan = CnapPlanOf(root, search);

	return plan->plan_rows * Max(plan->plan_width, (int) sizeof(Datum)) < MaxAllocSize / 32;
}

/*
 * key = ANY (keys), to be executed with a hash table; NULL if that is not possible.
 * Unlike a hashed subquery, it asks for the privilege to execute the hash function.
 */
static Node *
make_lookup(const SubPlan *search, Param *keys)
{
	OpExpr	   *comparison = (OpExpr *) search->testexpr;
	Oid			type = get_element_type(exprType((Node *) keys));
	Oid			of_key;
	Oid			of_element;
	ScalarArrayOpExpr *lookup;

	if (!IsA(comparison, OpExpr) || list_length(comparison->args) != 2 || !OidIsValid(type) ||
		!IsBinaryCoercible(type, exprType(lsecond(comparison->args))) ||
		!get_op_hash_functions(comparison->opno, &of_key, &of_element) || of_key != of_element ||
		!CnapMayExecute(of_key, GetUserId()))
		return NULL;
	lookup = makeNode(ScalarArrayOpExpr);
	lookup->opno = comparison->opno;
	lookup->opfuncid = comparison->opfuncid;
	lookup->hashfuncid = of_key;
	lookup->useOr = true;
	lookup->inputcollid = comparison->inputcollid;
	lookup->args = list_make2(copyObject((Node *) linitial(comparison->args)), keys);
	lookup->location = -1;
	return (Node *) lookup;
}

void
CnapOfferLookup(PlannerInfo *root, FuncExpr *call)
{
	const SubPlan *search = CnapHashedSearch(linitial(call->args));
	const SubPlan *of_keys;
	Param	   *keys;
	Node	   *lookup;

	if (search == NULL || list_length(call->args) != 3)
		return;
	keys = (Param *) CnapLazyArgument(lthird(call->args));
	if (keys == NULL || !IsA(keys, Param))
		return;
	of_keys = CnapSearchOfKeys(root, keys);
	if (of_keys == NULL || of_keys->subLinkType != ARRAY_SUBLINK ||
		!is_same_search(CnapRootOf(root, search)->parse, CnapRootOf(root, of_keys)->parse) ||
		!fits_into_array(root, of_keys))
		return;
	lookup = make_lookup(search, keys);
	if (lookup == NULL)
		return;
	lthird(call->args) = CnapMakeLazy(lookup);

	/* Another role may lack the privilege. */
	root->glob->dependsOnRole = true;
	is_offered = true;
}

/*
 * The lookup that was put into a call for which the hash table has been chosen; otherwise
 * NULL.  PostgreSQL itself makes lookups in constants alone.
 */
static Node *
offered_lookup(const FuncExpr *call)
{
	ScalarArrayOpExpr *lookup;

	if (list_length(call->args) != 3 || CnapHashedSearch(linitial(call->args)) == NULL ||
		!CnapIsSupportedBy(call->funcid, support_function))
		return NULL;
	lookup = (ScalarArrayOpExpr *) CnapLazyArgument(lthird(call->args));
	return lookup != NULL && IsA(lookup, ScalarArrayOpExpr) &&
		OidIsValid(lookup->hashfuncid) && IsA(lsecond(lookup->args), Param) ? (Node *) lookup : NULL;
}

/* expression_tree_mutator callback that replaces such calls */
static Node *
use_lookup(Node *node, void *context)
{
	Node	   *lookup;
	BooleanTest *test;

	if (node == NULL)
		return NULL;
	lookup = IsA(node, FuncExpr) ? offered_lookup((FuncExpr *) node) : NULL;
	if (lookup == NULL)
		return expression_tree_mutator(node, use_lookup, context);

	/* As the function does, take unknown for false. */
	test = makeNode(BooleanTest);
	test->arg = (Expr *) CnapReplaceHashedSearch(linitial(((FuncExpr *) node)->args), lookup);
	test->booltesttype = IS_TRUE;
	test->location = -1;
	return (Node *) test;
}

static void use_lookups_in_all(List *plans);

/*
 * Likewise in the filters of a plan.  Other conditions, as that of a join, keep their
 * calls.
 */
static void
use_lookups(Plan *plan)
{
	if (plan == NULL)
		return;
	check_stack_depth();
	plan->qual = (List *) use_lookup((Node *) plan->qual, NULL);
	use_lookups(plan->lefttree);
	use_lookups(plan->righttree);
	switch (nodeTag(plan))
	{
		case T_Append:
			use_lookups_in_all(((Append *) plan)->appendplans);
			break;
		case T_MergeAppend:
			use_lookups_in_all(((MergeAppend *) plan)->mergeplans);
			break;
		case T_SubqueryScan:
			use_lookups(((SubqueryScan *) plan)->subplan);
			break;
		case T_CustomScan:
			use_lookups_in_all(((CustomScan *) plan)->custom_plans);
			break;
		default:
			break;
	}
}

static void
use_lookups_in_all(List *plans)
{
	ListCell   *lc;

	foreach(lc, plans)
		use_lookups(lfirst(lc));
}

/*
 * planner_hook
 *
 * Planning can execute functions, whose statements are planned meanwhile, and which may go on
 * after an error of that.
 */
static PlannedStmt *
plan_with_lookups(CNAP_PLANNER_PARAMETERS)
{
	bool		outer_is_offered = is_offered;
	PlannedStmt *statement;

	is_offered = false;
	PG_TRY();
	{
		statement = (previous_hook != NULL ? previous_hook : standard_planner) (CNAP_PLANNER_ARGUMENTS);
		if (is_offered && statement->commandType == CMD_SELECT && statement->rowMarks == NIL &&
			!statement->hasModifyingCTE)
		{
			use_lookups(statement->planTree);
			use_lookups_in_all(statement->subplans);
		}
	}
	PG_FINALLY();
	{
		is_offered = outer_is_offered;
	}
	PG_END_TRY();
	return statement;
}

void
CnapParentLookupInit(PGFunction support)
{
	support_function = support;
	previous_hook = planner_hook;
	planner_hook = plan_with_lookups;
}
