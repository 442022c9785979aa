/*-------------------------------------------------------------------------
 *
 * listing.c
 *	  Listings of protected tables: cnap_protected_tables(), and for the
 *	  linter cnap.policies() and cnap.protections().
 *
 * All read the catalogs, without locking the tables.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "core/definitions.h"
#include "catalog/indexing.h"
#include "catalog/pg_policy.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/tuplestore.h"

#include "core/own_catalog.h"
#include "core/relation.h"
#include "protection/keeper.h"
#include "protection/protection.h"
#include "protection/verify.h"

PG_FUNCTION_INFO_V1(cnap_protected_tables);
PG_FUNCTION_INFO_V1(cnap_policies);
PG_FUNCTION_INFO_V1(cnap_protections);

/* Add a table to the result of cnap_protected_tables(). */
static void
return_protection(ReturnSetInfo *rsinfo, Oid relid, const CnapChecks *checks,
				  const CnapProtection *protection)
{
	const CnapTest *test = &protection->test;
	const CnapLink *link = &test->link;
	CnapKeeper	keeper;
	CnapRequired required;
	bool		complete = CnapIsComplete(protection, &required);
	Datum		values[7];
	bool		nulls[7] = {false};

	nulls[1] = test->column == 0;
	if (test->column != 0)
	{
		char	   *column = get_attname(relid, test->column, true);

		if (column == NULL)
			return;				/* dropped concurrently */
		values[1] = DirectFunctionCall1(namein, CStringGetDatum(column));
		if (CnapFindKeeper(relid, &keeper) && keeper.column == test->column)
			link = &keeper.link;
	}
	nulls[5] = nulls[6] = !OidIsValid(link->parent);
	if (OidIsValid(link->parent))
	{
		ArrayType  *columns = CnapColumnNames(relid, link->child_keys, link->nkeys);

		if (columns == NULL)
			return;
		values[5] = ObjectIdGetDatum(link->parent);
		values[6] = PointerGetDatum(columns);
	}
	values[0] = ObjectIdGetDatum(relid);
	nulls[2] = !complete;
	if (complete)
		values[2] = CnapPermissionToDatum(required.write);
	nulls[3] = !complete || required.read == CNAP_PERMISSION_UNDEFINED;
	if (!nulls[3])
		values[3] = CnapPermissionToDatum(required.read);
	values[4] = BoolGetDatum(CnapIsEnforced(relid, checks));
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

/*
 * All tables that have policies.  The index scan returns the policies of a table
 * one after the other.
 */
static List *
tables_with_policies(void)
{
	Relation	rel = table_open(PolicyRelationId, AccessShareLock);
	SysScanDesc scan = systable_beginscan(rel, PolicyPolrelidPolnameIndexId, true, NULL, 0, NULL);
	List	   *tables = NIL;
	HeapTuple	tuple;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Oid			relid = ((Form_pg_policy) GETSTRUCT(tuple))->polrelid;

		if (tables == NIL || llast_oid(tables) != relid)
			tables = lappend_oid(tables, relid);
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return tables;
}

/*
 * cnap_protected_tables()
 *	 -> setof (relation, workspace_column, write_permission, read_permission,
 *			   enforced, parent, parent_columns)
 *
 * Returns every table with a policy of ours.
 */
Datum
cnap_protected_tables(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	CnapChecks	checks;
	List	   *tables;
	ListCell   *lc;

	InitMaterializedSRF(fcinfo, 0);
	CnapFindChecks(fcinfo, &checks);
	CnapKeepProtections(&checks);

	tables = tables_with_policies();
	foreach(lc, tables)
	{
		CnapProtection protection;

		CnapReadProtection(lfirst_oid(lc), &checks, &protection);
		if (protection.is_protected)
			return_protection(rsinfo, lfirst_oid(lc), &checks, &protection);
	}
	return (Datum) 0;
}

/*
 * Find the check functions in a schema given by its OID.
 */
static void
find_checks(Oid schema, CnapChecks *checks)
{
	char	   *name = get_namespace_name(schema);

	if (name == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_SCHEMA),
				 errmsg("schema with OID %u does not exist", schema)));
	CnapFindChecksIn(name, checks);
}

/*
 * cnap.policies(checks regnamespace)
 *	 -> setof (relation, policy, command, permissive, own, permission,
 *			   column_number, parent)
 *
 * Returns every policy of the database, and what it is recognized as; "checks"
 * is the schema of the public functions.  "own" is true for those that
 * cnap_protect() would replace.  The last three are null if a policy does not
 * have the shape of ours.  The column is the workspace column, or if there is
 * a parent, the first one that refers to it.
 */
Datum
cnap_policies(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	CnapChecks	checks;
	Relation	rel;
	SysScanDesc scan;
	HeapTuple	tuple;
	MemoryContext row_context;
	MemoryContext former;

	InitMaterializedSRF(fcinfo, 0);
	find_checks(PG_GETARG_OID(0), &checks);
	row_context = AllocSetContextCreate(CurrentMemoryContext, "cnap_org policy",
										ALLOCSET_DEFAULT_SIZES);

	rel = table_open(PolicyRelationId, AccessShareLock);
	scan = systable_beginscan(rel, InvalidOid, false, NULL, 0, NULL);
	former = MemoryContextSwitchTo(row_context);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_policy form = (Form_pg_policy) GETSTRUCT(tuple);
		CnapPolicy	policy;
		bool		in_shape = CnapRecognizePolicy(&checks, tuple, RelationGetDescr(rel), &policy);
		Datum		values[8];
		bool		nulls[8] = {false};

		values[0] = ObjectIdGetDatum(form->polrelid);
		values[1] = NameGetDatum(&form->polname);
		values[2] = CharGetDatum(form->polcmd);
		values[3] = BoolGetDatum(form->polpermissive);
		values[4] = BoolGetDatum(in_shape || CnapIsPolicyName(NameStr(form->polname)));
		nulls[5] = nulls[6] = !in_shape;
		nulls[7] = !in_shape || policy.test.column != 0;
		if (in_shape)
		{
			values[5] = policy.demand.permission == CNAP_PERMISSION_UNDEFINED ?
				CStringGetTextDatum(policy.demand.undefined) :
				CnapPermissionToDatum(policy.demand.permission);
			values[6] = Int16GetDatum(policy.test.column != 0 ?
									  policy.test.column : policy.test.link.child_keys[0]);
			values[7] = ObjectIdGetDatum(policy.test.link.parent);
		}
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
		MemoryContextReset(row_context);
	}
	MemoryContextSwitchTo(former);
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return (Datum) 0;
}

/* The commands of those with a mark, as an array of what pg_policy has for them. */
static Datum
command_array(const bool *marked)
{
	Datum		codes[CNAP_COMMANDS];
	int			ncodes = 0;

	for (int i = 0; i < CNAP_COMMANDS; i++)
	{
		if (marked[i])
			codes[ncodes++] = CharGetDatum(CnapCommands[i].code);
	}
	return PointerGetDatum(construct_array(codes, ncodes, CHAROID, 1, true, TYPALIGN_CHAR));
}

/* A list of strings as an array. */
static Datum
text_array(const List *strings)
{
	Datum	   *elements = palloc(list_length(strings) * sizeof(Datum));
	const ListCell *lc;

	foreach(lc, strings)
		elements[foreach_current_index(lc)] = CStringGetTextDatum(lfirst(lc));
	return PointerGetDatum(construct_array(elements, list_length(strings), TEXTOID, -1, false,
										   TYPALIGN_INT));
}

/*
 * cnap.protections(checks regnamespace)
 *	 -> setof (relation, column_number, parent, write_permission,
 *			   read_permission, torn, restricted, denied, altered, undefined)
 *
 * Returns every table with a policy that has our shape or one of our names.  The
 * column is the workspace column, or if there is a parent, the first one that
 * refers to it; null if no policy has our shape.
 */
Datum
cnap_protections(PG_FUNCTION_ARGS)
{
	static const CnapRequired nothing = {CNAP_PERMISSION_UNDEFINED, CNAP_PERMISSION_UNDEFINED};
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	CnapChecks	checks;
	List	   *tables;
	ListCell   *lc;

	InitMaterializedSRF(fcinfo, 0);
	find_checks(PG_GETARG_OID(0), &checks);
	CnapKeepProtections(&checks);
	tables = tables_with_policies();
	foreach(lc, tables)
	{
		CnapProtection protection;
		const CnapTest *test = &protection.test;
		CnapRequired required;
		bool		denied[CNAP_COMMANDS];
		Datum		values[10];
		bool		nulls[10] = {false};

		CnapReadProtection(lfirst_oid(lc), &checks, &protection);
		if (protection.own == NIL)
			continue;
		for (int i = 0; i < CNAP_COMMANDS; i++)
			denied[i] = CnapIsDenied(&protection, i);
		values[5] = BoolGetDatum(protection.is_protected && protection.undefined == NIL &&
								 !CnapIsConsistent(&protection, &required));
		CnapFormerRequired(&protection, &nothing, &required);
		values[0] = ObjectIdGetDatum(lfirst_oid(lc));
		nulls[1] = !protection.is_protected;
		values[1] = Int16GetDatum(test->column != 0 ? test->column : test->link.child_keys[0]);
		nulls[2] = test->column != 0 || !OidIsValid(test->link.parent);
		values[2] = ObjectIdGetDatum(test->link.parent);
		nulls[3] = CnapPermissionName(required.write) == NULL;
		if (!nulls[3])
			values[3] = CnapPermissionToDatum(required.write);
		nulls[4] = CnapPermissionName(required.read) == NULL;
		if (!nulls[4])
			values[4] = CnapPermissionToDatum(required.read);
		values[6] = command_array(protection.restricted);
		values[7] = command_array(denied);
		values[8] = text_array(protection.altered);
		values[9] = text_array(protection.undefined);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}
