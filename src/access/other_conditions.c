/*-------------------------------------------------------------------------
 *
 * other_conditions.c
 *	  The conditions that a query has beside a check.
 *
 * Of a policy or condition that comes after the check, PostgreSQL uses only what is
 * not leaky with an index, so that no function sees a row that is hidden.  It takes
 * any kind of expression that it does not know for leaky, even if no column is in
 * it.  COALESCE is one of these: author_id = COALESCE((SELECT ...), 0) would lose
 * its index.
 *
 * It takes conditions for independent, and we leave it at that.  Of the 900 rows of
 * one project, which belongs to one workspace, it expects the user's share of the
 * table, although the user most often sees all or none of them.  An estimate that
 * came nearer would tell everybody how many rows of what project are hidden.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "optimizer/restrictinfo.h"

#include "access/other_conditions.h"

/* Replace each COALESCE in which no column is by a constant. */
static Node *
without_coalesce(Node *node, void *context)
{
	if (node == NULL)
		return NULL;
	if (IsA(node, CoalesceExpr) && !contain_var_clause(node))
		return (Node *) makeNullConst(exprType(node), exprTypmod(node), exprCollation(node));
	return expression_tree_mutator(node, without_coalesce, context);
}

void
CnapMarkHarmless(PlannerInfo *root, const CnapCheck *check)
{
	Var		   *column = (Var *) check->workspace;
	RelOptInfo *rel;
	ListCell   *lc;

	if (!IsA(column, Var) || column->varlevelsup > 0 ||
		column->varno >= root->simple_rel_array_size ||
		(rel = root->simple_rel_array[column->varno]) == NULL)
		return;
	foreach(lc, rel->baserestrictinfo)
	{
		RestrictInfo *restriction = lfirst_node(RestrictInfo, lc);

		if (!restriction_is_securely_promotable(restriction, rel) &&
			!contain_leaked_vars(without_coalesce((Node *) restriction->clause, NULL)))
			restriction->leakproof = true;
	}
}
