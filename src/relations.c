/*-------------------------------------------------------------------------
 *
 * relations.c
 *	  The extension's own tables and types, by OID.
 *
 * Names are looked up in the schema that belongs to the extension, never by
 * the search path.  The OIDs are cached until a relation cache invalidation
 * for one of the tables: because of DROP EXTENSION, a renamed table, or an
 * index that REINDEX CONCURRENTLY replaced.  The OIDs of the enums' values can
 * change only with DROP EXTENSION, which drops the tables as well.
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
#include "catalog/namespace.h"
#include "catalog/pg_am.h"
#include "catalog/pg_enum.h"
#include "catalog/pg_index.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "parser/parse_func.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "compat.h"
#include "relations.h"

#define EXTENSION_NAME "cnap_org"
#define SCHEMA_NAME "cnap"

/* The highest number of a column that the index of a lookup leads with. */
#define MAX_LEADING Anum_workspace_managed_by

static const char *const table_names[CNAP_USER_EPOCH + 1] = {
	[CNAP_ORGANIZATION] = "organization",
	[CNAP_ORGANIZATION_MEMBER] = "organization_member",
	[CNAP_WORKSPACE] = "workspace",
	[CNAP_WORKSPACE_MEMBER] = "workspace_member",
	[CNAP_AUDIT_LOG] = "audit_log",
	[CNAP_ACCESS_TOKEN] = "access_token",
	[CNAP_ACCESS_TOKEN_USE] = "access_token_use",
	[CNAP_INSTALL_LINK] = "install_link",
	[CNAP_INVITATION] = "invitation",
	[CNAP_ACCESS_EPOCH] = "access_epoch",
	[CNAP_WORKSPACE_EPOCH] = "workspace_epoch",
	[CNAP_USER_EPOCH] = "user_epoch_%d",
};

typedef struct OwnOids
{
	Oid			owner;			/* of the tables */
	Oid			table[CNAP_TABLES];
	Oid			index[CNAP_ACCESS_EPOCH][MAX_LEADING + 1];	/* by leading column */
	Oid			role[CNAP_ROLE_OWNER + 1];
	Oid			permission_type;
	Oid			permission[CNAP_PERMISSIONS];
	Oid			reachable;		/* cnap.reachable(permission) */
	Oid			reachable_text; /* ... (text, permission) */
	Oid			reachable_uuid; /* ... (uuid, permission) */
	Oid			never;			/* cnap.never() */
	Oid			fill;			/* cnap.fill_workspace() */
} OwnOids;

static OwnOids own;
static bool own_valid = false;

/* Counts invalidations, so that we notice one that occurs during a lookup. */
static uint64 own_invalidations = 0;

/*
 * Relation cache callback: InvalidOid stands for all relations.  The epochs
 * are left out, because they are invalidated with every change of access data,
 * and are dropped only together with the other tables.
 */
static void
forget_oids(Datum arg, Oid relid)
{
	if (relid != InvalidOid)
	{
		int			i = 0;

		while (i < CNAP_ACCESS_EPOCH && own.table[i] != relid)
			i++;
		if (i == CNAP_ACCESS_EPOCH)
			return;
	}
	own_valid = false;
	own_invalidations++;
	CnapEpochAdvance();
}

void
CnapRelationsInit(void)
{
	CacheRegisterRelcacheCallback(forget_oids, (Datum) 0);
}

static void
not_installed(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("extension \"%s\" is not installed in this database",
					EXTENSION_NAME)));
}

/*
 * The extension's schema; one of that name that does not belong to it is not
 * accepted.
 */
static Oid
lookup_schema(void)
{
	Oid			extension = get_extension_oid(EXTENSION_NAME, true);
	Oid			schema = get_namespace_oid(SCHEMA_NAME, true);

	if (!OidIsValid(extension) || !OidIsValid(schema) ||
		getExtensionOfObject(NamespaceRelationId, schema) != extension)
		not_installed();
	return schema;
}

/* The access method of an index. */
Oid
CnapIndexMethod(Oid index)
{
	return GetSysCacheOid1(RELOID, Anum_pg_class_relam, ObjectIdGetDatum(index));
}

/*
 * Find the indexes of a table by their leading columns.  The primary key takes
 * precedence: only that is known to have all columns that a point lookup uses.
 * The others are used with their leading column only, so any valid index will
 * do.
 */
static void
lookup_indexes(Oid table, Oid *index)
{
	Relation	rel = table_open(table, AccessShareLock);
	Oid			primary = CnapPrimaryKeyIndex(rel);
	List	   *indexes = RelationGetIndexList(rel);
	ListCell   *lc;

	foreach(lc, indexes)
	{
		Oid			indexid = lfirst_oid(lc);
		HeapTuple	tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(indexid));
		Form_pg_index form;
		AttrNumber	leading;

		if (!HeapTupleIsValid(tuple))
			elog(ERROR, "cache lookup failed for index %u", indexid);
		form = (Form_pg_index) GETSTRUCT(tuple);
		leading = form->indkey.values[0];
		if (form->indisvalid &&
			heap_attisnull(tuple, Anum_pg_index_indpred, NULL) &&
			CnapIndexMethod(indexid) == BTREE_AM_OID &&
			leading > 0 && leading <= MAX_LEADING &&
			(!OidIsValid(index[leading]) || indexid == primary))
			index[leading] = indexid;
		ReleaseSysCache(tuple);
	}
	list_free(indexes);
	table_close(rel, AccessShareLock);
}

/* The OID of an enum's value. */
static Oid
lookup_value(Oid type, const char *label)
{
	Oid			value = GetSysCacheOid2(ENUMTYPOIDNAME, Anum_pg_enum_oid,
										ObjectIdGetDatum(type),
										CStringGetDatum(label));

	if (!OidIsValid(value))
		elog(ERROR, "type %s has no value \"%s\"", format_type_be(type), label);
	return value;
}

static Oid
lookup_type(Oid schema, const char *name)
{
	Oid			type = GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid,
									   CStringGetDatum(name),
									   ObjectIdGetDatum(schema));

	if (!OidIsValid(type))
		not_installed();
	return type;
}

/* One of our internal functions. */
static Oid
lookup_function(char *name, int nargs, const Oid *types)
{
	return LookupFuncName(list_make2(makeString(SCHEMA_NAME), makeString(name)),
						  nargs, types, false);
}

/*
 * Look up the OIDs, unless they are valid.  The former ones stay in place
 * until all of the new ones are known, because the callbacks compare with
 * them.  After an invalidation in between, the result is still good for this
 * call, but the next call looks them up again.
 */
static void
load_oids(void)
{
	OwnOids		fresh;
	uint64		before;
	Oid			schema;
	Oid			role_type;
	Relation	rel;

	if (likely(own_valid))
		return;

	before = own_invalidations;
	memset(&fresh, 0, sizeof(fresh));
	schema = lookup_schema();
	for (int i = 0; i < CNAP_TABLES; i++)
	{
		char		name[NAMEDATALEN];

		strlcpy(name, table_names[Min(i, CNAP_USER_EPOCH)], sizeof(name));
		if (i >= CNAP_USER_EPOCH)
			snprintf(name, sizeof(name), table_names[CNAP_USER_EPOCH],
					 i - CNAP_USER_EPOCH);
		fresh.table[i] = get_relname_relid(name, schema);
		if (!OidIsValid(fresh.table[i]))
			not_installed();
		if (i < CNAP_ACCESS_EPOCH)
			lookup_indexes(fresh.table[i], fresh.index[i]);
	}

	role_type = lookup_type(schema, "role");
	for (int i = CNAP_ROLE_MEMBER; i <= CNAP_ROLE_OWNER; i++)
		fresh.role[i] = lookup_value(role_type, CnapRoleName(i));
	fresh.permission_type = lookup_type(schema, "permission");
	for (int i = 0; i < CNAP_PERMISSIONS; i++)
		fresh.permission[i] = lookup_value(fresh.permission_type,
										   CnapPermissionName(i));

	fresh.reachable = lookup_function("reachable", 1, &fresh.permission_type);
	fresh.reachable_text = lookup_function("reachable", 2, (Oid[])
											{
												TEXTOID, fresh.permission_type
											});
	fresh.reachable_uuid = lookup_function("reachable", 2, (Oid[])
											{
												UUIDOID, fresh.permission_type
											});

	fresh.never = lookup_function("never", 0, NULL);
	fresh.fill = lookup_function("fill_workspace", 0, NULL);

	rel = table_open(fresh.table[CNAP_ORGANIZATION], AccessShareLock);
	fresh.owner = rel->rd_rel->relowner;
	table_close(rel, AccessShareLock);
	own = fresh;
	own_valid = before == own_invalidations;
}

Oid
CnapKnownTableOid(CnapTable table)
{
	return own.table[table];
}

/*
 * The variant of cnap.reachable() that takes a user of that type, or the one
 * for the current user if the type is InvalidOid.
 */
Oid
CnapReachableFunction(Oid user_type)
{
	load_oids();
	switch (user_type)
	{
		case TEXTOID:
			return own.reachable_text;
		case UUIDOID:
			return own.reachable_uuid;
		default:
			return own.reachable;
	}
}

/* The function that always returns false, which the planner does not know. */
Oid
CnapNeverFunction(void)
{
	load_oids();
	return own.never;
}

/* The trigger function that sets a workspace column to the parent's. */
Oid
CnapFillFunction(void)
{
	load_oids();
	return own.fill;
}

/* The OID of a table. */
Oid
CnapTableOid(CnapTable table)
{
	load_oids();
	return own.table[table];
}

/* The index that leads with a column, or InvalidOid if there is none. */
Oid
CnapIndexOid(CnapTable table, AttrNumber leading)
{
	Assert(leading > 0);
	load_oids();
	return leading <= MAX_LEADING ? own.index[table][leading] : InvalidOid;
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
	load_oids();
	for (int i = 0; i < CNAP_TABLES; i++)
	{
		if (own.table[i] == RelationGetRelid(relation))
			return i;
	}
	ereport(ERROR,
			(errcode(ERRCODE_WRONG_OBJECT_TYPE),
			 errmsg("\"%s\" is not a table of the extension \"%s\"",
					RelationGetRelationName(relation), EXTENSION_NAME)));
}

/* The role that owns the tables, and that alone can read and write them. */
Oid
CnapOwner(void)
{
	load_oids();
	return own.owner;
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

CnapRole
CnapRoleFromOid(Oid value)
{
	load_oids();
	for (int i = CNAP_ROLE_MEMBER; i <= CNAP_ROLE_OWNER; i++)
	{
		if (own.role[i] == value)
			return i;
	}
	elog(ERROR, "%u is not a role", value);
}

Oid
CnapRoleToOid(CnapRole role)
{
	Assert(role != CNAP_ROLE_NONE);
	load_oids();
	return own.role[role];
}

CnapPermission
CnapPermissionFromOid(Oid value)
{
	load_oids();
	for (int i = 0; i < CNAP_PERMISSIONS; i++)
	{
		if (own.permission[i] == value)
			return i;
	}
	elog(ERROR, "%u is not a permission", value);
}

Oid
CnapPermissionType(void)
{
	load_oids();
	return own.permission_type;
}

Oid
CnapPermissionToOid(CnapPermission permission)
{
	load_oids();
	return own.permission[permission];
}
