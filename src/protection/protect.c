/*-------------------------------------------------------------------------
 *
 * protect.c
 *	  Creating and dropping the policies described in policy_text.c.
 *
 * For each command there is one RESTRICTIVE policy, so that no other policy
 * can open what it closes, and, unless the table has permissive policies of
 * its own, a PERMISSIVE one with the same expression, which PostgreSQL folds
 * into the former.  Reading requires the permission 'access'; writing requires
 * the given one, for both the old and the new row.
 *
 * A policy on a parent does not apply to a query of its child, so partitions
 * and inheritance children get the same policies.
 *
 * The policies of tables that are protected through a parent contain its write
 * permission.  So when that changes, they must be recreated.
 *
 * What row-level security was before is recorded with the policies, and restored
 * when they are dropped (row_security.c).
 *
 * The statements are executed as the caller, who must own the tables.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "core/arguments.h"
#include "core/compat.h"
#include "core/definitions.h"
#include "core/own_catalog.h"
#include "core/relation.h"
#include "protection/expression.h"
#include "protection/keeper.h"
#include "protection/kept_column.h"
#include "protection/protect.h"
#include "protection/row_security.h"
#include "protection/statement.h"
#include "protection/target.h"

PG_FUNCTION_INFO_V1(cnap_protect);
PG_FUNCTION_INFO_V1(cnap_unprotect);

/* Advise the owner if no index of the table leads with one of the columns. */
static void
advise_index(Oid relid, const AttrNumber *columns, int ncolumns)
{
	StringInfoData names;

	/* An index on a partitioned table has one on each of its partitions. */
	if (get_rel_relkind(relid) != RELKIND_RELATION)
		return;
	for (int i = 0; i < ncolumns; i++)
	{
		/* Virtual columns, which PostgreSQL 18 has, cannot have an index. */
		if (CnapHasIndex(relid, columns[i]) || get_attgenerated(relid, columns[i]) == ATTRIBUTE_GENERATED_VIRTUAL)
			return;
	}

	initStringInfo(&names);
	for (int i = 0; i < ncolumns; i++)
		appendStringInfo(&names, "%s%s", i > 0 ? ", " : "",
						 quote_identifier(get_attname(relid, columns[i], false)));
	ereport(NOTICE,
			(errmsg("no index of \"%s\" leads with column \"%s\"",
					get_rel_name(relid), get_attname(relid, columns[0], false)),
			 errhint("CREATE INDEX CONCURRENTLY ON %s (%s);",
					 CnapQualifiedName(relid), names.data)));
}

/*
 * Advise the owner if a table inherits from one that is not protected: a query
 * of that returns and changes its rows as well.
 */
static void
advise_ancestors(Oid relid, const CnapChecks *checks)
{
	List	   *ancestors = CnapAncestors(relid);
	ListCell   *lc;

	foreach(lc, ancestors)
	{
		CnapProtection protection;
		CnapPermission write;

		CnapReadProtection(lfirst_oid(lc), checks, &protection);
		if (!CnapIsComplete(&protection, &write))
			ereport(NOTICE,
					(errmsg("\"%s\" inherits from \"%s\", which is not protected",
							get_rel_name(relid), get_rel_name(lfirst_oid(lc))),
					 errdetail("The policies do not apply to its rows in queries of \"%s\".",
							   get_rel_name(lfirst_oid(lc)))));
	}
}

/*
 * Tell the owner if writing requires another permission than before: who asks
 * for one may not know what is there.
 */
static void
announce_permission(Oid relid, const CnapProtection *former, CnapPermission write)
{
	CnapPermission before = CnapFormerPermission(former, write);

	if (former->is_protected && before != write)
		ereport(NOTICE,
				(errmsg("writing to \"%s\" now requires the permission \"%s\", no longer \"%s\"",
						get_rel_name(relid), CnapPermissionName(write),
						CnapPermissionName(before))));
}

/* Drop our policies. */
static void
drop_policies(Oid relid, const CnapProtection *protection)
{
	ListCell   *lc;

	foreach(lc, protection->own)
		CnapExecuteUtility(psprintf("DROP POLICY %s ON %s", quote_identifier(lfirst(lc)),
									CnapQualifiedName(relid)));
}

/*
 * Create the policy for one command.  Only expressions that a search for rows
 * can use, and that PostgreSQL folds, include the parents' keys.
 */
static void
create_policy(Oid relid, const CnapChecks *checks, const CnapTest *test, int command,
			  bool permissive)
{
	CnapPermission permission = CnapCommands[command].writes ? test->permission : CNAP_ACCESS;
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql, "CREATE POLICY %s ON %s AS %s FOR %s TO PUBLIC",
					 CnapPolicyName(command, permissive), CnapQualifiedName(relid),
					 permissive ? "PERMISSIVE" : "RESTRICTIVE", CnapCommands[command].name);
	if (CnapCommands[command].tests_old)
		appendStringInfo(&sql, " USING (%s)",
						 CnapTestExpression(relid, checks, test, permission,
											permission == CNAP_ACCESS));
	if (CnapCommands[command].tests_new)
		appendStringInfo(&sql, " WITH CHECK (%s)",
						 CnapTestExpression(relid, checks, test, permission, false));
	CnapExecuteUtility(sql.data);
}

/*
 * Protect one table, replacing any protection of ours that it has.  The test's
 * permission is that for writing.
 */
static void
protect_table(Oid relid, const CnapChecks *checks, const CnapTest *test)
{
	CnapProtection former;
	CnapRowSecurity before;
	bool		is_known;

	CnapReadProtection(relid, checks, &former);
	/* Remains of a protection have enabled and forced it. */
	is_known = CnapRecordedRowSecurity(relid, &former, &before);
	if (!CnapHasRemains(relid, &former))
	{
		CnapPresentRowSecurity(relid, &former, &before);
		is_known = true;
	}
	drop_policies(relid, &former);
	for (int i = 0; i < CNAP_COMMANDS; i++)
	{
		create_policy(relid, checks, test, i, false);
		if (!former.others_permissive)
			create_policy(relid, checks, test, i, true);
	}
	if (is_known)
		CnapRecordRowSecurity(relid, CnapPolicyName(0, false), &before);
	CnapExecuteUtility(psprintf("ALTER TABLE %s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
								CnapQualifiedName(relid)));
	CommandCounterIncrement();
}

/* Recreate the protection of one table with another permission for writing. */
static void
renew_table(Oid relid, const CnapChecks *checks, CnapPermission write)
{
	CnapProtection protection;

	CnapReadProtection(relid, checks, &protection);
	if (!protection.is_protected)
		return;
	if (!get_rel_relispartition(relid))
		announce_permission(relid, &protection, write);
	protection.test.permission = write;
	protect_table(relid, checks, &protection.test);
}

/*
 * Recreate the policies of the tables that are protected through a parent, if
 * they do not contain its permission for writing, or may not test it in the
 * same way as the parent does.  For tables whose workspace column follows the
 * parent's, only the permission matters, and it is left alone if it was not
 * the same as the parent's before.
 */
static void
renew_children(Oid parent, const CnapChecks *checks, CnapPermission former,
			   CnapPermission write)
{
	List	   *children = CnapProtectedChildren(parent, checks);
	ListCell   *lc;
	CnapProtection protection;
	CnapPermission own;

	foreach(lc, children)
	{
		CnapReadProtection(lfirst_oid(lc), checks, &protection);
		if (CnapIsComplete(&protection, &own) && own == write && write == CNAP_ACCESS)
			continue;
		renew_table(lfirst_oid(lc), checks, write);
		renew_children(lfirst_oid(lc), checks, own, write);
	}

	children = former == write ? NIL : CnapKeptChildren(parent);
	foreach(lc, children)
	{
		List	   *tables;
		ListCell   *table;

		CnapReadProtection(lfirst_oid(lc), checks, &protection);
		if (!CnapIsComplete(&protection, &own) || own != former)
			continue;
		tables = find_all_inheritors(lfirst_oid(lc), AccessExclusiveLock, NULL);
		foreach(table, tables)
			renew_table(lfirst_oid(table), checks, write);
		renew_children(lfirst_oid(lc), checks, former, write);
	}
}

/*
 * Refuse a change of the workspace column that columns of other tables follow.
 */
static void
check_kept_children(Oid relid, const CnapTest *test)
{
	List	   *children = CnapKeptChildren(relid);
	ListCell   *lc;

	foreach(lc, children)
	{
		CnapKeeper	keeper;

		if (CnapFindKeeper(lfirst_oid(lc), &keeper) && keeper.parent_column != test->column)
			ereport(ERROR,
					(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
					 errmsg("the workspace column of \"%s\" follows column \"%s\" of \"%s\"",
							get_rel_name(lfirst_oid(lc)),
							get_attname(relid, keeper.parent_column, false),
							get_rel_name(relid)),
					 errhint("Call cnap_unprotect() for \"%s\" first.",
							 get_rel_name(lfirst_oid(lc)))));
	}
}

/* Translate columns of a table to those of a table that inherits from it. */
static void
translate_columns(Oid from, Oid to, AttrNumber *columns, int ncolumns)
{
	for (int i = 0; i < ncolumns; i++)
	{
		char	   *name = get_attname(from, columns[i], false);

		columns[i] = get_attnum(to, name);
		if (columns[i] <= 0)
			elog(ERROR, "column \"%s\" of relation %u not found", name, to);
	}
}

/* Translate the test of a table to that of one that inherits from it. */
static void
translate_test(Oid from, Oid to, const CnapTest *test, CnapTest *translated)
{
	*translated = *test;
	if (test->column != 0)
		translate_columns(from, to, &translated->column, 1);
	else
		translate_columns(from, to, translated->link.child_keys, translated->link.nkeys);
}

/*
 * Protect a list of tables: the first one and all that inherit from it.  The
 * caller must have connected to SPI.
 */
void
CnapProtectTables(List *tables, const CnapChecks *checks, const CnapTest *test)
{
	CnapPermission of_first = test->permission;
	ListCell   *lc;

	foreach(lc, tables)
	{
		Oid			relid = lfirst_oid(lc);
		CnapTest	translated;
		CnapProtection former;
		CnapPermission write;
		bool		is_same;

		translate_test(linitial_oid(tables), relid, test, &translated);
		CnapReadProtection(relid, checks, &former);
		check_kept_children(relid, &translated);
		is_same = CnapIsComplete(&former, &write) && write == test->permission &&
			CnapIsSameWay(&former.test, &translated);
		/* Of many partitions that were alike, one is enough. */
		write = CnapFormerPermission(&former, of_first);
		if (relid == linitial_oid(tables) || write != of_first)
			announce_permission(relid, &former, test->permission);
		if (relid == linitial_oid(tables))
			of_first = write;
		protect_table(relid, checks, &translated);
		if (test->column != 0)
			advise_index(relid, &translated.column, 1);
		else
			advise_index(relid, translated.link.child_keys, translated.link.nkeys);
		if (!is_same)
			renew_children(relid, checks, CnapFormerPermission(&former, CNAP_ACCESS),
						   test->permission);
	}
	advise_ancestors(linitial_oid(tables), checks);
}

/*
 * Protect tables that inherit from another one, of which the first is new among
 * its heirs, in the same way.  The caller must have connected to SPI.
 */
void
CnapProtectHeirs(Oid ancestor, List *heirs, const CnapChecks *checks)
{
	CnapProtection protection;
	ListCell   *lc;

	CnapReadProtection(ancestor, checks, &protection);
	protection.test.permission = CnapFormerPermission(&protection, CNAP_ACCESS);
	foreach(lc, heirs)
	{
		CnapTest	translated;

		translate_test(ancestor, lfirst_oid(lc), &protection.test, &translated);
		protect_table(lfirst_oid(lc), checks, &translated);
	}
}

/*
 * cnap_protect(relation, workspace_column, write_permission) -> void
 *
 * For null, the column and the permission stay as they are, and for a table
 * that is not protected are 'workspace_id' and 'access'.
 */
Datum
cnap_protect(PG_FUNCTION_ARGS)
{
	Oid			relid = DatumGetObjectId(CnapRequiredArg(fcinfo, 0, "relation"));
	const char *column = "workspace_id";
	CnapChecks	checks;
	CnapProtection former;
	CnapTest	test = {0};
	List	   *tables;
	ListCell   *lc;

	CnapFindChecks(fcinfo, &checks);
	tables = CnapLockTables(relid, true);
	CnapReadProtection(relid, &checks, &former);
	if (!PG_ARGISNULL(1))
		column = NameStr(*PG_GETARG_NAME(1));
	else if (former.agrees && former.test.column != 0)
		column = get_attname(relid, former.test.column, false);
	foreach(lc, tables)
		CnapCheckColumn(lfirst_oid(lc), column);
	test.column = get_attnum(relid, column);
	test.permission = PG_ARGISNULL(2) ? CnapFormerPermission(&former, CNAP_ACCESS) :
		CnapNamedPermission(PG_GETARG_TEXT_PP(2));

	SPI_connect();
	CnapProtectTables(tables, &checks, &test);
	SPI_finish();
	PG_RETURN_VOID();
}

/*
 * Refuse to unprotect a parent while tables are protected through it: their
 * rows would be visible to everybody.
 */
static void
refuse_with_children(List *tables, const CnapChecks *checks)
{
	StringInfoData list;
	ListCell   *lc;

	initStringInfo(&list);
	foreach(lc, tables)
	{
		List	   *children = list_concat(CnapProtectedChildren(lfirst_oid(lc), checks),
										   CnapKeptChildren(lfirst_oid(lc)));
		ListCell   *child;

		foreach(child, children)
			appendStringInfo(&list, "%s%s", list.len > 0 ? ", " : "",
							 CnapQualifiedName(lfirst_oid(child)));
	}
	if (list.len > 0)
		ereport(ERROR,
				(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
				 errmsg("other tables are protected through \"%s\"",
						get_rel_name(linitial_oid(tables))),
				 errdetail("These are: %s.", list.data),
				 errhint("Call cnap_unprotect() for them first, or protect them in another way.")));
}

/*
 * Does a table still have anything that protecting it created, even if it no
 * longer counts as protection?
 */
bool
CnapHasRemains(Oid relid, const CnapProtection *protection)
{
	CnapKeeper	keeper;

	return protection->own != NIL || (CnapFindKeeper(relid, &keeper) && !keeper.is_clone);
}

/*
 * cnap_unprotect(relation) -> void
 */
Datum
cnap_unprotect(PG_FUNCTION_ARGS)
{
	Oid			relid = DatumGetObjectId(CnapRequiredArg(fcinfo, 0, "relation"));
	CnapChecks	checks;
	List	   *tables;
	ListCell   *lc;

	CnapFindChecks(fcinfo, &checks);
	tables = CnapLockTables(relid, false);
	refuse_with_children(tables, &checks);

	SPI_connect();
	foreach(lc, tables)
	{
		CnapProtection former;
		CnapRowSecurity before;
		bool		is_known;

		CnapReadProtection(lfirst_oid(lc), &checks, &former);
		if (!CnapHasRemains(lfirst_oid(lc), &former))
			continue;
		is_known = CnapRecordedRowSecurity(lfirst_oid(lc), &former, &before);
		drop_policies(lfirst_oid(lc), &former);
		CnapRestoreRowSecurity(lfirst_oid(lc), &former, is_known ? &before : NULL);
	}
	/* No policy tests the columns any more. */
	foreach(lc, tables)
		CnapDropKeptColumn(lfirst_oid(lc));
	SPI_finish();
	PG_RETURN_VOID();
}
