/*-------------------------------------------------------------------------
 *
 * call.c
 *	  The calls of public functions that protect a table, as the plan and the
 *	  linter offer them.
 *
 * A call is offered only if the function would accept it, as far as that does not
 * depend on who calls it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "core/citus.h"
#include "core/definitions.h"
#include "core/relation.h"
#include "protection/call.h"
#include "protection/distributed.h"
#include "protection/keeper.h"

static const CnapRequired nothing = {CNAP_ACCESS, CNAP_ACCESS};

/*
 * A call with these arguments, of which NULL stands for null.  All of them have
 * exactly the types of our function, so that an overload that somebody has
 * created beside it cannot be chosen.
 */
char *
CnapFormatCall(const CnapChecks *checks, const char *function, int nargs,
			   const char *const *args, const char *const *types)
{
	StringInfoData call;

	initStringInfo(&call);
	appendStringInfo(&call, "SELECT %s.%s(", checks->schema, function);
	for (int i = 0; i < nargs; i++)
		appendStringInfo(&call, "%s%s::%s", i > 0 ? ", " : "",
						 args[i] != NULL ? quote_literal_cstr(args[i]) : "NULL", types[i]);
	appendStringInfoString(&call, ");");
	return call.data;
}

/*
 * A column by which cnap_protect_child() finds one of a table's keys, because no
 * key to another parent, or by other columns, contains it; 0 if there is none.
 */
AttrNumber
CnapNamingColumn(List *links, const CnapLink *link)
{
	for (int i = 0; i < link->nkeys; i++)
	{
		AttrNumber	column = link->child_keys[i];
		bool		is_there = false;
		bool		is_ambiguous = false;
		ListCell   *lc;

		foreach(lc, links)
		{
			if (CnapIsSameLink(lfirst(lc), link))
				is_there = true;
			else if (CnapHasKey(lfirst(lc), column))
				is_ambiguous = true;
		}
		if (is_there && !is_ambiguous)
			return column;
	}
	return 0;
}

/* Is one of a table's heirs a foreign table, for which row-level security does nothing? */
static bool
has_foreign_heir(Oid relid)
{
	List	   *heirs = find_all_inheritors(relid, NoLock, NULL);
	ListCell   *lc;

	foreach(lc, heirs)
	{
		if (get_rel_relkind(lfirst_oid(lc)) == RELKIND_FOREIGN_TABLE)
			return true;
	}
	return false;
}

/* The call that protects a table by a workspace column; NULL if it would be refused. */
char *
CnapColumnCall(Oid relid, const CnapChecks *checks, const char *column,
			   const CnapRequired *required)
{
	char	   *name = CnapQualifiedName(relid);
	const char *const args[] = {name, column, CnapPermissionName(required->write),
	CnapPermissionName(required->read)};
	const char *const types[] = {"regclass", "name", "text", "text"};

	/*
	 * While a permission does not exist, nobody knows what to require
	 * instead.
	 */
	if (args[2] == NULL || args[3] == NULL || has_foreign_heir(relid) ||
		CnapFindDistributedObstacle(relid, checks) != NULL)
		return NULL;
	return CnapFormatCall(checks, "cnap_protect", lengthof(args), args, types);
}

/*
 * The call that protects a table through the parent to which a column refers, by
 * policies or by a workspace column; NULL if it would be refused.
 */
char *
CnapParentCall(Oid relid, const CnapChecks *checks, const char *key, const char *column)
{
	char	   *name = CnapQualifiedName(relid);
	const char *const args[] = {name, key, column};
	const char *const types[] = {"regclass", "name", "name"};

	if (has_foreign_heir(relid) || CnapIsDistributed(relid))
		return NULL;
	return CnapFormatCall(checks, "cnap_protect_child", lengthof(args), args, types);
}

/*
 * The name of the column by which a table is protected, or of one by which its
 * key to the parent can be found; NULL if there is none.
 */
static char *
way_column(Oid relid, const CnapProtection *protection)
{
	const CnapTest *test = &protection->test;
	AttrNumber	column = test->column;

	if (!protection->is_protected)
		return NULL;
	if (column == 0 && !OidIsValid(CnapHeirWithoutKey(relid, &test->link)))
		column = CnapNamingColumn(CnapForeignKeys(relid), &test->link);
	return column != 0 ? get_attname(relid, column, true) : NULL;
}

/* The call that protects a table like another one, with these permissions. */
static char *
call_like(Oid relid, const CnapProtection *protection, const char *column,
		  const CnapRequired *required, const CnapChecks *checks)
{
	if (column == NULL)
		return NULL;
	if (protection->test.column == 0)
		return CnapParentCall(relid, checks, column, NULL);

	return CnapColumnCall(relid, checks, column, required);
}

/*
 * The call that protects a table again in the same way; NULL if there is none
 * that would be accepted.  What is left of the policies says which permissions
 * are required, otherwise those given.
 */
char *
CnapCallAgain(Oid relid, const CnapChecks *checks, const CnapRequired *otherwise)
{
	CnapProtection protection;
	CnapRequired required;

	CnapReadProtection(relid, checks, &protection);
	CnapFormerRequired(&protection, otherwise, &required);
	return call_like(relid, &protection, way_column(relid, &protection), &required, checks);
}

/* The call for the table at the top, or if that would be refused, for an heir. */
static char *
call_for_heir(Oid relid, Oid top, const CnapChecks *checks)
{
	char	   *call = CnapCallAgain(top, checks, &nothing);
	CnapProtection protection;
	CnapRequired required;

	if (call != NULL)
		return call;
	CnapReadProtection(top, checks, &protection);
	if (protection.test.column == 0 && !get_rel_relispartition(relid))
		return NULL;
	CnapFormerRequired(&protection, &nothing, &required);
	return call_like(relid, &protection, way_column(top, &protection), &required, checks);
}

/* Compare tables by their names. */
static int
compare_names(const ListCell *a, const ListCell *b)
{
	return strcmp(CnapQualifiedName(lfirst_oid(a)), CnapQualifiedName(lfirst_oid(b)));
}

/*
 * The calls by which all tables from which a table inherits come to agree: of
 * several, the others have to follow the one that requires most.  None makes
 * them agree if they are protected by different columns or parents.
 */
static char *
calls_to_agree(Oid relid, const CnapChecks *checks)
{
	Oid			best = CnapTopmost(relid, checks);
	List	   *tables = CnapTopmostTables(relid, checks);
	CnapProtection of_best;
	CnapRequired required;
	char	   *column;
	StringInfoData calls;
	ListCell   *lc;

	CnapReadProtection(best, checks, &of_best);
	CnapFormerRequired(&of_best, &nothing, &required);
	column = way_column(best, &of_best);
	initStringInfo(&calls);
	list_sort(tables, compare_names);
	foreach(lc, tables)
	{
		CnapProtection protection;
		CnapRequired other;
		char	   *way;
		char	   *call;

		CnapReadProtection(lfirst_oid(lc), checks, &protection);
		CnapFormerRequired(&protection, &nothing, &other);
		way = way_column(lfirst_oid(lc), &protection);
		if (column == NULL || way == NULL || strcmp(way, column) != 0 ||
			protection.test.link.parent != of_best.test.link.parent)
			return NULL;
		if (CnapIsSameRequired(&other, &required))
			continue;
		call = call_like(lfirst_oid(lc), &protection, way, &required, checks);
		if (call != NULL)
			appendStringInfo(&calls, "%s%s", calls.len > 0 ? " " : "", call);
	}
	return calls.len > 0 ? calls.data : call_like(best, &of_best, column, &required, checks);
}

/* The statement that removes a reason; NULL if there is none. */
char *
CnapRemedyStatement(Oid relid, const CnapReason *reason, const CnapChecks *checks)
{
	switch (reason->remedy)
	{
		case CNAP_PROTECT_AGAIN:
			return CnapCallAgain(CnapTopmost(relid, checks), checks, &nothing);
		case CNAP_FORCE:
			return psprintf("ALTER TABLE %s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;",
							CnapQualifiedName(relid));
		case CNAP_PROTECT_HEIR:
			return call_for_heir(relid, reason->other, checks);
		case CNAP_AGREE:
			return calls_to_agree(relid, checks);
		case CNAP_NO_REMEDY:
			break;
	}
	return NULL;
}
