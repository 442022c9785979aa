/*-------------------------------------------------------------------------
 *
 * epoch.h
 *	  How sessions tell each other that access data changed.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_EPOCH_H
#define CNAP_EPOCH_H

#include "utils/uuid.h"

/* What a change is about. */
typedef enum CnapChannelKind
{
	CNAP_ANYTHING,				/* has a single channel, 0 */
	CNAP_ABOUT_USER,			/* a user's memberships and tokens */
	CNAP_ABOUT_OWNER,			/* which workspaces a user owns */
	CNAP_ABOUT_ORGANIZATION,	/* which workspaces it manages, and how */
	CNAP_ABOUT_WORKSPACE		/* its row: the owner and the management */
} CnapChannelKind;

#define CNAP_CHANNEL_KINDS (CNAP_ABOUT_WORKSPACE + 1)

/*
 * Users, organizations and workspaces are assigned to channels by a hash of
 * their ids.  With more channels, fewer valid decisions would be invalidated,
 * but each session needs more memory.
 */
#define CNAP_CHANNELS 1024

/*
 * The events that this session has been told of are counted, and for each
 * channel we keep the number of its last event.  Cached data is stamped with
 * the number of events counted before it was read, and is valid as long as no
 * event that it depends on has a higher number.
 */
typedef struct CnapEpoch
{
	uint32		events;
	uint32		latest[CNAP_CHANNEL_KINDS]; /* of all channels of a kind */
	uint32		last[CNAP_CHANNEL_KINDS][CNAP_CHANNELS];
	int64		changes;		/* in this session, except those of sets alone */
	uint64		total;			/* events in this session */
	uint64		anything;		/* total at the last event of that kind */
} CnapEpoch;

extern CnapEpoch CnapCurrentEpoch;

extern void CnapEpochInit(void);

/* The channel of the user with that id, for both kinds that are about users. */
extern int	CnapUserChannel(const char *id, int len);

/* The channel of an organization or a workspace. */
static inline int
CnapUuidChannel(const pg_uuid_t *id)
{
	uint64		words[2];

	memcpy(words, id, sizeof(words));
	words[0] += words[1] * UINT64CONST(0x9E3779B97F4A7C15);
	words[0] ^= words[0] >> 32;
	return (words[0] * UINT64CONST(0xD6E8FEB86659FD93)) >> 32 & (CNAP_CHANNELS - 1);
}

/*
 * Tell every session of a change that this transaction has made, when it is
 * committed, and this session now.
 */
extern void CnapAnnounce(CnapChannelKind kind, int channel);

/* Invalidate everything that this session has cached so far. */
extern void CnapEpochAdvance(void);

/* Restart the count of events, after everything cached has been discarded. */
extern void CnapEpochRestart(void);

/*
 * May something be cached that was read just now?  It may depend on uncommitted
 * changes of the current transaction, so whoever caches anything must ask, and
 * not keep it if the answer is no.
 */
extern bool CnapEpochMayKeep(void);

#endif							/* CNAP_EPOCH_H */
