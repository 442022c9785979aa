/*-------------------------------------------------------------------------
 *
 * reach.h
 *	  The workspaces that a user reaches: their list, their number, a sample.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_REACH_H
#define CNAP_REACH_H

#include "access/cache.h"

/*
 * The sorted ids of the workspaces in which the user has the permission,
 * palloc'd in the caller's context.
 */
extern pg_uuid_t *CnapReachable(CnapUser *user, CnapPermission permission, int *count);

/*
 * Some of the user's workspaces, if the set has been read: at most max_sample of
 * them, evenly spread over their ids.  Returns their number.
 */
extern int	CnapSampleReach(const CnapUser *user, int max_sample, pg_uuid_t *sample);

/*
 * The number of workspaces that the user has ways into, if that is known or
 * can be determined by reading max_rows rows; otherwise -1.  This is only as
 * precise as an estimate needs to be: ways that have ended are counted.
 */
extern int	CnapReachSize(CnapUser *user, int max_rows);

/*
 * A number that changes whenever the user's ways may have changed, as long as
 * the serial number stays the same.
 */
extern uint32 CnapUserVersion(const CnapUser *user);

#endif							/* CNAP_REACH_H */
