/*-------------------------------------------------------------------------
 *
 * rename_guard.c
 *	  Refuses to rename what the extension finds by its name.
 *
 * The schema cnap and what is in it are found by their names, and the SQL
 * functions contain the name of the schema of the public functions.  PostgreSQL
 * lets superusers rename all of these.  A session would go on with the OIDs that
 * it knows, and the next one deny everything, with the linter among what fails.
 * So a rename, or a move to another schema, is refused, except by the extension's
 * own scripts, or if cnap.guard is off.  Renaming protected tables, their columns
 * and schemas is no matter: policies refer to them by OID.
 *
 * Each changed object is looked at by a hook for object access, when the new row
 * is there, but not visible yet: so the caches have the former name.  The hook
 * exists once the event trigger of drop_guard.c has loaded the library.  What has
 * no row in pg_depend as a member of the extension, such as triggers and
 * constraints, is found by nobody but the linter, which reports it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/dependency.h"
#include "catalog/indexing.h"
#include "catalog/objectaccess.h"
#include "catalog/objectaddress.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_proc.h"
#include "commands/extension.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "core/own_catalog.h"
#include "protection/ddl_guard.h"
#include "protection/rename_guard.h"

static object_access_hook_type next_hook = NULL;

/* The new row of an object, or of a table's column, as a copy; NULL if it has none. */
static HeapTuple
new_row(Relation rel, Oid object, int column)
{
	ScanKeyData keys[2];
	int			nkeys = 1;
	Oid			index;
	SysScanDesc scan;
	HeapTuple	tuple;

	if (column != 0)
	{
		index = AttributeRelidNumIndexId;
		ScanKeyInit(&keys[0], Anum_pg_attribute_attrelid, BTEqualStrategyNumber, F_OIDEQ,
					ObjectIdGetDatum(object));
		ScanKeyInit(&keys[1], Anum_pg_attribute_attnum, BTEqualStrategyNumber, F_INT2EQ,
					Int16GetDatum(column));
		nkeys = 2;
	}
	else
	{
		index = get_object_oid_index(RelationGetRelid(rel));
		ScanKeyInit(&keys[0], get_object_attnum_oid(RelationGetRelid(rel)),
					BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(object));
	}
	scan = systable_beginscan(rel, index, true, SnapshotSelf, nkeys, keys);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		tuple = heap_copytuple(tuple);
	systable_endscan(scan);
	return tuple;
}

/* Has a column of a catalog, of a type that is passed by value or a name, changed? */
static bool
differs(Relation rel, HeapTuple former, HeapTuple present, AttrNumber column)
{
	TupleDesc	desc = RelationGetDescr(rel);
	bool		isnull;
	Datum		old_value;
	Datum		new_value;

	if (column == InvalidAttrNumber)
		return false;
	old_value = heap_getattr(former, column, desc, &isnull);
	new_value = heap_getattr(present, column, desc, &isnull);
	if (TupleDescAttr(desc, column - 1)->attbyval)
		return old_value != new_value;
	return strcmp(NameStr(*DatumGetName(old_value)), NameStr(*DatumGetName(new_value))) != 0;
}

/* Raise an error if an object of ours has another name or schema than before. */
static void
check_name(Oid class, Oid object, int column)
{
	Relation	rel = table_open(column != 0 ? AttributeRelationId : class, AccessShareLock);
	HeapTuple	former;
	HeapTuple	present = new_row(rel, object, column);
	bool		renamed;

	former = column != 0 ?
		SearchSysCache2(ATTNUM, ObjectIdGetDatum(object), Int16GetDatum(column)) :
		SearchSysCache1(get_object_catcache_oid(class), ObjectIdGetDatum(object));
	renamed = HeapTupleIsValid(former) && HeapTupleIsValid(present) &&
		(column != 0 ? differs(rel, former, present, Anum_pg_attribute_attname) :
		 (differs(rel, former, present, get_object_attnum_name(class)) ||
		  differs(rel, former, present, get_object_attnum_namespace(class))));
	if (renamed)
	{
		ObjectAddress address;

		ObjectAddressSubSet(address, class, object, column);
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("cannot rename or move %s", getObjectDescription(&address, false)),
				 errdetail("The extension cnap_org finds it by its name and schema.")));
	}
	if (HeapTupleIsValid(former))
		ReleaseSysCache(former);
	table_close(rel, AccessShareLock);
}

/* Does an object belong to the extension, or is it the schema of its functions? */
static bool
is_ours(Oid class, Oid object)
{
	Oid			extension = get_extension_oid("cnap_org", true);
	char	   *name;
	Oid			schema;
	Oid			owner;

	if (!OidIsValid(extension))
		return false;
	return getExtensionOfObject(class, object) == extension ||
		(class == NamespaceRelationId &&
		 OidIsValid(CnapReadExtension(extension, &name, &schema, &owner)) &&
		 schema == object);
}

/* hook for object access: changed objects */
static void
check_object(ObjectAccessType access, Oid class, Oid object, int sub, void *arg)
{
	if (next_hook != NULL)
		next_hook(access, class, object, sub, arg);
	if (access == OAT_POST_ALTER && !creating_extension && CnapGuards() &&
		(class == NamespaceRelationId || class == RelationRelationId ||
		 class == ProcedureRelationId) &&
		is_ours(class, object))
		check_name(class, object, sub);
}

void
CnapRenameGuardInit(void)
{
	next_hook = object_access_hook;
	object_access_hook = check_object;
}
