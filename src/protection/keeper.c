/*-------------------------------------------------------------------------
 *
 * keeper.c
 *	  What keeps workspace columns equal to the parents', as the catalogs say.
 *
 * The trigger is the record of it (kept_column.c): its columns are those of the
 * key, followed by the workspace column, and the foreign key is the one with
 * these columns.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_trigger.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "core/own_catalog.h"
#include "core/relation.h"
#include "protection/keeper.h"

/* Is a constraint one that we created, judging by its name? */
bool
CnapIsOwnConstraint(Oid constraint)
{
	HeapTuple	tuple = SearchSysCache1(CONSTROID, ObjectIdGetDatum(constraint));
	Form_pg_constraint form;
	const char *prefix = CNAP_CONSTRAINT_PREFIX "_";
	char	   *table;
	bool		is_own;

	if (!HeapTupleIsValid(tuple))
		return false;
	form = (Form_pg_constraint) GETSTRUCT(tuple);
	table = get_rel_name(form->conrelid);
	if (table != NULL && strncmp(table, CNAP_CONSTRAINT_PREFIX, strlen(CNAP_CONSTRAINT_PREFIX)) == 0)
		prefix = CNAP_CONSTRAINT_PREFIX "_" CNAP_CONSTRAINT_PREFIX;
	is_own = strncmp(NameStr(form->conname), prefix, strlen(prefix)) == 0;
	ReleaseSysCache(tuple);
	return is_own;
}

/*
 * Find what maintains a table's workspace column: the trigger, and the foreign
 * key, whose last column it is.  If the foreign key is missing, link.parent
 * stays InvalidOid; if the application has more keys of these columns, ours is
 * found.  A null snapshot means now.
 */
bool
CnapFindKeeperAsOf(Oid relid, Snapshot snapshot, CnapKeeper *keeper)
{
	Relation	rel = table_open(TriggerRelationId, AccessShareLock);
	Oid			function = CnapFillFunction();
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		found = false;

	memset(keeper, 0, sizeof(*keeper));
	ScanKeyInit(&key, Anum_pg_trigger_tgrelid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(relid));
	scan = systable_beginscan(rel, TriggerRelidNameIndexId, true, snapshot, 1, &key);
	while (!found && HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_trigger form = (Form_pg_trigger) GETSTRUCT(tuple);
		List	   *links;
		ListCell   *lc;

		if (form->tgfoid != function)
			continue;
		found = true;
		keeper->trigger = pstrdup(NameStr(form->tgname));
		keeper->is_clone = OidIsValid(form->tgparentid);
		keeper->enabled = form->tgenabled;
		links = CnapForeignKeysAsOf(relid, snapshot);
		foreach(lc, links)
		{
			CnapLink   *link = lfirst(lc);

			if (!CnapIsOwnConstraint(keeper->constraint) &&
				link->nkeys == form->tgattr.dim1 && link->nkeys > 1 &&
				memcmp(link->child_keys, form->tgattr.values,
					   link->nkeys * sizeof(AttrNumber)) == 0)
			{
				keeper->link = *link;
				keeper->link.nkeys--;
				keeper->column = link->child_keys[keeper->link.nkeys];
				keeper->parent_column = link->parent_keys[keeper->link.nkeys];
				keeper->link.child_keys[keeper->link.nkeys] = 0;
				keeper->link.parent_keys[keeper->link.nkeys] = 0;
				keeper->link.operators[keeper->link.nkeys] = InvalidOid;
				keeper->constraint = link->constraint;
			}
		}
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return found;
}

/* Likewise, as of now. */
bool
CnapFindKeeper(Oid relid, CnapKeeper *keeper)
{
	return CnapFindKeeperAsOf(relid, NULL, keeper);
}

/*
 * The tables whose workspace columns follow that of a parent, in the order of
 * their OIDs.
 */
List *
CnapKeptChildren(Oid parent)
{
	List	   *constraints = CnapDependents(parent, ConstraintRelationId);
	List	   *children = NIL;
	ListCell   *lc;

	foreach(lc, constraints)
	{
		HeapTuple	tuple = SearchSysCache1(CONSTROID, ObjectIdGetDatum(lfirst_oid(lc)));
		CnapKeeper	keeper;

		if (!HeapTupleIsValid(tuple))
			continue;
		if (CnapFindKeeper(((Form_pg_constraint) GETSTRUCT(tuple))->conrelid, &keeper) &&
			!keeper.is_clone && keeper.constraint == lfirst_oid(lc) &&
			keeper.link.parent == parent)
			children = lappend_oid(children, ((Form_pg_constraint) GETSTRUCT(tuple))->conrelid);
		ReleaseSysCache(tuple);
	}
	list_sort(children, list_oid_cmp);
	return children;
}

/* ---- the other foreign keys ---- */

/*
 * The foreign keys of a table as CnapAllForeignKeys() finds them, without the one
 * that maintains a workspace column, and without those that are NOT VALID or NOT
 * ENFORCED.  These allow rows without a parent, which anybody could take over by
 * inserting a parent with that key.
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
