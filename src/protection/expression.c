/*-------------------------------------------------------------------------
 *
 * expression.c
 *	  The expressions of our policies.
 *
 * A row of a table with a workspace column is visible if its workspace can be
 * accessed.  A row of another table is visible if its parent is:
 *
 * 		cnap.parent_visible(EXISTS (SELECT FROM parent
 * 									WHERE parent.key = table.key))
 *
 * PostgreSQL applies the parent's own policies to this search, including those
 * that are not ours, and so on for any number of levels.  A parent's
 * visibility does not imply the workspace's permission for writing, so the
 * policies for writing extend to the table that has the workspace column, and
 * test it there.  What permission reading requires is left to the parent.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_am.h"
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "core/definitions.h"
#include "core/relation.h"
#include "protection/expression.h"
#include "protection/foreign_key.h"
#include "protection/protection.h"

/*
 * The check of a column.  The arguments have exactly the types of our check
 * functions, so that an overload that somebody has created beside them cannot
 * be chosen.
 */
static char *
column_check(const CnapChecks *checks, const char *column, CnapPermission permission)
{
	if (permission == CNAP_ACCESS)
		return psprintf("%s.cnap_can_access(%s)", checks->schema, column);
	return psprintf("%s.cnap_has_permission(%s, '%s'::text)",
					checks->schema, column, CnapPermissionName(permission));
}

/*
 * The alias of a parent in a policy, which must differ from the table's name.
 */
static char *
parent_alias(Oid relid, int level)
{
	char	   *alias = level == 1 ? pstrdup("parent") : psprintf("parent_%d", level);

	return strcmp(alias, get_rel_name(relid)) == 0 ? psprintf("%s_", alias) : alias;
}

/* Does a table, or its parent, have the workspace column? */
static bool
is_near_workspace(Oid relid, const CnapChecks *checks)
{
	CnapProtection protection;

	CnapReadProtection(relid, checks, &protection);
	if (protection.test.column == 0 && OidIsValid(protection.test.link.parent))
		CnapReadProtection(protection.test.link.parent, checks, &protection);
	return protection.test.column != 0;
}

/*
 * Append the search for the parent of a row, on whose workspace the current
 * user must have the permission.
 *
 * PostgreSQL plans such a search in two ways, each time including the parent's
 * own policies.  To keep planning time from doubling with each level, only the
 * searches of the first two levels can be planned both ways; in the others,
 * OFFSET confines the planner to searching for the parent of each row.
 */
static void
append_search(StringInfo sql, const CnapChecks *checks, Oid policy_table, int level,
			  const CnapLink *link, Oid child, const char *child_alias,
			  const CnapDemand *demand)
{
	char	   *alias = parent_alias(policy_table, level);
	CnapProtection protection;

	check_stack_depth();
	appendStringInfo(sql, "EXISTS (SELECT FROM %s", CnapParentSource(link->parent, alias));
	CnapAppendKeys(sql, link, child, child_alias, alias);
	if (!demand->is_bare)
	{
		const CnapTest *test = &protection.test;

		CnapReadProtection(link->parent, checks, &protection);
		appendStringInfoString(sql, " AND ");
		if (test->column != 0)
			appendStringInfoString(sql, column_check(checks,
													 CnapColumnReference(alias, link->parent,
																		 test->column),
													 demand->permission));
		else
		{
			appendStringInfoString(sql, "cnap.parent_visible(");
			append_search(sql, checks, policy_table, level + 1, &test->link,
						  link->parent, alias, demand);
			appendStringInfoChar(sql, ')');
		}
	}
	if (!is_near_workspace(link->parent, checks))
		appendStringInfoString(sql, " OFFSET '0'");
	appendStringInfoChar(sql, ')');
}

/*
 * Choose the key by which an index on the table can find the rows of all
 * visible parents (parent_visible.c), preferably one with an index; -1 if there is
 * none.  The index's operator must have the same semantics as the foreign
 * key's.
 */
static int
searchable_key(Oid relid, const CnapLink *link)
{
	int			found = -1;

	for (int i = 0; i < link->nkeys; i++)
	{
		Oid			type;
		int32		typmod;
		Oid			collation;
		Oid			opclass;

		get_atttypetypmodcoll(link->parent, link->parent_keys[i], &type, &typmod, &collation);
		opclass = GetDefaultOpClass(type, BTREE_AM_OID);
		if (!OidIsValid(opclass) || !OidIsValid(get_array_type(type)) ||
			!op_in_opfamily(link->operators[i], get_opclass_family(opclass)) ||
			(OidIsValid(collation) && !get_collation_isdeterministic(collation)))
			continue;
		if (found < 0 || CnapHasIndex(relid, link->child_keys[i]))
			found = i;
	}
	return found;
}

/*
 * The check that a row's parent is visible, and that the current user has the
 * permission, if any, on its workspace.  If the check is used to find rows, it includes
 * the keys of all such parents, but only in the first two levels for the
 * reason given above.
 */
static char *
parent_check(Oid relid, const CnapChecks *checks, const CnapLink *link,
			 const CnapDemand *demand, bool with_keys)
{
	const char *name = quote_identifier(get_rel_name(relid));
	int			key = with_keys && is_near_workspace(link->parent, checks) ?
		searchable_key(relid, link) : -1;
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "cnap.parent_visible(");
	append_search(&sql, checks, relid, 1, link, relid, name, demand);
	if (key >= 0)
	{
		char	   *alias = parent_alias(relid, 1);

		appendStringInfo(&sql, ", %s, ARRAY(SELECT %s FROM %s)",
						 CnapColumnReference(name, relid, link->child_keys[key]),
						 CnapColumnReference(alias, link->parent, link->parent_keys[key]),
						 CnapParentSource(link->parent, alias));
	}
	appendStringInfoChar(&sql, ')');
	return sql.data;
}

/* The expression of a test, with what is required. */
char *
CnapTestExpression(Oid relid, const CnapChecks *checks, const CnapTest *test,
				   const CnapDemand *demand, bool with_keys)
{
	const char *column;
	char	   *check;

	if (test->column == 0)
		return parent_check(relid, checks, &test->link, demand, with_keys);
	column = quote_identifier(get_attname(relid, test->column, false));
	check = column_check(checks, column, demand->permission);
	if (demand->visible != CNAP_ACCESS)
		check = psprintf("%s AND %s", check, column_check(checks, column, demand->visible));
	return check;
}
