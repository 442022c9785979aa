/*-------------------------------------------------------------------------
 *
 * protection.c
 *	  What the policies of a table amount to.
 *
 * A table's protection is read from its policies each time: there is no other
 * record of it.  It is complete if each command has its restrictive policy, and
 * these agree.  Whether it holds, which depends on other tables as well, is the
 * subject of verify.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/pg_policy.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "utils/acl.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "core/citus.h"
#include "core/relation.h"
#include "protection/keeper.h"
#include "protection/protection.h"

/* An entry of CnapChecks.known. */
typedef struct KnownProtection
{
	Oid			relid;
	CnapProtection protection;
} KnownProtection;

/* How many policies have a test. */
typedef struct TestCount
{
	CnapTest	test;
	int			policies;
} TestCount;

/* ---- reading them ---- */

/* Note the name of a permission that does not exist, unless it is NULL. */
static void
add_undefined(CnapProtection *protection, char *name)
{
	ListCell   *lc;

	foreach(lc, protection->undefined)
	{
		if (name != NULL && strcmp(lfirst(lc), name) == 0)
			return;
	}
	if (name != NULL)
		protection->undefined = lappend(protection->undefined, name);
}

/*
 * Count the policies with a test.  The most common one is the table's; of equally
 * common ones, a column's rather than a parent's.
 */
static void
count_test(CnapProtection *protection, List **counts, const CnapTest *test)
{
	TestCount  *own = NULL;
	TestCount  *most;
	ListCell   *lc;

	foreach(lc, *counts)
	{
		TestCount  *count = lfirst(lc);

		if (CnapIsSameWay(&count->test, test))
			own = count;
	}
	if (own == NULL)
	{
		own = palloc0(sizeof(TestCount));
		own->test = *test;
		*counts = lappend(*counts, own);
	}
	own->policies++;
	most = linitial(*counts);
	foreach(lc, *counts)
	{
		TestCount  *count = lfirst(lc);

		if (count->policies > most->policies ||
			(count->policies == most->policies && most->test.column == 0))
			most = count;
	}
	protection->test = most->test;
	protection->agrees = list_length(*counts) == 1;
}

/*
 * Is it a copy of a restrictive policy, from which Citus has lost that word?  It
 * restricts as long as all others that permit anything have the same expression.
 */
static bool
is_copied_restriction(Form_pg_policy form, const CnapPolicy *policy)
{
	return policy->permissive &&
		strcmp(NameStr(form->polname), CnapPolicyName(policy->command, false)) == 0 &&
		CnapIsCopy(form->polrelid);
}

/* Add a policy to the description of its table's protection. */
static void
add_policy(CnapProtection *protection, List **counts, const CnapChecks *checks,
		   HeapTuple tuple, TupleDesc desc)
{
	Form_pg_policy form = (Form_pg_policy) GETSTRUCT(tuple);
	CnapPolicy	policy;
	bool		is_own = CnapRecognizePolicy(checks, tuple, desc, &policy);

	if (!is_own && !CnapIsPolicyName(NameStr(form->polname)))
	{
		protection->others = lappend(protection->others, pstrdup(NameStr(form->polname)));
		protection->others_permissive |= form->polpermissive;
		protection->others_show |= form->polpermissive &&
			(form->polcmd == '*' || form->polcmd == ACL_SELECT_CHR);
		return;
	}
	protection->own = lappend(protection->own, pstrdup(NameStr(form->polname)));
	if (!is_own)
	{
		protection->altered = lappend(protection->altered, llast(protection->own));
		return;
	}

	protection->is_protected = true;
	count_test(protection, counts, &policy.test);
	if (!policy.permissive || is_copied_restriction(form, &policy))
	{
		protection->restricted[policy.command] = true;
		protection->restriction[policy.command] = policy.demand;
	}
	else
	{
		protection->permitted[policy.command] = true;
		protection->permission[policy.command] = policy.demand;
	}
	add_undefined(protection, policy.demand.undefined);
}

/* Read what the policies of a table amount to, without looking at a parent. */
static void
read_policies(Oid relid, const CnapChecks *checks, Snapshot snapshot, CnapProtection *protection)
{
	Relation	rel = table_open(PolicyRelationId, AccessShareLock);
	List	   *counts = NIL;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	memset(protection, 0, sizeof(*protection));
	ScanKeyInit(&key, Anum_pg_policy_polrelid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(relid));
	scan = systable_beginscan(rel, PolicyPolrelidPolnameIndexId, true, snapshot, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
		add_policy(protection, &counts, checks, tuple, RelationGetDescr(rel));
	systable_endscan(scan);
	table_close(rel, AccessShareLock);

	protection->read = CNAP_PERMISSION_UNDEFINED;
	if (protection->test.column != 0 && protection->restricted[0])
		protection->read = protection->restriction[0].permission;
	else if (protection->test.column != 0 && protection->permitted[0])
		protection->read = protection->permission[0].permission;
}

/*
 * Read a table's protection from the catalog, as of a snapshot; NULL means now.
 * Reading requires what the table at the top of the parents does: policies made
 * by hand may form a cycle, in which there is none.
 */
void
CnapReadProtectionAsOf(Oid relid, const CnapChecks *checks, Snapshot snapshot,
					   CnapProtection *protection)
{
	Oid			parent;
	List	   *seen = NIL;

	read_policies(relid, checks, snapshot, protection);
	parent = protection->test.link.parent;
	while (OidIsValid(parent) && !list_member_oid(seen, parent))
	{
		CnapProtection above;
		KnownProtection *known = checks->known == NULL || snapshot != NULL ? NULL :
			hash_search(checks->known, &parent, HASH_FIND, NULL);

		seen = lappend_oid(seen, parent);
		if (known != NULL)
			above = known->protection;
		else
			read_policies(parent, checks, snapshot, &above);
		protection->read = above.read;
		parent = known != NULL ? InvalidOid : above.test.link.parent;
	}
	list_free(seen);
}

/*
 * Make CnapReadProtection() read each table only once, for callers that look
 * at many tables and change none.
 */
void
CnapKeepProtections(CnapChecks *checks)
{
	HASHCTL		ctl = {.keysize = sizeof(Oid),.entrysize = sizeof(KnownProtection),
	.hcxt = CurrentMemoryContext};

	checks->known = hash_create("cnap_org protections", 256, &ctl,
								HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

/*
 * Read a table's protection: what its policies amount to.  Whoever does so for all tables
 * of a database can be interrupted here.
 */
void
CnapReadProtection(Oid relid, const CnapChecks *checks, CnapProtection *protection)
{
	KnownProtection *known;
	bool		found;

	CHECK_FOR_INTERRUPTS();
	if (checks->known == NULL)
	{
		CnapReadProtectionAsOf(relid, checks, NULL, protection);
		return;
	}
	known = hash_search(checks->known, &relid, HASH_FIND, &found);
	if (!found)
	{
		CnapReadProtectionAsOf(relid, checks, NULL, protection);
		known = hash_search(checks->known, &relid, HASH_ENTER, NULL);
		known->protection = *protection;
	}
	*protection = known->protection;
}

/*
 * The permission that the policy of a command requires besides that for the
 * command, so that the row is visible; CNAP_ACCESS, which all have who have any,
 * if there is none.  PostgreSQL applies the policies for reading only to
 * commands that read a column.  Without them, somebody who may write, but not
 * read, could move all rows to a workspace of their own by an UPDATE without
 * WHERE, and read them there.
 */
CnapPermission
CnapVisibleBesides(int command, const CnapRequired *required)
{
	return CnapCommands[command].writes && CnapCommands[command].tests_old &&
		required->read != required->write ? required->read : CNAP_ACCESS;
}

/*
 * Is it enough for a command that the parent is visible?  The permission to
 * write has to be tested unless everybody who sees the parent has it, as far as
 * that is known.
 */
bool
CnapIsBareTest(int command, const CnapRequired *required)
{
	return !CnapCommands[command].writes ||
		(required->write == CNAP_ACCESS &&
		 (required->read == CNAP_ACCESS || required->read == CNAP_PERMISSION_UNDEFINED));
}

/*
 * Do the policies that there are agree on one test, and for each of reading and
 * writing on one permission?  These are returned in *required; that for reading
 * is CNAP_PERMISSION_UNDEFINED if a parent is not protected.
 */
bool
CnapIsConsistent(const CnapProtection *protection, CnapRequired *required)
{
	static const CnapRequired nothing = {CNAP_PERMISSION_UNDEFINED, CNAP_ACCESS};
	bool		by_parent = protection->test.column == 0;

	CnapFormerRequired(protection, &nothing, required);
	for (int i = 0; i < CNAP_COMMANDS; i++)
	{
		const CnapDemand *demand = &protection->restriction[i];
		CnapPermission wanted = CnapCommands[i].writes ? required->write :
			by_parent ? CNAP_ACCESS : required->read;

		if (!protection->restricted[i])
			continue;
		if (demand->permission != wanted ||
			(by_parent && demand->is_bare && !CnapIsBareTest(i, required)) ||
			(!by_parent && required->read != CNAP_PERMISSION_UNDEFINED &&
			 demand->visible != CnapVisibleBesides(i, required)))
			return false;
	}
	return protection->agrees && protection->undefined == NIL;
}

/* Likewise, and does every command have its restrictive policy? */
bool
CnapIsComplete(const CnapProtection *protection, CnapRequired *required)
{
	bool		complete = CnapIsConsistent(protection, required);

	for (int i = 0; i < CNAP_COMMANDS; i++)
		complete &= protection->restricted[i];
	return complete;
}

/* Are the same permissions required? */
bool
CnapIsSameRequired(const CnapRequired *a, const CnapRequired *b)
{
	return a->read == b->read && a->write == b->write;
}

/*
 * Does no policy permit a command, so that nobody can access any row by it?
 * The table's own permissive policies are the reason why there are none of
 * ours, and may have been dropped since.
 */
bool
CnapIsDenied(const CnapProtection *protection, int command)
{
	return !protection->others_permissive && !protection->permitted[command];
}

/*
 * The permissions that a table's policies require, or as far as they are left,
 * have required; if they do not agree, what most of them do.
 */
void
CnapFormerRequired(const CnapProtection *former, const CnapRequired *otherwise,
				   CnapRequired *required)
{
	int			most = 0;

	*required = *otherwise;
	if (former->read != CNAP_PERMISSION_UNDEFINED || former->undefined != NIL)
		required->read = former->read;
	for (int i = CNAP_COMMANDS - 1; i >= 0; i--)
	{
		if (CnapCommands[i].writes && former->permitted[i])
			required->write = former->permission[i].permission;
	}
	for (int i = CNAP_COMMANDS - 1; i >= 0; i--)
	{
		int			same = 0;

		for (int j = 0; j < CNAP_COMMANDS; j++)
			same += CnapCommands[j].writes && former->restricted[j] &&
				former->restriction[j].permission == former->restriction[i].permission;
		if (CnapCommands[i].writes && former->restricted[i] && same >= most)
		{
			required->write = former->restriction[i].permission;
			most = same;
		}
	}
}

/*
 * The parent through which a table is protected, whether by a workspace column
 * that follows the parent's, or by policies.  InvalidOid if there is none.
 */
Oid
CnapParentOf(Oid relid, const CnapProtection *protection)
{
	CnapKeeper	keeper;

	if (CnapFindKeeper(relid, &keeper) && keeper.column != 0)
		return keeper.link.parent;
	return protection->test.link.parent;
}

/*
 * The tables that are directly protected through a parent, found by the
 * dependencies of their policies, in the order of their OIDs.
 */
List *
CnapProtectedChildren(Oid parent, const CnapChecks *checks)
{
	List	   *policies = CnapDependents(parent, PolicyRelationId);
	Relation	rel = table_open(PolicyRelationId, AccessShareLock);
	List	   *children = NIL;
	ListCell   *lc;

	foreach(lc, policies)
	{
		HeapTuple	tuple = CnapCopyPolicy(rel, lfirst_oid(lc));
		CnapPolicy	policy;

		if (HeapTupleIsValid(tuple) &&
			CnapRecognizePolicy(checks, tuple, RelationGetDescr(rel), &policy) &&
			policy.test.link.parent == parent)
			children = list_append_unique_oid(children,
											  ((Form_pg_policy) GETSTRUCT(tuple))->polrelid);
	}
	table_close(rel, AccessShareLock);
	list_sort(children, list_oid_cmp);
	return children;
}

/*
 * All tables that have policies, without the shards of others, as of a snapshot, or
 * now if it is NULL.  The index scan returns the policies of a table one after the
 * other.
 */
List *
CnapTablesWithPolicies(Snapshot snapshot)
{
	Relation	rel = table_open(PolicyRelationId, AccessShareLock);
	SysScanDesc scan = systable_beginscan(rel, PolicyPolrelidPolnameIndexId, true, snapshot,
										  0, NULL);
	List	   *tables = NIL;
	HeapTuple	tuple;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Oid			relid = ((Form_pg_policy) GETSTRUCT(tuple))->polrelid;

		if (tables == NIL || llast_oid(tables) != relid)
			tables = lappend_oid(tables, relid);
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return CnapWithoutShards(tables);
}
