/*-------------------------------------------------------------------------
 *
 * ways.c
 *	  A user's ways into one workspace, and into all.
 *
 * The same rules stand once more, for listings, in the view cnap.way_in.
 *
 * Everything that a decision is based on is read with the same snapshot, so
 * that it never sees half of another transaction; for the definitions of roles
 * and permissions, definitions.c sees to that.
 *
 * The one exception are memberships that were read earlier, with another
 * snapshot, and are known not to have changed since: they spare two of the
 * three scans for somebody whose organizations manage more workspaces than can
 * be loaded.  A transaction that changes both a membership and the workspace
 * could have been committed in between, with the news of it still on its way.
 * So they are used only for a version of the workspace's row that the earlier
 * snapshot saw as well, because it was written by a transaction that had ended
 * then.  The decision is one as of the earlier snapshot.
 *
 * Where not all managers get in, one who does has an assignment, and that counts only
 * if it belongs to this grant and to this membership, by their ids.  So whatever
 * became of its row, it has ended with either.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/transam.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"

#include "access/ways.h"
#include "core/definitions.h"
#include "core/table_scan.h"

/* ---- one workspace ---- */

static int
compare_held_roles(const void *a, const void *b)
{
	return memcmp(&((const CnapHeldRole *) a)->object,
				  &((const CnapHeldRole *) b)->object, sizeof(pg_uuid_t));
}

/* The role among memberships that were read earlier, or CNAP_ROLE_NONE. */
static CnapRole
known_role(const CnapMemberships *known, CnapTable table, const pg_uuid_t *object)
{
	bool		organization = table == CNAP_ORGANIZATION_MEMBER;
	CnapHeldRole key = {.object = *object};
	const CnapHeldRole *found;

	found = bsearch(&key, organization ? known->list : known->list + known->norganizations,
					organization ? known->norganizations : known->nworkspaces,
					sizeof(CnapHeldRole), compare_held_roles);
	return found != NULL ? found->role : CNAP_ROLE_NONE;
}

/*
 * The user's role in one of the two tables of members, or CNAP_ROLE_NONE, from
 * the known memberships, or else as of the snapshot.
 */
static CnapRole
find_role(const CnapMemberships *known, Snapshot snapshot, CnapTable table,
		  const pg_uuid_t *object, text *user)
{
	return known != NULL ? known_role(known, table, object) :
		CnapMemberRoleAsOf(snapshot, table, object, user);
}

/*
 * Did that version of a workspace's row exist already when the memberships were
 * read?  Transaction ids wrap around, so they can be compared only if the
 * memberships are not older than half of the range.  They never are: before that,
 * VACUUM must have recorded in pg_class that our tables contain no such old ids,
 * which invalidates the cache (own_catalog.c).  A row may have been frozen since, so
 * xmin is that from before.  If that was so long ago that it seems to be a later
 * one, the row is merely not recognized.
 */
static bool
existed_then(const CnapMemberships *known, const CnapWorkspace *row, Snapshot snapshot)
{
	return TransactionIdPrecedes(row->xmin, known->xmin) &&
		TransactionIdPrecedesOrEquals(known->xmin, snapshot->xmin);
}

/*
 * Does a decision about the workspace depend on an assignment?  That is read now, so
 * must be all the rest.
 */
static bool
depends_on_assignment(const CnapMemberships *known, const CnapWorkspace *row)
{
	return row->managed && row->terms.managers != CNAP_MANAGERS_ALL &&
		known_role(known, CNAP_ORGANIZATION_MEMBER, &row->managed_by) != CNAP_ROLE_NONE;
}

/*
 * What the tables say about the user as one of the managers of a managed workspace,
 * the roles from the known memberships, if these suffice.
 */
static CnapManagement
find_management(const CnapMemberships *known, Snapshot snapshot, const pg_uuid_t *workspace,
				const CnapWorkspace *row, text *user)
{
	CnapManagement management = {.until = row->managed_until};
	bool		held = CnapManagedNow(row);
	CnapOrganizationMember member;
	CnapAssignment assignment;

	if (known != NULL || row->terms.managers == CNAP_MANAGERS_ALL)
	{
		management.role = find_role(known, snapshot, CNAP_ORGANIZATION_MEMBER,
									&row->managed_by, user);
		Assert(known == NULL || management.role == CNAP_ROLE_NONE ||
			   row->terms.managers == CNAP_MANAGERS_ALL);
		management.counts = management.role != CNAP_ROLE_NONE &&
			row->terms.managers == CNAP_MANAGERS_ALL;
		management.let_in = management.counts && held;
	}
	else if (CnapFindMemberAsOf(snapshot, &row->managed_by, user, &member))
	{
		management.role = member.role;
		management.counts = CnapFindAssignmentAsOf(snapshot, workspace, user, &assignment) &&
			CnapAssignmentCounts(&assignment, row, &member.id);
		if (management.counts)
		{
			management.let_in = held && CnapHoldsUntil(assignment.until);
			management.until = Min(row->managed_until, assignment.until);
		}
	}
	return management;
}

CnapManagement
CnapFindManagementAsOf(Snapshot snapshot, const pg_uuid_t *workspace,
					   const CnapWorkspace *row, text *user)
{
	return find_management(NULL, snapshot, workspace, row, user);
}

/*
 * The owner has every permission, so nothing else is looked up for the owner.
 * A managed way that has ended already is omitted.
 */
static CnapAccess
find_access(Snapshot snapshot, text *user, const pg_uuid_t *workspace,
			const CnapMemberships *known)
{
	CnapAccess	access = {.managed_until = DT_NOEND};
	CnapWorkspace row;

	access.exists = CnapFindWorkspaceAsOf(snapshot, workspace, &row);
	if (access.exists && CnapTextEqual(row.owner, user))
		access.ways = CNAP_WAY_OWNER;
	else if (access.exists)
	{
		if (known != NULL &&
			(!existed_then(known, &row, snapshot) || depends_on_assignment(known, &row)))
			known = NULL;
		access.ways = CnapWayOfMember(find_role(known, snapshot, CNAP_WORKSPACE_MEMBER,
												workspace, user));
		if (CnapManagedNow(&row))
		{
			CnapManagement management = find_management(known, snapshot, workspace, &row, user);

			access.manager = row.managed_by;
			access.manager_role = management.role;
			if (management.let_in)
			{
				access.ways |= CnapWayOfManager(row.managed_role);
				access.managed_until = management.until;
			}
		}
	}
	if (access.exists)
		pfree(row.owner);
	return access;
}

CnapAccess
CnapFindAccess(text *user, const pg_uuid_t *workspace, const CnapMemberships *known)
{
	Snapshot	snapshot = CnapDecisionSnapshot();
	CnapAccess	access = find_access(snapshot, user, workspace, known);

	if (CnapDefinitionsDiffer(snapshot))
		access = find_access(snapshot, user, workspace, NULL);
	UnregisterSnapshot(snapshot);
	return access;
}

/* ---- all workspaces ---- */

/* State of CnapFindReach(). */
typedef struct ReachList
{
	Snapshot	snapshot;
	uint64		rows_left;		/* to read before giving up */
	int			count;
	int			allocated;
	CnapReach  *items;
} ReachList;

static void
append_reach(ReachList *list, const pg_uuid_t *workspace, CnapWays ways, TimestampTz until)
{
	CnapReach  *item;

	if (list->count == list->allocated)
	{
		list->allocated *= 2;
		list->items = repalloc_huge(list->items,
									(Size) list->allocated * sizeof(CnapReach));
	}
	item = &list->items[list->count++];
	item->workspace = *workspace;
	item->ways = ways;
	item->managed_until = until;
}

/*
 * Fetch the next row of a scan; false if there is none, or if too many rows
 * have been read.
 */
static bool
next_row(ReachList *list, CnapScan *scan, HeapTuple *tuple)
{
	*tuple = CnapNextRow(scan);
	if (!HeapTupleIsValid(*tuple) || list->rows_left == 0)
		return false;
	list->rows_left--;
	return true;
}

/*
 * Append the user's rows in one of the two tables of members, sorted by the
 * object, and return their number.
 */
static int
append_memberships(ReachList *list, StringInfo memberships, CnapTable table, text *user)
{
	int			start = memberships->len;
	int			count = 0;
	ScanKeyData key;
	CnapScan	scan;
	HeapTuple	tuple;

	CnapKeyText(&key, Anum_organization_member_user_id, user);
	CnapBeginScan(&scan, table, list->snapshot, 1, &key);
	while (next_row(list, &scan, &tuple))
	{
		CnapHeldRole held;
		bool		isnull;
		Datum		value;

		value = CnapField(&scan, tuple, Anum_organization_member_organization_id, &isnull);
		held.object = *DatumGetUUIDP(value);
		value = CnapField(&scan, tuple, Anum_organization_member_role, &isnull);
		held.role = CnapRoleFromDatum(value);
		appendBinaryStringInfo(memberships, (char *) &held, sizeof(held));
		count++;
	}
	CnapEndScan(&scan);
	qsort(memberships->data + start, count, sizeof(CnapHeldRole), compare_held_roles);
	return count;
}

/* Read the user's memberships; not all of them if those are too many. */
static CnapMemberships *
read_memberships(ReachList *list, text *user)
{
	CnapMemberships header = {.xmin = list->snapshot->xmin};
	CnapMemberships *result;
	StringInfoData buffer;

	initStringInfo(&buffer);
	appendBinaryStringInfo(&buffer, (char *) &header, offsetof(CnapMemberships, list));
	header.norganizations = append_memberships(list, &buffer, CNAP_ORGANIZATION_MEMBER, user);
	header.nworkspaces = append_memberships(list, &buffer, CNAP_WORKSPACE_MEMBER, user);
	result = (CnapMemberships *) buffer.data;
	result->norganizations = header.norganizations;
	result->nworkspaces = header.nworkspaces;
	return result;
}

/* Collect the workspaces that the user owns. */
static void
collect_owned(ReachList *list, text *user)
{
	ScanKeyData key;
	CnapScan	scan;
	HeapTuple	tuple;

	CnapKeyText(&key, Anum_workspace_owner_id, user);
	CnapBeginScan(&scan, CNAP_WORKSPACE, list->snapshot, 1, &key);
	while (next_row(list, &scan, &tuple))
	{
		bool		isnull;
		Datum		id = CnapField(&scan, tuple, Anum_workspace_id, &isnull);

		append_reach(list, DatumGetUUIDP(id), CNAP_WAY_OWNER, DT_NOEND);
	}
	CnapEndScan(&scan);
}

/*
 * Collect the workspaces that an organization manages and into which it lets all
 * of its members, disregarding managed_until.
 */
static void
collect_managed(ReachList *list, const pg_uuid_t *organization, text *all)
{
	ScanKeyData keys[2];
	CnapScan	scan;
	HeapTuple	tuple;

	CnapKeyUuid(&keys[0], Anum_workspace_managed_by, organization);
	CnapKeyText(&keys[1], Anum_workspace_managed_access, all);
	CnapBeginScan(&scan, CNAP_WORKSPACE, list->snapshot, 2, keys);
	while (next_row(list, &scan, &tuple))
	{
		bool		isnull;
		Datum		id = CnapField(&scan, tuple, Anum_workspace_id, &isnull);
		Datum		role = CnapField(&scan, tuple, Anum_workspace_managed_role, &isnull);
		Datum		until = CnapField(&scan, tuple, Anum_workspace_managed_until, &isnull);

		append_reach(list, DatumGetUUIDP(id),
					 CnapWayOfManager(CnapRoleFromDatum(role)),
					 isnull ? DT_NOEND : DatumGetTimestampTz(until));
	}
	CnapEndScan(&scan);
}

/*
 * Collect the workspaces to which the user is assigned, likewise.  The workspaces of
 * one organization mostly follow each other, so the membership found last is kept.
 */
static void
collect_assigned(ReachList *list, text *user, const CnapMemberships *held)
{
	pg_uuid_t	organization = {0};
	CnapOrganizationMember member = {0};
	ScanKeyData key;
	CnapScan	scan;
	HeapTuple	tuple;

	CnapKeyText(&key, Anum_assignment_user_id, user);
	CnapBeginScan(&scan, CNAP_ASSIGNMENT, list->snapshot, 1, &key);
	while (next_row(list, &scan, &tuple))
	{
		CnapAssignment assignment = CnapGetAssignment(&scan, tuple);
		bool		isnull;
		Datum		id = CnapField(&scan, tuple, Anum_assignment_workspace_id, &isnull);
		CnapWorkspace row;

		if (!CnapFindWorkspaceAsOf(list->snapshot, DatumGetUUIDP(id), &row))
			continue;
		pfree(row.owner);
		if (list->rows_left > 0)
			list->rows_left--;
		if (!row.managed || row.terms.managers == CNAP_MANAGERS_ALL ||
			known_role(held, CNAP_ORGANIZATION_MEMBER, &row.managed_by) == CNAP_ROLE_NONE)
			continue;
		if (member.role == CNAP_ROLE_NONE ||
			memcmp(&organization, &row.managed_by, sizeof(pg_uuid_t)) != 0)
		{
			organization = row.managed_by;
			if (!CnapFindMemberAsOf(list->snapshot, &organization, user, &member))
				elog(ERROR, "membership disappeared from a snapshot");
		}
		if (CnapAssignmentCounts(&assignment, &row, &member.id))
			append_reach(list, DatumGetUUIDP(id), CnapWayOfManager(row.managed_role),
						 Min(row.managed_until, assignment.until));
	}
	CnapEndScan(&scan);
}

#define ST_SORT sort_reach
#define ST_ELEMENT_TYPE CnapReach
#define ST_COMPARE(a, b) memcmp(&(a)->workspace, &(b)->workspace, sizeof(pg_uuid_t))
#define ST_CHECK_FOR_INTERRUPTS
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

static CnapReach *
find_reach(Snapshot snapshot, text *user, uint64 max_rows, int *count,
		   CnapMemberships **memberships)
{
	ReachList	list;
	CnapMemberships *held;
	int			distinct = 0;

	/* Reaching zero means that there were too many rows. */
	list.rows_left = max_rows + 1;
	list.count = 0;
	list.allocated = 16;
	list.items = palloc(list.allocated * sizeof(CnapReach));
	list.snapshot = snapshot;

	*memberships = NULL;
	held = read_memberships(&list, user);
	if (list.rows_left > 0)
	{
		*memberships = held;
		for (int i = 0; i < held->nworkspaces; i++)
		{
			CnapHeldRole *direct = &held->list[held->norganizations + i];

			append_reach(&list, &direct->object, CnapWayOfMember(direct->role), DT_NOEND);
		}
		collect_owned(&list, user);
		if (held->norganizations > 0)
		{
			text	   *all = cstring_to_text(CnapManagersName(CNAP_MANAGERS_ALL));

			for (int i = 0; i < held->norganizations && list.rows_left > 0; i++)
				collect_managed(&list, &held->list[i].object, all);
			if (list.rows_left > 0)
				collect_assigned(&list, user, held);
			pfree(all);
		}
	}
	else
		pfree(held);

	if (list.rows_left == 0)
	{
		pfree(list.items);
		return NULL;
	}

	sort_reach(list.items, list.count);
	for (int i = 0; i < list.count; i++)
	{
		CnapReach  *item = &list.items[i];
		CnapReach  *last = distinct > 0 ? &list.items[distinct - 1] : NULL;

		if (last == NULL ||
			memcmp(&last->workspace, &item->workspace, sizeof(pg_uuid_t)) != 0)
			list.items[distinct++] = *item;
		else
		{
			/* Only the managed way has an end, and there is at most one. */
			last->ways = CnapJoinWays(last->ways, item->ways);
			last->managed_until = Min(last->managed_until, item->managed_until);
		}
	}
	*count = distinct;
	return list.items;
}

CnapReach *
CnapFindReach(text *user, uint64 max_rows, int *count, CnapMemberships **memberships)
{
	Snapshot	snapshot = CnapDecisionSnapshot();
	CnapReach  *items = find_reach(snapshot, user, max_rows, count, memberships);

	if (CnapDefinitionsDiffer(snapshot))
	{
		if (items != NULL)
			pfree(items);
		if (*memberships != NULL)
			pfree(*memberships);
		items = find_reach(snapshot, user, max_rows, count, memberships);
	}
	UnregisterSnapshot(snapshot);
	return items;
}
