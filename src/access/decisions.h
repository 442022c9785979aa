/*-------------------------------------------------------------------------
 *
 * decisions.h
 *	  The hash table of access decisions.
 *
 * Open addressing with linear probing of buckets (Knuth, The Art of Computer
 * Programming, volume 3, section 6.4).  An array beside the entries holds eight
 * bits for each as a tag: one that says that the slot is occupied, and seven of
 * the entry's hash.  The tags of a bucket are one word, and are compared all at
 * once (Warren, Hacker's Delight, section 6-1, on finding a zero byte).  An entry
 * is touched only if its tag matches.  That makes unsuccessful searches cheap,
 * which prevail when a scan checks the rows of other tenants: mostly they read a
 * single word, and take only branches that the processor predicts.
 *
 * Entries are never removed; the memory is freed together with its context.  What
 * is in a free slot is undefined, and may well be a decision of a former table,
 * so a search must never look at it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_DECISIONS_H
#define CNAP_DECISIONS_H

#include "port/pg_bitutils.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "core/permission.h"

typedef struct CnapDecision
{
	pg_uuid_t	workspace;
	uint64		user:24;
	uint64		stamp:24;		/* CnapCurrentEpoch.events before it was read */
	uint64		ways:16;		/* CnapWays */
	TimestampTz managed_until;	/* DT_NOEND if unlimited */
} CnapDecision;

/* The smallest stamp that does not fit, and the smallest such number of a user. */
#define CNAP_MAX_STAMP (1 << 24)
#define CNAP_MAX_USERS (1 << 24)

typedef struct CnapDecisions
{
	MemoryContext context;
	uint32		mask;			/* number of buckets - 1 */
	uint32		members;
	void	   *memory;			/* holds both arrays */
	uint64	   *tags;			/* of the buckets; that of a free slot is 0 */
	CnapDecision *slots;
} CnapDecisions;

#define CNAP_BUCKET_SLOTS 8

StaticAssertDecl(PG_CACHE_LINE_SIZE % sizeof(CnapDecision) == 0,
				 "decisions must not cross cache lines");

/* Create an empty table.  All of its memory is allocated in the context. */
extern CnapDecisions *CnapDecisionsCreate(MemoryContext context);

/*
 * Find the entry of a workspace and a user.  If there is none, it is created,
 * with its other fields undefined.
 */
extern CnapDecision *CnapDecisionsInsert(CnapDecisions *table,
										 const pg_uuid_t *workspace, uint32 user);

/* Make room for that many more entries at once. */
extern void CnapDecisionsReserve(CnapDecisions *table, uint64 more);

/*
 * The next entry, in no particular order, or NULL.  *slot is 0 at first, and
 * keeps the place.
 */
extern CnapDecision *CnapDecisionsNext(const CnapDecisions *table, uint64 *slot);

/* The number of bytes that the table needs to allocate for more entries. */
extern Size CnapDecisionsGrowth(const CnapDecisions *table, uint64 more);

/* The number of bytes in a table with that many entries. */
extern Size CnapDecisionsSpace(uint64 members);

/*
 * A multiplicative hash.  An xor would do for random ids, but not for
 * time-ordered or hand-made ones.
 */
static inline uint64
CnapDecisionHash(const pg_uuid_t *workspace, uint32 user)
{
	uint64		words[2];

	memcpy(words, workspace, sizeof(words));
	words[0] ^= words[1] * UINT64CONST(0x9E3779B97F4A7C15);
	words[0] ^= words[0] >> 32;
	words[0] = (words[0] ^ user) * UINT64CONST(0xD6E8FEB86659FD93);
	return words[0] ^ (words[0] >> 32);
}

/* The bit of each tag that says that the slot is occupied. */
#define CNAP_OCCUPIED UINT64CONST(0x8080808080808080)

/* The tag of an entry with that hash, in each byte. */
static inline uint64
CnapDecisionTags(uint64 hash)
{
	return (hash >> 57) * UINT64CONST(0x0101010101010101) | CNAP_OCCUPIED;
}

/*
 * The highest bit of each of the tags that matches.  The lowest bit set is exact;
 * further ones may also stand for a tag that differs in its lowest bit alone, but
 * never for a free slot.
 */
static inline uint64
CnapMatchTags(uint64 tags, uint64 wanted)
{
	uint64		difference = tags ^ wanted;

	return (difference - UINT64CONST(0x0101010101010101)) & ~difference & CNAP_OCCUPIED;
}

/* The highest bit of each of the tags of free slots. */
static inline uint64
CnapFreeSlots(uint64 tags)
{
	return ~tags & CNAP_OCCUPIED;
}

/* The position in a bucket of the lowest of those bits. */
static inline int
CnapBucketPosition(uint64 bits)
{
	return pg_rightmost_one_pos64(bits) / BITS_PER_BYTE;
}

/* The entry of a workspace and a user, or NULL. */
static inline CnapDecision *
CnapDecisionsFind(const CnapDecisions *table, const pg_uuid_t *workspace, uint32 user)
{
	uint64		hash = CnapDecisionHash(workspace, user);
	uint64		wanted = CnapDecisionTags(hash);
	uint32		bucket = (uint32) hash & table->mask;

	for (;;)
	{
		uint64		tags = table->tags[bucket];
		uint64		matches = CnapMatchTags(tags, wanted);

		Assert((matches & CnapFreeSlots(tags)) == 0);
		while (unlikely(matches != 0))
		{
			CnapDecision *decision = &table->slots[(uint64) bucket * CNAP_BUCKET_SLOTS +
												   CnapBucketPosition(matches)];

			if (decision->user == user &&
				memcmp(&decision->workspace, workspace, sizeof(pg_uuid_t)) == 0)
				return decision;
			matches &= matches - 1;
		}
		if (likely(CnapFreeSlots(tags) != 0))
			return NULL;
		bucket = (bucket + 1) & table->mask;
	}
}

#endif							/* CNAP_DECISIONS_H */
