/*-------------------------------------------------------------------------
 *
 * lookup.c
 *	  Lookups of the current contents of the tables.
 *
 * All reads are index scans with a fresh catalog snapshot.  Such a snapshot
 * sees everything committed by the time of the lookup, whatever the isolation
 * level, and the changes of the current transaction up to the current command,
 * which are the semantics of PostgreSQL's own GRANT and REVOKE.  With the
 * active snapshot, a member removed meanwhile would keep access until the end
 * of a REPEATABLE READ transaction.  Everything that a decision is based on is
 * read with the same snapshot, so that it never sees half of another
 * transaction.
 *
 * Direct scans require no privileges on the tables, and do not depend on the
 * caller's planner settings or search path.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "lookup.h"
#include "relations.h"

/*
 * A scan of one of our tables by equality on the leading columns of an index.
 */
typedef struct Lookup
{
	Relation	rel;
	SysScanDesc scan;
} Lookup;

static void
key_uuid(ScanKey key, AttrNumber attno, const pg_uuid_t *value)
{
	ScanKeyInit(key, attno, BTEqualStrategyNumber, F_UUID_EQ,
				UUIDPGetDatum(value));
}

/* User ids compare bytewise: ScanKeyInit() sets the collation "C". */
static void
key_text(ScanKey key, AttrNumber attno, text *value)
{
	ScanKeyInit(key, attno, BTEqualStrategyNumber, F_TEXTEQ,
				PointerGetDatum(value));
}

/*
 * Take the snapshot for a decision that is based on several lookups.  Our
 * tables have no syscache, so GetCatalogSnapshot() takes a new one each time.
 * The callbacks must know the tables before that, or they could miss a change
 * that the snapshot does not see.
 */
static Snapshot
begin_snapshot(void)
{
	return RegisterSnapshot(GetCatalogSnapshot(CnapTableOid(CNAP_WORKSPACE)));
}

/*
 * A NULL snapshot stands for a fresh one.  The table is locked before the
 * index is chosen, since nobody can drop an index of a locked table.
 */
static void
begin_lookup(Lookup *lookup, CnapTable table, Snapshot snapshot, int nkeys, ScanKey keys)
{
	Oid			index;

	lookup->rel = CnapOpenTable(table);
	index = nkeys > 0 ? CnapIndexOid(table, keys[0].sk_attno) : InvalidOid;
	lookup->scan = systable_beginscan(lookup->rel, index, OidIsValid(index),
									  snapshot, nkeys, keys);
}

/* Likewise, and fetch the row that matches the key, if there is one. */
static HeapTuple
begin_row(Lookup *lookup, CnapTable table, ScanKey key)
{
	begin_lookup(lookup, table, NULL, 1, key);
	return systable_getnext(lookup->scan);
}

static void
end_lookup(Lookup *lookup)
{
	systable_endscan(lookup->scan);
	table_close(lookup->rel, AccessShareLock);
}

static Datum
column(const Lookup *lookup, HeapTuple tuple, AttrNumber attno, bool *isnull)
{
	return heap_getattr(tuple, attno, RelationGetDescr(lookup->rel), isnull);
}

/* The user's role in one of the two tables of members, or CNAP_ROLE_NONE. */
static CnapRole
member_role(CnapTable table, Snapshot snapshot, const pg_uuid_t *id, text *user)
{
	ScanKeyData keys[2];
	Lookup		lookup;
	HeapTuple	tuple;
	CnapRole	role = CNAP_ROLE_NONE;

	key_uuid(&keys[0], Anum_organization_member_organization_id, id);
	key_text(&keys[1], Anum_organization_member_user_id, user);
	begin_lookup(&lookup, table, snapshot, 2, keys);
	tuple = systable_getnext(lookup.scan);
	if (HeapTupleIsValid(tuple))
	{
		bool		isnull;
		Datum		value = column(&lookup, tuple, Anum_organization_member_role,
								   &isnull);

		role = CnapRoleFromOid(DatumGetObjectId(value));
	}
	end_lookup(&lookup);
	return role;
}

/* Does the organization exist? */
bool
CnapOrganizationExists(const pg_uuid_t *organization)
{
	ScanKeyData key;
	Lookup		lookup;
	bool		found;

	key_uuid(&key, Anum_organization_id, organization);
	found = HeapTupleIsValid(begin_row(&lookup, CNAP_ORGANIZATION, &key));
	end_lookup(&lookup);
	return found;
}

/* Is there any organization? */
bool
CnapAnyOrganization(void)
{
	Lookup		lookup;
	bool		found;

	begin_lookup(&lookup, CNAP_ORGANIZATION, NULL, 0, NULL);
	found = HeapTupleIsValid(systable_getnext(lookup.scan));
	end_lookup(&lookup);
	return found;
}

/* Does the organization have an owner? */
bool
CnapHasOwner(const pg_uuid_t *organization)
{
	ScanKeyData key;
	Lookup		lookup;
	HeapTuple	tuple;
	bool		found = false;

	key_uuid(&key, Anum_organization_member_organization_id, organization);
	begin_lookup(&lookup, CNAP_ORGANIZATION_MEMBER, NULL, 1, &key);
	while (!found && HeapTupleIsValid(tuple = systable_getnext(lookup.scan)))
	{
		bool		isnull;
		Datum		role = column(&lookup, tuple, Anum_organization_member_role,
								  &isnull);

		found = CnapRoleFromOid(DatumGetObjectId(role)) == CNAP_ROLE_OWNER;
	}
	end_lookup(&lookup);
	return found;
}

/* The user's role in an organization, or CNAP_ROLE_NONE. */
CnapRole
CnapOrganizationRole(const pg_uuid_t *organization, text *user)
{
	return member_role(CNAP_ORGANIZATION_MEMBER, NULL, organization, user);
}

/* The user's role as a direct member of a workspace, or CNAP_ROLE_NONE. */
CnapRole
CnapDirectRole(const pg_uuid_t *workspace, text *user)
{
	return member_role(CNAP_WORKSPACE_MEMBER, NULL, workspace, user);
}

/*
 * Fetch the fields of a workspace that access depends on.  The owner points
 * into the tuple, so it is valid until end_lookup().
 */
static bool
fetch_workspace(Lookup *lookup, CnapWorkspace *workspace)
{
	HeapTuple	tuple = systable_getnext(lookup->scan);
	bool		isnull;
	Datum		value;

	if (!HeapTupleIsValid(tuple))
		return false;

	workspace->owner = DatumGetTextPP(column(lookup, tuple, Anum_workspace_owner_id,
											 &isnull));
	value = column(lookup, tuple, Anum_workspace_managed_by, &isnull);
	workspace->managed = !isnull;
	if (workspace->managed)
	{
		workspace->managed_by = *DatumGetUUIDP(value);
		value = column(lookup, tuple, Anum_workspace_managed_role, &isnull);
		workspace->managed_role = CnapRoleFromOid(DatumGetObjectId(value));
		value = column(lookup, tuple, Anum_workspace_managed_until, &isnull);
		workspace->managed_until = isnull ? DT_NOEND : DatumGetTimestampTz(value);
	}
	return true;
}

/*
 * Fetch the fields of a workspace that access depends on; false if there is no
 * workspace with that id.
 */
bool
CnapFindWorkspace(const pg_uuid_t *id, CnapWorkspace *workspace)
{
	ScanKeyData key;
	Lookup		lookup;
	bool		found;

	key_uuid(&key, Anum_workspace_id, id);
	begin_lookup(&lookup, CNAP_WORKSPACE, NULL, 1, &key);
	found = fetch_workspace(&lookup, workspace);
	if (found)
		workspace->owner = DatumGetTextPCopy(PointerGetDatum(workspace->owner));
	end_lookup(&lookup);
	return found;
}

/*
 * Find all ways of a user into a workspace, with at most three index lookups.
 * The owner has every permission, so nothing else is looked up for the owner.
 * A managed way that has ended already is omitted.
 */
CnapAccess
CnapFindAccess(text *user, const pg_uuid_t *workspace)
{
	CnapAccess	access = {.managed_until = DT_NOEND};
	Snapshot	snapshot = begin_snapshot();
	CnapWorkspace row;
	ScanKeyData key;
	Lookup		lookup;
	bool		is_owner = false;

	key_uuid(&key, Anum_workspace_id, workspace);
	begin_lookup(&lookup, CNAP_WORKSPACE, snapshot, 1, &key);
	access.exists = fetch_workspace(&lookup, &row);
	if (access.exists)
		is_owner = CnapTextEqual(row.owner, user);
	end_lookup(&lookup);

	if (is_owner)
		access.ways = CNAP_WAY_OWNER;
	else if (access.exists)
	{
		access.ways = CnapWayOfMember(member_role(CNAP_WORKSPACE_MEMBER, snapshot,
												  workspace, user));
		if (CnapManagedNow(&row))
		{
			access.manager = row.managed_by;
			access.manager_role = member_role(CNAP_ORGANIZATION_MEMBER, snapshot,
											  &row.managed_by, user);
		}
		if (access.manager_role != CNAP_ROLE_NONE)
		{
			access.ways |= CnapWayOfManager(row.managed_role);
			access.managed_until = row.managed_until;
		}
	}
	UnregisterSnapshot(snapshot);
	return access;
}

/* Is the workspace managed by an organization at this moment? */
bool
CnapManagedNow(const CnapWorkspace *workspace)
{
	return workspace->managed && CnapHoldsUntil(workspace->managed_until);
}

/*
 * Does any row name the user, except in the audit log?  Some of the columns
 * have no index, and are searched by a sequential scan.
 */
bool
CnapIsNamed(text *user)
{
	static const struct
	{
		CnapTable	table;
		AttrNumber	attno;
	}			places[] = {
		{CNAP_ORGANIZATION_MEMBER, Anum_organization_member_user_id},
		{CNAP_WORKSPACE_MEMBER, Anum_workspace_member_user_id},
		{CNAP_WORKSPACE, Anum_workspace_owner_id},
		{CNAP_ACCESS_TOKEN, Anum_access_token_user_id},
		{CNAP_INVITATION, Anum_invitation_inviter},
		{CNAP_INVITATION, Anum_invitation_outcome_by},
		{CNAP_INSTALL_LINK, Anum_install_link_created_by},
		{CNAP_ORGANIZATION, Anum_organization_created_by},
		{CNAP_ORGANIZATION_MEMBER, Anum_organization_member_added_by},
		{CNAP_WORKSPACE_MEMBER, Anum_organization_member_added_by},
	};
	bool		found = false;

	for (int i = 0; i < (int) lengthof(places) && !found; i++)
	{
		ScanKeyData key;
		Lookup		lookup;

		key_text(&key, places[i].attno, user);
		found = HeapTupleIsValid(begin_row(&lookup, places[i].table, &key));
		end_lookup(&lookup);
	}
	return found;
}

/* Get the time at which something ends from a column; null means never. */
static TimestampTz
end_column(const Lookup *lookup, HeapTuple tuple, AttrNumber attno)
{
	bool		isnull;
	Datum		value = column(lookup, tuple, attno, &isnull);

	return isnull ? DT_NOEND : DatumGetTimestampTz(value);
}

/*
 * The three tables of tokens have the id and the token's hash in the same
 * columns.
 */
StaticAssertDecl(Anum_install_link_id == Anum_access_token_id &&
				 Anum_invitation_id == Anum_access_token_id &&
				 Anum_install_link_token_hash == Anum_access_token_token_hash &&
				 Anum_invitation_token_hash == Anum_access_token_token_hash,
				 "the tables of tokens differ");

static HeapTuple
begin_token_row(Lookup *lookup, CnapTable table, CnapTokenKey by)
{
	ScanKeyData key;

	if (by.id != NULL)
		key_uuid(&key, Anum_access_token_id, by.id);
	else
		ScanKeyInit(&key, Anum_access_token_token_hash, BTEqualStrategyNumber,
					F_BYTEAEQ, by.hash);
	return begin_row(lookup, table, &key);
}

/* Fetch the access token with that key; false if there is none. */
bool
CnapFindAccessToken(CnapTokenKey key, CnapAccessToken *token)
{
	Lookup		lookup;
	HeapTuple	tuple;
	bool		found;

	tuple = begin_token_row(&lookup, CNAP_ACCESS_TOKEN, key);
	found = HeapTupleIsValid(tuple);
	if (found)
	{
		bool		isnull;
		Datum		value;

		value = column(&lookup, tuple, Anum_access_token_id, &isnull);
		token->id = *DatumGetUUIDP(value);
		value = column(&lookup, tuple, Anum_access_token_user_id, &isnull);
		token->user = DatumGetTextPCopy(value);
		token->expires_at = end_column(&lookup, tuple, Anum_access_token_expires_at);
		column(&lookup, tuple, Anum_access_token_revoked_at, &isnull);
		token->revoked = !isnull;
	}
	end_lookup(&lookup);
	return found;
}

/*
 * Find out when an access token was last used; DT_NOBEGIN means never.
 * Returns false if there is no row to record that in.
 */
bool
CnapFindTokenUse(const pg_uuid_t *token_id, TimestampTz *last_used_at)
{
	ScanKeyData key;
	Lookup		lookup;
	HeapTuple	tuple;
	bool		found;

	key_uuid(&key, Anum_access_token_use_token_id, token_id);
	tuple = begin_row(&lookup, CNAP_ACCESS_TOKEN_USE, &key);
	found = HeapTupleIsValid(tuple);
	if (found)
	{
		bool		isnull;
		Datum		value = column(&lookup, tuple,
								   Anum_access_token_use_last_used_at, &isnull);

		*last_used_at = isnull ? DT_NOBEGIN : DatumGetTimestampTz(value);
	}
	end_lookup(&lookup);
	return found;
}

/* Fetch the install link with that key; false if there is none. */
bool
CnapFindInstallLink(CnapTokenKey key, CnapInstallLink *link)
{
	Lookup		lookup;
	HeapTuple	tuple;
	bool		found;

	tuple = begin_token_row(&lookup, CNAP_INSTALL_LINK, key);
	found = HeapTupleIsValid(tuple);
	if (found)
	{
		bool		isnull;
		Datum		value;
		int32		uses;

		value = column(&lookup, tuple, Anum_install_link_id, &isnull);
		link->id = *DatumGetUUIDP(value);
		value = column(&lookup, tuple, Anum_install_link_organization_id, &isnull);
		link->organization = *DatumGetUUIDP(value);
		value = column(&lookup, tuple, Anum_install_link_role, &isnull);
		link->role = CnapRoleFromOid(DatumGetObjectId(value));
		link->duration = NULL;
		value = column(&lookup, tuple, Anum_install_link_duration, &isnull);
		if (!isnull)
		{
			link->duration = palloc(sizeof(Interval));
			*link->duration = *DatumGetIntervalP(value);
		}
		column(&lookup, tuple, Anum_install_link_revoked_at, &isnull);
		link->revoked = !isnull;
		value = column(&lookup, tuple, Anum_install_link_uses, &isnull);
		uses = DatumGetInt32(value);
		value = column(&lookup, tuple, Anum_install_link_max_uses, &isnull);
		link->valid = !link->revoked &&
			(isnull || uses < DatumGetInt32(value)) &&
			CnapHoldsUntil(end_column(&lookup, tuple, Anum_install_link_expires_at));
	}
	end_lookup(&lookup);
	return found;
}

/* Fetch the invitation with that key; false if there is none. */
bool
CnapFindInvitation(CnapTokenKey key, CnapInvitation *invitation)
{
	Lookup		lookup;
	HeapTuple	tuple;
	bool		found;

	tuple = begin_token_row(&lookup, CNAP_INVITATION, key);
	found = HeapTupleIsValid(tuple);
	if (found)
	{
		bool		isnull;
		Datum		value;

		value = column(&lookup, tuple, Anum_invitation_id, &isnull);
		invitation->id = *DatumGetUUIDP(value);
		value = column(&lookup, tuple, Anum_invitation_organization_id, &isnull);
		invitation->to_organization = !isnull;
		if (isnull)
			value = column(&lookup, tuple, Anum_invitation_workspace_id, &isnull);
		invitation->object = *DatumGetUUIDP(value);
		value = column(&lookup, tuple, Anum_invitation_role, &isnull);
		invitation->role = CnapRoleFromOid(DatumGetObjectId(value));
		value = column(&lookup, tuple, Anum_invitation_inviter, &isnull);
		invitation->inviter = isnull ? NULL : DatumGetTextPCopy(value);
		column(&lookup, tuple, Anum_invitation_outcome, &isnull);
		invitation->ended = !isnull;
		invitation->valid = isnull &&
			CnapHoldsUntil(end_column(&lookup, tuple, Anum_invitation_expires_at));
	}
	end_lookup(&lookup);
	return found;
}

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
 * Fetch the next row of a lookup; false if there is none, or if too many rows
 * have been read.
 */
static bool
next_row(ReachList *list, Lookup *lookup, HeapTuple *tuple)
{
	*tuple = systable_getnext(lookup->scan);
	if (!HeapTupleIsValid(*tuple) || list->rows_left == 0)
		return false;
	list->rows_left--;
	return true;
}

/* Collect the workspaces that the user owns. */
static void
collect_owned(ReachList *list, text *user)
{
	ScanKeyData key;
	Lookup		lookup;
	HeapTuple	tuple;

	key_text(&key, Anum_workspace_owner_id, user);
	begin_lookup(&lookup, CNAP_WORKSPACE, list->snapshot, 1, &key);
	while (next_row(list, &lookup, &tuple))
	{
		bool		isnull;
		Datum		id = column(&lookup, tuple, Anum_workspace_id, &isnull);

		append_reach(list, DatumGetUUIDP(id), CNAP_WAY_OWNER, DT_NOEND);
	}
	end_lookup(&lookup);
}

/* Collect the workspaces that the user is a direct member of. */
static void
collect_direct(ReachList *list, text *user)
{
	ScanKeyData key;
	Lookup		lookup;
	HeapTuple	tuple;

	key_text(&key, Anum_workspace_member_user_id, user);
	begin_lookup(&lookup, CNAP_WORKSPACE_MEMBER, list->snapshot, 1, &key);
	while (next_row(list, &lookup, &tuple))
	{
		bool		isnull;
		Datum		id = column(&lookup, tuple, Anum_workspace_member_workspace_id, &isnull);
		Datum		role = column(&lookup, tuple, Anum_workspace_member_role, &isnull);

		append_reach(list, DatumGetUUIDP(id),
					 CnapWayOfMember(CnapRoleFromOid(DatumGetObjectId(role))), DT_NOEND);
	}
	end_lookup(&lookup);
}

/*
 * Collect the workspaces that an organization manages, disregarding
 * managed_until.
 */
static void
collect_managed(ReachList *list, const pg_uuid_t *organization)
{
	ScanKeyData key;
	Lookup		lookup;
	HeapTuple	tuple;

	key_uuid(&key, Anum_workspace_managed_by, organization);
	begin_lookup(&lookup, CNAP_WORKSPACE, list->snapshot, 1, &key);
	while (next_row(list, &lookup, &tuple))
	{
		bool		isnull;
		Datum		id = column(&lookup, tuple, Anum_workspace_id, &isnull);
		Datum		role = column(&lookup, tuple, Anum_workspace_managed_role, &isnull);
		Datum		until = column(&lookup, tuple, Anum_workspace_managed_until, &isnull);

		append_reach(list, DatumGetUUIDP(id),
					 CnapWayOfManager(CnapRoleFromOid(DatumGetObjectId(role))),
					 isnull ? DT_NOEND : DatumGetTimestampTz(until));
	}
	end_lookup(&lookup);
}

/* Collect the workspaces that the user reaches through organizations. */
static void
collect_through_organizations(ReachList *list, text *user)
{
	ScanKeyData key;
	Lookup		lookup;
	HeapTuple	tuple;

	key_text(&key, Anum_organization_member_user_id, user);
	begin_lookup(&lookup, CNAP_ORGANIZATION_MEMBER, list->snapshot, 1, &key);
	while (next_row(list, &lookup, &tuple))
	{
		bool		isnull;
		Datum		id = column(&lookup, tuple, Anum_organization_member_organization_id,
								&isnull);

		collect_managed(list, DatumGetUUIDP(id));
	}
	end_lookup(&lookup);
}

#define ST_SORT sort_reach
#define ST_ELEMENT_TYPE CnapReach
#define ST_COMPARE(a, b) memcmp(&(a)->workspace, &(b)->workspace, sizeof(pg_uuid_t))
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

/*
 * Find all workspaces that the user has ways into, sorted and without
 * duplicates, with all of those ways.  Managed ways that have ended are
 * included, because the time is checked at each use.
 *
 * Gives up and returns NULL if that would require reading more than max_rows
 * rows.  Otherwise the result is palloc'd in the caller's context.
 */
CnapReach *
CnapFindReach(text *user, uint64 max_rows, int *count)
{
	ReachList	list;
	int			distinct = 0;

	/* Reaching zero means that there were too many rows. */
	list.rows_left = max_rows + 1;
	list.count = 0;
	list.allocated = 16;
	list.items = palloc(list.allocated * sizeof(CnapReach));
	list.snapshot = begin_snapshot();
	collect_owned(&list, user);
	collect_direct(&list, user);
	collect_through_organizations(&list, user);
	UnregisterSnapshot(list.snapshot);

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
			last->ways |= item->ways;
			last->managed_until = Min(last->managed_until, item->managed_until);
		}
	}
	*count = distinct;
	return list.items;
}

/* Are two user ids the same? */
bool
CnapTextEqual(const text *a, const text *b)
{
	return VARSIZE_ANY_EXHDR(a) == VARSIZE_ANY_EXHDR(b) &&
		memcmp(VARDATA_ANY(a), VARDATA_ANY(b), VARSIZE_ANY_EXHDR(a)) == 0;
}

/* The text form of a uuid. */
char *
CnapUuidString(const pg_uuid_t *uuid)
{
	return DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(uuid)));
}
