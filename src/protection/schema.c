/*-------------------------------------------------------------------------
 *
 * schema.c
 *	  Protection of all tables of a schema: cnap_protect_schema() and
 *	  cnap_unprotect_schema().
 *
 * Each makes a plan, which is a statement for each table, and executes it only
 * if asked to.  Tables that are protected already are left alone.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/tuplestore.h"

#include "core/arguments.h"
#include "core/definitions.h"
#include "core/own_catalog.h"
#include "core/progress.h"
#include "core/relation.h"
#include "protection/call.h"
#include "protection/plan.h"
#include "protection/protect.h"

PG_FUNCTION_INFO_V1(cnap_protect_schema);
PG_FUNCTION_INFO_V1(cnap_unprotect_schema);

/* Execute the statements of a plan. */
static void
execute_plan(List *tables)
{
	ListCell   *lc;

	SPI_connect();
	foreach(lc, tables)
	{
		CnapTarget *table = lfirst(lc);

		CnapProgressPart(foreach_current_index(lc) + 1, list_length(tables));
		if (table->statement != NULL &&
			SPI_execute(table->statement, false, 0) != SPI_OK_SELECT)
			elog(ERROR, "could not execute: %s", table->statement);
	}
	SPI_finish();
}

/*
 * Read the arguments that both functions have, and find the check functions.
 */
static void
read_request(FunctionCallInfo fcinfo, CnapRequest *request)
{
	memset(request, 0, sizeof(*request));
	request->schema = get_namespace_oid(NameStr(*DatumGetName(CnapRequiredArg(fcinfo, 0, "schema"))),
										false);
	CnapFindChecks(fcinfo, &request->checks);
	CnapKeepProtections(&request->checks);
}

/* The elements of an array argument, none of which is null. */
static Datum *
elements_of(FunctionCallInfo fcinfo, int argno, const char *argname, Oid type, int *count)
{
	ArrayType  *array = DatumGetArrayTypeP(CnapRequiredArg(fcinfo, argno, argname));
	Datum	   *elements;
	int16		len;
	bool		byval;
	char		align;

	if (array_contains_nulls(array))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must not contain nulls", argname)));
	get_typlenbyvalalign(type, &len, &byval, &align);
	deconstruct_array(array, type, len, byval, align, &elements, NULL, count);
	return elements;
}

static List *
names_in(FunctionCallInfo fcinfo, int argno, const char *argname)
{
	int			count;
	Datum	   *elements = elements_of(fcinfo, argno, argname, NAMEOID, &count);
	List	   *names = NIL;

	for (int i = 0; i < count; i++)
		names = lappend(names, NameStr(*DatumGetName(elements[i])));
	return names;
}

static List *
tables_in(FunctionCallInfo fcinfo, int argno, const char *argname)
{
	int			count;
	Datum	   *elements = elements_of(fcinfo, argno, argname, REGCLASSOID, &count);
	List	   *tables = NIL;

	for (int i = 0; i < count; i++)
		tables = lappend_oid(tables, DatumGetObjectId(elements[i]));
	return tables;
}

/* Add a table to the result of cnap_protect_schema(). */
static void
return_plan(ReturnSetInfo *rsinfo, const CnapTarget *table)
{
	Datum		values[6];
	bool		nulls[6] = {false};
	bool		by_column = table->test.column != 0;

	values[0] = ObjectIdGetDatum(table->relid);
	values[1] = CStringGetTextDatum(table->level == CNAP_NO_LEVEL ? "none" :
									by_column ? "column" : "parent");
	nulls[2] = table->level == CNAP_NO_LEVEL;
	if (!nulls[2])
		values[2] = PointerGetDatum(by_column ?
									CnapColumnNames(table->relid, &table->test.column, 1) :
									CnapColumnNames(table->relid, table->test.link.child_keys,
													table->test.link.nkeys));
	values[3] = ObjectIdGetDatum(table->test.link.parent);
	nulls[3] = nulls[2] || by_column;
	nulls[4] = table->statement == NULL;
	if (!nulls[4])
		values[4] = CStringGetTextDatum(table->statement);
	nulls[5] = table->reason == NULL;
	if (!nulls[5])
		values[5] = CStringGetTextDatum(table->reason);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

/*
 * cnap_protect_schema(schema, execute, workspace_columns, write_permission,
 *						read_permission, child_column, leave_out)
 *	 -> setof (relation, protection, columns, parent, statement, reason)
 */
Datum
cnap_protect_schema(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	CnapRequest request;
	List	   *tables;
	ListCell   *lc;
	bool		execute = DatumGetBool(CnapRequiredArg(fcinfo, 1, "execute"));

	read_request(fcinfo, &request);
	request.columns = names_in(fcinfo, 2, "workspace_columns");
	request.left_out = tables_in(fcinfo, 6, "leave_out");
	request.write_given = !PG_ARGISNULL(3);
	request.read_given = !PG_ARGISNULL(4);
	request.required.write = request.write_given ? CnapNamedPermission(PG_GETARG_TEXT_PP(3)) : CNAP_ACCESS;
	request.required.read = request.read_given ? CnapNamedPermission(PG_GETARG_TEXT_PP(4)) : CNAP_ACCESS;
	if (!PG_ARGISNULL(5))
		request.child_column = NameStr(*PG_GETARG_NAME(5));
	InitMaterializedSRF(fcinfo, 0);
	tables = CnapPlanSchema(&request);
	if (execute)
		execute_plan(tables);
	foreach(lc, tables)
		return_plan(rsinfo, lfirst(lc));
	return (Datum) 0;
}

/* Does a table, or one that inherits from it, have anything of ours? */
static bool
is_touched(Oid relid, const CnapChecks *checks)
{
	List	   *tables = find_all_inheritors(relid, NoLock, NULL);
	ListCell   *lc;

	foreach(lc, tables)
	{
		CnapProtection protection;

		CnapReadProtection(lfirst_oid(lc), checks, &protection);
		if (CnapHasRemains(lfirst_oid(lc), &protection))
			return true;
	}
	return false;
}

/* The tables of a schema that have anything of ours, children first. */
static List *
plan_unprotecting(const CnapRequest *request)
{
	List	   *tables = CnapFindTargets(request->schema);
	List	   *plan = NIL;
	ListCell   *lc;

	foreach(lc, tables)
	{
		CnapTarget *table = lfirst(lc);
		bool		all_protected;

		if (!is_touched(table->relid, &request->checks))
			continue;
		table->level = -CnapCountParents(table->relid, &request->checks, &all_protected);
		table->reason = CnapFindObstacle(table->relid, false, true);
		if (table->reason == NULL)
		{
			const char *const args[] = {table->name};
			const char *const types[] = {"regclass"};

			table->statement = CnapFormatCall(&request->checks, "cnap_unprotect",
											  lengthof(args), args, types);
		}
		plan = lappend(plan, table);
	}
	list_sort(plan, CnapCompareTargets);
	return plan;
}

/*
 * cnap_unprotect_schema(schema, execute) -> setof (relation, statement, reason)
 */
Datum
cnap_unprotect_schema(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	CnapRequest request;
	List	   *tables;
	ListCell   *lc;
	bool		execute = DatumGetBool(CnapRequiredArg(fcinfo, 1, "execute"));

	read_request(fcinfo, &request);
	InitMaterializedSRF(fcinfo, 0);
	tables = plan_unprotecting(&request);
	if (execute)
		execute_plan(tables);
	foreach(lc, tables)
	{
		const CnapTarget *table = lfirst(lc);
		Datum		values[3];
		bool		nulls[3] = {false, table->statement == NULL, table->reason == NULL};

		values[0] = ObjectIdGetDatum(table->relid);
		if (!nulls[1])
			values[1] = CStringGetTextDatum(table->statement);
		if (!nulls[2])
			values[2] = CStringGetTextDatum(table->reason);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}
