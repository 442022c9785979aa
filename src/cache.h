/*-------------------------------------------------------------------------
 *
 * cache.h
 *	  A session's cache of access decisions.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_CACHE_H
#define CNAP_CACHE_H

#include "lookup.h"

/* A user that the session has asked about; opaque. */
typedef struct CnapUser CnapUser;

extern void CnapCacheInit(void);

/*
 * The user with that id, or the current user; a null pointer where there is no
 * current user, or the id is none.  Good for one call of the functions below.
 * Getting it also absorbs what other sessions have changed.
 */
extern CnapUser *CnapGetCachedUser(const char *id, int len);
extern CnapUser *CnapGetCurrentCachedUser(void);

/* A number that no other user in this session has, or has had. */
extern uint64 CnapUserSerial(const CnapUser *user);

/* The current user has become another one. */
extern void CnapCurrentUserChanged(void);

/* Whether any of the user's ways into the workspace is among those allowed. */
extern bool CnapAllows(CnapUser *user, const pg_uuid_t *workspace, CnapWays allowed);

/* All of the user's ways into the workspace, at this moment. */
extern CnapWays CnapAllWays(CnapUser *user, const pg_uuid_t *workspace);

/*
 * The ids of the workspaces into which the user has any of the ways, sorted,
 * allocated in the caller's context.
 */
extern pg_uuid_t *CnapReachable(CnapUser *user, CnapWays allowed, int *count);

/*
 * How many workspaces there are ways into for the user, if that is known or can
 * be found out by reading max_rows rows; else -1.  Not more precise than what
 * an estimate needs: ways that have ended are counted.
 */
extern int	CnapReachSize(CnapUser *user, int max_rows);

#endif							/* CNAP_CACHE_H */
