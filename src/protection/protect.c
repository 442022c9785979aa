/*-------------------------------------------------------------------------
 *
 * protect.c
 *	  Creating and dropping the policies described in policy_text.c.
 *
 * For each command there is one RESTRICTIVE policy, so that no other policy
 * can open what it closes, and, unless the table has permissive policies of
 * its own, a PERMISSIVE one with the same expression, which PostgreSQL folds
 * into the former.  Reading requires one permission and writing another, for
 * both the old and the new row; both are 'access' unless given.  Whoever changes
 * or deletes a row must be able to read it as well.
 *
 * A policy on a parent does not apply to a query of its child, so partitions
 * and inheritance children get the same policies.
 *
 * The policies of tables that are protected through a parent contain its
 * permission for writing.  So when that changes, they must be recreated.
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
#include "protection/distributed.h"
#include "protection/expression.h"
#include "protection/keeper.h"
#include "protection/kept_column.h"
#include "protection/protect.h"
#include "protection/row_security.h"
#include "protection/statement.h"
#include "protection/target.h"
#include "protection/verify.h"

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
 * Advise the owner if a table inherits from one that is not protected in the same way: a
 * query of that returns and changes its rows as well.
 */
static void
advise_ancestors(Oid relid, const List *ancestors, const CnapChecks *checks)
{
	const ListCell *lc;

	foreach(lc, ancestors)
	{
		CnapProtection protection;
		CnapRequired required;

		CnapReadProtection(lfirst_oid(lc), checks, &protection);
		if (!CnapIsComplete(&protection, &required))
			ereport(NOTICE,
					(errmsg("\"%s\" inherits from \"%s\", which is not protected",
							get_rel_name(relid), get_rel_name(lfirst_oid(lc))),
					 errdetail("The policies do not apply to its rows in queries of \"%s\".",
							   get_rel_name(lfirst_oid(lc)))));
		else if (!CnapIsProtectedAlike(lfirst_oid(lc), relid, checks))
			ereport(NOTICE,
					(errmsg("\"%s\" inherits from \"%s\", which is protected in another way",
							get_rel_name(relid), get_rel_name(lfirst_oid(lc))),
					 errdetail("In queries of \"%s\", its rows are subject to the policies of that.",
							   get_rel_name(lfirst_oid(lc)))));
	}
}

/* The name of a permission that is, or was, required. */
static const char *
required_name(CnapPermission permission, const CnapProtection *protection)
{
	const char *name = CnapPermissionName(permission);

	return name != NULL || protection->undefined == NIL ? name : linitial(protection->undefined);
}

/*
 * Tell the owner if reading or writing requires another permission than before:
 * who asks for one may not know what is there.
 */
static void
announce_permissions(Oid relid, const CnapProtection *former, const CnapRequired *required)
{
	CnapRequired before;

	CnapFormerRequired(former, required, &before);
	if (former->is_protected && before.read != required->read)
		ereport(NOTICE,
				(errmsg("reading \"%s\" now requires the permission \"%s\", no longer \"%s\"",
						get_rel_name(relid), CnapPermissionName(required->read),
						required_name(before.read, former))));
	if (former->is_protected && before.write != required->write)
		ereport(NOTICE,
				(errmsg("writing to \"%s\" now requires the permission \"%s\", no longer \"%s\"",
						get_rel_name(relid), CnapPermissionName(required->write),
						required_name(before.write, former))));
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
create_policy(Oid relid, const CnapChecks *checks, const CnapTest *test,
			  const CnapRequired *required, int command, bool permissive)
{
	CnapDemand	demand = {0};
	StringInfoData sql;

	demand.permission = CnapCommands[command].writes ? required->write : required->read;
	demand.visible = CnapVisibleBesides(command, required);
	demand.is_bare = CnapIsBareTest(command, required);
	initStringInfo(&sql);
	appendStringInfo(&sql, "CREATE POLICY %s ON %s AS %s FOR %s TO PUBLIC",
					 CnapPolicyName(command, permissive), CnapQualifiedName(relid),
					 permissive ? "PERMISSIVE" : "RESTRICTIVE", CnapCommands[command].name);
	if (CnapCommands[command].tests_old)
		appendStringInfo(&sql, " USING (%s)",
						 CnapTestExpression(relid, checks, test, &demand, demand.is_bare));
	demand.visible = CNAP_ACCESS;
	if (CnapCommands[command].tests_new)
		appendStringInfo(&sql, " WITH CHECK (%s)",
						 CnapTestExpression(relid, checks, test, &demand, false));
	CnapExecuteUtility(sql.data);
}

/* Protect one table, replacing any protection of ours that it has. */
static void
protect_table(Oid relid, const CnapChecks *checks, const CnapTest *test,
			  const CnapRequired *required)
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
		create_policy(relid, checks, test, required, i, false);
		if (!former.others_permissive)
			create_policy(relid, checks, test, required, i, true);
	}
	if (is_known)
		CnapRecordRowSecurity(relid, CnapPolicyName(0, false), &before);
	CnapExecuteUtility(psprintf("ALTER TABLE %s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
								CnapQualifiedName(relid)));
	CommandCounterIncrement();
}

/* Recreate the protection of one table with other permissions. */
static void
renew_table(Oid relid, const CnapChecks *checks, const CnapRequired *required)
{
	CnapProtection protection;

	CnapReadProtection(relid, checks, &protection);
	if (!protection.is_protected)
		return;
	if (!get_rel_relispartition(relid))
		announce_permissions(relid, &protection, required);
	protect_table(relid, checks, &protection.test, required);
}

/*
 * Recreate the policies of the tables that are protected through a parent, if
 * they do not contain its permission for writing, or may not test it in the
 * same way as the parent does.  For tables whose workspace column follows the
 * parent's, only the permissions matter, and they are left alone if they were
 * not the same as the parent's before.
 */
static void
renew_children(Oid parent, const CnapChecks *checks, const CnapRequired *former,
			   const CnapRequired *required)
{
	List	   *children = CnapProtectedChildren(parent, checks);
	ListCell   *lc;
	CnapProtection protection;
	CnapRequired own;

	foreach(lc, children)
	{
		CnapReadProtection(lfirst_oid(lc), checks, &protection);
		if (CnapIsComplete(&protection, &own) && own.write == required->write &&
			CnapIsBareTest(CNAP_COMMANDS - 1, former) &&
			CnapIsBareTest(CNAP_COMMANDS - 1, required))
			continue;
		renew_table(lfirst_oid(lc), checks, required);
		renew_children(lfirst_oid(lc), checks, former, required);
	}

	children = CnapIsSameRequired(former, required) ? NIL : CnapKeptChildren(parent);
	foreach(lc, children)
	{
		List	   *tables;
		ListCell   *table;

		CnapReadProtection(lfirst_oid(lc), checks, &protection);
		if (!CnapIsComplete(&protection, &own) || !CnapIsSameRequired(&own, former))
			continue;
		tables = find_all_inheritors(lfirst_oid(lc), AccessExclusiveLock, NULL);
		foreach(table, tables)
			renew_table(lfirst_oid(table), checks, required);
		renew_children(lfirst_oid(lc), checks, former, required);
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
CnapProtectTables(List *tables, const CnapChecks *checks, const CnapTest *test,
				  const CnapRequired *required)
{
	static const CnapRequired nothing = {CNAP_ACCESS, CNAP_ACCESS};
	CnapRequired of_first = *required;
	List	   *above;
	ListCell   *lc;

	foreach(lc, tables)
	{
		Oid			relid = lfirst_oid(lc);
		CnapTest	translated;
		CnapProtection former;
		CnapRequired before;
		bool		is_same;

		translate_test(linitial_oid(tables), relid, test, &translated);
		CnapReadProtection(relid, checks, &former);
		CnapCheckOpenOnWorkers(relid, &former);
		check_kept_children(relid, &translated);
		is_same = CnapIsComplete(&former, &before) && CnapIsSameRequired(&before, required) &&
			CnapIsSameWay(&former.test, &translated);
		/* Of many partitions that were alike, one is enough. */
		CnapFormerRequired(&former, &of_first, &before);
		if (relid == linitial_oid(tables) || !CnapIsSameRequired(&before, &of_first))
			announce_permissions(relid, &former, required);
		if (relid == linitial_oid(tables))
			of_first = before;
		protect_table(relid, checks, &translated, required);
		if (test->column != 0)
			advise_index(relid, &translated.column, 1);
		else
			advise_index(relid, translated.link.child_keys, translated.link.nkeys);
		CnapFormerRequired(&former, &nothing, &before);
		if (!is_same)
			renew_children(relid, checks, &before, required);
	}
	above = CnapAncestors(linitial_oid(tables));
	advise_ancestors(linitial_oid(tables), above, checks);
	above = list_concat(above, list_copy(tables));
	for (int i = 1; i < list_length(tables); i++)
		advise_ancestors(list_nth_oid(tables, i),
						 list_difference_oid(CnapAncestors(list_nth_oid(tables, i)), above), checks);
}

/*
 * Protect tables that inherit from another one, of which the first is new among
 * its heirs, in the same way.  The caller must have connected to SPI.
 */
void
CnapProtectHeirs(Oid ancestor, List *heirs, const CnapChecks *checks)
{
	CnapProtection protection;
	CnapRequired required = {CNAP_ACCESS, CNAP_ACCESS};
	ListCell   *lc;

	CnapReadProtection(ancestor, checks, &protection);
	CnapFormerRequired(&protection, &required, &required);
	foreach(lc, heirs)
	{
		CnapTest	translated;

		translate_test(ancestor, lfirst_oid(lc), &protection.test, &translated);
		protect_table(lfirst_oid(lc), checks, &translated, &required);
	}
}

/*
 * The permission in an argument; if that is null, the former one, which may be
 * none that exists.
 */
static CnapPermission
permission_argument(FunctionCallInfo fcinfo, int argno, CnapPermission former,
					const CnapProtection *protection)
{
	if (!PG_ARGISNULL(argno))
		return CnapNamedPermission(PG_GETARG_TEXT_PP(argno));
	if (former == CNAP_PERMISSION_UNDEFINED)
		(void) CnapNamedPermission(cstring_to_text(linitial(protection->undefined)));
	return former;
}

/*
 * cnap_protect(relation, workspace_column, write_permission, read_permission)
 *	 -> void
 *
 * For null, the column and the permissions stay as they are, and for a table
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
	CnapRequired required = {CNAP_ACCESS, CNAP_ACCESS};
	List	   *tables;
	ListCell   *lc;

	CnapFindChecks(fcinfo, &checks);
	tables = CnapLockTables(relid, true);
	CnapReadProtection(relid, &checks, &former);
	CnapFormerRequired(&former, &required, &required);
	if (!PG_ARGISNULL(1))
		column = NameStr(*PG_GETARG_NAME(1));
	else if (former.agrees && former.test.column != 0)
		column = get_attname(relid, former.test.column, false);
	foreach(lc, tables)
		CnapCheckColumn(lfirst_oid(lc), column);
	test.column = get_attnum(relid, column);
	required.write = permission_argument(fcinfo, 2, required.write, &former);
	required.read = permission_argument(fcinfo, 3, required.read, &former);

	SPI_connect();
	CnapProtectTables(tables, &checks, &test, &required);
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
