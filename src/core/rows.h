/*-------------------------------------------------------------------------
 *
 * rows.h
 *	  Lookups of the current contents of the tables.
 *
 * User ids are passed as values of type text.  Results are palloc'd in the
 * caller's memory context.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_ROWS_H
#define CNAP_ROWS_H

#include "datatype/timestamp.h"
#include "utils/array.h"
#include "utils/snapshot.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "core/managers.h"
#include "core/own_catalog.h"
#include "core/permission.h"
#include "core/table_scan.h"

/* The fields of a workspace that access depends on. */
typedef struct CnapWorkspace
{
	TransactionId xmin;			/* that wrote this version, even if frozen
								 * since */
	text	   *owner;
	bool		managed;		/* the next five say by whom and how */
	pg_uuid_t	managed_by;
	CnapRole	managed_role;
	TimestampTz managed_until;	/* DT_NOEND if unlimited */
	CnapManagerTerms terms;
	pg_uuid_t	management_id;	/* of this grant */
} CnapWorkspace;

/* A membership of an organization. */
typedef struct CnapOrganizationMember
{
	CnapRole	role;
	pg_uuid_t	id;				/* of this membership */
} CnapOrganizationMember;

/* A member of a managing organization who has been let into a workspace. */
typedef struct CnapAssignment
{
	pg_uuid_t	management_id;	/* of the grant and the membership that it */
	pg_uuid_t	membership_id;	/* belongs to */
	TimestampTz until;			/* DT_NOEND if unlimited */
	bool		activated;		/* rather than assigned */
} CnapAssignment;

/* An access token, the user it signs in, and its limits. */
typedef struct CnapAccessToken
{
	pg_uuid_t	id;
	text	   *user;
	TimestampTz expires_at;		/* DT_NOEND if unlimited */
	bool		revoked;
	ArrayType  *workspaces;		/* NULL if not limited to some */
	ArrayType  *permissions;	/* likewise */
} CnapAccessToken;

/*
 * An install link, and the terms on which it lets its organization manage a
 * workspace.
 */
typedef struct CnapInstallLink
{
	pg_uuid_t	id;
	pg_uuid_t	organization;
	CnapRole	role;
	Interval   *duration;		/* NULL if unlimited */
	CnapManagerTerms terms;
	bool		revoked;
	bool		valid;			/* neither revoked, nor expired, nor used up */
} CnapInstallLink;

/* An invitation, and who made it. */
typedef struct CnapInvitation
{
	pg_uuid_t	id;
	bool		to_organization;	/* rather than to a workspace */
	pg_uuid_t	object;			/* the organization or workspace */
	CnapRole	role;
	text	   *inviter;		/* NULL if the system */
	text	   *user;			/* who alone can accept it; NULL if anybody */
	bool		ended;			/* accepted, declined or revoked */
	bool		valid;			/* neither ended nor expired */
} CnapInvitation;

/*
 * Access tokens, install links and invitations are found either by their id or
 * by the hash of the token.
 */
typedef struct CnapTokenKey
{
	const pg_uuid_t *id;		/* NULL to search by the hash */
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
extern bool CnapAcceptsAnyone(const pg_uuid_t *organization);
extern text *CnapFindOwner(const pg_uuid_t *organization);
extern CnapRole CnapMemberRoleAsOf(Snapshot snapshot, CnapTable table,
								   const pg_uuid_t *id, text *user);
extern bool CnapFindMemberAsOf(Snapshot snapshot, const pg_uuid_t *organization,
							   text *user, CnapOrganizationMember *member);
extern bool CnapFindAssignmentAsOf(Snapshot snapshot, const pg_uuid_t *workspace,
								   text *user, CnapAssignment *assignment);
extern CnapAssignment CnapGetAssignment(const CnapScan *scan, HeapTuple tuple);
extern bool CnapAssignmentCounts(const CnapAssignment *assignment, const CnapWorkspace *workspace,
								 const pg_uuid_t *membership_id);
extern CnapRole CnapOrganizationRole(const pg_uuid_t *organization, text *user);
extern bool CnapFindWorkspaceAsOf(Snapshot snapshot, const pg_uuid_t *id,
								  CnapWorkspace *workspace);
extern bool CnapFindWorkspace(const pg_uuid_t *id, CnapWorkspace *workspace);
extern bool CnapFindNamedWorkspace(const pg_uuid_t *id, CnapWorkspace *workspace, text **name);
extern CnapRole CnapDirectRole(const pg_uuid_t *workspace, text *user);
extern bool CnapFindAccessToken(CnapTokenKey key, CnapAccessToken *token);
extern void CnapFreeAccessToken(CnapAccessToken *token);
extern text *CnapFindRoleUser(Oid role);
extern bool CnapFindTokenUse(const pg_uuid_t *token_id, TimestampTz *last_used_at);
extern bool CnapFindInstallLink(CnapTokenKey key, CnapInstallLink *link);
extern bool CnapFindInvitation(CnapTokenKey key, CnapInvitation *invitation);
extern bool CnapIsNamed(text *user);
extern bool CnapManagedNow(const CnapWorkspace *workspace);

/*
 * Is something that ends at that time, or never if DT_NOEND, still in effect?
 */
static inline bool
CnapHoldsUntil(TimestampTz end)
{
	return likely(end == DT_NOEND) || end > GetCurrentTimestamp();
}

extern bool CnapTextEqual(const text *a, const text *b);
extern char *CnapUuidString(const pg_uuid_t *uuid);

#endif							/* CNAP_ROWS_H */
