/*-------------------------------------------------------------------------
 *
 * epoch.h
 *	  How a session learns that access data changed.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_EPOCH_H
#define CNAP_EPOCH_H

/*
 * Counters of what this session has been told of.  They only ever grow; what
 * was read from the tables is good while the counter that it depends on has
 * not moved.
 */
typedef struct CnapEpoch
{
	uint32		change;			/* anything may have changed */
	uint32		membership;		/* somebody got another way into something */
	uint32		workspace;		/* a workspace was created */
	uint64		events;			/* all of these together */
} CnapEpoch;

extern PGDLLIMPORT CnapEpoch CnapCurrentEpoch;

extern void CnapEpochInit(void);

/* Says that all that was read so far is void. */
extern void CnapEpochAdvance(void);

/*
 * Says that something is about to be kept that may rest on what this
 * transaction has changed, and not yet committed.
 */
extern void CnapEpochNoteLoad(void);

#endif							/* CNAP_EPOCH_H */
