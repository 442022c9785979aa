/*-------------------------------------------------------------------------
 *
 * plan.c
 *	  The plan by which cnap_protect_schema() protects the tables of a schema.
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

#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"

#include "core/citus.h"
#include "core/compat.h"
#include "core/definitions.h"
#include "core/own_catalog.h"
#include "core/relation.h"
#include "protection/call.h"
#include "protection/distributed.h"
#include "protection/keeper.h"
#include "protection/obstacle.h"
#include "protection/plan.h"
#include "protection/plan_notes.h"
#include "protection/verify.h"

/* A foreign key by which a table may be protected. */
typedef struct Way
{
	const CnapLink *link;
	AttrNumber	column;			/* belongs to no other foreign key */
	bool		nullable;
	bool		counted;		/* the next one is known */
	bool		has_orphans;	/* the key is null in some rows */
	CnapTarget *parent;			/* NULL if not in the schema */
	int			level;			/* of a parent not in the schema */
	AttrNumber	column_of_parent;
	bool		has_workspace;
} Way;

/* Hash table entry, to find a table by its OID. */
typedef struct TableEntry
{
	Oid			relid;
	CnapTarget *table;
} TableEntry;

/*
 * The number of parents above a table, or CNAP_NO_LEVEL if not all of them are
 * protected.
 */
static int
protected_level(Oid relid, const CnapChecks *checks)
{
	bool		all_protected;
	int			level = CnapCountParents(relid, checks, &all_protected);

	return all_protected ? level : CNAP_NO_LEVEL;
}

/*
 * What protecting a table is to require: what the caller asked for, but of heirs
 * that are protected already, what they do, since they would get the same.
 */
static CnapRequired
planned_permissions(Oid relid, const CnapRequest *request)
{
	List	   *heirs = find_all_inheritors(relid, NoLock, NULL);
	CnapRequired required = request->required;
	bool		is_first = true;
	ListCell   *lc;

	foreach(lc, heirs)
	{
		CnapProtection protection;
		CnapRequired of_heir;

		CnapReadProtection(lfirst_oid(lc), &request->checks, &protection);
		if (lfirst_oid(lc) == relid || !protection.is_protected)
			continue;
		CnapFormerRequired(&protection, &request->required, &of_heir);
		if (is_first || CnapRequiresMore(&of_heir, &required))
			required = of_heir;
		is_first = false;
	}
	return required;
}

static void
plan_column(CnapTarget *table, const CnapRequest *request, AttrNumber column,
			const CnapRequired *required)
{
	table->level = 0;
	table->test.column = column;
	table->has_workspace = CnapCanBeFollowed(table->relid, column);
	table->statement = CnapColumnCall(table->relid, &request->checks,
									  get_attname(table->relid, column, false), required);
	if (required->read == CNAP_PERMISSION_UNDEFINED || required->write == CNAP_PERMISSION_UNDEFINED)
		table->reason = pstrdup("the policies of a table that inherits from it name a permission that does not exist");
}

static void
plan_parent(CnapTarget *table, const CnapRequest *request, int level, const CnapLink *link,
			AttrNumber key, const char *column)
{
	table->level = level;
	table->test.link = *link;
	table->statement = CnapParentCall(table->relid, &request->checks,
									  get_attname(table->relid, key, false), column);
}

/* Leave a table alone, and say what it requires that the caller did not ask for. */
static void
explain_intact(CnapTarget *table, const CnapRequest *request, const CnapRequired *required)
{
	table->statement = NULL;
	table->reason = CnapFindDistributedObstacle(table->relid, &request->checks);
	if (table->reason == NULL)
		table->reason = pstrdup(CnapIsEnforced(table->relid, &request->checks) ?
								"the table is already protected" :
								"the table is already protected, but not a parent or a table that it inherits from");
	if (request->write_given && required->write != request->required.write)
		table->reason = psprintf("%s; writing requires %s, which only cnap_protect() changes",
								 table->reason, CnapPermissionName(required->write));
	if (request->read_given && required->read != request->required.read)
		table->reason = psprintf("%s; reading requires %s, which only cnap_protect() changes",
								 table->reason, CnapPermissionName(required->read));
}

/*
 * Leave a table alone if it is protected.  If its protection is incomplete,
 * plan to protect it again in the same way, if that is possible.
 */
static bool
plan_protected(CnapTarget *table, const CnapRequest *request)
{
	CnapProtection protection;
	CnapRequired required;
	int			level = protected_level(table->relid, &request->checks);

	CnapReadProtection(table->relid, &request->checks, &protection);
	if (level == CNAP_NO_LEVEL || !protection.is_protected)
		return false;
	CnapFormerRequired(&protection, &request->required, &required);
	table->statement = CnapCallAgain(table->relid, &request->checks, &request->required);
	if (required.read == CNAP_PERMISSION_UNDEFINED || required.write == CNAP_PERMISSION_UNDEFINED)
	{
		table->statement = NULL;
		table->reason = psprintf("its policies name the permission %s, which does not exist",
								 quote_literal_cstr(linitial(protection.undefined)));
	}
	else if (CnapIsIntact(table->relid, &request->checks))
		explain_intact(table, request, &required);
	else if (table->statement == NULL)
		return false;
	table->level = protection.test.column != 0 ? 0 : level;
	table->test = protection.test;
	table->has_workspace = protection.test.column != 0 &&
		CnapCanBeFollowed(table->relid, protection.test.column);
	return true;
}

/*
 * Find the workspace column: the first with one of the given names, or else the only
 * one that references workspaces.
 */
static bool
plan_by_column(CnapTarget *table, const CnapRequest *request)
{
	List	   *columns = table->column != NULL ? list_make1((void *) table->column) : request->columns;
	AttrNumber	found = 0;
	CnapRequired required = planned_permissions(table->relid, request);
	List	   *links;
	ListCell   *lc;

	foreach(lc, columns)
	{
		AttrNumber	column = get_attnum(table->relid, lfirst(lc));

		if (column > 0 && get_atttype(table->relid, column) == UUIDOID)
		{
			table->reason = NULL;
			plan_column(table, request, column, &required);
			return true;
		}
		if (column > 0 && table->reason == NULL)
			table->reason = psprintf("column %s is of type %s, not uuid",
									 quote_identifier(lfirst(lc)),
									 format_type_be(get_atttype(table->relid, column)));
	}

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
	plan_column(table, request, found, &required);
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
		CnapCanBeFollowed(way->link->parent, protection.test.column);
}

/* Make a hash table, to find a table by its OID. */
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
		CnapTarget *table = lfirst(lc);
		TableEntry *entry = hash_search(by_oid, &table->relid, HASH_ENTER, NULL);

		entry->table = table;
	}
	return by_oid;
}

/* Find the ways of each table that has no level yet. */
static void
find_ways(List *tables, HTAB *by_oid, const CnapRequest *request)
{
	ListCell   *lc;

	foreach(lc, tables)
	{
		CnapTarget *table = lfirst(lc);
		List	   *links;
		ListCell   *key;

		if (table->level != CNAP_NO_LEVEL || table->is_blocked)
			continue;
		if (CnapIsDistributed(table->relid))
		{
			table->reason = pstrdup(CNAP_DISTRIBUTE_BY_WORKSPACE);
			continue;
		}
		links = CnapForeignKeys(table->relid);
		foreach(key, links)
		{
			Way		   *way = palloc0(sizeof(Way));
			TableEntry *entry;
			Oid			heir;

			way->link = lfirst(key);
			way->column = CnapNamingColumn(links, way->link);
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
			/* The linter reads no rows. */
			way->counted = request->by_anybody;
			way->level = CNAP_NO_LEVEL;
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
 * Is the key null in some rows, as far as the caller can see?  These would be visible
 * to nobody, and are in a table that everybody shares, perhaps.
 */
static bool
has_orphans(CnapTarget *table, Way *way)
{
	if (!way->counted)
	{
		way->has_orphans = CnapHasNulls(table->relid, way->link->child_keys, way->link->nkeys);
		way->counted = true;
		if (way->has_orphans && table->reason == NULL)
			table->reason = psprintf("some rows have no %s, and belong to no workspace: give these one, add a workspace column, or leave the table as it is if everybody shares it",
									 quote_identifier(get_attname(table->relid, way->column, false)));
	}
	return way->has_orphans;
}

/*
 * The first of a table's ways of one kind that lead to a parent of the lowest
 * level; NULL if there is none below the bound.
 */
static const Way *
best_way(CnapTarget *table, bool nullable, int bound)
{
	const Way  *best = NULL;
	ListCell   *lc;

	foreach(lc, table->ways)
	{
		Way		   *way = lfirst(lc);

		if (way->nullable == nullable && way_level(way) < bound &&
			!(nullable && has_orphans(table, way)))
		{
			best = way;
			bound = way_level(way);
		}
	}
	return best;
}

/*
 * The reason why a table cannot have a workspace column that follows its
 * parent's, or NULL.  The parent's may still have to be added.
 */
static const char *
find_column_obstacle(const CnapTarget *table, const Way *way, const char *column)
{
	AttrNumber	of_parent = way->parent != NULL ? way->parent->test.column : way->column_of_parent;
	bool		is_planned = of_parent == 0 && way->parent != NULL && way->parent->has_workspace;
	CnapObstacle obstacle;

	if ((!is_planned && CnapFindParentObstacle(table->relid, way->link, of_parent, &obstacle)) ||
		CnapFindColumnObstacle(table->relid, way->link, column, &obstacle))
		return obstacle.reason;
	return NULL;
}

/*
 * Plan the next tables: those with the shortest ways of one kind.  Returns
 * whether there were any.
 */
static bool
plan_next(List *tables, const CnapRequest *request, bool nullable)
{
	int			level = CNAP_NO_LEVEL;
	ListCell   *lc;

	foreach(lc, tables)
	{
		CnapTarget *table = lfirst(lc);
		const Way  *way = table->level == CNAP_NO_LEVEL ?
			best_way(table, nullable, level) : NULL;

		if (way != NULL)
			level = way_level(way);
	}
	if (level == CNAP_NO_LEVEL)
		return false;

	foreach(lc, tables)
	{
		CnapTarget *table = lfirst(lc);
		const Way  *way = table->level == CNAP_NO_LEVEL ?
			best_way(table, nullable, level + 1) : NULL;
		const char *obstacle = NULL;

		if (way == NULL)
			continue;
		if (request->child_column != NULL)
			obstacle = find_column_obstacle(table, way, request->child_column);
		plan_parent(table, request, level + 1, way->link, way->column,
					obstacle == NULL ? request->child_column : NULL);
		table->is_nullable = nullable || (way->parent != NULL && way->parent->is_nullable);
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
explain_failure(CnapTarget *table)
{
	List	   *heirs;
	ListCell   *lc;

	if (table->ways == NIL)
		table->reason = pstrdup("the table has no workspace column, and no usable foreign key to another table");
	else
		table->reason = pstrdup("the table has no workspace column, and none of its foreign keys leads to a table that is or will be protected");
	if (CnapIsReferenced(table->relid))
		table->reason = psprintf("%s; other tables refer to it, so it may be shared by all, like a list of countries or of users: let nobody read more of it than they may",
								 table->reason);
	else if (CnapIsEmpty(table->relid))
		table->reason = psprintf("%s; it is empty today", table->reason);

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
drop_refused(List *tables, HTAB *by_oid, const CnapRequest *request)
{
	ListCell   *lc;

	foreach(lc, tables)
	{
		CnapTarget *table = lfirst(lc);
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
			table->level = CNAP_NO_LEVEL;
		table->statement = NULL;
		table->reason = psprintf("the protection of its parent %s is not enforced",
								 CnapQualifiedName(parent));
	}
}

/* Make the plan for tables: they are sorted, parents first. */
void
CnapPlanTables(List *tables, const CnapRequest *request)
{
	HTAB	   *by_oid = index_tables(tables);
	ListCell   *lc;

	foreach(lc, tables)
	{
		CnapTarget *table = lfirst(lc);

		if (plan_protected(table, request) && table->statement == NULL)
			continue;
		if (list_member_oid(request->left_out, table->relid))
		{
			table->reason = pstrdup("left out, as requested");
			table->is_blocked = true;
			table->statement = NULL;
			continue;
		}
		table->reason = CnapFindObstacle(table->relid, true, !request->by_anybody);
		if (table->reason == NULL)
			table->reason = CnapFindDistributedObstacle(table->relid, &request->checks);
		if (table->reason != NULL)
		{
			table->is_blocked = true;
			table->statement = NULL;
			table->level = CNAP_NO_LEVEL;
		}
		else if (table->level == CNAP_NO_LEVEL)
			plan_by_column(table, request);
	}

	find_ways(tables, by_oid, request);
	while (plan_next(tables, request, false) || plan_next(tables, request, true))
		CHECK_FOR_INTERRUPTS();

	foreach(lc, tables)
	{
		CnapTarget *table = lfirst(lc);

		if (table->level == CNAP_NO_LEVEL && table->reason == NULL)
			explain_failure(table);
	}
	list_sort(tables, CnapCompareTargets);
	drop_refused(tables, by_oid, request);
}

/* The plan for the tables of a schema. */
List *
CnapPlanSchema(const CnapRequest *request)
{
	List	   *tables = CnapFindTargets(request->schema);

	CnapPlanTables(tables, request);
	CnapAddPlanNotes(tables, request);
	return tables;
}
