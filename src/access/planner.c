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
 * than that, and the user does not reach a large part of the table.  For a
 * larger set it is offered only if the query asks for nothing but the whole
 * set, and can be answered by an index-only scan, as with count(*): then there
 * is no better index that could lose against the wrong estimate, and it is
 * faster than a scan of the table.
 *
 * Nor is it offered if the query itself compares the column with given values,
 * as in workspace_id = $1.  The index would be searched for each combination of
 * those and the array's elements (before PostgreSQL 17), and would appear
 * ten times as expensive.
 *
 * The number of rows that the user sees is estimated from the column's
 * statistics.  For a small set, we add the frequencies of those most common
 * values that are in it, and the average frequency for the others.  For a
 * large set, the statistics serve as a sample of the rows: the most common
 * values count with their frequencies, and the bounds of the histogram with an
 * equal share of the rest each.  That takes at most MAX_SAMPLE checks for each
 * of the two, and does not require the size of the set.
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
#include "optimizer/paths.h"
#include "optimizer/restrictinfo.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/selfuncs.h"

#include "access/cache.h"
#include "access/plan_kinds.h"
#include "access/planner.h"
#include "core/compat.h"
#include "core/definitions.h"
#include "core/own_catalog.h"
#include "identity/trusted.h"

PG_FUNCTION_INFO_V1(cnap_check_support);

/* The largest set for which the index condition is offered. */
#define MAX_INDEXED 256

/* The largest fraction of a table for which the index condition is offered. */
#define MAX_INDEXED_FRACTION 0.2

/* Likewise, for an index that can answer the whole query. */
#define MAX_COVERED_FRACTION 0.6

/* Minimum number of rows per element of the array for an index-only scan. */
#define MIN_ROWS_PER_ELEMENT 16

/*
 * For a query that would otherwise scan the whole table, planning may read one
 * row about the user's set per this many rows of the table.
 */
#define MIN_ROWS_PER_READ 64

/* The planner's assumption about an array of unknown size. */
#define ASSUMED_SET 10

/* Maximum number of values to check of each kind of statistics. */
#define MAX_SAMPLE 1000

/*
 * Cost of a check from the cache, and extra cost of lookups, in units of
 * cpu_operator_cost.
 */
#define CACHED_COST 2
#define UNCACHED_COST 20

/* A call of one of the checks. */
typedef struct Check
{
	Oid			function;
	Node	   *user;			/* NULL means the current user */
	Node	   *workspace;
	int			workspace_arg;	/* its argument number */
	Node	   *permission;		/* NULL means 'access' */
} Check;

/* What is known about a check at planning. */
typedef struct Known
{
	bool		is_known;		/* are user and permission known? */
	CnapUser   *user;			/* NULL if there is no user */
	CnapPermission permission;
	int			set_size;		/* -1 if unknown but above MAX_INDEXED */
} Known;

/*
 * Split the arguments.  The variants of the checks differ in their number and
 * types.
 */
static bool
parse_check(Oid function, List *args, Check *check)
{
	int			nargs = list_length(args);

	memset(check, 0, sizeof(*check));
	check->function = function;
	if (nargs > 1 && exprType(llast(args)) == TEXTOID)
		check->permission = list_nth(args, --nargs);
	if (nargs < 1 || nargs > 2)
		return false;
	check->workspace_arg = nargs - 1;
	check->workspace = list_nth(args, check->workspace_arg);
	if (nargs == 2)
		check->user = linitial(args);
	return exprType(check->workspace) == UUIDOID;
}

/* Find the user that an argument stands for; false if that is not known. */
static bool
know_user(PlannerInfo *root, Node *argument, CnapUser **user)
{
	Const	   *constant;

	if (argument == NULL)
	{
		*user = CnapGetCurrentCachedUser();
		return true;
	}

	constant = (Const *) estimate_expression_value(root, argument);
	if (!IsA(constant, Const))
		return false;
	*user = NULL;
	if (constant->constisnull)
		return true;
	if (constant->consttype == UUIDOID)
	{
		char	   *id = CnapUuidString(DatumGetUUIDP(constant->constvalue));

		*user = CnapGetCachedUser(id, strlen(id));
	}
	else
	{
		text	   *id = DatumGetTextPP(constant->constvalue);

		*user = CnapGetCachedUser(VARDATA_ANY(id), VARSIZE_ANY_EXHDR(id));
	}
	return true;
}

/*
 * Find out what can be known about a check at low cost.  A role that is not
 * allowed to ask about other users would get an error from the executor only
 * after planning, and could infer the number of the user's workspaces from the
 * state of the cache.
 */
static void
know_check(PlannerInfo *root, const Check *check, Known *known)
{
	memset(known, 0, sizeof(*known));
	if (check->user != NULL &&
		!(CnapMayExecute(check->function, GetUserId()) && CnapIsTrusted(GetUserId())))
		return;
	if (check->permission != NULL)
	{
		Const	   *constant = (Const *) check->permission;

		if (!IsA(constant, Const) || constant->constisnull)
			return;
		if (!CnapFindPermission(DatumGetTextPP(constant->constvalue), &known->permission))
			return;
	}
	known->is_known = know_user(root, check->user, &known->user);
	if (known->user != NULL)
		known->set_size = CnapReachSize(known->user, MAX_INDEXED);
}

/*
 * Check a sample of the column's values in its statistics.  Returns the total
 * weight of the values that the check accepts, and in *total that of all
 * values.  Most common values are weighted by their frequencies, others count
 * as one each.
 */
static double
weigh_values(const Known *known, HeapTuple statistics, int kind,
			 double *total, int *nvalues, int *nallowed)
{
	AttStatsSlot slot;
	double		weight = 0;

	*total = 0;
	*nvalues = *nallowed = 0;
	if (!get_attstatsslot(&slot, statistics, kind, InvalidOid,
						  kind == STATISTIC_KIND_MCV ?
						  ATTSTATSSLOT_VALUES | ATTSTATSSLOT_NUMBERS :
						  ATTSTATSSLOT_VALUES))
		return 0;
	if (slot.valuetype == UUIDOID)
	{
		int			step = 1 + (slot.nvalues - 1) / MAX_SAMPLE;

		for (int i = step / 2; i < slot.nvalues; i += step)
		{
			double		share = kind == STATISTIC_KIND_MCV ? slot.numbers[i] : 1;

			(*nvalues)++;
			*total += share;
			if (CnapAllows(known->user, DatumGetUUIDP(slot.values[i]), known->permission))
			{
				weight += share;
				(*nallowed)++;
			}
		}
		if (kind == STATISTIC_KIND_MCV && step > 1)
		{
			/* Assume that the values left out are like those in the sample. */
			double		all = 0;

			for (int i = 0; i < slot.nvalues; i++)
				all += slot.numbers[i];
			weight *= all / *total;
			*total = all;
			*nallowed *= step;
			*nvalues = slot.nvalues;
		}
	}
	free_attstatsslot(&slot);
	return weight;
}

/*
 * Estimate the fraction of rows that a check accepts, from the column's
 * statistics.
 */
static double
weigh_column(const Known *known, HeapTuple statistics, double ndistinct)
{
	double		null_fraction = ((Form_pg_statistic) GETSTRUCT(statistics))->stanullfrac;
	int			nvalues;
	int			nallowed;
	double		common;
	double		rest;
	double		fraction;

	fraction = weigh_values(known, statistics, STATISTIC_KIND_MCV,
							&common, &nvalues, &nallowed);
	rest = Max(1.0 - null_fraction - common, 0);
	if (known->set_size >= 0 && known->set_size <= MAX_INDEXED)
		fraction += rest * Min(1.0, Max(known->set_size - nallowed, 0) /
							   Max(ndistinct - nvalues, 1.0));
	else
	{
		double		bounds;
		double		allowed = weigh_values(known, statistics, STATISTIC_KIND_HISTOGRAM,
										   &bounds, &nvalues, &nallowed);

		if (bounds > 0)
			fraction += rest * allowed / bounds;
	}
	return Min(fraction, 1.0 - null_fraction);
}

/* The inputs of an estimate.  Compared bytewise, so padding must be zeroed. */
typedef struct EstimateKey
{
	ItemPointerData statistics; /* version of the pg_statistic row */
	TransactionId xmin;
	Oid			relid;
	AttrNumber	attno;
	uint64		user;
	uint32		version;
	int			set_size;
	CnapPermission permission;
} EstimateKey;

/*
 * Like weigh_column(), but keep the result, since the planner asks several
 * times for each query, and again for the user's next query.  One estimate is
 * kept for each of a few columns, in static memory.
 */
static double
weigh_column_once(const Known *known, HeapTuple statistics, double ndistinct)
{
	static struct
	{
		EstimateKey key;
		double		fraction;
	}			kept[16];
	Form_pg_statistic form = (Form_pg_statistic) GETSTRUCT(statistics);
	EstimateKey key;
	int			i = (form->starelid + form->staattnum) % lengthof(kept);

	memset(&key, 0, sizeof(key));
	key.statistics = statistics->t_self;
	key.xmin = HeapTupleHeaderGetRawXmin(statistics->t_data);
	key.relid = form->starelid;
	key.attno = form->staattnum;
	key.user = CnapUserSerial(known->user);
	key.version = CnapUserVersion(known->user);
	key.set_size = known->set_size;
	key.permission = known->permission;
	if (memcmp(&kept[i].key, &key, sizeof(key)) != 0)
	{
		kept[i].fraction = weigh_column(known, statistics, ndistinct);
		memcpy(&kept[i].key, &key, sizeof(key));
	}
	return kept[i].fraction;
}

/* Estimate the fraction of a relation's rows that a check accepts. */
static double
estimate_fraction(PlannerInfo *root, const Check *check, const Known *known, int varrelid)
{
	VariableStatData column;
	bool		is_default;
	double		ndistinct;
	double		fraction;

	if (known->is_known && known->user == NULL)
		return 0;

	examine_variable(root, check->workspace, varrelid, &column);
	ndistinct = get_variable_numdistinct(&column, &is_default);
	if (known->is_known && HeapTupleIsValid(column.statsTuple))
		fraction = weigh_column_once(known, column.statsTuple, ndistinct);
	else
	{
		int			size = known->is_known ? known->set_size : ASSUMED_SET;

		fraction = size < 0 ? 0.5 : size / ndistinct;
	}
	ReleaseVariableStats(column);
	CLAMP_PROBABILITY(fraction);
	return fraction;
}

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

/*
 * Does an operator with these operands require the index's column to be equal
 * to given values?
 */
static bool
gives_values(const SupportRequestIndexCondition *req, Oid operator, Node *column,
			 Node *values)
{
	return OidIsValid(operator) &&
		get_op_opfamily_strategy(operator, req->opfamily) == BTEqualStrategyNumber &&
		match_index_to_operand(column, req->indexcol, req->index) &&
		is_pseudo_constant_for_index(req->root, values, req->index);
}

/* Likewise for a condition of the query, which the index must support. */
static bool
is_given_by(const SupportRequestIndexCondition *req, Expr *clause)
{
	Oid			collation = req->index->indexcollations[req->indexcol];
	Oid			operator;
	List	   *args;

	if (OidIsValid(collation) && exprInputCollation((Node *) clause) != collation)
		return false;
	if (IsA(clause, ScalarArrayOpExpr))
	{
		args = ((ScalarArrayOpExpr *) clause)->args;
		return ((ScalarArrayOpExpr *) clause)->useOr &&
			gives_values(req, ((ScalarArrayOpExpr *) clause)->opno,
						 linitial(args), lsecond(args));
	}
	if (!IsA(clause, OpExpr) || list_length(((OpExpr *) clause)->args) != 2)
		return false;
	operator = ((OpExpr *) clause)->opno;
	args = ((OpExpr *) clause)->args;
	return gives_values(req, operator, linitial(args), lsecond(args)) ||
		gives_values(req, get_commutator(operator), lsecond(args), linitial(args));
}

/*
 * Does the query itself give the values of the column for which the index has
 * to be searched?
 */
bool
CnapValuesAreGiven(const SupportRequestIndexCondition *req)
{
	RelOptInfo *rel = req->index->rel;
	ListCell   *lc;

	foreach(lc, rel->baserestrictinfo)
	{
		RestrictInfo *restriction = lfirst_node(RestrictInfo, lc);

		/* Other clauses must not precede the policies. */
		if (restriction_is_securely_promotable(restriction, rel) &&
			is_given_by(req, restriction->clause))
			return true;
	}
	return false;
}

/*
 * Does the query ask for all rows of a single relation that the check accepts,
 * and only for columns that are in the index?
 */
static bool
is_covered(const SupportRequestIndexCondition *req)
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
is_worth_it(const SupportRequestIndexCondition *req, const Check *check, const Known *known)
{
	double		tuples = req->index->rel->tuples;
	double		fraction;
	int			set_size = known->set_size;

	if (!known->is_known || known->user == NULL)
		return true;
	fraction = estimate_fraction(req->root, check, known, 0);
	if (set_size >= 0 && set_size <= MAX_INDEXED && fraction <= MAX_INDEXED_FRACTION)
		return true;
	if (fraction > MAX_COVERED_FRACTION || !is_covered(req))
		return false;
	if (set_size < 0)
		set_size = CnapReachSize(known->user,
								 Min(tuples / MIN_ROWS_PER_READ, PG_INT32_MAX - 1));
	return set_size >= 0 && set_size <= tuples / MIN_ROWS_PER_ELEMENT;
}

/*
 * Return the index condition that is equivalent to a check, if it is
 * worthwhile.
 */
static List *
make_index_condition(SupportRequestIndexCondition *req)
{
	FuncExpr   *call = (FuncExpr *) req->node;
	Check		check;
	Known		known;
	Oid			operator;
	Oid			function;
	Node	   *permission;
	FuncExpr   *array;
	ScalarArrayOpExpr *condition;

	if (!IsA(call, FuncExpr) || !parse_check(req->funcid, call->args, &check) ||
		req->indexarg != check.workspace_arg)
		return NIL;
	if ((check.user != NULL &&
		 !is_pseudo_constant_for_index(req->root, check.user, req->index)) ||
		(check.permission != NULL &&
		 !is_pseudo_constant_for_index(req->root, check.permission, req->index)))
		return NIL;

	operator = find_operator(req);
	if (!OidIsValid(operator) || CnapValuesAreGiven(req))
		return NIL;

	/* A role that can execute the check, but not this, needs another plan. */
	function = CnapReachableFunction(check.user != NULL ?
									 exprType(check.user) : InvalidOid);
	if (check.user != NULL)
		req->root->glob->dependsOnRole = true;
	if (!CnapMayExecute(function, GetUserId()))
		return NIL;

	know_check(req->root, &check, &known);
	if (!is_worth_it(req, &check, &known))
		return NIL;

	permission = check.permission;
	if (permission == NULL)
		permission = (Node *) makeConst(TEXTOID, -1, DEFAULT_COLLATION_OID, -1,
										CnapPermissionToDatum(CNAP_ACCESS),
										false, false);
	array = makeFuncExpr(function, UUIDARRAYOID,
						 check.user != NULL ? list_make2(check.user, permission) :
						 list_make1(permission),
						 InvalidOid, InvalidOid, COERCE_EXPLICIT_CALL);

	condition = makeNode(ScalarArrayOpExpr);
	condition->opno = operator;
	condition->opfuncid = get_opcode(operator);
	condition->useOr = true;
	condition->args = list_make2(check.workspace, array);
	condition->location = -1;

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
note_kind(PlannerInfo *root, const Check *check, const Known *known, double fraction)
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

/* Estimate the fraction of rows that a check accepts. */
static bool
estimate_selectivity(SupportRequestSelectivity *req)
{
	Check		check;
	Known		known;

	if (req->is_join || !parse_check(req->funcid, req->args, &check))
		return false;
	know_check(req->root, &check, &known);
	req->selectivity = estimate_fraction(req->root, &check, &known, req->varRelid);
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
	Check		check;
	Known		known;
	double		operators = CACHED_COST;

	if (call == NULL || !IsA(call, FuncExpr) ||
		!parse_check(req->funcid, call->args, &check))
		return false;
	know_check(req->root, &check, &known);
	if (known.is_known && known.user != NULL && known.set_size < 0)
		operators += UNCACHED_COST;
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
