/*-------------------------------------------------------------------------
 *
 * target.c
 *	  The tables that are to be protected or unprotected, and what prevents the
 *	  caller from it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/transam.h"
#include "catalog/dependency.h"
#include "catalog/indexing.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "core/citus.h"
#include "core/compat.h"
#include "core/own_catalog.h"
#include "core/relation.h"
#include "protection/target.h"

/* ---- one table ---- */

/* Check that a relation can be protected, and by the caller. */
static void
check_table(Oid relid)
{
	char		relkind = get_rel_relkind(relid);

	if (relkind == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist", relid)));
	if (relkind != RELKIND_RELATION && relkind != RELKIND_PARTITIONED_TABLE)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not a table", get_rel_name(relid)),
				 errdetail_relkind_not_supported(relkind),
				 relkind == RELKIND_VIEW ?
				 errhint("Protect the tables that it reads, and set security_invoker on the view.") : 0));
	if (relid < FirstNormalObjectId)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("\"%s\" is a system table", get_rel_name(relid))));
	if (CnapIsOwnTable(relid))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is a table of the extension itself",
						get_rel_name(relid))));
	if (!CnapOwnsRelation(relid, GetUserId()))
		aclcheck_error(ACLCHECK_NOT_OWNER, get_relkind_objtype(relkind),
					   get_rel_name(relid));
}

/*
 * Lock a table and all that inherit from it as ALTER TABLE would, and return
 * those that can have policies.  To be protected, they must be all: a query
 * that names a foreign table among them would return all of its rows.
 */
List *
CnapLockTables(Oid relid, bool protect)
{
	List	   *heirs;
	List	   *tables = NIL;
	ListCell   *lc;

	check_table(relid);
	LockRelationOid(relid, AccessExclusiveLock);
	heirs = find_all_inheritors(relid, AccessExclusiveLock, NULL);
	foreach(lc, heirs)
	{
		if (get_rel_relkind(lfirst_oid(lc)) != RELKIND_FOREIGN_TABLE)
		{
			check_table(lfirst_oid(lc));
			tables = lappend_oid(tables, lfirst_oid(lc));
		}
		else if (protect)
			ereport(ERROR,
					(errcode(ERRCODE_WRONG_OBJECT_TYPE),
					 errmsg("\"%s\", which inherits from \"%s\", is a foreign table",
							get_rel_name(lfirst_oid(lc)), get_rel_name(relid)),
					 errdetail("Row-level security does not apply to foreign tables."),
					 errhint("Remove it by DETACH PARTITION or NO INHERIT, and if necessary, add it again afterwards.")));
	}
	return tables;
}

/* Get a column of the table; raise an error if it does not exist. */
AttrNumber
CnapRequireColumn(Oid relid, const char *column)
{
	AttrNumber	attno = get_attnum(relid, column);

	if (attno <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("column \"%s\" of relation \"%s\" does not exist",
						column, get_rel_name(relid))));
	return attno;
}

/* Raise an error if a column is missing, or is not a uuid. */
void
CnapCheckColumn(Oid relid, const char *column)
{
	AttrNumber	attno = CnapRequireColumn(relid, column);

	if (get_atttype(relid, attno) != UUIDOID)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" of relation \"%s\" is of type %s, not uuid",
						column, get_rel_name(relid),
						format_type_be(get_atttype(relid, attno)))));
}

/* ---- the tables of a schema ---- */

/*
 * Does a table inherit from one of the same schema, with which it is
 * protected?
 */
static bool
follows_another(Oid relid)
{
	List	   *ancestors = CnapAncestors(relid);
	ListCell   *lc;

	foreach(lc, ancestors)
	{
		if (get_rel_namespace(lfirst_oid(lc)) == get_rel_namespace(relid))
			return true;
	}
	return false;
}

/* Is it a permanent relation that a user has created? */
static bool
is_of_user(Form_pg_class form)
{
	return form->oid >= FirstNormalObjectId && form->relpersistence != RELPERSISTENCE_TEMP &&
		!OidIsValid(getExtensionOfObject(RelationRelationId, form->oid));
}

/*
 * The relations of a schema, or of all, that can hold rows, without those that are
 * protected with another one.
 */
static List *
relations_of(Oid schema)
{
	Relation	rel = table_open(RelationRelationId, AccessShareLock);
	List	   *relids = NIL;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, Anum_pg_class_relnamespace, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(schema));
	scan = systable_beginscan(rel, InvalidOid, false, NULL, OidIsValid(schema) ? 1 : 0, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_class form = (Form_pg_class) GETSTRUCT(tuple);

		if ((form->relkind == RELKIND_RELATION || form->relkind == RELKIND_PARTITIONED_TABLE ||
			 form->relkind == RELKIND_FOREIGN_TABLE || form->relkind == RELKIND_MATVIEW) &&
			(OidIsValid(schema) || is_of_user(form)) && !follows_another(form->oid))
			relids = lappend_oid(relids, form->oid);
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return CnapWithoutShards(relids);
}

/* The reason why nobody, or not the caller, can protect or unprotect a table, or NULL. */
char *
CnapFindObstacle(Oid relid, bool protect, bool by_caller)
{
	List	   *heirs;
	ListCell   *lc;

	switch (get_rel_relkind(relid))
	{
		case RELKIND_FOREIGN_TABLE:
			return pstrdup("row-level security does not apply to foreign tables");
		case RELKIND_MATVIEW:
			return pstrdup("row-level security does not apply to materialized views, so whoever can query it sees all of its rows");
	}
	if (OidIsValid(getExtensionOfObject(RelationRelationId, relid)))
		return pstrdup("the table belongs to an extension");

	heirs = find_all_inheritors(relid, NoLock, NULL);
	foreach(lc, heirs)
	{
		Oid			heir = lfirst_oid(lc);

		if (get_rel_relkind(heir) != RELKIND_FOREIGN_TABLE)
		{
			if (by_caller && !CnapOwnsRelation(heir, GetUserId()))
				return psprintf("you do not own %s", CnapQualifiedName(heir));
		}
		else if (protect)
			return psprintf("row-level security does not apply to its partition or child table %s, which is a foreign table",
							CnapQualifiedName(heir));
	}
	return NULL;
}

/* ---- plans ---- */

int
CnapCompareTargets(const ListCell *a, const ListCell *b)
{
	const CnapTarget *x = lfirst(a);
	const CnapTarget *y = lfirst(b);

	if (x->level != y->level)
		return x->level < y->level ? -1 : 1;
	return strcmp(x->name, y->name);
}

/* A table of which nothing is known yet. */
CnapTarget *
CnapMakeTarget(Oid relid)
{
	CnapTarget *table = palloc0(sizeof(CnapTarget));

	table->relid = relid;
	table->name = CnapQualifiedName(relid);
	table->level = CNAP_NO_LEVEL;
	return table;
}

/* The tables of a schema, or of all, in the order of their names. */
List *
CnapFindTargets(Oid schema)
{
	List	   *relids = relations_of(schema);
	List	   *tables = NIL;
	ListCell   *lc;

	foreach(lc, relids)
		tables = lappend(tables, CnapMakeTarget(lfirst_oid(lc)));
	list_sort(tables, CnapCompareTargets);
	return tables;
}

/*
 * Count the parents above a table.  They need not all be protected, nor need
 * the table itself; policies made by hand can even form a cycle.
 */
int
CnapCountParents(Oid relid, const CnapChecks *checks, bool *all_protected)
{
	List	   *tables = NIL;

	*all_protected = true;
	do
	{
		CnapProtection protection;

		tables = lappend_oid(tables, relid);
		CnapReadProtection(relid, checks, &protection);
		*all_protected &= protection.is_protected;
		relid = CnapParentOf(relid, &protection);
	} while (OidIsValid(relid) && !list_member_oid(tables, relid));
	*all_protected &= !OidIsValid(relid);
	return list_length(tables) - 1;
}
