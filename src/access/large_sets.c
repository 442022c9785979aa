/*-------------------------------------------------------------------------
 *
 * large_sets.c
 *	  Index scans for users with many workspaces and few rows.
 *
 * The index condition that planner.c offers for small sets is costed by
 * PostgreSQL as one with ten elements.  For thousands, that would make the index
 * seem a thousand times as cheap as it is.  So for large sets the support function
 * offers nothing, and we add index paths of our own, in the hook that PostgreSQL
 * has for that, with a cost by the number of workspaces.  It follows the model of
 * PostgreSQL's own estimate for as many elements (btcostestimate(),
 * genericcostestimate()), so the choice between these paths and others is the one
 * for a query with a literal array.
 *
 * The paths refer to a copy of the planner's description of the index, of which
 * only the function that estimates the cost, and the mark that the index can be
 * scanned in parallel, are different.
 *
 * Likewise for sets of less than ten, with which the index seems dearer than it is:
 * PostgreSQL would read a second one to spare what the first one costs already.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_am.h"
#include "fmgr.h"
#include "nodes/supportnodes.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
#include "optimizer/restrictinfo.h"
#include "utils/lsyscache.h"
#include "utils/spccache.h"

#include "access/large_sets.h"
#include "access/other_conditions.h"
#include "access/planner.h"
#include "access/reach.h"

/*
 * A set that has not been read yet is read at planning only if the statistics of
 * the column show no more than this fraction of the rows.
 */
#define MAX_THIN_FRACTION 0.02

/* PostgreSQL's number of elements of an array that it cannot see. */
#define ASSUMED_ELEMENTS 10

/* PostgreSQL's cost of visiting a page of a btree, in units of cpu_operator_cost. */
#define PAGE_CPU_COST 50.0

/* An index, with what is known about the check. */
typedef struct LargeSetIndex
{
	IndexOptInfo info;
	double		set_size;
	double		fraction;		/* of the rows */
} LargeSetIndex;

static set_rel_pathlist_hook_type previous_hook = NULL;

/* amcostestimate of our copies */
static void
estimate_cost(PlannerInfo *root, IndexPath *path, double loop_count,
			  Cost *startup_cost, Cost *total_cost, Selectivity *selectivity,
			  double *correlation, double *pages)
{
	LargeSetIndex *index = (LargeSetIndex *) path->indexinfo;
	double		tuples = index->fraction * index->info.tuples;
	double		leaves = tuples * index->info.pages / Max(index->info.tuples, 1);
	double		descent = cpu_operator_cost *
		(ceil(log(Max(index->info.tuples, 2)) / log(2.0)) +
		 (index->info.tree_height + 1) * PAGE_CPU_COST);
	double		random_page;

	get_tablespace_page_costs(index->info.reltablespace, &random_page, NULL);
	*pages = index_pages_fetched(index->set_size + leaves, index->info.pages,
								 index->info.pages, root);
	*startup_cost = descent + index->set_size * cpu_operator_cost;
	*total_cost = *startup_cost + index->set_size * descent + *pages * random_page +
		tuples * (cpu_index_tuple_cost + cpu_operator_cost);
	*selectivity = index->fraction;
	*correlation = 0;
}

/* Add the paths for one index. */
static void
add_paths(PlannerInfo *root, RelOptInfo *rel, IndexOptInfo *info, RestrictInfo *restriction,
		  const CnapCheck *check, const CnapKnown *known, double fraction)
{
	FuncExpr   *call = (FuncExpr *) restriction->clause;
	SupportRequestIndexCondition req = {
		.type = T_SupportRequestIndexCondition,
		.root = root,
		.funcid = call->funcid,
		.node = (Node *) call,
		.indexarg = check->workspace_arg,
		.index = info,
		.indexcol = 0,
		.opfamily = info->opfamily[0],
		.indexcollation = info->indexcollations[0]
	};
	ScalarArrayOpExpr *condition;
	LargeSetIndex *index;
	IndexClause *clause;

	if (info->hypothetical || (info->indpred != NIL && !info->predOK) ||
		!match_index_to_operand(check->workspace, 0, info))
		return;
	condition = CnapMakeCondition(&req, check);
	if (condition == NULL)
		return;

	index = palloc(sizeof(LargeSetIndex));
	index->info = *info;
	index->info.amcostestimate = estimate_cost;
	index->info.amcanparallel = false;
	index->set_size = known->set_size;
	index->fraction = fraction;

	clause = makeNode(IndexClause);
	clause->rinfo = restriction;
	clause->indexquals = list_make1(make_simple_restrictinfo(root, (Expr *) condition));
	clause->lossy = false;
	clause->indexcol = 0;
	clause->indexcols = NIL;

	/* What the scan returns may contain another table's column (LATERAL). */
	add_path(rel, (Path *) create_index_path(root, &index->info, list_make1(clause), NIL, NIL,
											 NIL, ForwardScanDirection, false,
											 rel->lateral_relids, 1.0, false));
	if (info->amhasgetbitmap)
	{
		IndexPath  *scan = create_index_path(root, &index->info, list_make1(clause), NIL, NIL,
											 NIL, ForwardScanDirection, false,
											 rel->lateral_relids, 1.0, false);

		add_path(rel, (Path *) create_bitmap_heap_path(root, rel, (Path *) scan,
													   rel->lateral_relids, 1.0, 0));
	}
}

/*
 * The number of rows for which the check has to be made: those that the query's other
 * conditions leave, as far as these may precede it.
 */
static double
rows_without(RelOptInfo *rel, RestrictInfo *check)
{
	double		rows = rel->tuples;
	ListCell   *lc;

	foreach(lc, rel->baserestrictinfo)
	{
		RestrictInfo *restriction = lfirst_node(RestrictInfo, lc);

		if (restriction != check && restriction->norm_selec >= 0 &&
			restriction_is_securely_promotable(restriction, rel))
			rows *= Min(restriction->norm_selec, 1.0);
	}
	return rows;
}

/* Add paths for one of the conditions of a table's rows, if it is a check. */
static void
add_paths_for_check(PlannerInfo *root, RelOptInfo *rel, RestrictInfo *restriction)
{
	FuncExpr   *call = (FuncExpr *) restriction->clause;
	CnapCheck	check;
	CnapKnown	known;
	double		fraction;
	ListCell   *lc;

	if (!restriction_is_securely_promotable(restriction, rel) || !IsA(call, FuncExpr) ||
		!CnapIsCheck(call->funcid) || !CnapParseCheck(call->funcid, call->args, &check) ||
		CnapFindsOneRow(root, rel))
		return;
	CnapKnowCheck(root, &check, &known);
	if (!known.is_known || known.user == NULL ||
		(known.set_size >= ASSUMED_ELEMENTS && known.set_size <= CNAP_SMALL_SET))
		return;
	fraction = CnapEstimateFraction(root, &check, &known, 0);
	if (known.set_size < 0 && fraction <= MAX_THIN_FRACTION)
	{
		known.set_size = CnapReachSize(known.user, Min(rows_without(rel, restriction) /
													   CNAP_MIN_ROWS_PER_READ, PG_INT32_MAX - 1));
		if (known.set_size >= 0)
			fraction = CnapEstimateFraction(root, &check, &known, 0);
	}
	if (known.set_size < 0 || fraction > CNAP_MAX_INDEXED_FRACTION)
		return;
	foreach(lc, rel->indexlist)
		add_paths(root, rel, lfirst_node(IndexOptInfo, lc), restriction, &check, &known, fraction);
}

/*
 * set_rel_pathlist_hook
 *
 * It is also called for a table of which no row can be wanted, whose pages count as
 * none, and for a sample of one (TABLESAMPLE), for which an index finds too much.
 */
static void
add_paths_for_large_sets(PlannerInfo *root, RelOptInfo *rel, Index rti, RangeTblEntry *rte)
{
	ListCell   *lc;

	if (previous_hook != NULL)
		previous_hook(root, rel, rti, rte);
	if (rte->rtekind != RTE_RELATION || rte->inh || rte->tablesample != NULL ||
		rel->indexlist == NIL || IS_DUMMY_REL(rel))
		return;
	foreach(lc, rel->baserestrictinfo)
		add_paths_for_check(root, rel, lfirst_node(RestrictInfo, lc));
}

void
CnapLargeSetsInit(void)
{
	previous_hook = set_rel_pathlist_hook;
	set_rel_pathlist_hook = add_paths_for_large_sets;
}
