/*-------------------------------------------------------------------------
 *
 * freshness.h
 *	  Whether the access data of this database may still be relied on.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_FRESHNESS_H
#define CNAP_FRESHNESS_H

#include "access/xact.h"
#include "access/xlogdefs.h"
#include "datatype/timestamp.h"

#include "core/own_catalog.h"

/* The tables whose contents decide about access, and that followers receive. */
#define CNAP_PUBLISHED_TABLES 9
extern const CnapTable CnapPublishedTables[CNAP_PUBLISHED_TABLES];

/*
 * While it is open, the statements that began at the time "from", or at most
 * "length" microseconds later, may rely on the access data.
 */
typedef struct CnapFreshWindow
{
	TimestampTz from;
	uint64		length;
	bool		open;
	bool		endless;		/* open for all statements */
} CnapFreshWindow;

/* cnap.max_staleness, in ms; -1: never stale */
extern int	CnapMaxStaleness;

extern CnapFreshWindow CnapFresh;

/* How this database got its access data. */
typedef enum CnapFleetRole
{
	CNAP_ORIGIN,				/* kept here, whether or not others follow */
	CNAP_FOLLOWER,				/* received from another database or server */
	CNAP_RESTORED,				/* a copy, as of a dump, which nobody keeps */
} CnapFleetRole;

extern void CnapFreshnessInit(void);

/* Judge anew; called where the window does not answer. */
extern bool CnapJudgeFreshness(void);

/*
 * May the running statement rely on the access data?  Always true where they
 * are kept.  Pending invalidation messages must have been processed.
 */
static inline bool
CnapDataIsFresh(void)
{
	if (likely(CnapFresh.endless))
		return true;
	if (CnapFresh.open &&
		(uint64) GetCurrentStatementStartTimestamp() - (uint64) CnapFresh.from <= CnapFresh.length)
		return true;
	return CnapJudgeFreshness();
}

/* Raise 55000 (object_not_in_prerequisite_state) unless they are. */
extern void CnapRequireFreshData(void);

extern CnapFleetRole CnapFleetRoleNow(void);

/* The name of this database as an origin, palloc'd. */
extern char *CnapOwnOrigin(void);

/* The origin that the beat names, palloc'd, or NULL if there is no beat. */
extern char *CnapBeatOrigin(void);

/* Likewise, with the beat's position in the origin's log. */
extern char *CnapBeatPosition(XLogRecPtr *position);

/*
 * The version of the extension that the beat names, palloc'd, or NULL if there
 * is no beat, or none in it.
 */
extern char *CnapBeatVersion(void);

/* Is any of the access tables the target of a subscription? */
extern bool CnapIsSubscribed(void);

/* Likewise, and one of them is not yet in step with the others? */
extern bool CnapIsBeingCopied(void);

#endif							/* CNAP_FRESHNESS_H */
