/*-------------------------------------------------------------------------
 *
 * lookup.h
 *	  What the tables say now about a user, a workspace, an organization.
 *
 * User ids are passed as text without a terminating zero, as everywhere in
 * PostgreSQL.  What is returned is allocated in the caller's memory context.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_LOOKUP_H
#define CNAP_LOOKUP_H

#include "datatype/timestamp.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "permission.h"

/* What decides about a workspace. */
typedef struct CnapWorkspace
{
	text	   *owner;
	bool		managed;		/* the next three say by whom and how */
	pg_uuid_t	managed_by;
	CnapRole	managed_role;
	TimestampTz managed_until;	/* DT_NOEND: without end */
} CnapWorkspace;

/*
 * A user's ways into a workspace.  The managed ways hold until a moment that
 * is compared with the clock at each use: CnapWaysNow().
 */
typedef struct CnapAccess
{
	CnapWays	ways;
	TimestampTz managed_until;	/* DT_NOEND: without end */
	bool		exists;			/* there is such a workspace */

	/* Of the managed ways: the organization, and the user's role in it. */
	pg_uuid_t	manager;
	CnapRole	manager_role;
} CnapAccess;

/* A user's ways into one of all the workspaces that there are ways into. */
typedef struct CnapReach
{
	pg_uuid_t	workspace;
	TimestampTz managed_until;
	CnapWays	ways;
} CnapReach;

/* Who an access token signs in. */
typedef struct CnapAccessToken
{
	pg_uuid_t	id;
	text	   *user;
	TimestampTz expires_at;		/* DT_NOEND: without end */
	bool		revoked;
} CnapAccessToken;

/* On which terms an install link lets its organization manage a workspace. */
typedef struct CnapInstallLink
{
	pg_uuid_t	id;
	pg_uuid_t	organization;
	CnapRole	role;
	Interval   *duration;		/* a null pointer: without end */
	bool		revoked;
	bool		valid;			/* neither revoked, nor expired, nor used up */
} CnapInstallLink;

/* An invitation, and who could make it. */
typedef struct CnapInvitation
{
	pg_uuid_t	id;
	bool		to_organization;	/* rather than to a workspace */
	pg_uuid_t	object;			/* that organization or workspace */
	CnapRole	role;
	text	   *inviter;		/* a null pointer: the system */
	bool		ended;			/* accepted, declined or revoked */
	bool		valid;			/* neither that, nor expired */
} CnapInvitation;

/* What a token belongs to is found by its own id, or by the hash of the token. */
typedef struct CnapTokenKey
{
	const pg_uuid_t *id;		/* a null pointer: by the hash */
	Datum		hash;
} CnapTokenKey;

static inline CnapTokenKey
CnapById(const pg_uuid_t *id)
{
	return (CnapTokenKey) {.id = id};
}

static inline CnapTokenKey
CnapByHash(Datum hash)
{
	return (CnapTokenKey) {.hash = hash};
}

extern bool CnapOrganizationExists(const pg_uuid_t *organization);
extern bool CnapAnyOrganization(void);
extern bool CnapHasOwner(const pg_uuid_t *organization);
extern CnapRole CnapOrganizationRole(const pg_uuid_t *organization, text *user);
extern bool CnapFindWorkspace(const pg_uuid_t *id, CnapWorkspace *workspace);
extern CnapRole CnapDirectRole(const pg_uuid_t *workspace, text *user);
extern CnapAccess CnapFindAccess(text *user, const pg_uuid_t *workspace);
extern CnapReach *CnapFindReach(text *user, uint64 max_rows, int *count);
extern bool CnapFindAccessToken(CnapTokenKey key, CnapAccessToken *token);
extern bool CnapFindTokenUse(const pg_uuid_t *token_id, TimestampTz *last_used_at);
extern bool CnapFindInstallLink(CnapTokenKey key, CnapInstallLink *link);
extern bool CnapFindInvitation(CnapTokenKey key, CnapInvitation *invitation);
extern bool CnapIsNamed(text *user);
extern bool CnapManagedNow(const CnapWorkspace *workspace);

/* Whether what ends then, or with DT_NOEND never, has not ended yet. */
static inline bool
CnapHoldsUntil(TimestampTz end)
{
	return likely(end == DT_NOEND) || end > GetCurrentTimestamp();
}

/* The ways that hold at this moment, by the clock. */
static inline CnapWays
CnapWaysNow(CnapWays ways, TimestampTz managed_until)
{
	if ((ways & CNAP_WAYS_MANAGED) && !CnapHoldsUntil(managed_until))
		return ways & ~CNAP_WAYS_MANAGED;
	return ways;
}

extern bool CnapTextEqual(const text *a, const text *b);
extern char *CnapUuidString(const pg_uuid_t *uuid);

#endif							/* CNAP_LOOKUP_H */
