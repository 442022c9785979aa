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
 * What this session has been told of: events are counted, and for each kind the
 * number of the last one is kept.  What was read when so many events had been
 * counted is stamped with their number, and is good while no event that it
 * depends on has a higher one.
 */
typedef struct CnapEpoch
{
	uint32		events;
	uint32		change;			/* anything may have changed */
	uint32		membership;		/* somebody got another way into something */
	uint32		workspace;		/* a workspace was created */
	int64		changes;		/* of the session, for its statistics */
	uint64		total;			/* events of the session */
} CnapEpoch;

extern CnapEpoch CnapCurrentEpoch;

extern void CnapEpochInit(void);

/* Says that all that was read so far is void. */
extern void CnapEpochAdvance(void);

/* Counts from the beginning again, for somebody who has kept nothing. */
extern void CnapEpochRestart(void);

/*
 * Says that something is about to be kept that may rest on what this
 * transaction has changed, and not yet committed.
 */
extern void CnapEpochNoteLoad(void);

#endif							/* CNAP_EPOCH_H */
