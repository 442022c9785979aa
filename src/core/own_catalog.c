/*-------------------------------------------------------------------------
 *
 * own_catalog.c
 *	  The extension's own tables and functions, by OID.
 *
 * Names are looked up in the schema that belongs to the extension, never by
 * the search path.  The OIDs that are needed often are cached until a relation
 * cache invalidation for one of the tables: because of DROP EXTENSION, a
 * renamed table, or an index that REINDEX CONCURRENTLY replaced.  After that
 * each is looked up again on its own, when it is needed: with
 * debug_discard_caches, the next invalidation arrives during the lookup.
 *
 * The former OIDs of the tables stay in place until then, because the callbacks
 * compare with them.  They are replaced all at once if it turns out that the
 * schema is another one.
 *
 * The cache is in static memory; nothing here is allocated.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/dependency.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/pg_am.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_index.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "core/compat.h"
#include "core/epoch.h"
#include "core/invalidation.h"
#include "core/own_catalog.h"
#include "core/relation.h"
#include "core/version.h"

PG_FUNCTION_INFO_V1(cnap_begin_update);

#define EXTENSION_NAME "cnap_org"
#define SCHEMA_NAME "cnap"

/* The highest number of a column that the index of a lookup leads with. */
#define MAX_LEADING Anum_workspace_managed_by

static const char *const table_names[CNAP_TABLES] = {
	[CNAP_ORGANIZATION] = "organization",
	[CNAP_ORGANIZATION_MEMBER] = "organization_member",
	[CNAP_WORKSPACE] = "workspace",
	[CNAP_WORKSPACE_MEMBER] = "workspace_member",
	[CNAP_AUDIT_LOG] = "audit_log",
	[CNAP_ACCESS_TOKEN] = "access_token",
	[CNAP_ACCESS_TOKEN_USE] = "access_token_use",
	[CNAP_INSTALL_LINK] = "install_link",
	[CNAP_REDEMPTION] = "redemption",
	[CNAP_INVITATION] = "invitation",
	[CNAP_BEAT] = "beat",
	[CNAP_ROLE_USER] = "role_user",
	[CNAP_ROLE_DEFINITION] = "role_definition",
	[CNAP_PERMISSION_DEFINITION] = "permission_definition",
	[CNAP_ASSIGNMENT] = "assignment",
};

/*
 * An OID, and how many invalidations had been counted before its lookup.  After
 * an invalidation during the lookup, the result is still good for this call,
 * but the next call looks it up again.
 */
typedef struct KnownOid
{
	Oid			oid;
	uint64		as_of;
} KnownOid;

static struct
{
	KnownOid	schema;
	KnownOid	table[CNAP_TABLES];
	KnownOid	index[CNAP_TABLES][MAX_LEADING + 1];	/* by leading column */
}			own;

/* Counts invalidations; an OID that was never looked up is as of 0. */
static uint64 own_invalidations = 1;

static inline bool
is_valid(const KnownOid *known)
{
	return likely(known->as_of == own_invalidations);
}

/* Look everything up again when it is needed. */
static void
forget_all(void)
{
	own_invalidations++;
	CnapEpochAdvance();
}

/* Relation cache callback: InvalidOid stands for all relations. */
static void
forget_oids(Oid relid)
{
	if (relid != InvalidOid)
	{
		int			i = 0;

		while (i < CNAP_TABLES && own.table[i].oid != relid)
			i++;
		if (i == CNAP_TABLES)
			return;
	}
	forget_all();
}

void
CnapRelationsInit(void)
{
	CnapOnInvalidation(forget_oids);
}

pg_noreturn static void
not_installed(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("extension \"%s\" is not installed in this database",
					EXTENSION_NAME)));
}

/* Something that a version after that of this database has. */
pg_noreturn static void
not_updated(const char *name)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("\"%s.%s\" does not exist in this version of extension \"%s\"",
					SCHEMA_NAME, name, EXTENSION_NAME),
			 errhint("ALTER EXTENSION %s UPDATE;", EXTENSION_NAME)));
}

/* A table; one that is not there yet is looked up again by the next call. */
static KnownOid
lookup_table(Oid schema, CnapTable table, uint64 as_of)
{
	Oid			oid = get_relname_relid(table_names[table], schema);

	return (KnownOid) {oid, OidIsValid(oid) ? as_of : 0};
}

/* Find our extension, and its version; false if it is not in this database. */
static bool
find_extension(Oid *extension, char **version)
{
	Relation	rel = table_open(ExtensionRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		found;

	ScanKeyInit(&key, Anum_pg_extension_extname, BTEqualStrategyNumber, F_NAMEEQ,
				CStringGetDatum(EXTENSION_NAME));
	scan = systable_beginscan(rel, ExtensionNameIndexId, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	found = HeapTupleIsValid(tuple);
	if (found)
	{
		bool		isnull;

		*extension = ((Form_pg_extension) GETSTRUCT(tuple))->oid;
		*version = TextDatumGetCString(heap_getattr(tuple, Anum_pg_extension_extversion,
													RelationGetDescr(rel), &isnull));
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return found;
}

/*
 * The extension's schema; one of that name that does not belong to it is not
 * accepted.  As long as it is the same one, it still belongs to the extension,
 * and has the same epochs.
 *
 * Once this has been called, the callbacks know all tables.  Every lookup goes
 * through here, so nothing is cached whose end they would not notice.
 */
static Oid
own_schema(void)
{
	uint64		before = own_invalidations;
	Oid			schema;
	Oid			extension;
	char	   *version;

	if (is_valid(&own.schema))
		return own.schema.oid;

	schema = get_namespace_oid(SCHEMA_NAME, true);
	if (!OidIsValid(schema) || !find_extension(&extension, &version))
		not_installed();
	CnapCheckVersion(version);
	if (schema != own.schema.oid)
	{
		KnownOid	tables[CNAP_TABLES];

		if (getExtensionOfObject(NamespaceRelationId, schema) != extension)
			not_installed();
		for (int i = 0; i < CNAP_TABLES; i++)
			tables[i] = lookup_table(schema, i, before);

		memset(&own, 0, sizeof(own));
		memcpy(own.table, tables, sizeof(own.table));
	}
	own.schema = (KnownOid) {schema, before};
	pfree(version);
	return schema;
}

/* Is a column of an index ordered bytewise, if it has a collation? */
static bool
is_bytewise(HeapTuple tuple, TupleDesc desc, int column)
{
	bool		isnull;
	Datum		collations = heap_getattr(tuple, Anum_pg_index_indcollation, desc, &isnull);
	Oid			collation = ((oidvector *) DatumGetPointer(collations))->values[column];

	return !OidIsValid(collation) || collation == C_COLLATION_OID;
}

/*
 * The second column by which rows are looked up, with the first one, or
 * InvalidAttrNumber.
 */
static AttrNumber
second_column(CnapTable table, AttrNumber leading)
{
	switch (table)
	{
		case CNAP_ORGANIZATION_MEMBER:
		case CNAP_WORKSPACE_MEMBER:
		case CNAP_ASSIGNMENT:
			return leading == Anum_organization_member_organization_id ?
				Anum_organization_member_user_id : InvalidAttrNumber;
		case CNAP_WORKSPACE:
			return leading == Anum_workspace_managed_by ?
				Anum_workspace_managed_access : InvalidAttrNumber;
		default:
			return InvalidAttrNumber;
	}
}

/*
 * Find an index of a table by the columns of a lookup, of which there are one or
 * two.  Any valid index that begins with them and has the collation of lookups
 * will do; the primary key takes precedence.
 */
static Oid
lookup_index(CnapTable table, AttrNumber leading)
{
	Relation	rel = table_open(IndexRelationId, AccessShareLock);
	Oid			index = InvalidOid;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	AttrNumber	second = second_column(table, leading);

	ScanKeyInit(&key, Anum_pg_index_indrelid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(CnapTableOid(table)));
	scan = systable_beginscan(rel, IndexIndrelidIndexId, true, NULL, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_index form = (Form_pg_index) GETSTRUCT(tuple);

		if (form->indisvalid && form->indkey.values[0] == leading &&
			(!OidIsValid(index) || form->indisprimary) &&
			heap_attisnull(tuple, Anum_pg_index_indpred, RelationGetDescr(rel)) &&
			is_bytewise(tuple, RelationGetDescr(rel), 0) &&
			(second == InvalidAttrNumber ||
			 (form->indnkeyatts > 1 && form->indkey.values[1] == second &&
			  is_bytewise(tuple, RelationGetDescr(rel), 1))) &&
			CnapIndexMethod(form->indexrelid) == BTREE_AM_OID)
			index = form->indexrelid;
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return index;
}

/* One of our internal functions. */
static Oid
lookup_function(const char *name, int nargs, const Oid *types)
{
	Oid			function = GetSysCacheOid3(PROCNAMEARGSNSP, Anum_pg_proc_oid,
										   CStringGetDatum(name),
										   PointerGetDatum(buildoidvector(types, nargs)),
										   ObjectIdGetDatum(own_schema()));

	if (!OidIsValid(function))
		not_updated(name);
	return function;
}

/*
 * The variant of cnap.reachable() that takes a user of that type, or the one
 * for the current user if the type is InvalidOid.
 */
Oid
CnapReachableFunction(Oid user_type)
{
	Oid			types[] = {user_type, TEXTOID};

	if (OidIsValid(user_type))
		return lookup_function("reachable", 2, types);
	return lookup_function("reachable", 1, &types[1]);
}

/* The function that always returns false, which the planner does not know. */
Oid
CnapNeverFunction(void)
{
	return lookup_function("never", 0, NULL);
}

/* The function that is true for a number of calls, and false from then on. */
Oid
CnapAtFirstFunction(void)
{
	Oid			type = INT4OID;

	return lookup_function("at_first", 1, &type);
}

/* The trigger function that sets a workspace column to the parent's. */
Oid
CnapFillFunction(void)
{
	return lookup_function("fill_workspace", 0, NULL);
}

Oid
CnapKnownTableOid(CnapTable table)
{
	return own.table[table].oid;
}

/* The OID of a table. */
Oid
CnapTableOid(CnapTable table)
{
	KnownOid   *known = &own.table[table];
	uint64		before = own_invalidations;

	if (!is_valid(known))
	{
		KnownOid	found = lookup_table(own_schema(), table, before);

		if (!OidIsValid(found.oid))
			not_updated(table_names[table]);
		*known = found;
	}
	return known->oid;
}

/* The index that leads with a column, or InvalidOid if there is none. */
Oid
CnapIndexOid(CnapTable table, AttrNumber leading)
{
	KnownOid   *known;
	uint64		before = own_invalidations;

	Assert(leading > 0);
	if (leading > MAX_LEADING)
		return InvalidOid;
	known = &own.index[table][leading];
	if (!is_valid(known))
	{
		Oid			oid = lookup_index(table, leading);

		*known = (KnownOid) {oid, before};
	}
	return known->oid;
}

/* Open a table for reading; the caller closes it, with AccessShareLock. */
Relation
CnapOpenTable(CnapTable table)
{
	return table_open(CnapTableOid(table), AccessShareLock);
}

/* Which of our tables is this? */
CnapTable
CnapTableOf(Relation relation)
{
	if (RelationGetNamespace(relation) == own_schema())
	{
		for (int i = 0; i < CNAP_TABLES; i++)
		{
			if (strcmp(RelationGetRelationName(relation), table_names[i]) == 0)
				return i;
		}
	}
	ereport(ERROR,
			(errcode(ERRCODE_WRONG_OBJECT_TYPE),
			 errmsg("\"%s\" is not a table of the extension \"%s\"",
					RelationGetRelationName(relation), EXTENSION_NAME)));
}

/* Is this one of our tables? */
bool
CnapIsOwnTable(Oid relid)
{
	own_schema();
	for (int i = 0; i < CNAP_TABLES; i++)
	{
		if (own.table[i].oid == relid)
			return true;
	}
	return false;
}

/*
 * Find the name, schema and owner of an extension, and return its OID, or InvalidOid
 * if there is none.
 */
Oid
CnapReadExtension(Oid extension, char **name, Oid *schema, Oid *owner)
{
	Relation	rel = table_open(ExtensionRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, Anum_pg_extension_oid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(extension));
	scan = systable_beginscan(rel, ExtensionOidIndexId, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		Form_pg_extension form = (Form_pg_extension) GETSTRUCT(tuple);

		*name = pstrdup(NameStr(form->extname));
		*schema = form->extnamespace;
		*owner = form->extowner;
	}
	else
		extension = InvalidOid;
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return extension;
}

/* Find the extension that a function of ours belongs to; InvalidOid while it is being dropped. */
Oid
CnapFindExtension(Oid function, char **name, Oid *schema, Oid *owner)
{
	return CnapReadExtension(getExtensionOfObject(ProcedureRelationId, function),
							 name, schema, owner);
}

/* The role that owns the tables, and that alone can read and write them. */
Oid
CnapOwner(void)
{
	return CnapRelationOwner(CnapTableOid(CNAP_ORGANIZATION));
}

/*
 * cnap.begin_update() -> void; called by update scripts
 *
 * Refuses the update if this library does not serve the new version, which the
 * extension has by then.  PostgreSQL sends no message about that, so we send one
 * about a table of ours.
 */
Datum
cnap_begin_update(PG_FUNCTION_ARGS)
{
	forget_all();
	CacheInvalidateRelcacheByRelid(CnapTableOid(CNAP_WORKSPACE));
	PG_RETURN_VOID();
}

bool
CnapColumnDiffers(TupleDesc desc, HeapTuple before, HeapTuple after, AttrNumber attno)
{
	Form_pg_attribute att = TupleDescAttr(desc, attno - 1);
	bool		before_null;
	bool		after_null;
	Datum		before_value = heap_getattr(before, attno, desc, &before_null);
	Datum		after_value = heap_getattr(after, attno, desc, &after_null);

	if (before_null || after_null)
		return before_null != after_null;
	return !datum_image_eq(before_value, after_value, att->attbyval, att->attlen);
}
