/*-------------------------------------------------------------------------
 *
 * decisions.h
 *	  The hash table of access decisions.
 *
 * Open addressing with linear probing (Knuth, The Art of Computer Programming,
 * volume 3, section 6.4, algorithm L).  An array beside the entries holds 16
 * bits of each entry's hash as a tag.  A search goes through the tags, and
 * touches an entry only if its tag matches.  That makes unsuccessful searches
 * cheap, which prevail when a scan checks the rows of other tenants: they
 * touch one or two cache lines of tags, even in a rather full table.
 *
 * Entries are never removed; the memory is freed together with its context.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_DECISIONS_H
#define CNAP_DECISIONS_H

#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "permission.h"

typedef struct CnapDecision
{
	pg_uuid_t	workspace;
	uint32		user;
	uint32		stamp:27;		/* CnapCurrentEpoch.events before it was read */
	uint32		ways:5;			/* CnapWays */
	TimestampTz managed_until;	/* DT_NOEND if unlimited */
} CnapDecision;

/* The smallest stamp that does not fit. */
#define CNAP_MAX_STAMP (1 << 27)

typedef struct CnapDecisions
{
	MemoryContext context;
	uint32		mask;			/* number of slots - 1 */
	uint32		members;
	void	   *memory;			/* holds both arrays */
	uint16	   *tags;			/* 0 if the slot is free */
	CnapDecision *slots;
} CnapDecisions;

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

static inline uint16
CnapDecisionTag(uint64 hash)
{
	return (uint16) (hash >> 48) | 1;
}

/*
 * The slot of a workspace and a user, or the free slot where the search ended.
 */
static inline uint32
CnapDecisionsSlot(const CnapDecisions *table, const pg_uuid_t *workspace,
				  uint32 user, uint64 hash)
{
	uint16		tag = CnapDecisionTag(hash);
	uint32		slot = (uint32) hash & table->mask;

	while (table->tags[slot] != 0)
	{
		if (unlikely(table->tags[slot] == tag))
		{
			const CnapDecision *decision = &table->slots[slot];

			if (decision->user == user &&
				memcmp(&decision->workspace, workspace, sizeof(pg_uuid_t)) == 0)
				break;
		}
		slot = (slot + 1) & table->mask;
	}
	return slot;
}

/* The entry of a workspace and a user, or NULL. */
static inline CnapDecision *
CnapDecisionsFind(const CnapDecisions *table, const pg_uuid_t *workspace, uint32 user)
{
	uint32		slot = CnapDecisionsSlot(table, workspace, user,
										 CnapDecisionHash(workspace, user));

	return table->tags[slot] != 0 ? &table->slots[slot] : NULL;
}

#endif							/* CNAP_DECISIONS_H */
