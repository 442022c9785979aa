/*-------------------------------------------------------------------------
 *
 * epoch.h
 *	  What this session has been told of changes of access data, by numbers.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_EPOCH_H
#define CNAP_EPOCH_H

/*
 * Users are assigned to channels by the hash of their ids.  With more
 * channels, fewer valid decisions would be invalidated, but more empty tables
 * needed.
 */
#define CNAP_USER_CHANNELS 16

/*
 * The events that this session has been told of are counted, and for each kind
 * we keep the number of its last event.  Cached data is stamped with the
 * number of events counted before it was read, and is valid as long as no
 * event that it depends on has a higher number.
 */
typedef struct CnapEpoch
{
	uint32		events;
	uint32		change;			/* anything may have changed */
	uint32		user[CNAP_USER_CHANNELS];	/* memberships changed */
	uint32		workspace;		/* a workspace was created */
	int64		changes;		/* in this session, except creations */
	uint64		total;			/* events in this session */
} CnapEpoch;

extern CnapEpoch CnapCurrentEpoch;

extern void CnapEpochInit(void);

/* Count an event, and return its number. */
extern uint32 CnapEpochCount(void);

/* The channel of the user with that id. */
extern int	CnapUserChannel(const char *id, int len);

/* Invalidate everything that has been cached so far. */
extern void CnapEpochAdvance(void);

/* Restart the count of events, after everything cached has been discarded. */
extern void CnapEpochRestart(void);

/*
 * To be called before caching something that may depend on uncommitted changes
 * of the current transaction.
 */
extern void CnapEpochNoteLoad(void);

#endif							/* CNAP_EPOCH_H */
