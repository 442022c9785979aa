/*-------------------------------------------------------------------------
 *
 * foreign_key.c
 *	  Foreign keys, as the way from a row to its parent.
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
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/ruleutils.h"
#include "utils/syscache.h"

#include "core/compat.h"
#include "core/relation.h"
#include "protection/foreign_key.h"

/* ---- keys in SQL ---- */

/* A column of a relation with that alias. */
char *
CnapColumnReference(const char *alias, Oid relid, AttrNumber column)
{
	return psprintf("%s.%s", alias, quote_identifier(get_attname(relid, column, false)));
}

/*
 * The FROM item for a parent.  A foreign key to a table with inheritance
 * children refers only to rows of the table itself.
 */
char *
CnapParentSource(Oid parent, const char *alias)
{
	return psprintf("%s%s %s",
					get_rel_relkind(parent) == RELKIND_PARTITIONED_TABLE ? "" : "ONLY ",
					CnapQualifiedName(parent), alias);
}

/* Append the comparison of the keys of a row and its parent. */
void
CnapAppendKeys(StringInfo sql, const CnapLink *link, Oid child, const char *child_alias,
			   const char *alias)
{
	for (int i = 0; i < link->nkeys; i++)
	{
		AttrNumber	theirs = link->parent_keys[i];
		AttrNumber	ours = link->child_keys[i];
		Oid			type;
		int32		typmod;
		Oid			collation;
		Oid			our_type;
		Oid			our_collation;

		get_atttypetypmodcoll(link->parent, theirs, &type, &typmod, &collation);
		get_atttypetypmodcoll(child, ours, &our_type, &typmod, &our_collation);
		appendStringInfoString(sql, i > 0 ? " AND " : " WHERE ");
		generate_operator_clause(sql, CnapColumnReference(alias, link->parent, theirs), type,
								 link->operators[i],
								 CnapColumnReference(child_alias, child, ours), our_type);
		if (OidIsValid(collation) && collation != our_collation)
			appendStringInfo(sql, " COLLATE %s", generate_collation_name(collation));
	}
}

/* ---- reading them ---- */

/* Has a foreign key been created because of another one of the same table? */
bool
CnapIsDerivedKey(Oid constraint)
{
	HeapTuple	tuple = SearchSysCache1(CONSTROID, ObjectIdGetDatum(constraint));
	Form_pg_constraint form;
	HeapTuple	parent;
	bool		derived = false;

	if (!HeapTupleIsValid(tuple))
		return false;
	form = (Form_pg_constraint) GETSTRUCT(tuple);
	parent = SearchSysCache1(CONSTROID, ObjectIdGetDatum(form->conparentid));
	if (HeapTupleIsValid(parent))
	{
		derived = ((Form_pg_constraint) GETSTRUCT(parent))->conrelid == form->conrelid;
		ReleaseSysCache(parent);
	}
	ReleaseSysCache(tuple);
	return derived;
}

/* Deconstruct a foreign key. */
static void
read_foreign_key(HeapTuple tuple, CnapLink *link)
{
	memset(link, 0, sizeof(*link));
	link->parent = ((Form_pg_constraint) GETSTRUCT(tuple))->confrelid;
	link->constraint = ((Form_pg_constraint) GETSTRUCT(tuple))->oid;
	link->is_valid = ((Form_pg_constraint) GETSTRUCT(tuple))->convalidated;
	DeconstructFkConstraintRow(tuple, &link->nkeys, link->child_keys, link->parent_keys,
							   link->operators, NULL, NULL, NULL, NULL);
}

/* Is a column one of those of a key? */
bool
CnapHasKey(const CnapLink *link, AttrNumber column)
{
	for (int i = 0; i < link->nkeys; i++)
	{
		if (link->child_keys[i] == column)
			return true;
	}
	return false;
}

/*
 * The foreign keys of a table that refer to rows by equality of all columns, as
 * a list of CnapLink, in the order of their names.  A null snapshot means now.
 */
List *
CnapForeignKeysAsOf(Oid relid, Snapshot snapshot)
{
	Relation	rel = table_open(ConstraintRelationId, AccessShareLock);
	List	   *links = NIL;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, Anum_pg_constraint_conrelid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(relid));
	scan = systable_beginscan(rel, ConstraintRelidTypidNameIndexId, true, snapshot, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_constraint form = (Form_pg_constraint) GETSTRUCT(tuple);

		if (form->contype == CONSTRAINT_FOREIGN && !CnapIsPeriodKey(form) &&
			!CnapIsDerivedKey(form->oid))
		{
			CnapLink   *link = palloc(sizeof(CnapLink));

			read_foreign_key(tuple, link);
			links = lappend(links, link);
		}
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return links;
}

/* Likewise, as of now. */
List *
CnapAllForeignKeys(Oid relid)
{
	return CnapForeignKeysAsOf(relid, NULL);
}

/* Do two links lead to the same parent by the same key? */
bool
CnapIsSameLink(const CnapLink *a, const CnapLink *b)
{
	return memcmp(a, b, offsetof(CnapLink, constraint)) == 0;
}

/* Can any of the columns of a link be null? */
bool
CnapIsNullableLink(Oid relid, const CnapLink *link)
{
	for (int i = 0; i < link->nkeys; i++)
	{
		if (!CnapIsNotNull(relid, link->child_keys[i]))
			return true;
	}
	return false;
}
