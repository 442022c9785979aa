/*-------------------------------------------------------------------------
 *
 * schema.c
 *	  Protection of all tables of a schema: cnap_protect_schema() and
 *	  cnap_unprotect_schema().
 *
 * Each makes a plan, which is a statement for each table, and executes it only
 * if asked to.  Tables that are protected already are left alone.
 *
 * A table with a workspace column is protected by that.  From there the
 * foreign keys are followed backwards, level by level, so that each table is
 * protected by the shortest path.  Keys that cannot be null take precedence,
 * however long the path is, because a row with a null key would be visible to
 * nobody.  Ties are broken by name, so that the plan is deterministic.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/tuplestore.h"

#include "arguments.h"
#include "compat.h"
#include "policy.h"
#include "relations.h"

PG_FUNCTION_INFO_V1(cnap_protect_schema);
PG_FUNCTION_INFO_V1(cnap_unprotect_schema);

/* The level of tables that are not protected, and will not be. */
#define NO_LEVEL INT_MAX

/* A table and what is to be done with it. */
typedef struct Table
{
	Oid			relid;
	char	   *name;			/* qualified */
	int			level;			/* number of keys to the workspace column */
	CnapTest	test;			/* how it is protected, or will be */
	bool		has_workspace;	/* has or gets a NOT NULL workspace column */
	char	   *statement;		/* NULL if there is nothing to do */
	char	   *reason;
	bool		is_blocked;		/* nothing can be done, for this reason */
	List	   *ways;			/* a Way for each foreign key */
} Table;

/* A foreign key by which a table may be protected. */
typedef struct Way
{
	const CnapLink *link;
	AttrNumber	column;			/* belongs to no other foreign key */
	bool		nullable;
	Table	   *parent;			/* NULL if not in the schema */
	int			level;			/* of a parent not in the schema */
	AttrNumber	column_of_parent;
	bool		has_workspace;
} Way;

/* Hash table entry, to find a Table by its OID. */
typedef struct TableEntry
{
	Oid			relid;
	Table	   *table;
} TableEntry;

/* What the caller asked for. */
typedef struct Request
{
	CnapChecks	checks;
	Oid			schema;
	const char *column;
	CnapPermission write;
	const char *child_column;	/* NULL if children get no column */
} Request;

/* ---- the tables ---- */

static int
compare_tables(const ListCell *a, const ListCell *b)
{
	const Table *x = lfirst(a);
	const Table *y = lfirst(b);

	if (x->level != y->level)
		return x->level < y->level ? -1 : 1;
	return strcmp(x->name, y->name);
}

/* The tables of a schema, in the order of their names. */
static List *
find_tables(Oid schema)
{
	List	   *relids = CnapRelationsOf(schema);
	List	   *tables = NIL;
	ListCell   *lc;

	foreach(lc, relids)
	{
		Table	   *table = palloc0(sizeof(Table));

		table->relid = lfirst_oid(lc);
		table->name = CnapQualifiedName(table->relid);
		table->level = NO_LEVEL;
		tables = lappend(tables, table);
	}
	list_sort(tables, compare_tables);
	return tables;
}

/*
 * Count the parents above a table.  They need not all be protected, nor need
 * the table itself; policies made by hand can even form a cycle.
 */
static int
count_parents(Oid relid, const CnapChecks *checks, bool *all_protected)
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

/* Likewise, but NO_LEVEL if not all of them are protected. */
static int
protected_level(Oid relid, const CnapChecks *checks)
{
	bool		all_protected;
	int			level = count_parents(relid, checks, &all_protected);

	return all_protected ? level : NO_LEVEL;
}

/* ---- the plan for protecting ---- */

/*
 * Plan the call of a public function.  All arguments have exactly the types of
 * our function, so that an overload that somebody has created beside it cannot
 * be chosen.
 */
static void
plan_call(Table *table, const Request *request, const char *function, int nargs,
		  const char *const *args, const char *const *types)
{
	StringInfoData call;

	initStringInfo(&call);
	appendStringInfo(&call, "SELECT %s.%s(", request->checks.schema, function);
	for (int i = 0; i < nargs; i++)
		appendStringInfo(&call, "%s%s::%s", i > 0 ? ", " : "",
						 args[i] != NULL ? quote_literal_cstr(args[i]) : "NULL", types[i]);
	appendStringInfoString(&call, ");");
	table->statement = call.data;
}

static void
plan_column(Table *table, const Request *request, AttrNumber column, CnapPermission write)
{
	const char *const args[] = {table->name, get_attname(table->relid, column, false),
	CnapPermissionName(write)};
	const char *const types[] = {"regclass", "name", "cnap.permission"};

	table->level = 0;
	table->test.column = column;
	table->has_workspace = CnapIsNotNull(table->relid, column);
	plan_call(table, request, "cnap_protect", lengthof(args), args, types);
}

static void
plan_parent(Table *table, const Request *request, int level, const CnapLink *link,
			AttrNumber key, const char *column)
{
	const char *const args[] = {table->name, get_attname(table->relid, key, false), column};
	const char *const types[] = {"regclass", "name", "name"};

	table->level = level;
	table->test.link = *link;
	plan_call(table, request, "cnap_protect_child", lengthof(args), args, types);
}

/*
 * A column that identifies one of a table's keys, because no other key
 * contains it; 0 if there is none.
 */
static AttrNumber
naming_column(List *links, const CnapLink *link)
{
	for (int i = 0; i < link->nkeys; i++)
	{
		AttrNumber	column = link->child_keys[i];
		int			nkeys = 0;
		ListCell   *lc;

		foreach(lc, links)
			nkeys += CnapHasKey(lfirst(lc), column);
		if (nkeys == 1)
			return column;
	}
	return 0;
}

/*
 * Leave a table alone if it is protected.  If its protection is incomplete,
 * plan to protect it again in the same way.
 */
static bool
plan_protected(Table *table, const Request *request)
{
	CnapProtection protection;
	CnapPermission write;
	int			level = protected_level(table->relid, &request->checks);
	AttrNumber	column = 0;

	CnapReadProtection(table->relid, &request->checks, &protection);
	if (level == NO_LEVEL || !protection.agrees)
		return false;
	if (protection.test.column == 0)
	{
		column = naming_column(CnapForeignKeys(table->relid), &protection.test.link);
		if (column == 0 || OidIsValid(CnapHeirWithoutKey(table->relid, &protection.test.link)))
			return false;
	}
	write = CnapFormerPermission(&protection, request->write);
	if (protection.test.column != 0)
		plan_column(table, request, protection.test.column, write);
	else
		plan_parent(table, request, level, &protection.test.link, column, NULL);
	if (CnapIsIntact(table->relid, &request->checks))
	{
		table->statement = NULL;
		table->reason = pstrdup(CnapIsEnforced(table->relid, &request->checks) ?
								"the table is already protected" :
								"the table is already protected, but not a parent or a table that it inherits from");
	}
	return true;
}

/*
 * Find the workspace column: the one with the given name, or else the only one
 * that references workspaces.
 */
static bool
plan_by_column(Table *table, const Request *request)
{
	AttrNumber	column = get_attnum(table->relid, request->column);
	AttrNumber	found = 0;
	List	   *links;
	ListCell   *lc;

	if (column > 0 && get_atttype(table->relid, column) == UUIDOID)
	{
		plan_column(table, request, column, request->write);
		return true;
	}
	if (column > 0)
		table->reason = psprintf("column %s is of type %s, not uuid",
								 quote_identifier(request->column),
								 format_type_be(get_atttype(table->relid, column)));

	links = CnapForeignKeys(table->relid);
	foreach(lc, links)
	{
		CnapLink   *link = lfirst(lc);

		if (link->parent != CnapTableOid(CNAP_WORKSPACE) ||
			link->child_keys[0] == found)
			continue;
		if (found != 0)
		{
			table->reason = psprintf("columns %s and %s both reference workspaces",
									 quote_identifier(get_attname(table->relid, found, false)),
									 quote_identifier(get_attname(table->relid,
																  link->child_keys[0], false)));
			table->is_blocked = true;
			return false;
		}
		found = link->child_keys[0];
	}
	if (found == 0)
		return false;
	table->reason = NULL;
	plan_column(table, request, found, request->write);
	return true;
}

/* Read how a parent that is not in the schema is protected. */
static void
read_parent(Way *way, const CnapChecks *checks)
{
	CnapProtection protection;

	way->level = protected_level(way->link->parent, checks);
	CnapReadProtection(way->link->parent, checks, &protection);
	way->column_of_parent = protection.test.column;
	way->has_workspace = protection.test.column != 0 &&
		CnapIsNotNull(way->link->parent, protection.test.column);
}

/* Make a hash table, to find a Table by its OID. */
static HTAB *
index_tables(List *tables)
{
	HASHCTL		ctl = {.keysize = sizeof(Oid),.entrysize = sizeof(TableEntry),
	.hcxt = CurrentMemoryContext};
	HTAB	   *by_oid = hash_create("cnap_org tables", list_length(tables), &ctl,
									 HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	ListCell   *lc;

	foreach(lc, tables)
	{
		Table	   *table = lfirst(lc);
		TableEntry *entry = hash_search(by_oid, &table->relid, HASH_ENTER, NULL);

		entry->table = table;
	}
	return by_oid;
}

/* Find the ways of each table that has no level yet. */
static void
find_ways(List *tables, HTAB *by_oid, const Request *request)
{
	ListCell   *lc;

	foreach(lc, tables)
	{
		Table	   *table = lfirst(lc);
		List	   *links;
		ListCell   *key;

		if (table->level != NO_LEVEL || table->is_blocked)
			continue;
		links = CnapForeignKeys(table->relid);
		foreach(key, links)
		{
			Way		   *way = palloc0(sizeof(Way));
			TableEntry *entry;
			Oid			heir;

			way->link = lfirst(key);
			way->column = naming_column(links, way->link);
			if (way->link->parent == table->relid || way->column == 0)
				continue;
			heir = CnapHeirWithoutKey(table->relid, way->link);
			if (OidIsValid(heir))
			{
				table->reason = psprintf("%s inherits from it, but has no valid foreign key to %s of its own",
										 CnapQualifiedName(heir),
										 CnapQualifiedName(way->link->parent));
				continue;
			}
			way->nullable = CnapIsNullableLink(table->relid, way->link);
			way->level = NO_LEVEL;
			entry = hash_search(by_oid, &way->link->parent, HASH_FIND, NULL);
			if (entry != NULL)
				way->parent = entry->table;
			else if (CnapIsEnforced(way->link->parent, &request->checks))
				read_parent(way, &request->checks);
			table->ways = lappend(table->ways, way);
		}
	}
}

static int
way_level(const Way *way)
{
	return way->parent != NULL ? way->parent->level : way->level;
}

/*
 * The first of a table's ways of one kind that lead to a parent of the lowest
 * level; NULL if there is none below the bound.
 */
static const Way *
best_way(const Table *table, bool nullable, int bound)
{
	const Way  *best = NULL;
	ListCell   *lc;

	foreach(lc, table->ways)
	{
		const Way  *way = lfirst(lc);

		if (way->nullable == nullable && way_level(way) < bound)
		{
			best = way;
			bound = way_level(way);
		}
	}
	return best;
}

/* Is a parent's workspace column among the columns that a key references? */
static bool
has_workspace_in_key(const Way *way)
{
	AttrNumber	column = way->parent != NULL ? way->parent->test.column : way->column_of_parent;

	for (int i = 0; i < way->link->nkeys; i++)
	{
		if (column != 0 && way->link->parent_keys[i] == column)
			return true;
	}
	return false;
}

/*
 * The reason why a table cannot have a workspace column that follows its
 * parent's, or NULL.
 */
static const char *
find_column_obstacle(const Table *table, const Way *way, const char *column)
{
	if (!(way->parent != NULL ? way->parent->has_workspace : way->has_workspace))
		return "the parent has no workspace column, or one that can be null";
	if (has_workspace_in_key(way))
		return "the foreign key already includes the parent's workspace column";
	return CnapFindColumnObstacle(table->relid, way->link, column);
}

/*
 * Plan the next tables: those with the shortest ways of one kind.  Returns
 * whether there were any.
 */
static bool
plan_next(List *tables, const Request *request, bool nullable)
{
	int			level = NO_LEVEL;
	ListCell   *lc;

	foreach(lc, tables)
	{
		Table	   *table = lfirst(lc);
		const Way  *way = table->level == NO_LEVEL ?
			best_way(table, nullable, level) : NULL;

		if (way != NULL)
			level = way_level(way);
	}
	if (level == NO_LEVEL)
		return false;

	foreach(lc, tables)
	{
		Table	   *table = lfirst(lc);
		const Way  *way = table->level == NO_LEVEL ?
			best_way(table, nullable, level + 1) : NULL;
		const char *obstacle = NULL;

		if (way == NULL)
			continue;
		if (request->child_column != NULL)
			obstacle = find_column_obstacle(table, way, request->child_column);
		plan_parent(table, request, level + 1, way->link, way->column,
					obstacle == NULL ? request->child_column : NULL);
		table->has_workspace = request->child_column != NULL && obstacle == NULL && !nullable;
		if (obstacle != NULL)
			table->reason = psprintf("column %s cannot be used: %s",
									 quote_identifier(request->child_column), obstacle);
		else
			table->reason = nullable ? pstrdup("rows with a null foreign key will not be visible to anyone") : NULL;
	}
	return true;
}

/* Say why no way was found for a table. */
static void
explain_failure(Table *table)
{
	List	   *heirs;
	ListCell   *lc;

	if (table->ways == NIL)
		table->reason = pstrdup("the table has no workspace column, and no usable foreign key to another table");
	else
		table->reason = pstrdup("the table has no workspace column, and none of its foreign keys leads to a table that is or will be protected");

	if (get_rel_relkind(table->relid) == RELKIND_PARTITIONED_TABLE)
		return;
	heirs = find_all_inheritors(table->relid, NoLock, NULL);
	foreach(lc, heirs)
	{
		if (lfirst_oid(lc) != table->relid &&
			get_rel_namespace(lfirst_oid(lc)) == get_rel_namespace(table->relid))
		{
			table->reason = psprintf("%s; so %s, which inherits from it, is left out, too",
									 table->reason, CnapQualifiedName(lfirst_oid(lc)));
			break;
		}
	}
}

/*
 * Plan nothing for tables whose parents neither are nor will be protected as
 * cnap_protect_child() requires.  The parents must precede them in the list.
 */
static void
drop_refused(List *tables, HTAB *by_oid, const Request *request)
{
	ListCell   *lc;

	foreach(lc, tables)
	{
		Table	   *table = lfirst(lc);
		Oid			parent = table->test.link.parent;
		Oid			top = parent;
		List	   *ancestors;
		TableEntry *entry;
		CnapProtection protection;

		if (table->statement == NULL || !OidIsValid(parent))
			continue;
		/* A parent is protected with the topmost table that it inherits from. */
		ancestors = CnapAncestors(parent);
		if (ancestors != NIL)
			top = llast_oid(ancestors);
		entry = hash_search(by_oid, &top, HASH_FIND, NULL);
		if ((entry != NULL && entry->table->statement != NULL && CnapAncestors(top) == NIL) ||
			CnapIsEnforced(parent, &request->checks))
			continue;
		CnapReadProtection(table->relid, &request->checks, &protection);
		if (!protection.is_protected)
			table->level = NO_LEVEL;
		table->statement = NULL;
		table->reason = psprintf("the protection of its parent %s is not enforced",
								 CnapQualifiedName(parent));
	}
}

/* Make the plan: a list of Table, parents first. */
static List *
plan_schema(const Request *request)
{
	List	   *tables = find_tables(request->schema);
	HTAB	   *by_oid = index_tables(tables);
	ListCell   *lc;

	foreach(lc, tables)
	{
		Table	   *table = lfirst(lc);

		if (plan_protected(table, request) && table->statement == NULL)
			continue;
		table->reason = CnapFindObstacle(table->relid);
		if (table->reason != NULL)
		{
			table->is_blocked = true;
			table->statement = NULL;
			table->level = NO_LEVEL;
		}
		else if (table->level == NO_LEVEL)
			plan_by_column(table, request);
	}

	find_ways(tables, by_oid, request);
	while (plan_next(tables, request, false) || plan_next(tables, request, true))
		CHECK_FOR_INTERRUPTS();

	foreach(lc, tables)
	{
		Table	   *table = lfirst(lc);

		if (table->level == NO_LEVEL && table->reason == NULL)
			explain_failure(table);
	}
	list_sort(tables, compare_tables);
	drop_refused(tables, by_oid, request);
	return tables;
}

/* ---- the functions ---- */

/* Execute the statements of a plan. */
static void
execute_plan(List *tables)
{
	ListCell   *lc;

	SPI_connect();
	foreach(lc, tables)
	{
		Table	   *table = lfirst(lc);

		if (table->statement != NULL &&
			SPI_execute(table->statement, false, 0) != SPI_OK_SELECT)
			elog(ERROR, "could not execute: %s", table->statement);
	}
	SPI_finish();
}

/*
 * Read the arguments that both functions have, and find the check functions.
 */
static void
read_request(FunctionCallInfo fcinfo, Request *request)
{
	memset(request, 0, sizeof(*request));
	request->schema = get_namespace_oid(NameStr(*DatumGetName(CnapRequiredArg(fcinfo, 0, "schema"))),
										false);
	CnapFindChecks(fcinfo, &request->checks);
	CnapKeepProtections(&request->checks);
}

/* Add a table to the result of cnap_protect_schema(). */
static void
return_plan(ReturnSetInfo *rsinfo, const Table *table)
{
	Datum		values[6];
	bool		nulls[6] = {false};
	bool		by_column = table->test.column != 0;

	values[0] = ObjectIdGetDatum(table->relid);
	values[1] = CStringGetTextDatum(table->level == NO_LEVEL ? "none" :
									by_column ? "column" : "parent");
	nulls[2] = table->level == NO_LEVEL;
	if (!nulls[2])
		values[2] = PointerGetDatum(by_column ?
									CnapColumnNames(table->relid, &table->test.column, 1) :
									CnapColumnNames(table->relid, table->test.link.child_keys,
													table->test.link.nkeys));
	values[3] = ObjectIdGetDatum(table->test.link.parent);
	nulls[3] = nulls[2] || by_column;
	nulls[4] = table->statement == NULL;
	if (!nulls[4])
		values[4] = CStringGetTextDatum(table->statement);
	nulls[5] = table->reason == NULL;
	if (!nulls[5])
		values[5] = CStringGetTextDatum(table->reason);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

/*
 * cnap_protect_schema(schema, execute, workspace_column, write_permission,
 *						child_column)
 *	 -> setof (relation, protection, columns, parent, statement, reason)
 */
Datum
cnap_protect_schema(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Request		request;
	List	   *tables;
	ListCell   *lc;
	bool		execute = DatumGetBool(CnapRequiredArg(fcinfo, 1, "execute"));

	read_request(fcinfo, &request);
	request.column = NameStr(*DatumGetName(CnapRequiredArg(fcinfo, 2, "workspace_column")));
	request.write = CnapPermissionFromOid(DatumGetObjectId(CnapRequiredArg(fcinfo, 3,
																		   "write_permission")));
	if (!PG_ARGISNULL(4))
		request.child_column = NameStr(*PG_GETARG_NAME(4));
	InitMaterializedSRF(fcinfo, 0);
	tables = plan_schema(&request);
	if (execute)
		execute_plan(tables);
	foreach(lc, tables)
		return_plan(rsinfo, lfirst(lc));
	return (Datum) 0;
}

/* Does a table, or one that inherits from it, have anything of ours? */
static bool
is_touched(Oid relid, const CnapChecks *checks)
{
	List	   *tables = find_all_inheritors(relid, NoLock, NULL);
	ListCell   *lc;

	foreach(lc, tables)
	{
		CnapProtection protection;

		CnapReadProtection(lfirst_oid(lc), checks, &protection);
		if (CnapHasRemains(lfirst_oid(lc), &protection))
			return true;
	}
	return false;
}

/* The tables of a schema that have anything of ours, children first. */
static List *
plan_unprotecting(const Request *request)
{
	List	   *tables = find_tables(request->schema);
	List	   *plan = NIL;
	ListCell   *lc;

	foreach(lc, tables)
	{
		Table	   *table = lfirst(lc);
		bool		all_protected;

		if (!is_touched(table->relid, &request->checks))
			continue;
		table->level = -count_parents(table->relid, &request->checks, &all_protected);
		table->reason = CnapFindObstacle(table->relid);
		if (table->reason == NULL)
		{
			const char *const args[] = {table->name};
			const char *const types[] = {"regclass"};

			plan_call(table, request, "cnap_unprotect", lengthof(args), args, types);
		}
		plan = lappend(plan, table);
	}
	list_sort(plan, compare_tables);
	return plan;
}

/*
 * cnap_unprotect_schema(schema, execute) -> setof (relation, statement, reason)
 */
Datum
cnap_unprotect_schema(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Request		request;
	List	   *tables;
	ListCell   *lc;
	bool		execute = DatumGetBool(CnapRequiredArg(fcinfo, 1, "execute"));

	read_request(fcinfo, &request);
	InitMaterializedSRF(fcinfo, 0);
	tables = plan_unprotecting(&request);
	if (execute)
		execute_plan(tables);
	foreach(lc, tables)
	{
		const Table *table = lfirst(lc);
		Datum		values[3];
		bool		nulls[3] = {false, table->statement == NULL, table->reason == NULL};

		values[0] = ObjectIdGetDatum(table->relid);
		if (!nulls[1])
			values[1] = CStringGetTextDatum(table->statement);
		if (!nulls[2])
			values[2] = CStringGetTextDatum(table->reason);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}

