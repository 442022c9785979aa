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
 * Users share channels by the hash of their ids.  More of them would void less
 * that is still true, and cost more empty tables.
 */
#define CNAP_USER_CHANNELS 16

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
	uint32		user[CNAP_USER_CHANNELS];	/* memberships of users changed */
	uint32		workspace;		/* a workspace was created */
	int64		changes;		/* of the session, but for creations */
	uint64		total;			/* events of the session */
} CnapEpoch;

extern CnapEpoch CnapCurrentEpoch;

extern void CnapEpochInit(void);

/* The channel of a user. */
extern int	CnapUserChannel(const char *id, int len);

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
