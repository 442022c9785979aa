/*-------------------------------------------------------------------------
 *
 * cache.h
 *	  A session's cache of access decisions.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_CACHE_H
#define CNAP_CACHE_H

#include "access/ways.h"
#include "identity/token_limits.h"

/* A user that the session has checked access for; opaque. */
typedef struct CnapUser CnapUser;

extern void CnapCacheInit(void);

/*
 * Get the user with that id, or the current user.  The result is NULL if the
 * id is not a valid user id, there is no current user, or the access data is
 * stale (freshness.h).  It is good until
 * either is called again.  This also processes pending invalidation messages,
 * so each decision must begin with it.
 *
 * If a limited token has signed the user in, all answers about that user, also
 * by id, are within the limits.
 */
extern CnapUser *CnapGetCachedUser(const char *id, int len);
extern CnapUser *CnapGetCurrentCachedUser(void);

/*
 * The serial number of the user with that id, or 0 if the cache does not know
 * the user.  This can be called at any time.
 */
extern uint64 CnapCachedUserSerial(const char *id);

/* The limits that answers about the user are within, or NULL. */
extern const CnapLimits *CnapUserLimits(const CnapUser *user);

/*
 * A number that is unique among all users that this session ever knew, and the
 * limits of their tokens.
 */
extern uint64 CnapUserSerial(const CnapUser *user);

/* Does the user have the permission in the workspace? */
extern bool CnapAllows(CnapUser *user, const pg_uuid_t *workspace,
					   CnapPermission permission);

/* Does the current user?  This is the fastest check, made for each row. */
extern bool CnapAllowsCurrentUser(const pg_uuid_t *workspace, CnapPermission permission);

/*
 * The user's highest role in the workspace, or CNAP_ROLE_NONE.  Within limits, it
 * is the highest of which they include all permissions.
 */
extern CnapRole CnapUserRole(CnapUser *user, const pg_uuid_t *workspace);

/*
 * The decision about the user and the workspace that is kept, if it is still
 * valid, or NULL.  It is good until anything else is asked.
 */
extern const struct CnapDecision *CnapKeptDecision(const CnapUser *user,
												   const pg_uuid_t *workspace);

/*
 * Load the user's set, unless that requires reading more than max_rows rows,
 * or more memory than is available.  Returns whether the set is complete now.
 * If it was not loaded, at least the user's memberships may be known.
 */
extern bool CnapLoadSet(CnapUser *user, uint64 max_rows);

/* ---- statistics ---- */

/* What a session counts, in the order of the columns of cnap_server_stats(). */
typedef enum CnapCounter
{
	CNAP_CHECKS,				/* questions about one workspace */
	CNAP_DENIALS,				/* of these, those about a permission,
								 * answered no */
	CNAP_WITHOUT_USER,			/* questions without a current user, or of a
								 * follower that is closed */
	CNAP_LOOKUPS,				/* checks that the cache did not answer */
	CNAP_LOADS,					/* attempts to load a user's set */
	CNAP_FLUSHES				/* changes, and when the cache was full */
} CnapCounter;

#define CNAP_COUNTERS (CNAP_FLUSHES + 1)

typedef struct CnapCounters
{
	int64		count[CNAP_COUNTERS];
} CnapCounters;

/* What this session has counted since it began. */
extern void CnapCacheCounters(CnapCounters *counters);

#endif							/* CNAP_CACHE_H */
