/*-------------------------------------------------------------------------
 *
 * drop_guard.c
 *	  Event trigger that refuses to drop the extension while it protects
 *	  tables.
 *
 * Without CASCADE, DROP EXTENSION fails anyway, since policies depend on our
 * functions.  With CASCADE the policies would be dropped, which would leave
 * their tables to the remaining policies, or unreadable if there are none.
 * The same goes for DROP SCHEMA and DROP OWNED with CASCADE.
 *
 * An event trigger that belongs to the extension examines these commands
 * before they start.  It is executed for all users, so it only reads the
 * catalogs, and ignores commands that do not concern the extension.  Before all
 * others, its only purpose is to have the library loaded (fkey_guard.c): many
 * commands can create a foreign key, and more with each version.
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
#include "catalog/pg_depend.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_policy.h"
#include "catalog/pg_proc.h"
#include "commands/event_trigger.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "core/own_catalog.h"
#include "core/relation.h"
#include "protection/policy_text.h"

PG_FUNCTION_INFO_V1(cnap_guard);

/* Maximum number of tables to name in the error. */
#define MAX_NAMED 10

/* What a command is going to drop, with everything that belongs to it. */
typedef struct Dropped
{
	bool		extension;		/* our extension */
	List	   *schemas;		/* names */
	List	   *owners;			/* OIDs */
} Dropped;

/* Does a list of names contain one, which is NULL if what had it is gone? */
static bool
has_name(List *names, const char *name)
{
	ListCell   *lc;

	foreach(lc, names)
	{
		if (name != NULL && strcmp(strVal(lfirst(lc)), name) == 0)
			return true;
	}
	return false;
}

/* Find out what a command with CASCADE drops, of what the caller is allowed to drop. */
static void
read_command(Node *command, const char *extension, Dropped *dropped)
{
	memset(dropped, 0, sizeof(*dropped));
	if (IsA(command, DropStmt))
	{
		DropStmt   *drop = (DropStmt *) command;

		if (drop->behavior != DROP_CASCADE)
			return;
		if (drop->removeType == OBJECT_EXTENSION)
			dropped->extension = has_name(drop->objects, extension);
		else if (drop->removeType == OBJECT_SCHEMA)
			dropped->schemas = drop->objects;
	}
	else if (IsA(command, DropOwnedStmt))
	{
		DropOwnedStmt *drop = (DropOwnedStmt *) command;
		ListCell   *lc;

		if (drop->behavior != DROP_CASCADE)
			return;
		foreach(lc, drop->roles)
		{
			Oid			role = get_rolespec_oid(lfirst_node(RoleSpec, lc), true);

			if (OidIsValid(role) && has_privs_of_role(GetUserId(), role))
				dropped->owners = lappend_oid(dropped->owners, role);
		}
	}
}

/* The tables of policies that depend on functions of an extension. */
static List *
find_protected(Oid extension)
{
	Relation	rel = table_open(DependRelationId, AccessShareLock);
	List	   *policies = NIL;
	List	   *tables = NIL;
	ListCell   *lc;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, Anum_pg_depend_classid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(PolicyRelationId));
	scan = systable_beginscan(rel, DependDependerIndexId, true, NULL, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_depend form = (Form_pg_depend) GETSTRUCT(tuple);

		if (form->refclassid == ProcedureRelationId &&
			getExtensionOfObject(ProcedureRelationId, form->refobjid) == extension)
			policies = list_append_unique_oid(policies, form->objid);
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);

	rel = table_open(PolicyRelationId, AccessShareLock);
	foreach(lc, policies)
	{
		tuple = CnapCopyPolicy(rel, lfirst_oid(lc));
		if (HeapTupleIsValid(tuple))
			tables = list_append_unique_oid(tables, ((Form_pg_policy) GETSTRUCT(tuple))->polrelid);
	}
	table_close(rel, AccessShareLock);
	return tables;
}

/*
 * Is a table left?  If so, return its name.  Nothing is locked, so it may have been dropped
 * by now.
 */
static char *
name_if_left(Oid relid, const Dropped *dropped)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	Form_pg_class table;
	char	   *schema;
	char	   *name = NULL;

	if (!HeapTupleIsValid(tuple))
		return NULL;
	table = (Form_pg_class) GETSTRUCT(tuple);
	schema = get_namespace_name(table->relnamespace);
	if (schema != NULL && !has_name(dropped->schemas, schema) &&
		!list_member_oid(dropped->owners, table->relowner))
		name = quote_qualified_identifier(schema, NameStr(table->relname));
	ReleaseSysCache(tuple);
	return name;
}

/* Refuse a command that would leave protected tables behind. */
static void
refuse_leftovers(Oid extension, const char *name, const Dropped *dropped)
{
	List	   *tables = find_protected(extension);
	ListCell   *lc;
	StringInfoData named;
	int			left = 0;

	initStringInfo(&named);
	foreach(lc, tables)
	{
		char	   *table = name_if_left(lfirst_oid(lc), dropped);

		if (table != NULL && left++ < MAX_NAMED)
			appendStringInfo(&named, "%s%s", named.len > 0 ? ", " : "", table);
	}
	if (left == 0)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
			 errmsg("cannot drop extension \"%s\" while it protects tables", name),
			 left > MAX_NAMED ?
			 errdetail("These are: %s, and %d more.", named.data, left - MAX_NAMED) :
			 errdetail("These are: %s.", named.data),
			 errhint("Call cnap_unprotect() or cnap_unprotect_schema(), and drop policies of your own that use the extension, before dropping it.")));
}

/* The owner of a schema, or InvalidOid. */
static Oid
schema_owner(Oid schema)
{
	HeapTuple	tuple = SearchSysCache1(NAMESPACEOID, ObjectIdGetDatum(schema));
	Oid			owner;

	if (!HeapTupleIsValid(tuple))
		return InvalidOid;
	owner = ((Form_pg_namespace) GETSTRUCT(tuple))->nspowner;
	ReleaseSysCache(tuple);
	return owner;
}

/* cnap.guard() -> event_trigger */
Datum
cnap_guard(PG_FUNCTION_ARGS)
{
	EventTriggerData *trigdata = (EventTriggerData *) fcinfo->context;
	char	   *name = NULL;
	Oid			schema = InvalidOid;
	Oid			owner = InvalidOid;
	Oid			owner_of_schema;
	Oid			extension;
	Dropped		dropped;

	if (!CALLED_AS_EVENT_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_EVENT_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("cnap.guard() can only be called as an event trigger")));
	if (!IsA(trigdata->parsetree, DropStmt) && !IsA(trigdata->parsetree, DropOwnedStmt))
		PG_RETURN_NULL();
	extension = CnapFindExtension(fcinfo->flinfo->fn_oid, &name, &schema, &owner);
	if (!OidIsValid(extension))
		PG_RETURN_NULL();

	/* PostgreSQL itself refuses callers who are not allowed to drop it. */
	read_command(trigdata->parsetree, name, &dropped);
	owner_of_schema = schema_owner(schema);
	if ((dropped.extension && has_privs_of_role(GetUserId(), owner)) ||
		(has_name(dropped.schemas, get_namespace_name(schema)) &&
		 has_privs_of_role(GetUserId(), owner_of_schema)) ||
		list_member_oid(dropped.owners, owner) ||
		list_member_oid(dropped.owners, owner_of_schema))
		refuse_leftovers(extension, name, &dropped);
	PG_RETURN_NULL();
}
