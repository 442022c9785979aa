/*-------------------------------------------------------------------------
 *
 * target.c
 *	  The relations of a schema, and what prevents the caller from protecting
 *	  them: for cnap_protect_schema() and cnap_unprotect_schema().
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/dependency.h"
#include "catalog/indexing.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "miscadmin.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "core/compat.h"
#include "protection/policy_text.h"

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

/*
 * The relations of a schema that can hold rows, without those that are
 * protected with another one.
 */
List *
CnapRelationsOf(Oid schema)
{
	Relation	rel = table_open(RelationRelationId, AccessShareLock);
	List	   *relids = NIL;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, Anum_pg_class_relnamespace, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(schema));
	scan = systable_beginscan(rel, InvalidOid, false, NULL, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_class form = (Form_pg_class) GETSTRUCT(tuple);

		if ((form->relkind == RELKIND_RELATION || form->relkind == RELKIND_PARTITIONED_TABLE ||
			 form->relkind == RELKIND_FOREIGN_TABLE || form->relkind == RELKIND_MATVIEW) &&
			!follows_another(form->oid))
			relids = lappend_oid(relids, form->oid);
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return relids;
}

/* The reason why the caller cannot protect, or unprotect, a table, or NULL. */
char *
CnapFindObstacle(Oid relid, bool protect)
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
			if (!CnapOwnsRelation(heir, GetUserId()))
				return psprintf("you do not own %s", CnapQualifiedName(heir));
		}
		else if (protect)
			return psprintf("row-level security does not apply to its partition or child table %s, which is a foreign table",
							CnapQualifiedName(heir));
	}
	return NULL;
}
