/*-------------------------------------------------------------------------
 *
 * child.c
 *	  Protection of tables that reach their workspace through a parent.
 *
 * A row of such a table is visible if its parent is (expression.c).
 *
 * PostgreSQL rejects a policy that reads its own table as infinite recursion.
 * So we refuse a parent that is the table itself, or is protected through it.
 *
 * A null key matches no parent, so a row with one is visible to nobody.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "core/arguments.h"
#include "core/compat.h"
#include "core/own_catalog.h"
#include "core/relation.h"
#include "protection/distributed.h"
#include "protection/keeper.h"
#include "protection/kept_column.h"
#include "protection/protect.h"
#include "protection/target.h"
#include "protection/verify.h"

PG_FUNCTION_INFO_V1(cnap_protect_child);

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
 * Returns the permissions that the parent requires.
 */
static CnapRequired
check_parents(Oid parent, List *tables, const CnapChecks *checks)
{
	CnapRequired required = {CNAP_ACCESS, CNAP_ACCESS};
	CnapRequired of_parent;
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
			required = of_parent;
		is_first = false;
		parent = protection.test.link.parent;
	} while (OidIsValid(parent));
	return required;
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

/* cnap_protect_child(relation, parent_column, workspace_column) -> void */
Datum
cnap_protect_child(PG_FUNCTION_ARGS)
{
	Oid			relid = DatumGetObjectId(CnapRequiredArg(fcinfo, 0, "relation"));
	char	   *column = NameStr(*DatumGetName(CnapRequiredArg(fcinfo, 1, "parent_column")));
	CnapChecks	checks;
	CnapTest	test = {0};
	CnapRequired required;
	CnapLink	link;
	List	   *tables;

	CnapFindChecks(fcinfo, &checks);
	tables = CnapLockTables(relid, true);
	CnapRefuseDistributedChild(relid);
	find_link(relid, column, &checks, &link);

	/*
	 * The foreign key and unique constraint of a workspace column need
	 * stronger locks on the parent later.  Two sessions that both have a
	 * weaker one would then wait for each other.
	 */
	if (!PG_ARGISNULL(2) && CnapOwnsRelation(link.parent, GetUserId()))
		LockRelationOid(link.parent, ShareRowExclusiveLock);
	required = check_parents(link.parent, tables, &checks);

	SPI_connect();
	if (PG_ARGISNULL(2))
	{
		check_heirs(relid, &link);
		test.link = link;
	}
	else
	{
		CnapProtection protection;

		CnapReadProtection(link.parent, &checks, &protection);
		test.column = CnapKeepColumn(tables, &link, protection.test.column,
									 NameStr(*PG_GETARG_NAME(2)));
	}
	CnapProtectTables(tables, &checks, &test, &required);
	if (PG_ARGISNULL(2))
		CnapDropKeptColumn(relid);
	SPI_finish();
	advise_not_null(relid, &link);
	PG_RETURN_VOID();
}
