/*-------------------------------------------------------------------------
 *
 * child.c
 *	  Protection of tables that reach their workspace through a parent.
 *
 * A row of such a table is visible if its parent is:
 *
 *		cnap.parent_visible(EXISTS (SELECT FROM parent
 *									WHERE parent.key = table.key))
 *
 * PostgreSQL applies the parent's own policies to this search, including those
 * that are not ours, and so on for any number of levels.  A parent's
 * visibility does not imply the workspace's permission for writing, so the
 * policies for writing extend to the table that has the workspace column, and
 * test it there.
 *
 * PostgreSQL rejects a policy that reads its own table as infinite recursion.
 * So we refuse a parent that is the table itself, or is protected through it.
 *
 * A null key matches no parent, so a row with one is visible to nobody.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_inherits.h"
#include "commands/defrem.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/ruleutils.h"
#include "utils/syscache.h"

#include "core/arguments.h"
#include "core/compat.h"
#include "core/own_catalog.h"
#include "protection/policy_text.h"

PG_FUNCTION_INFO_V1(cnap_protect_child);

/* ---- expressions ---- */

/*
 * The alias of a parent in a policy, which must differ from the table's name.
 */
static char *
parent_alias(Oid relid, int level)
{
	char	   *alias = level == 1 ? pstrdup("parent") : psprintf("parent_%d", level);

	return strcmp(alias, get_rel_name(relid)) == 0 ? psprintf("%s_", alias) : alias;
}

static char *
column_reference(const char *alias, Oid relid, AttrNumber column)
{
	return psprintf("%s.%s", alias, quote_identifier(get_attname(relid, column, false)));
}

/*
 * The FROM item for a parent.  A foreign key to a table with inheritance
 * children refers only to rows of the table itself.
 */
char *
CnapParentSource(Oid parent, const char *alias)
{
	return psprintf("%s%s %s",
					get_rel_relkind(parent) == RELKIND_PARTITIONED_TABLE ? "" : "ONLY ",
					CnapQualifiedName(parent), alias);
}

/* Append the comparison of the keys of a row and its parent. */
void
CnapAppendKeys(StringInfo sql, const CnapLink *link, Oid child, const char *child_alias,
			   const char *alias)
{
	for (int i = 0; i < link->nkeys; i++)
	{
		AttrNumber	theirs = link->parent_keys[i];
		AttrNumber	ours = link->child_keys[i];
		Oid			type;
		int32		typmod;
		Oid			collation;
		Oid			our_type;
		Oid			our_collation;

		get_atttypetypmodcoll(link->parent, theirs, &type, &typmod, &collation);
		get_atttypetypmodcoll(child, ours, &our_type, &typmod, &our_collation);
		appendStringInfoString(sql, i > 0 ? " AND " : " WHERE ");
		generate_operator_clause(sql, column_reference(alias, link->parent, theirs), type,
								 link->operators[i],
								 column_reference(child_alias, child, ours), our_type);
		if (OidIsValid(collation) && collation != our_collation)
			appendStringInfo(sql, " COLLATE %s", generate_collation_name(collation));
	}
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
			  CnapPermission permission)
{
	char	   *alias = parent_alias(policy_table, level);
	CnapProtection protection;

	check_stack_depth();
	appendStringInfo(sql, "EXISTS (SELECT FROM %s", CnapParentSource(link->parent, alias));
	CnapAppendKeys(sql, link, child, child_alias, alias);
	if (permission != CNAP_ACCESS)
	{
		const CnapTest *test = &protection.test;

		CnapReadProtection(link->parent, checks, &protection);
		appendStringInfoString(sql, " AND ");
		if (test->column != 0)
			appendStringInfoString(sql, CnapColumnCheck(checks,
														column_reference(alias, link->parent,
																		 test->column),
														permission));
		else
		{
			appendStringInfoString(sql, "cnap.parent_visible(");
			append_search(sql, checks, policy_table, level + 1, &test->link,
						  link->parent, alias, permission);
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
 * permission on its workspace.  If the check is used to find rows, it includes
 * the keys of all such parents, but only in the first two levels for the
 * reason given above.
 */
char *
CnapParentCheck(Oid relid, const CnapChecks *checks, const CnapLink *link,
				CnapPermission permission, bool with_keys)
{
	const char *name = quote_identifier(get_rel_name(relid));
	int			key = with_keys && is_near_workspace(link->parent, checks) ?
		searchable_key(relid, link) : -1;
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "cnap.parent_visible(");
	append_search(&sql, checks, relid, 1, link, relid, name, permission);
	if (key >= 0)
	{
		char	   *alias = parent_alias(relid, 1);

		appendStringInfo(&sql, ", %s, ARRAY(SELECT %s FROM %s)",
						 column_reference(name, relid, link->child_keys[key]),
						 column_reference(alias, link->parent, link->parent_keys[key]),
						 CnapParentSource(link->parent, alias));
	}
	appendStringInfoChar(&sql, ')');
	return sql.data;
}

/* ---- foreign keys ---- */

/* Has a foreign key been created because of another one of the same table? */
bool
CnapIsDerivedKey(Oid constraint)
{
	HeapTuple	tuple = SearchSysCache1(CONSTROID, ObjectIdGetDatum(constraint));
	Form_pg_constraint form;
	HeapTuple	parent;
	bool		derived = false;

	if (!HeapTupleIsValid(tuple))
		return false;
	form = (Form_pg_constraint) GETSTRUCT(tuple);
	parent = SearchSysCache1(CONSTROID, ObjectIdGetDatum(form->conparentid));
	if (HeapTupleIsValid(parent))
	{
		derived = ((Form_pg_constraint) GETSTRUCT(parent))->conrelid == form->conrelid;
		ReleaseSysCache(parent);
	}
	ReleaseSysCache(tuple);
	return derived;
}

/* Deconstruct a foreign key. */
static void
read_foreign_key(HeapTuple tuple, CnapLink *link)
{
	memset(link, 0, sizeof(*link));
	link->parent = ((Form_pg_constraint) GETSTRUCT(tuple))->confrelid;
	link->constraint = ((Form_pg_constraint) GETSTRUCT(tuple))->oid;
	link->is_valid = ((Form_pg_constraint) GETSTRUCT(tuple))->convalidated;
	DeconstructFkConstraintRow(tuple, &link->nkeys, link->child_keys, link->parent_keys,
							   link->operators, NULL, NULL, NULL, NULL);
}

/* Is a column one of those of a key? */
bool
CnapHasKey(const CnapLink *link, AttrNumber column)
{
	for (int i = 0; i < link->nkeys; i++)
	{
		if (link->child_keys[i] == column)
			return true;
	}
	return false;
}

/*
 * The foreign keys of a table that refer to rows by equality of all columns, as
 * a list of CnapLink, in the order of their names.
 */
List *
CnapAllForeignKeys(Oid relid)
{
	Relation	rel = table_open(ConstraintRelationId, AccessShareLock);
	List	   *links = NIL;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, Anum_pg_constraint_conrelid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(relid));
	scan = systable_beginscan(rel, ConstraintRelidTypidNameIndexId, true, NULL, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_constraint form = (Form_pg_constraint) GETSTRUCT(tuple);

		if (form->contype == CONSTRAINT_FOREIGN && !CnapIsPeriodKey(form) &&
			!CnapIsDerivedKey(form->oid))
		{
			CnapLink   *link = palloc(sizeof(CnapLink));

			read_foreign_key(tuple, link);
			links = lappend(links, link);
		}
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return links;
}

/*
 * Likewise, without the one that maintains a workspace column, and without
 * those that are NOT VALID or NOT ENFORCED.  These allow rows without a
 * parent, which anybody could take over by inserting a parent with that key.
 */
List *
CnapForeignKeys(Oid relid)
{
	List	   *links = CnapAllForeignKeys(relid);
	CnapKeeper	keeper;
	bool		is_kept = CnapFindKeeper(relid, &keeper);
	ListCell   *lc;

	foreach(lc, links)
	{
		CnapLink   *link = lfirst(lc);

		if (!link->is_valid || (is_kept && link->constraint == keeper.constraint))
			links = foreach_delete_current(links, lc);
	}
	return links;
}

/* Does a column belong to a foreign key that may not hold for all rows? */
static bool
has_invalid_key(Oid relid, AttrNumber column)
{
	List	   *links = CnapAllForeignKeys(relid);
	ListCell   *lc;

	foreach(lc, links)
	{
		CnapLink   *link = lfirst(lc);

		if (!link->is_valid && CnapHasKey(link, column))
			return true;
	}
	return false;
}

/* Does an inheritance child have the same valid foreign key as its parent? */
static bool
has_same_key(Oid relid, const CnapLink *link, Oid heir)
{
	List	   *keys = CnapForeignKeys(heir);
	ListCell   *lc;

	foreach(lc, keys)
	{
		const CnapLink *key = lfirst(lc);
		int			same = 0;

		for (int i = 0; i < link->nkeys; i++)
		{
			AttrNumber	column = get_attnum(heir, get_attname(relid, link->child_keys[i], false));

			for (int j = 0; j < key->nkeys; j++)
				same += key->child_keys[j] == column &&
					key->parent_keys[j] == link->parent_keys[i] &&
					key->operators[j] == link->operators[i];
		}
		if (key->parent == link->parent && key->nkeys == link->nkeys && same == link->nkeys)
			return true;
	}
	return false;
}

/*
 * An inheritance child that lacks the foreign key, because unlike partitions
 * it does not inherit that; InvalidOid if there is none.
 */
Oid
CnapHeirWithoutKey(Oid relid, const CnapLink *link)
{
	List	   *heirs = get_rel_relkind(relid) == RELKIND_PARTITIONED_TABLE ? NIL :
		find_all_inheritors(relid, NoLock, NULL);
	ListCell   *lc;

	foreach(lc, heirs)
	{
		if (lfirst_oid(lc) != relid && !has_same_key(relid, link, lfirst_oid(lc)))
			return lfirst_oid(lc);
	}
	return InvalidOid;
}

/* ---- protecting ---- */

/*
 * Find the foreign key that a column belongs to.  If there are several, take
 * the one that references a protected table, if there is only one of that
 * kind.
 */
static void
find_link(Oid relid, const char *column, const CnapChecks *checks, CnapLink *found)
{
	AttrNumber	attno = CnapRequireColumn(relid, column);
	List	   *links = CnapForeignKeys(relid);
	ListCell   *lc;
	bool		is_self = false;
	bool		is_own = false;
	int			nfound = 0;
	bool		found_protected = false;

	foreach(lc, links)
	{
		CnapLink   *link = lfirst(lc);
		CnapProtection protection;

		if (!CnapHasKey(link, attno))
			continue;
		if (link->parent == CnapTableOid(CNAP_WORKSPACE))
		{
			is_own = true;
			continue;
		}
		if (link->parent == relid)
		{
			is_self = true;
			continue;
		}
		CnapReadProtection(link->parent, checks, &protection);
		if (nfound > 0 && CnapIsSameLink(link, found))
			continue;
		if (nfound > 0 && found_protected != protection.is_protected)
		{
			if (found_protected)
				continue;
			nfound = 0;
		}
		*found = *link;
		found_protected = protection.is_protected;
		nfound++;
	}

	if (nfound == 1)
		return;
	if (nfound > 1)
		ereport(ERROR,
				(errcode(ERRCODE_AMBIGUOUS_COLUMN),
				 errmsg("column \"%s\" of \"%s\" belongs to several foreign keys",
						column, get_rel_name(relid)),
				 errhint("Name a column that belongs to only one of them.")));
	if (is_own)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("column \"%s\" of \"%s\" refers to workspaces themselves",
						column, get_rel_name(relid)),
				 errhint("SELECT cnap_protect(%s, %s);",
						 quote_literal_cstr(CnapQualifiedName(relid)),
						 quote_literal_cstr(column))));
	if (is_self)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
				 errmsg("column \"%s\" refers to \"%s\" itself",
						column, get_rel_name(relid)),
				 errdetail("A policy that reads its own table recurses infinitely."),
				 errhint("Protect the table by a workspace column of its own, or through another parent.")));
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("column \"%s\" of \"%s\" belongs to no foreign key",
					column, get_rel_name(relid)),
			 has_invalid_key(relid, attno) ?
			 errdetail("A foreign key that is NOT VALID or NOT ENFORCED allows rows without a parent.") : 0));
}

/*
 * Raise an error if a parent is not protected, or is protected through one of
 * the tables.  This locks all parents, to keep them from being changed.
 * Returns the permission that writing requires.
 */
static CnapPermission
check_parents(Oid parent, List *tables, const CnapChecks *checks)
{
	CnapPermission write = CNAP_ACCESS;
	CnapPermission of_parent;
	bool		is_first = true;
	CnapProtection protection;

	do
	{
		LockRelationOid(parent, AccessShareLock);
		CnapReadProtection(parent, checks, &protection);
		if (list_member_oid(tables, parent))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
					 errmsg("the parent of \"%s\" is protected through \"%s\"",
							get_rel_name(linitial_oid(tables)), get_rel_name(parent)),
					 errdetail("Policies that read each other's tables recurse infinitely.")));
		if (!CnapIsComplete(&protection, &of_parent) || !CnapIsEnforced(parent, checks))
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("\"%s\" is not protected", get_rel_name(parent)),
					 errhint("Call cnap_protect() or cnap_protect_child() for it first.")));
		if (is_first)
			write = of_parent;
		is_first = false;
		parent = protection.test.link.parent;
	} while (OidIsValid(parent));
	return write;
}

/* Warn the owner about rows without a parent. */
static void
advise_not_null(Oid relid, const CnapLink *link)
{
	for (int i = 0; i < link->nkeys; i++)
	{
		if (!CnapIsNotNull(relid, link->child_keys[i]))
			ereport(NOTICE,
					(errmsg("column \"%s\" of \"%s\" can be null",
							get_attname(relid, link->child_keys[i], false),
							get_rel_name(relid)),
					 errdetail("A row without a parent is visible to nobody, and cannot be written.")));
	}
}

/*
 * Raise an error if an inheritance child can have rows without a parent, for
 * the same reason for which we accept no foreign key that is not valid.
 */
static void
check_heirs(Oid relid, const CnapLink *link)
{
	Oid			heir = CnapHeirWithoutKey(relid, link);

	if (OidIsValid(heir))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("\"%s\" inherits from \"%s\", but has no valid foreign key to \"%s\" of its own",
						get_rel_name(heir), get_rel_name(relid), get_rel_name(link->parent)),
				 errdetail("Foreign keys are not inherited, and without one a table can have rows without a parent."),
				 errhint("Add the foreign key to \"%s\" first.", get_rel_name(heir))));
}

/* Do existing rows satisfy a column's NOT NULL? */
static bool
is_validated(Oid relid, AttrNumber column)
{
	HeapTuple	tuple = CnapNotNullConstraint(relid, column);
	bool		validated = true;

	if (HeapTupleIsValid(tuple))
	{
		validated = ((Form_pg_constraint) GETSTRUCT(tuple))->convalidated;
		heap_freetuple(tuple);
	}
	return validated;
}

/* Is a column NOT NULL, and so in all rows? */
bool
CnapIsNotNull(Oid relid, AttrNumber column)
{
	HeapTuple	tuple = SearchSysCache2(ATTNUM, ObjectIdGetDatum(relid),
										Int16GetDatum(column));
	bool		not_null;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for attribute %d of relation %u", column, relid);
	not_null = ((Form_pg_attribute) GETSTRUCT(tuple))->attnotnull;
	ReleaseSysCache(tuple);
	return not_null && is_validated(relid, column);
}

/* Can any of the columns of a link be null? */
bool
CnapIsNullableLink(Oid relid, const CnapLink *link)
{
	for (int i = 0; i < link->nkeys; i++)
	{
		if (!CnapIsNotNull(relid, link->child_keys[i]))
			return true;
	}
	return false;
}

/* cnap_protect_child(relation, parent_column, workspace_column) -> void */
Datum
cnap_protect_child(PG_FUNCTION_ARGS)
{
	Oid			relid = DatumGetObjectId(CnapRequiredArg(fcinfo, 0, "relation"));
	char	   *column = NameStr(*DatumGetName(CnapRequiredArg(fcinfo, 1, "parent_column")));
	CnapChecks	checks;
	CnapTest	test = {0};
	CnapLink	link;
	List	   *tables;

	CnapFindChecks(fcinfo, &checks);
	tables = CnapLockTables(relid, true);
	find_link(relid, column, &checks, &link);

	/*
	 * The foreign key and unique constraint of a workspace column need stronger
	 * locks on the parent later.  Two sessions that both have a weaker one
	 * would then wait for each other.
	 */
	if (!PG_ARGISNULL(2) && CnapOwnsRelation(link.parent, GetUserId()))
		LockRelationOid(link.parent, ShareRowExclusiveLock);
	test.permission = check_parents(link.parent, tables, &checks);

	SPI_connect();
	if (PG_ARGISNULL(2))
	{
		check_heirs(relid, &link);
		CnapDropKeeper(relid);
		test.link = link;
	}
	else
	{
		CnapProtection protection;

		CnapReadProtection(link.parent, &checks, &protection);
		test.column = CnapKeepColumn(tables, &link, protection.test.column,
									 NameStr(*PG_GETARG_NAME(2)));
	}
	CnapProtectTables(tables, &checks, &test);
	SPI_finish();
	advise_not_null(relid, &link);
	PG_RETURN_VOID();
}
