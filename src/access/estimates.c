/*-------------------------------------------------------------------------
 *
 * estimates.c
 *	  What is known about a check at planning.
 *
 * The number of rows that the user sees is estimated from the column's
 * statistics.  For a small set, we add the frequencies of those most common
 * values that are in it, and the average frequency for the others.  For a
 * large set, the statistics serve as a sample of the rows: the most common
 * values count with their frequencies, and the bounds of the histogram with an
 * equal share of the rest each.  That takes at most MAX_SAMPLE checks for each
 * of the two, and does not require the size of the set.
 *
 * Such a sample sees nothing below one per cent, though, and somebody with many
 * workspaces may have few rows in them.  So if it contains hardly any of the
 * user's, and the set has been read, we look for the rows of some of the user's
 * own workspaces in the index.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "catalog/pg_am.h"
#include "catalog/pg_statistic.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/selfuncs.h"

#include "access/estimates.h"
#include "access/reach.h"
#include "core/compat.h"
#include "core/definitions.h"
#include "core/rows.h"
#include "identity/trusted.h"

/* The planner's assumption about an array of unknown size. */
#define ASSUMED_SET 10

/* Maximum number of values to check of each kind of statistics. */
#define MAX_SAMPLE 1000

/* A sample of the rows with fewer of the user's is not trusted. */
#define FEW_HITS 8

/* How many of the user's workspaces, and rows of each, are looked up then. */
#define SAMPLED_WORKSPACES 64
#define SAMPLED_ROWS 64

/* The column of a check, and an index on it, if there is one. */
typedef struct Column
{
	Oid			relid;
	AttrNumber	attno;
	Oid			index;
	double		tuples;
} Column;

/*
 * Split the arguments.  The variants of the checks differ in their number and
 * types.
 */
bool
CnapParseCheck(Oid function, List *args, CnapCheck *check)
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

/*
 * Find the user that an argument stands for; false if that is not known.  Where
 * PostgreSQL asks for the cost of a function's body, to see whether it can be put in
 * place of the call, there is no root.
 */
static bool
know_user(PlannerInfo *root, Node *argument, CnapUser **user)
{
	Const	   *constant;

	if (argument == NULL)
	{
		*user = CnapGetCurrentCachedUser();
		return true;
	}

	constant = (Const *) (root != NULL ? estimate_expression_value(root, argument) : argument);
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
void
CnapKnowCheck(PlannerInfo *root, const CnapCheck *check, CnapKnown *known)
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
		known->set_size = CnapReachSize(known->user, CNAP_SMALL_SET);
}

/*
 * Check a sample of the column's values in its statistics.  Returns the total
 * weight of the values that the check accepts, and in *total that of all
 * values.  Most common values are weighted by their frequencies, others count
 * as one each.
 */
static double
weigh_values(const CnapKnown *known, HeapTuple statistics, int kind,
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
 * Count the rows of some of the user's workspaces, and conclude from that how many
 * the whole set has; -1 if that is not possible.  The table is locked already.
 */
static double
sample_rows(const CnapKnown *known, const Column *column)
{
	pg_uuid_t	sample[SAMPLED_WORKSPACES];
	int			nsampled = 0;
	double		rows = 0;
	Relation	rel;

	if (!OidIsValid(column->index))
		return -1;
	nsampled = CnapSampleReach(known->user, SAMPLED_WORKSPACES, sample);
	if (nsampled == 0)
		return -1;
	rel = table_open(column->relid, NoLock);
	for (int i = 0; i < nsampled; i++)
	{
		ScanKeyData key;
		SysScanDesc scan;

		if (!CnapAllows(known->user, &sample[i], known->permission))
			continue;
		ScanKeyInit(&key, column->attno, BTEqualStrategyNumber, F_UUID_EQ,
					UUIDPGetDatum(&sample[i]));
		scan = systable_beginscan(rel, column->index, true, NULL, 1, &key);
		for (int n = 0; n < SAMPLED_ROWS && HeapTupleIsValid(systable_getnext(scan)); n++)
			rows++;
		systable_endscan(scan);
	}
	table_close(rel, NoLock);
	return rows / nsampled * known->set_size;
}

/*
 * Estimate the fraction of rows that a check accepts, from the column's
 * statistics.
 */
static double
weigh_column(const CnapKnown *known, HeapTuple statistics, double ndistinct,
			 const Column *column)
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
	if (known->set_size >= 0 && known->set_size <= CNAP_SMALL_SET)
		fraction += rest * Min(1.0, Max(known->set_size - nallowed, 0) /
							   Max(ndistinct - nvalues, 1.0));
	else
	{
		double		bounds;
		double		allowed = weigh_values(known, statistics, STATISTIC_KIND_HISTOGRAM,
										   &bounds, &nvalues, &nallowed);

		/* So few hits may as well be luck. */
		double		rows = nallowed < FEW_HITS && known->set_size > 0 && column->tuples > 0 ?
			sample_rows(known, column) : -1;

		if (rows >= 0)
			fraction += Min(rows / column->tuples, rest);
		else if (bounds > 0)
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
weigh_column_once(const CnapKnown *known, HeapTuple statistics, double ndistinct,
				  const Column *column)
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
		kept[i].fraction = weigh_column(known, statistics, ndistinct, column);
		memcpy(&kept[i].key, &key, sizeof(key));
	}
	return kept[i].fraction;
}

RelOptInfo *
CnapCheckedRelation(PlannerInfo *root, const CnapCheck *check)
{
	Var		   *column = (Var *) check->workspace;

	if (root == NULL || !IsA(column, Var) || column->varlevelsup > 0 ||
		IS_SPECIAL_VARNO(column->varno) || column->varno >= root->simple_rel_array_size)
		return NULL;
	return root->simple_rel_array[column->varno];
}

/* Find an index on the workspace column of a table. */
static void
find_index(PlannerInfo *root, const CnapCheck *check, Column *column)
{
	Var		   *var = (Var *) check->workspace;
	RelOptInfo *rel = CnapCheckedRelation(root, check);
	ListCell   *lc;

	memset(column, 0, sizeof(*column));
	if (rel == NULL || rel->rtekind != RTE_RELATION || root->simple_rte_array[var->varno]->inh)
		return;
	foreach(lc, rel->indexlist)
	{
		IndexOptInfo *index = lfirst_node(IndexOptInfo, lc);

		if (index->relam == BTREE_AM_OID && !index->hypothetical && index->indpred == NIL &&
			index->indexkeys[0] == var->varattno && var->vartype == UUIDOID)
			column->index = index->indexoid;
	}
	column->relid = root->simple_rte_array[var->varno]->relid;
	column->attno = var->varattno;
	column->tuples = rel->tuples;
}

/* Estimate the fraction of a relation's rows that a check accepts. */
double
CnapEstimateFraction(PlannerInfo *root, const CnapCheck *check, const CnapKnown *known, int varrelid)
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
	{
		Column		indexed;

		find_index(root, check, &indexed);
		fraction = weigh_column_once(known, column.statsTuple, ndistinct, &indexed);
	}
	else
	{
		int			size = known->is_known ? known->set_size : ASSUMED_SET;

		fraction = size < 0 ? 0.5 : size / ndistinct;
	}
	ReleaseVariableStats(column);
	CLAMP_PROBABILITY(fraction);
	return fraction;
}
