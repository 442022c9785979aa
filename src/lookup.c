/*-------------------------------------------------------------------------
 *
 * lookup.c
 *	  What the tables say now about a user, a workspace, an organization.
 *
 * All reads are index scans with a fresh catalog snapshot (systable_beginscan
 * with a null snapshot).  Such a snapshot sees everything that is committed at
 * the moment of the lookup, whatever the isolation level, and what the own
 * transaction did up to the current command: the semantics of PostgreSQL's own
 * GRANT and REVOKE.  An active snapshot would go on granting access to a
 * revoked member for as long as a REPEATABLE READ transaction lasts.
 *
 * Direct scans need no rights on the tables, and do not depend on the
 * caller's planner settings or search path.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "lookup.h"
#include "relations.h"

/* A scan of one of our tables by equality on its leading columns. */
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

static void
begin_lookup(Lookup *lookup, CnapTable table, int nkeys, ScanKey keys)
{
	Oid			index = nkeys > 0 ? CnapIndexOid(table, keys[0].sk_attno) : InvalidOid;

	lookup->rel = CnapOpenTable(table);
	lookup->scan = systable_beginscan(lookup->rel, index, OidIsValid(index),
									  NULL, nkeys, keys);
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

/* A role in one of the two tables of members, or CNAP_ROLE_NONE. */
static CnapRole
member_role(CnapTable table, const pg_uuid_t *id, text *user)
{
	ScanKeyData keys[2];
	Lookup		lookup;
	HeapTuple	tuple;
	CnapRole	role = CNAP_ROLE_NONE;

	key_uuid(&keys[0], Anum_organization_member_organization_id, id);
	key_text(&keys[1], Anum_organization_member_user_id, user);
	begin_lookup(&lookup, table, 2, keys);
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

/* Whether an organization exists. */
bool
CnapOrganizationExists(const pg_uuid_t *organization)
{
	ScanKeyData key;
	Lookup		lookup;
	bool		found;

	key_uuid(&key, Anum_organization_id, organization);
	begin_lookup(&lookup, CNAP_ORGANIZATION, 1, &key);
	found = HeapTupleIsValid(systable_getnext(lookup.scan));
	end_lookup(&lookup);
	return found;
}

/* Whether there is any organization. */
bool
CnapAnyOrganization(void)
{
	Lookup		lookup;
	bool		found;

	begin_lookup(&lookup, CNAP_ORGANIZATION, 0, NULL);
	found = HeapTupleIsValid(systable_getnext(lookup.scan));
	end_lookup(&lookup);
	return found;
}

/* Whether an organization has an owner. */
bool
CnapHasOwner(const pg_uuid_t *organization)
{
	ScanKeyData key;
	Lookup		lookup;
	HeapTuple	tuple;
	bool		found = false;

	key_uuid(&key, Anum_organization_member_organization_id, organization);
	begin_lookup(&lookup, CNAP_ORGANIZATION_MEMBER, 1, &key);
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
	return member_role(CNAP_ORGANIZATION_MEMBER, organization, user);
}

/* The user's role as a direct member of a workspace, or CNAP_ROLE_NONE. */
CnapRole
CnapDirectRole(const pg_uuid_t *workspace, text *user)
{
	return member_role(CNAP_WORKSPACE_MEMBER, workspace, user);
}

/* Fetches what decides about a workspace.  False: there is none of that id. */
bool
CnapFindWorkspace(const pg_uuid_t *id, CnapWorkspace *workspace)
{
	ScanKeyData key;
	Lookup		lookup;
	HeapTuple	tuple;
	bool		found;

	key_uuid(&key, Anum_workspace_id, id);
	begin_lookup(&lookup, CNAP_WORKSPACE, 1, &key);
	tuple = systable_getnext(lookup.scan);
	found = HeapTupleIsValid(tuple);
	if (found)
	{
		bool		isnull;
		Datum		value;

		value = column(&lookup, tuple, Anum_workspace_owner_id, &isnull);
		workspace->owner = DatumGetTextPCopy(value);
		value = column(&lookup, tuple, Anum_workspace_managed_by, &isnull);
		workspace->managed = !isnull;
		if (workspace->managed)
		{
			workspace->managed_by = *DatumGetUUIDP(value);
			value = column(&lookup, tuple, Anum_workspace_managed_role, &isnull);
			workspace->managed_role = CnapRoleFromOid(DatumGetObjectId(value));
			value = column(&lookup, tuple, Anum_workspace_managed_until, &isnull);
			workspace->managed_until = isnull ? DT_NOEND : DatumGetTimestampTz(value);
		}
	}
	end_lookup(&lookup);
	return found;
}

/*
 * All ways of a user into a workspace: three index lookups at most.
 * A managed way that has ended already is left out.
 */
CnapAccess
CnapFindAccess(text *user, const pg_uuid_t *workspace)
{
	CnapAccess	access = {0, DT_NOEND};
	CnapWorkspace row;

	if (!CnapFindWorkspace(workspace, &row))
		return access;

	if (CnapTextEqual(row.owner, user))
		access.ways |= CNAP_WAY_OWNER;
	access.ways |= CnapWayOfMember(CnapDirectRole(workspace, user));
	if (CnapManagedNow(&row) &&
		CnapOrganizationRole(&row.managed_by, user) != CNAP_ROLE_NONE)
	{
		access.ways |= CnapWayOfManager(row.managed_role);
		access.managed_until = row.managed_until;
	}
	pfree(row.owner);
	return access;
}

/* The ways that hold at this moment, by the clock. */
CnapWays
CnapWaysNow(const CnapAccess *access)
{
	if (access->managed_until != DT_NOEND &&
		access->managed_until <= GetCurrentTimestamp())
		return access->ways & ~CNAP_WAYS_MANAGED;
	return access->ways;
}

/* Whether an organization manages the workspace at this moment. */
bool
CnapManagedNow(const CnapWorkspace *workspace)
{
	return workspace->managed &&
		(workspace->managed_until == DT_NOEND ||
		 workspace->managed_until > GetCurrentTimestamp());
}

/* A growing array of uuids, in the memory context it was begun in. */
typedef struct UuidList
{
	int			count;
	int			allocated;
	pg_uuid_t  *items;
} UuidList;

static void
append_uuid(UuidList *list, const pg_uuid_t *uuid)
{
	if (list->count == list->allocated)
	{
		list->allocated *= 2;
		list->items = repalloc_huge(list->items,
									list->allocated * sizeof(pg_uuid_t));
	}
	list->items[list->count++] = *uuid;
}

static int
compare_uuids(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(pg_uuid_t));
}

/* Appends one uuid column of the rows that a key selects. */
static void
append_column(UuidList *list, CnapTable table, ScanKey key, AttrNumber attno)
{
	Lookup		lookup;
	HeapTuple	tuple;

	begin_lookup(&lookup, table, 1, key);
	while (HeapTupleIsValid(tuple = systable_getnext(lookup.scan)))
	{
		bool		isnull;
		Datum		value;

		if (table == CNAP_WORKSPACE && key->sk_attno == Anum_workspace_managed_by)
		{
			value = column(&lookup, tuple, Anum_workspace_managed_until, &isnull);
			if (!isnull && DatumGetTimestampTz(value) <= GetCurrentTimestamp())
				continue;
		}
		value = column(&lookup, tuple, attno, &isnull);
		append_uuid(list, DatumGetUUIDP(value));
	}
	end_lookup(&lookup);
}

static void
init_list(UuidList *list)
{
	list->count = 0;
	list->allocated = 16;
	list->items = palloc(list->allocated * sizeof(pg_uuid_t));
}

/* The ids of all workspaces that a user has access to, sorted, each once. */
ArrayType *
CnapFindWorkspaces(text *user)
{
	UuidList	workspaces;
	UuidList	organizations;
	ScanKeyData key;
	Datum	   *elements;
	int			distinct = 0;

	init_list(&workspaces);
	key_text(&key, Anum_workspace_owner_id, user);
	append_column(&workspaces, CNAP_WORKSPACE, &key, Anum_workspace_id);
	key_text(&key, Anum_workspace_member_user_id, user);
	append_column(&workspaces, CNAP_WORKSPACE_MEMBER, &key,
				  Anum_workspace_member_workspace_id);

	init_list(&organizations);
	key_text(&key, Anum_organization_member_user_id, user);
	append_column(&organizations, CNAP_ORGANIZATION_MEMBER, &key,
				  Anum_organization_member_organization_id);
	for (int i = 0; i < organizations.count; i++)
	{
		key_uuid(&key, Anum_workspace_managed_by, &organizations.items[i]);
		append_column(&workspaces, CNAP_WORKSPACE, &key, Anum_workspace_id);
	}

	qsort(workspaces.items, workspaces.count, sizeof(pg_uuid_t), compare_uuids);
	elements = palloc_extended(Max(workspaces.count, 1) * sizeof(Datum),
							   MCXT_ALLOC_HUGE);
	for (int i = 0; i < workspaces.count; i++)
	{
		if (i == 0 || compare_uuids(&workspaces.items[i - 1],
									&workspaces.items[i]) != 0)
			elements[distinct++] = UUIDPGetDatum(&workspaces.items[i]);
	}
	return construct_array(elements, distinct, UUIDOID, UUID_LEN, false,
						   TYPALIGN_CHAR);
}

/* Whether two user ids are the same. */
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
