/*-------------------------------------------------------------------------
 *
 * lint.c
 *	  What cnap_lint() cannot find out in SQL, or other C code decides as well: what
 *	  the expression of a policy means, whose code is executed by planning, whether the
 *	  access data is fresh, and what other nodes answer.
 *
 * Everything else that it examines is in the columns of the catalogs
 * (src/sql/76_lint.sql and the files that follow it).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/dependency.h"
#include "catalog/pg_proc.h"
#include "fmgr.h"
#include "funcapi.h"
#include "nodes/nodeFuncs.h"
#include "nodes/primnodes.h"
#include "nodes/readfuncs.h"
#include "optimizer/optimizer.h"
#include "utils/builtins.h"
#include "utils/tuplestore.h"

#include "core/citus.h"
#include "core/freshness.h"
#include "core/planned_code.h"

PG_FUNCTION_INFO_V1(cnap_lint_freshness);
PG_FUNCTION_INFO_V1(cnap_lint_origin_version);
PG_FUNCTION_INFO_V1(cnap_lint_nodes);
PG_FUNCTION_INFO_V1(cnap_lint_shard);
PG_FUNCTION_INFO_V1(cnap_lint_planned);
PG_FUNCTION_INFO_V1(cnap_lint_open_alternative);

/* Does an expression call a function of the extension? */
static bool
calls_extension(Node *node, void *context)
{
	Oid			extension = *(Oid *) context;

	if (node == NULL)
		return false;
	if (IsA(node, FuncExpr) &&
		getExtensionOfObject(ProcedureRelationId,
							 castNode(FuncExpr, node)->funcid) == extension)
		return true;
	return expression_tree_walker(node, calls_extension, context);
}

/*
 * Does an expression contain an OR of which one arm is a check, and another
 * one has no columns?
 */
static bool
has_open_alternative(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (is_orclause(node))
	{
		bool		check = false;
		bool		open = false;
		ListCell   *lc;

		foreach(lc, castNode(BoolExpr, node)->args)
		{
			if (calls_extension(lfirst(lc), context))
				check = true;
			else if (!contain_var_clause(lfirst(lc)))
				open = true;
		}
		if (check && open)
			return true;
	}
	return expression_tree_walker(node, has_open_alternative, context);
}

/*
 * cnap.lint_open_alternative(expression pg_node_tree) -> boolean
 *
 * Users cannot create values of that type, so this comes from a catalog.
 */
Datum
cnap_lint_open_alternative(PG_FUNCTION_ARGS)
{
	char	   *expression = TextDatumGetCString(PG_GETARG_DATUM(0));
	Oid			extension = getExtensionOfObject(ProcedureRelationId,
												 fcinfo->flinfo->fn_oid);

	PG_RETURN_BOOL(has_open_alternative(stringToNode(expression), &extension));
}

/*
 * cnap.lint_freshness() -> text
 *
 * The words are explained in src/sql/77_lint_fleet.sql.
 */
Datum
cnap_lint_freshness(PG_FUNCTION_ARGS)
{
	const char *answer;

	if (CnapFleetRoleNow() == CNAP_ORIGIN)
		answer = "kept";
	else if (!CnapDataIsFresh())
		answer = "stale";
	else
		answer = CnapMaxStaleness < 0 ? "unlimited" : "fresh";
	PG_RETURN_TEXT_P(cstring_to_text(answer));
}

/*
 * cnap.lint_origin_version() -> text
 *
 * The version of the extension where the access data is kept, or NULL where
 * that is here, or it is unknown.
 */
Datum
cnap_lint_origin_version(PG_FUNCTION_ARGS)
{
	char	   *version = NULL;

	if (CnapFleetRoleNow() == CNAP_FOLLOWER)
		version = CnapBeatVersion();
	if (version == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(version));
}

/* cnap.lint_shard(relation oid) -> boolean */
Datum
cnap_lint_shard(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(CnapIsShard(PG_GETARG_OID(0)));
}

/* cnap.lint_planned(relation oid) -> boolean */
Datum
cnap_lint_planned(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(CnapPlansForeignCode(CnapForeignTables(PG_GETARG_OID(0), NoLock)));
}

/*
 * cnap.lint_nodes() -> setof (node, success, result)
 */
Datum
cnap_lint_nodes(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	List	   *answers = NIL;
	ListCell   *lc;

	InitMaterializedSRF(fcinfo, 0);
	if (CnapIsCoordinator())
		answers = CnapAskOtherNodes("SELECT cnap.lint_node()");
	foreach(lc, answers)
	{
		const CnapNodeAnswer *answer = lfirst(lc);
		Datum		values[3];
		bool		nulls[3] = {false};

		values[0] = CStringGetTextDatum(answer->node);
		values[1] = BoolGetDatum(answer->success);
		nulls[2] = answer->result == NULL;
		if (answer->result != NULL)
			values[2] = CStringGetTextDatum(answer->result);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}
