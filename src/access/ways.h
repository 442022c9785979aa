/*-------------------------------------------------------------------------
 *
 * ways.h
 *	  A user's ways into one workspace, and into all.
 *
 * User ids are passed as values of type text.  Results are palloc'd in the
 * caller's memory context.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_WAYS_H
#define CNAP_WAYS_H

#include "core/rows.h"

/*
 * A user's ways into a workspace.  The managed ways end at managed_until,
 * which CnapWaysNow() compares with the clock at each use: when the management
 * does, or the assignment without which the user would not have them.
 */
typedef struct CnapAccess
{
	CnapWays	ways;
	TimestampTz managed_until;	/* DT_NOEND if unlimited */
	bool		exists;			/* the workspace exists */

	/*
	 * The organization that manages the workspace, and the user's role in it,
	 * whether that lets the user in or not; unless the user owns the
	 * workspace, or the management has ended.
	 */
	pg_uuid_t	manager;
	CnapRole	manager_role;
} CnapAccess;

/* What the tables say about a user as one of a workspace's managers. */
typedef struct CnapManagement
{
	CnapRole	role;			/* in the organization, or CNAP_ROLE_NONE */
	bool		counts;			/* the user is one of those whom the grant
								 * lets in, or was until an end that has
								 * passed */
	bool		let_in;			/* neither the grant nor the assignment has
								 * ended */
	TimestampTz until;			/* the earlier of their ends, or DT_NOEND */
} CnapManagement;

/* One of the workspaces that a user has ways into, with those ways. */
typedef struct CnapReach
{
	pg_uuid_t	workspace;
	TimestampTz managed_until;
	CnapWays	ways;
} CnapReach;

/* A user's role in an organization, or as a direct member of a workspace. */
typedef struct CnapHeldRole
{
	pg_uuid_t	object;
	CnapRole	role;
} CnapHeldRole;

/*
 * All of a user's memberships as of a snapshot: those in organizations, and
 * then those in workspaces, each sorted by the object.
 */
typedef struct CnapMemberships
{
	TransactionId xmin;			/* transactions before it had ended */
	int			norganizations;
	int			nworkspaces;
	CnapHeldRole list[FLEXIBLE_ARRAY_MEMBER];
} CnapMemberships;

static inline Size
CnapMembershipsSize(const CnapMemberships *memberships)
{
	return offsetof(CnapMemberships, list) + sizeof(CnapHeldRole) *
		(memberships->norganizations + memberships->nworkspaces);
}

/*
 * Find all ways of a user into a workspace.  known is NULL, or memberships of the
 * user that are known not to have begun, ended, or changed in a way that access
 * depends on since they were read.  Roles in organizations may have changed, so
 * whoever needs manager_role must pass NULL.
 */
extern CnapAccess CnapFindAccess(text *user, const pg_uuid_t *workspace,
								 const CnapMemberships *known);

/*
 * The part of CnapFindAccess() that is about the managers of a workspace, which has
 * some: as of the snapshot, that of the workspace's row.
 */
extern CnapManagement CnapFindManagementAsOf(Snapshot snapshot, const pg_uuid_t *workspace,
											 const CnapWorkspace *row, text *user);

/*
 * Find all workspaces that the user has ways into, sorted and without
 * duplicates, with all of those ways.  Managed ways that have ended are
 * included, because the time is checked at each use.
 *
 * Gives up and returns NULL if that would require reading more than max_rows
 * rows.  *memberships are those of the user, or NULL if they alone were too
 * many.
 */
extern CnapReach *CnapFindReach(text *user, uint64 max_rows, int *count,
								CnapMemberships **memberships);

/* Those of the ways that have not ended by now. */
static inline CnapWays
CnapWaysNow(CnapWays ways, TimestampTz managed_until)
{
	if ((ways & CNAP_MANAGED_WAY) && !CnapHoldsUntil(managed_until))
		return ways & CNAP_DIRECT_WAY;
	return ways;
}

/* Likewise for many, which spares reading the clock for each. */
static inline CnapWays
CnapWaysAt(CnapWays ways, TimestampTz managed_until, TimestampTz now)
{
	return managed_until > now ? ways : ways & CNAP_DIRECT_WAY;
}

#endif							/* CNAP_WAYS_H */
