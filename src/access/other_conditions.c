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

#include "access/stratnum.h"
#include "catalog/pg_am.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "optimizer/paths.h"
#include "optimizer/restrictinfo.h"
#include "utils/lsyscache.h"

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
	RelOptInfo *rel = CnapCheckedRelation(root, check);
	ListCell   *lc;

	if (rel == NULL)
		return;
	foreach(lc, rel->baserestrictinfo)
	{
		RestrictInfo *restriction = lfirst_node(RestrictInfo, lc);

		if (!restriction_is_securely_promotable(restriction, rel) &&
			!contain_leaked_vars(without_coalesce((Node *) restriction->clause, NULL)))
			restriction->leakproof = true;
	}
}

/* The operator, if the operands are an index's column and given values; otherwise InvalidOid. */
static Oid
operator_for(PlannerInfo *root, IndexOptInfo *index, int column, Oid operator, Node *operand, Node *values)
{
	return OidIsValid(operator) && op_in_opfamily(operator, index->opfamily[column]) &&
		match_index_to_operand(operand, column, index) &&
		is_pseudo_constant_for_index(root, values, index) ? operator : InvalidOid;
}

Oid
CnapComparesColumn(PlannerInfo *root, IndexOptInfo *index, int column, Expr *clause)
{
	Oid			collation = index->indexcollations[column];
	Oid			operator;
	Oid			found;
	List	   *args;

	if (OidIsValid(collation) && exprInputCollation((Node *) clause) != collation)
		return InvalidOid;
	if (IsA(clause, ScalarArrayOpExpr))
	{
		args = ((ScalarArrayOpExpr *) clause)->args;
		return !((ScalarArrayOpExpr *) clause)->useOr ? InvalidOid :
			operator_for(root, index, column, ((ScalarArrayOpExpr *) clause)->opno,
						 linitial(args), lsecond(args));
	}
	if (!IsA(clause, OpExpr) || list_length(((OpExpr *) clause)->args) != 2)
		return InvalidOid;
	operator = ((OpExpr *) clause)->opno;
	args = ((OpExpr *) clause)->args;
	found = operator_for(root, index, column, operator, linitial(args), lsecond(args));
	return OidIsValid(found) ? found :
		operator_for(root, index, column, get_commutator(operator), lsecond(args), linitial(args));
}

/*
 * Does a condition of the query require an index's column to be equal to given values,
 * or to a single one?  Conditions that must not precede the policies do not count.
 */
static bool
is_given(PlannerInfo *root, IndexOptInfo *index, int column, bool single)
{
	RelOptInfo *rel = index->rel;
	ListCell   *lc;

	foreach(lc, rel->baserestrictinfo)
	{
		RestrictInfo *restriction = lfirst_node(RestrictInfo, lc);
		Oid			operator;

		if (!restriction_is_securely_promotable(restriction, rel) ||
			(single && !IsA(restriction->clause, OpExpr)))
			continue;
		operator = CnapComparesColumn(root, index, column, restriction->clause);
		if (OidIsValid(operator) &&
			get_op_opfamily_strategy(operator, index->opfamily[column]) == BTEqualStrategyNumber)
			return true;
	}
	return false;
}

bool
CnapValuesAreGiven(const SupportRequestIndexCondition *req)
{
	return is_given(req->root, req->index, req->indexcol, false);
}

bool
CnapFindsOneRow(PlannerInfo *root, RelOptInfo *rel)
{
	ListCell   *lc;

	foreach(lc, rel->indexlist)
	{
		IndexOptInfo *index = lfirst_node(IndexOptInfo, lc);
		int			given = 0;

		if (!index->unique || !index->immediate || index->hypothetical ||
			index->relam != BTREE_AM_OID || (index->indpred != NIL && !index->predOK))
			continue;
		while (given < index->nkeycolumns && is_given(root, index, given, true))
			given++;
		if (given == index->nkeycolumns)
			return true;
	}
	return false;
}

bool
CnapChecksOneRow(PlannerInfo *root, const CnapCheck *check)
{
	RelOptInfo *rel = CnapCheckedRelation(root, check);

	return rel != NULL && CnapFindsOneRow(root, rel);
}
