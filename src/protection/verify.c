/*-------------------------------------------------------------------------
 *
 * verify.c
 *	  Is the protection of a table enforced, whichever way it is accessed?
 *
 * A query of a table returns, and changes, rows of the tables that inherit from
 * it, subject to the policies of the table that it names.  So the rows of a
 * table are protected only as well as by the tables it inherits from, and those
 * that a query of it returns only as well as by the tables that inherit from
 * it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "core/relation.h"
#include "protection/verify.h"

/* Is row-level security enabled on a table, and forced for its owner? */
static bool
is_forced(Oid relid)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	bool		forced = false;

	if (HeapTupleIsValid(tuple))
	{
		Form_pg_class form = (Form_pg_class) GETSTRUCT(tuple);

		forced = form->relrowsecurity && form->relforcerowsecurity;
		ReleaseSysCache(tuple);
	}
	return forced;
}

/* Do two tables have a column of the same name with these numbers? */
static bool
is_same_column(Oid a, AttrNumber column_of_a, Oid b, AttrNumber column_of_b)
{
	char	   *name = get_attname(a, column_of_a, true);

	return name != NULL && get_attnum(b, name) == column_of_b;
}

/*
 * Do the tests of two tables, of which one inherits from the other, check the
 * same column, or the same parent by the same key?
 */
static bool
is_same_test(Oid a, const CnapTest *of_a, Oid b, const CnapTest *of_b)
{
	CnapTest	translated = *of_a;

	if (of_a->column != 0)
		return of_b->column != 0 && is_same_column(a, of_a->column, b, of_b->column);
	for (int i = 0; i < of_a->link.nkeys; i++)
	{
		if (!is_same_column(a, of_a->link.child_keys[i], b, of_b->link.child_keys[i]))
			return false;
		translated.link.child_keys[i] = of_b->link.child_keys[i];
	}
	return CnapIsSameWay(&translated, of_b);
}

/*
 * Is a table protected completely, and are its relatives by inheritance in the
 * same way?
 */
static bool
is_uniform(Oid relid, const CnapProtection *protection, const CnapChecks *checks,
		   const List *relatives, CnapRequired *required)
{
	ListCell   *lc;

	if (!CnapIsComplete(protection, required) || !is_forced(relid))
		return false;
	foreach(lc, relatives)
	{
		Oid			relative = lfirst_oid(lc);
		CnapProtection other;
		CnapRequired of_other;

		if (!is_forced(relative))
			return false;
		CnapReadProtection(relative, checks, &other);
		if (!CnapIsComplete(&other, &of_other) || !CnapIsSameRequired(&of_other, required) ||
			!is_same_test(relid, &protection->test, relative, &other.test))
			return false;
	}
	return true;
}

/*
 * Is a table protected completely, and another one, which inherits from it or
 * from which it inherits, in the same way?
 */
bool
CnapIsProtectedAlike(Oid relid, Oid relative, const CnapChecks *checks)
{
	CnapProtection protection;
	CnapRequired required;

	CnapReadProtection(relid, checks, &protection);
	return is_uniform(relid, &protection, checks, list_make1_oid(relative), &required);
}

/*
 * Are a table, its partitions and inheritance children, the tables that it
 * inherits from, and the parents through which it is protected all protected
 * completely, and in the same way?  "below" is the list of tables through which
 * we got here.
 */
static bool
is_enforced(Oid relid, const CnapChecks *checks, CnapRequired *required, List *below)
{
	CnapProtection protection;
	const CnapLink *link = &protection.test.link;
	CnapRequired of_parent;
	List	   *family;
	bool		uniform;

	if (list_member_oid(below, relid))
		return false;
	CnapReadProtection(relid, checks, &protection);
	family = list_concat(find_all_inheritors(relid, NoLock, NULL), CnapAncestors(relid));
	uniform = is_uniform(relid, &protection, checks, family, required);
	list_free(family);

	return uniform &&
		(protection.test.column != 0 ||
		 (CnapIsUnique(link->parent, link->parent_keys, link->nkeys, false) &&
		  is_enforced(link->parent, checks, &of_parent, lcons_oid(relid, list_copy(below))) &&
		  CnapIsSameRequired(&of_parent, required)));
}

bool
CnapIsEnforced(Oid relid, const CnapChecks *checks)
{
	CnapRequired required;

	return is_enforced(relid, checks, &required, NIL);
}

/*
 * Would protecting a table again in the same way change nothing?  Then the
 * protection is either enforced, or only not because of other tables: the ones
 * that it inherits from, or its parents.
 */
bool
CnapIsIntact(Oid relid, const CnapChecks *checks)
{
	List	   *heirs = find_all_inheritors(relid, NoLock, NULL);
	CnapProtection protection;
	CnapProtection of_parent;
	CnapRequired required;
	CnapRequired above;
	ListCell   *lc;

	CnapReadProtection(relid, checks, &protection);
	if (!is_uniform(relid, &protection, checks, heirs, &required))
		return false;
	foreach(lc, heirs)
	{
		CnapProtection of_heir;

		CnapReadProtection(lfirst_oid(lc), checks, &of_heir);
		if (of_heir.altered != NIL)
			return false;
		for (int i = 0; i < CNAP_COMMANDS; i++)
		{
			if (CnapIsDenied(&of_heir, i))
				return false;
		}
	}
	if (protection.test.column != 0)
		return true;
	CnapReadProtection(protection.test.link.parent, checks, &of_parent);
	CnapFormerRequired(&of_parent, &required, &above);
	return CnapIsSameRequired(&above, &required);
}
