/*-------------------------------------------------------------------------
 *
 * listing.c
 *	  Listings of protected tables: cnap_protected_tables(), and for the
 *	  linter cnap.policies() and cnap.denied_commands().
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
#include "protection/policy_text.h"
#include "protection/verify.h"

PG_FUNCTION_INFO_V1(cnap_protected_tables);
PG_FUNCTION_INFO_V1(cnap_policies);
PG_FUNCTION_INFO_V1(cnap_denied_commands);

/* Add a table to the result of cnap_protected_tables(). */
static void
return_protection(ReturnSetInfo *rsinfo, Oid relid, const CnapChecks *checks,
				  const CnapProtection *protection)
{
	const CnapTest *test = &protection->test;
	const CnapLink *link = &test->link;
	CnapKeeper	keeper;
	CnapPermission write;
	Datum		values[6];
	bool		nulls[6] = {false};

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
	nulls[4] = nulls[5] = !OidIsValid(link->parent);
	if (OidIsValid(link->parent))
	{
		ArrayType  *columns = CnapColumnNames(relid, link->child_keys, link->nkeys);

		if (columns == NULL)
			return;
		values[4] = ObjectIdGetDatum(link->parent);
		values[5] = PointerGetDatum(columns);
	}
	values[0] = ObjectIdGetDatum(relid);
	nulls[2] = !CnapIsComplete(protection, &write);
	values[2] = CnapPermissionToDatum(write);
	values[3] = BoolGetDatum(CnapIsEnforced(relid, checks));
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

/*
 * cnap_protected_tables()
 *	 -> setof (relation, workspace_column, write_permission, enforced, parent,
 *			   parent_columns)
 *
 * Returns every table with a policy of ours.  The index scan returns the
 * policies of a table one after the other.
 */
Datum
cnap_protected_tables(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	CnapChecks	checks;
	Relation	rel;
	SysScanDesc scan;
	HeapTuple	tuple;
	Oid			last = InvalidOid;
	List	   *tables = NIL;
	ListCell   *lc;

	InitMaterializedSRF(fcinfo, 0);
	CnapFindChecks(fcinfo, &checks);
	CnapKeepProtections(&checks);

	rel = table_open(PolicyRelationId, AccessShareLock);
	scan = systable_beginscan(rel, PolicyPolrelidPolnameIndexId, true, NULL, 0, NULL);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Oid			relid = ((Form_pg_policy) GETSTRUCT(tuple))->polrelid;

		if (relid != last)
			tables = lappend_oid(tables, relid);
		last = relid;
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);

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
			values[5] = CnapPermissionToDatum(policy.test.permission);
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

/* cnap.denied_commands(relation oid, checks regnamespace) -> "char"[] */
Datum
cnap_denied_commands(PG_FUNCTION_ARGS)
{
	CnapChecks	checks;
	CnapProtection protection;
	Datum		denied[CNAP_COMMANDS];
	int			ndenied = 0;

	find_checks(PG_GETARG_OID(1), &checks);
	CnapReadProtection(PG_GETARG_OID(0), &checks, &protection);
	for (int i = 0; i < CNAP_COMMANDS; i++)
	{
		if (CnapIsDenied(&protection, i))
			denied[ndenied++] = CharGetDatum(CnapCommands[i].code);
	}
	PG_RETURN_ARRAYTYPE_P(construct_array(denied, ndenied, CHAROID, 1, true, TYPALIGN_CHAR));
}
