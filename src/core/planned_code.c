/*-------------------------------------------------------------------------
 *
 * planned_code.c
 *	  Whose code PostgreSQL executes when it plans a query of a table.
 *
 * The planner simplifies the expressions of a table's indexes, statistics, partition
 * key and partitions, and to that end calls what is declared immutable, whatever the
 * query is, as whoever plans it.  The expressions are not examined: a dependency on
 * anything that does not come with PostgreSQL is enough.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_index.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_statistic_ext.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "optimizer/cost.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "core/planned_code.h"
#include "core/relation.h"

/* Is there something that somebody has defined in the expressions of an object? */
static bool
has_foreign_expression(Oid class, Oid object)
{
	Relation	rel = table_open(DependRelationId, AccessShareLock);
	ScanKeyData keys[3];
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		found = false;

	ScanKeyInit(&keys[0], Anum_pg_depend_classid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(class));
	ScanKeyInit(&keys[1], Anum_pg_depend_objid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(object));
	ScanKeyInit(&keys[2], Anum_pg_depend_objsubid, BTEqualStrategyNumber, F_INT4EQ,
				Int32GetDatum(0));
	scan = systable_beginscan(rel, DependDependerIndexId, true, NULL, 3, keys);
	while (!found && HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_depend form = (Form_pg_depend) GETSTRUCT(tuple);

		found = form->refobjid >= FirstNormalObjectId &&
			(form->refclassid == ProcedureRelationId || form->refclassid == OperatorRelationId ||
			 form->refclassid == TypeRelationId);
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return found;
}

static bool
have_foreign_expressions(Oid class, const List *objects)
{
	const ListCell *lc;

	foreach(lc, objects)
	{
		if (has_foreign_expression(class, lfirst_oid(lc)))
			return true;
	}
	return false;
}

static List *
indexes_of(Oid relid)
{
	Relation	rel = table_open(IndexRelationId, AccessShareLock);
	List	   *indexes = NIL;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, Anum_pg_index_indrelid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(relid));
	scan = systable_beginscan(rel, IndexIndrelidIndexId, true, NULL, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
		indexes = lappend_oid(indexes, ((Form_pg_index) GETSTRUCT(tuple))->indexrelid);
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return indexes;
}

/* Does any query of a table execute what somebody has defined? */
static bool
has_foreign_plan(Oid relid)
{
	if (has_foreign_expression(RelationRelationId, relid) ||
		have_foreign_expressions(RelationRelationId, indexes_of(relid)) ||
		have_foreign_expressions(StatisticExtRelationId,
								 CnapDependents(relid, StatisticExtRelationId)))
		return true;

	/* whether CHECK constraints exclude it */
	return (get_rel_relispartition(relid) || constraint_exclusion == CONSTRAINT_EXCLUSION_ON) &&
		have_foreign_expressions(ConstraintRelationId,
								 CnapDependents(relid, ConstraintRelationId));
}

/* A table that has been dropped meanwhile is left out. */
List *
CnapForeignTables(Oid relid, LOCKMODE lockmode)
{
	List	   *tables = get_rel_relkind(relid) == RELKIND_PARTITIONED_TABLE ?
		find_all_inheritors(relid, lockmode, NULL) : list_make1_oid(relid);
	List	   *foreign = NIL;
	ListCell   *lc;

	foreach(lc, tables)
	{
		if (SearchSysCacheExists1(RELOID, ObjectIdGetDatum(lfirst_oid(lc))) &&
			!superuser_arg(CnapRelationOwner(lfirst_oid(lc))))
			foreign = lappend_oid(foreign, lfirst_oid(lc));
	}
	return foreign;
}

bool
CnapPlansForeignCode(const List *tables)
{
	const ListCell *lc;

	foreach(lc, tables)
	{
		if (has_foreign_plan(lfirst_oid(lc)))
			return true;
	}
	return false;
}
