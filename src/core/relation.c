/*-------------------------------------------------------------------------
 *
 * relation.c
 *	  What the catalogs say about a relation, whoever it belongs to.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/pg_am.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_index.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "core/compat.h"
#include "core/relation.h"

/* ---- names and owners ---- */

/*
 * The name of a relation, qualified and quoted; its OID if it has been dropped
 * concurrently.
 */
char *
CnapQualifiedName(Oid relid)
{
	char	   *name = get_rel_name(relid);
	char	   *schema = get_namespace_name(get_rel_namespace(relid));

	if (name == NULL || schema == NULL)
		return psprintf("%u", relid);
	return quote_qualified_identifier(schema, name);
}

/* The owner of a relation. */
Oid
CnapRelationOwner(Oid relid)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	Oid			owner;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for relation %u", relid);
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	return owner;
}

/*
 * The names of a table's columns; NULL if one has been dropped concurrently.
 */
ArrayType *
CnapColumnNames(Oid relid, const AttrNumber *columns, int ncolumns)
{
	Datum	   *names = palloc(ncolumns * sizeof(Datum));

	for (int i = 0; i < ncolumns; i++)
	{
		char	   *name = get_attname(relid, columns[i], true);

		if (name == NULL)
			return NULL;
		names[i] = DirectFunctionCall1(namein, CStringGetDatum(name));
	}
	return construct_array(names, ncolumns, NAMEOID, NAMEDATALEN, false, TYPALIGN_CHAR);
}

/* ---- columns and indexes ---- */

/* Do existing rows satisfy a column's NOT NULL? */
static bool
is_validated(Oid relid, AttrNumber column)
{
	HeapTuple	tuple = CnapNotNullConstraint(relid, column);
	bool		validated = true;

	if (HeapTupleIsValid(tuple))
	{
		validated = ((Form_pg_constraint) GETSTRUCT(tuple))->convalidated;
		heap_freetuple(tuple);
	}
	return validated;
}

/* Is a column NOT NULL, and so in all rows? */
bool
CnapIsNotNull(Oid relid, AttrNumber column)
{
	HeapTuple	tuple = SearchSysCache2(ATTNUM, ObjectIdGetDatum(relid),
										Int16GetDatum(column));
	bool		not_null;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for attribute %d of relation %u", column, relid);
	not_null = ((Form_pg_attribute) GETSTRUCT(tuple))->attnotnull;
	ReleaseSysCache(tuple);
	return not_null && is_validated(relid, column);
}

/* The access method of an index. */
Oid
CnapIndexMethod(Oid index)
{
	return GetSysCacheOid1(RELOID, Anum_pg_class_relam, ObjectIdGetDatum(index));
}

/*
 * Does a table have an index that leads with a column and supports equality?
 */
bool
CnapHasIndex(Oid relid, AttrNumber column)
{
	Relation	rel = table_open(relid, AccessShareLock);
	List	   *indexes = RelationGetIndexList(rel);
	ListCell   *lc;
	bool		found = false;

	foreach(lc, indexes)
	{
		HeapTuple	tuple = SearchSysCache1(INDEXRELID,
											ObjectIdGetDatum(lfirst_oid(lc)));
		Form_pg_index form;
		Oid			am;

		if (!HeapTupleIsValid(tuple))
			elog(ERROR, "cache lookup failed for index %u", lfirst_oid(lc));
		form = (Form_pg_index) GETSTRUCT(tuple);
		am = CnapIndexMethod(form->indexrelid);
		found |= form->indisvalid && form->indkey.values[0] == column &&
			(am == BTREE_AM_OID || am == HASH_AM_OID) &&
			heap_attisnull(tuple, Anum_pg_index_indpred, NULL);
		ReleaseSysCache(tuple);
	}
	list_free(indexes);
	table_close(rel, AccessShareLock);
	return found;
}

/*
 * Do the columns have a unique index?  With exactly = false, a unique index on
 * some of them suffices, since they still identify at most one row.
 */
bool
CnapIsUnique(Oid relid, const AttrNumber *columns, int ncolumns, bool exactly)
{
	Relation	rel = table_open(IndexRelationId, AccessShareLock);
	Bitmapset  *wanted = NULL;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		found = false;

	for (int i = 0; i < ncolumns; i++)
		wanted = bms_add_member(wanted, columns[i]);
	ScanKeyInit(&key, Anum_pg_index_indrelid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(relid));
	scan = systable_beginscan(rel, IndexIndrelidIndexId, true, NULL, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_index form = (Form_pg_index) GETSTRUCT(tuple);
		Bitmapset  *used = NULL;
		bool		has_expression = false;

		for (int i = 0; i < form->indnkeyatts; i++)
		{
			if (form->indkey.values[i] > 0)
				used = bms_add_member(used, form->indkey.values[i]);
			else
				has_expression = true;
		}
		found |= form->indisunique && form->indisvalid && !has_expression &&
			heap_attisnull(tuple, Anum_pg_index_indpred, RelationGetDescr(rel)) &&
			(exactly ? bms_equal(used, wanted) : bms_is_subset(used, wanted)) &&
			(form->indimmediate || !exactly);
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return found;
}

/* ---- relatives and dependents ---- */

/* The tables that a table directly inherits from; a null snapshot means now. */
List *
CnapInheritedFrom(Oid relid, Snapshot snapshot)
{
	Relation	rel = table_open(InheritsRelationId, AccessShareLock);
	List	   *parents = NIL;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, Anum_pg_inherits_inhrelid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(relid));
	scan = systable_beginscan(rel, InheritsRelidSeqnoIndexId, true, snapshot, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
		parents = lappend_oid(parents, ((Form_pg_inherits) GETSTRUCT(tuple))->inhparent);
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return parents;
}

/*
 * All tables that a table inherits from, directly or through others.  A null
 * snapshot means now.
 */
List *
CnapAncestorsAsOf(Oid relid, Snapshot snapshot)
{
	List	   *ancestors = CnapInheritedFrom(relid, snapshot);

	/* The list grows while we walk along it. */
	for (int i = 0; i < list_length(ancestors); i++)
		ancestors = list_concat_unique_oid(ancestors,
										   CnapInheritedFrom(list_nth_oid(ancestors, i), snapshot));
	return ancestors;
}

/* Likewise, as of now. */
List *
CnapAncestors(Oid relid)
{
	return CnapAncestorsAsOf(relid, NULL);
}

/*
 * The objects of a class, such as policies, that depend on a relation or its
 * columns.
 */
List *
CnapDependents(Oid relid, Oid class)
{
	Relation	rel = table_open(DependRelationId, AccessShareLock);
	List	   *dependents = NIL;
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&keys[0], Anum_pg_depend_refclassid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(RelationRelationId));
	ScanKeyInit(&keys[1], Anum_pg_depend_refobjid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(relid));
	scan = systable_beginscan(rel, DependReferenceIndexId, true, NULL, 2, keys);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_depend form = (Form_pg_depend) GETSTRUCT(tuple);

		if (form->classid == class)
			dependents = list_append_unique_oid(dependents, form->objid);
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return dependents;
}
