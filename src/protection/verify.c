/*-------------------------------------------------------------------------
 *
 * verify.c
 *	  Is the protection of a table enforced, whichever way it is accessed, and
 *	  if not, why?
 *
 * A query of a table returns, and changes, rows of the tables that inherit from
 * it, subject to the policies of the table that it names.  So the rows of a
 * table are protected only as well as by the tables it inherits from, and those
 * that a query of it returns only as well as by the tables that inherit from
 * it, and by whatever else these inherit from.
 *
 * This is the only place that knows what makes a protection incomplete: each gap
 * is a reason, found with one table.  A protection is enforced if there is no
 * reason of the kind that breaks it, with any table on which it depends; the
 * plan (plan.c) repairs what has a remedy; the linter shows all of them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/formatting.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "core/definitions.h"
#include "core/relation.h"
#include "protection/distributed.h"
#include "protection/keeper.h"
#include "protection/verify.h"

/* ---- comparing two tables ---- */

/* What row-level security of a table lacks; NULL if nothing. */
static const char *
find_row_security_gap(Oid relid, const char **rule)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	bool		enabled = false;
	bool		forced = false;

	if (HeapTupleIsValid(tuple))
	{
		enabled = ((Form_pg_class) GETSTRUCT(tuple))->relrowsecurity;
		forced = ((Form_pg_class) GETSTRUCT(tuple))->relforcerowsecurity;
		ReleaseSysCache(tuple);
	}
	*rule = enabled ? "row_security_not_forced" : "row_security_disabled";
	return !enabled ? "row-level security is disabled, so the policies have no effect" :
		!forced ? "row-level security is not forced, so it does not apply to the owner of the table" : NULL;
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
 * Is a table protected completely, and another one, which inherits from it or
 * from which it inherits, in the same way?
 */
bool
CnapIsProtectedAlike(Oid relid, Oid relative, const CnapChecks *checks)
{
	CnapProtection protection;
	CnapProtection other;
	CnapRequired required;
	CnapRequired of_other;
	const char *rule;

	CnapReadProtection(relid, checks, &protection);
	CnapReadProtection(relative, checks, &other);
	return CnapIsComplete(&protection, &required) && CnapIsComplete(&other, &of_other) &&
		find_row_security_gap(relid, &rule) == NULL &&
		find_row_security_gap(relative, &rule) == NULL &&
		CnapIsSameRequired(&required, &of_other) &&
		is_same_test(relid, &protection.test, relative, &other.test);
}

/* ---- reasons ---- */

static List *
add_reason(List *reasons, const char *severity, const char *rule, CnapRemedy remedy, Oid other,
		   char *text)
{
	CnapReason *reason = palloc(sizeof(CnapReason));

	reason->severity = severity;
	reason->breaks = strcmp(severity, "error") == 0;
	reason->rule = rule;
	reason->text = text;

	reason->remedy = remedy;
	reason->other = other;
	return lappend(reasons, reason);
}

/* Append to a list in a text. */
static void
append_item(StringInfo list, const char *item)
{
	appendStringInfo(list, "%s%s", list->len > 0 ? ", " : "", item);
}

/* Is one of the policies of that name among those that were altered? */
static bool
is_altered(const CnapProtection *protection, int command, bool permissive)
{
	ListCell   *lc;

	foreach(lc, protection->altered)
	{
		if (strcmp(lfirst(lc), CnapPolicyName(command, permissive)) == 0)
			return true;
	}
	return false;
}

/* The commands that lack a policy, in capitals; NULL if none does. */
static char *
lacking(const CnapProtection *protection, bool permissive)
{
	StringInfoData list;

	initStringInfo(&list);
	for (int i = 0; i < CNAP_COMMANDS; i++)
	{
		if ((permissive ? CnapIsDenied(protection, i) : !protection->restricted[i]) &&
			!is_altered(protection, i, permissive))
			append_item(&list, asc_toupper(CnapCommands[i].name, strlen(CnapCommands[i].name)));
	}
	return list.len > 0 ? list.data : NULL;
}

/* Strings, as a list in a text; quoted if they are names of objects. */
static char *
listed(const List *strings, bool quoted)
{
	StringInfoData list;
	const ListCell *lc;

	initStringInfo(&list);
	foreach(lc, strings)
		append_item(&list, quoted ? quote_identifier(lfirst(lc)) : lfirst(lc));
	return list.data;
}

/*
 * What is wrong with a table's own policies.  One that has been altered opens
 * nothing as long as another one restricts its command.
 */
static List *
judge_policies(Oid relid, const CnapProtection *protection)
{
	List	   *reasons = NIL;
	CnapRequired required;
	const char *rule;
	const char *gap = find_row_security_gap(relid, &rule);
	char	   *commands;

	if (gap != NULL)
		reasons = add_reason(reasons, "error", rule, CNAP_FORCE, InvalidOid, pstrdup(gap));
	if (protection->altered != NIL)
	{
		bool		is_open = false;

		for (int i = 0; i < CNAP_COMMANDS; i++)
			is_open |= is_altered(protection, i, false) && !protection->restricted[i];
		reasons = add_reason(reasons, is_open ? "error" : "warning", "policy_altered",
							 CNAP_PROTECT_AGAIN, InvalidOid,
							 psprintf("policies differ from those that cnap_protect() creates: %s",
									  listed(protection->altered, true)));
	}
	commands = lacking(protection, false);
	if (commands != NULL)
		reasons = add_reason(reasons, "error", "policy_missing", CNAP_PROTECT_AGAIN, InvalidOid,
							 psprintf("has no restrictive policy of cnap_protect() for %s", commands));
	commands = lacking(protection, true);
	if (commands != NULL)
		reasons = add_reason(reasons, "warning", "policy_missing_permissive", CNAP_PROTECT_AGAIN,
							 InvalidOid,
							 psprintf("has no permissive policy for %s, so access to every row is denied",
									  commands));
	if (CnapIsOpenOnWorkers(relid, protection))
		reasons = add_reason(reasons, "error", "policy_open_on_workers", CNAP_NO_REMEDY, InvalidOid,
							 psprintf("is distributed, and Citus does not copy the word RESTRICTIVE to its workers, so that other policies open the table there: %s",
									  listed(protection->others, true)));
	if (protection->undefined != NIL)
		reasons = add_reason(reasons, "error", "permission_undefined", CNAP_NO_REMEDY, InvalidOid,
							 psprintf("policies name permissions that do not exist, so that statements fail: %s; define them by cnap_define_permission(), or name others in cnap_protect()",
									  listed(protection->undefined, false)));
	else if (protection->is_protected && !CnapIsConsistent(protection, &required))
		reasons = add_reason(reasons, "error", "policy_disagreement", CNAP_PROTECT_AGAIN, InvalidOid,
							 pstrdup("the policies check different columns or parents, or require inconsistent permissions"));
	return reasons;
}

/* Is there a valid foreign key like a link? */
static bool
has_key(Oid relid, const CnapLink *link)
{
	List	   *keys = CnapForeignKeys(relid);
	ListCell   *lc;

	foreach(lc, keys)
	{
		if (CnapIsSameLink(lfirst(lc), link))
			return true;
	}
	return false;
}

/* Does a table's protection lead back to the table? */
static bool
is_circular(Oid relid, Oid parent, const CnapChecks *checks)
{
	List	   *seen = NIL;

	while (OidIsValid(parent) && parent != relid && !list_member_oid(seen, parent))
	{
		CnapProtection above;

		seen = lappend_oid(seen, parent);
		CnapReadProtection(parent, checks, &above);
		parent = above.test.link.parent;
	}
	return parent == relid;
}

/* What is wrong with the way through a parent. */
static List *
judge_parent(Oid relid, const CnapProtection *protection, const CnapChecks *checks)
{
	static const CnapRequired nothing = {CNAP_ACCESS, CNAP_ACCESS};
	const CnapLink *link = &protection->test.link;
	List	   *reasons = NIL;
	CnapProtection above;
	CnapRequired required;
	CnapRequired of_parent;

	if (!has_key(relid, link))
		reasons = add_reason(reasons,
							 CnapIsUnique(link->parent, link->parent_keys, link->nkeys, false) ?
							 "warning" : "error",
							 "parent_without_key", CNAP_NO_REMEDY, link->parent,
							 psprintf("is protected through %s, but the columns in its policies have no valid foreign key to it",
									  CnapQualifiedName(link->parent)));
	if (is_circular(relid, link->parent, checks))
		return add_reason(reasons, "error", "parent_unprotected", CNAP_NO_REMEDY, link->parent,
						  pstrdup("is protected through itself, so that statements fail"));
	CnapReadProtection(link->parent, checks, &above);
	CnapFormerRequired(protection, &nothing, &required);
	CnapFormerRequired(&above, &required, &of_parent);
	if (of_parent.write != required.write)
		reasons = add_reason(reasons, "error", "parent_disagreement", CNAP_PROTECT_AGAIN, link->parent,
							 psprintf("requires a different permission for writing than its parent %s",
									  CnapQualifiedName(link->parent)));
	return reasons;
}

/* How a table differs from those that it directly inherits from. */
static List *
judge_ancestors(Oid relid, const CnapProtection *protection, const CnapChecks *checks)
{
	static const CnapRequired nothing = {CNAP_ACCESS, CNAP_ACCESS};
	List	   *ancestors = CnapInheritedFrom(relid, NULL);
	List	   *reasons = NIL;
	ListCell   *lc;

	foreach(lc, ancestors)
	{
		Oid			ancestor = lfirst_oid(lc);
		CnapProtection other;
		CnapRequired required;
		CnapRequired of_other;

		CnapReadProtection(ancestor, checks, &other);
		CnapFormerRequired(protection, &nothing, &required);
		CnapFormerRequired(&other, &nothing, &of_other);
		if (other.is_protected &&
			!(CnapIsSameRequired(&required, &of_other) &&
			  is_same_test(relid, &protection->test, ancestor, &other.test)))
			reasons = add_reason(reasons, "error", "partition_disagreement", CNAP_AGREE, ancestor,
								 psprintf("is protected by another column or parent than %s, from which it inherits, or requires different permissions",
										  CnapQualifiedName(ancestor)));
	}
	return reasons;
}

/* The first of some tables that has policies of ours; InvalidOid if none has. */
static Oid
first_own(const List *tables, const CnapChecks *checks)
{
	const ListCell *lc;

	foreach(lc, tables)
	{
		CnapProtection protection;

		CnapReadProtection(lfirst_oid(lc), checks, &protection);
		if (protection.own != NIL)
			return lfirst_oid(lc);
	}
	return InvalidOid;
}

/*
 * The tables at the top of those from which a table inherits that have policies
 * of ours; the table itself if there are none.
 */
List *
CnapTopmostTables(Oid relid, const CnapChecks *checks)
{
	List	   *tables = lcons_oid(relid, CnapAncestors(relid));
	List	   *topmost = NIL;
	ListCell   *lc;

	foreach(lc, tables)
	{
		if (OidIsValid(first_own(list_make1_oid(lfirst_oid(lc)), checks)) &&
			!OidIsValid(first_own(CnapAncestors(lfirst_oid(lc)), checks)))
			topmost = lappend_oid(topmost, lfirst_oid(lc));
	}
	return topmost != NIL ? topmost : list_make1_oid(relid);
}

/* Does a table require more than another one?  By name, lest it is left to chance. */
bool
CnapRequiresMore(const CnapRequired *a, const CnapRequired *b)
{
	int			result = 0;

	if (CnapPermissionName(a->write) != NULL && CnapPermissionName(b->write) != NULL)
		result = strcmp(CnapPermissionName(a->write), CnapPermissionName(b->write));
	if (result == 0 && CnapPermissionName(a->read) != NULL && CnapPermissionName(b->read) != NULL)
		result = strcmp(CnapPermissionName(a->read), CnapPermissionName(b->read));
	return result > 0;
}

/*
 * The one of them by which all the others should be protected: protecting it
 * protects the table as well.
 */
Oid
CnapTopmost(Oid relid, const CnapChecks *checks)
{
	static const CnapRequired nothing = {CNAP_ACCESS, CNAP_ACCESS};
	List	   *tables = CnapTopmostTables(relid, checks);
	Oid			best = InvalidOid;
	CnapRequired of_best = nothing;
	ListCell   *lc;

	list_sort(tables, list_oid_cmp);
	foreach(lc, tables)
	{
		CnapProtection protection;
		CnapRequired required;

		CnapReadProtection(lfirst_oid(lc), checks, &protection);
		CnapFormerRequired(&protection, &nothing, &required);
		if (!OidIsValid(best) || CnapRequiresMore(&required, &of_best))
		{
			best = lfirst_oid(lc);
			of_best = required;
		}
	}
	return best;
}

/* Why a table should have policies of ours, which has none; NIL if it should not. */
static List *
judge_unprotected(Oid relid, const CnapChecks *checks)
{
	Oid			above = first_own(CnapAncestors(relid), checks);
	List	   *reasons = NIL;
	Oid			heir;

	if (OidIsValid(above))
	{
		Oid			top = CnapTopmost(relid, checks);

		return add_reason(NIL, "error",
						  get_rel_relkind(relid) == RELKIND_FOREIGN_TABLE ? NULL : "partition_unprotected",
						  CNAP_PROTECT_HEIR, top,
						  psprintf("is protected only when accessed through %s, not when accessed directly",
								   CnapQualifiedName(top)));
	}
	heir = first_own(find_all_inheritors(relid, NoLock, NULL), checks);
	if (OidIsValid(heir))
		reasons = add_reason(reasons, "error", "ancestor_unprotected", CNAP_NO_REMEDY, heir,
							 psprintf("is not protected, although %s, which inherits from it, is: queries of it are not subject to the policies of that",
									  CnapQualifiedName(heir)));
	if (CnapProtectedChildren(relid, checks) != NIL)
		reasons = add_reason(reasons, "error", "parent_unprotected", CNAP_NO_REMEDY, InvalidOid,
							 pstrdup("is not protected, although the protection of other tables depends on it"));
	return reasons;
}

/*
 * The reasons why the protection of a table, as far as it is found with the
 * table itself, is not as it should be: a list of CnapReason.
 */
List *
CnapFindReasons(Oid relid, const CnapChecks *checks)
{
	CnapProtection protection;
	List	   *reasons;

	CnapReadProtection(relid, checks, &protection);
	if (protection.own == NIL)
		return judge_unprotected(relid, checks);
	reasons = judge_policies(relid, &protection);
	if (!protection.is_protected)
		return reasons;
	if (protection.test.column == 0)
		reasons = list_concat(reasons, judge_parent(relid, &protection, checks));
	return list_concat(reasons, judge_ancestors(relid, &protection, checks));
}

/* ---- answers ---- */

/* Does any of the reasons break the protection? */
static bool
is_broken(Oid relid, const CnapChecks *checks)
{
	List	   *reasons = CnapFindReasons(relid, checks);
	ListCell   *lc;

	foreach(lc, reasons)
	{
		if (((CnapReason *) lfirst(lc))->breaks)
			return true;
	}
	return false;
}

/*
 * Are a table, all tables that its rows can be reached through, and the parents
 * through which it is protected not broken?  "below" is the list of tables
 * through which we got here.
 */
static bool
is_enforced(Oid relid, const CnapChecks *checks, List *below)
{
	CnapProtection protection;
	List	   *family;

	if (list_member_oid(below, relid))
		return false;
	CnapReadProtection(relid, checks, &protection);
	if (!protection.is_protected)
		return false;
	family = find_all_inheritors(relid, NoLock, NULL);
	/* The list grows by what the heirs inherit from besides. */
	for (int i = list_length(family) - 1; i >= 0; i--)
		family = list_concat_unique_oid(family, CnapAncestors(list_nth_oid(family, i)));
	for (int i = 0; i < list_length(family); i++)
	{
		if (is_broken(list_nth_oid(family, i), checks))
			return false;
	}
	list_free(family);
	return protection.test.column != 0 ||
		is_enforced(protection.test.link.parent, checks, lcons_oid(relid, list_copy(below)));
}

bool
CnapIsEnforced(Oid relid, const CnapChecks *checks)
{
	return is_enforced(relid, checks, NIL);
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
	ListCell   *lc;

	foreach(lc, heirs)
	{
		List	   *reasons = CnapFindReasons(lfirst_oid(lc), checks);
		ListCell   *r;

		foreach(r, reasons)
		{
			const CnapReason *reason = lfirst(r);

			if (reason->remedy != CNAP_NO_REMEDY &&
				(reason->remedy != CNAP_AGREE || list_member_oid(heirs, reason->other)))
				return false;
		}
	}
	return true;
}
