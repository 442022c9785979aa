/*-------------------------------------------------------------------------
 *
 * listing.c
 *	  Listings of protected tables: cnap_protected_tables(), and for the
 *	  linter cnap.policies().
 *
 * All read the catalogs, without locking the tables.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
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

#include "core/citus.h"
#include "core/definitions.h"
#include "core/own_catalog.h"
#include "core/relation.h"
#include "protection/keeper.h"
#include "protection/protection.h"
#include "protection/verify.h"

PG_FUNCTION_INFO_V1(cnap_protected_tables);
PG_FUNCTION_INFO_V1(cnap_policies);

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

	tables = CnapTablesWithPolicies(NULL);
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
 * cnap.policies(checks regnamespace)
 *	 -> setof (relation, policy, command, own, in_shape)
 *
 * Returns every policy of the database, but those of shards, and what it is
 * recognized as; "checks" is the schema of the public functions.  "own" is true
 * for those that cnap_protect() would replace, by their shape or their name.
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
	bool		has_citus = CnapHasCitus();

	InitMaterializedSRF(fcinfo, 0);
	CnapFindChecksBySchema(PG_GETARG_OID(0), &checks);
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
		Datum		values[5];
		bool		nulls[5] = {false};

		if (has_citus && CnapIsShard(form->polrelid))
			continue;
		values[0] = ObjectIdGetDatum(form->polrelid);
		values[1] = NameGetDatum(&form->polname);
		values[2] = CharGetDatum(form->polcmd);
		values[3] = BoolGetDatum(in_shape || CnapIsPolicyName(NameStr(form->polname)));
		values[4] = BoolGetDatum(in_shape);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
		MemoryContextReset(row_context);
	}
	MemoryContextSwitchTo(former);
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return (Datum) 0;
}
