/*-------------------------------------------------------------------------
 *
 * decisions.c
 *	  The hash table of access decisions: creation and growth.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "port/pg_bitutils.h"
#include "utils/memutils.h"

#include "decisions.h"

#define MIN_SLOTS 256

/* The table is doubled when this fraction of its slots is in use. */
#define MAX_FILL 0.8

static uint64
slots_for(uint64 members)
{
	return pg_nextpower2_64(Max((uint64) (members / MAX_FILL) + 1, MIN_SLOTS));
}

/* The size of that many slots, in bytes. */
static Size
slots_space(uint64 slots)
{
	return slots * (sizeof(CnapDecision) + sizeof(uint16)) + PG_CACHE_LINE_SIZE;
}

/*
 * Allocate the slots, followed by the tags.  The slots are aligned so that
 * none crosses a cache line.  If there is not enough memory, the table is left
 * as it was.
 */
static void
allocate_slots(CnapDecisions *table, uint64 slots)
{
	void	   *memory = MemoryContextAllocHuge(table->context, slots_space(slots));

	Assert(slots <= (uint64) PG_UINT32_MAX + 1);
	table->mask = (uint32) (slots - 1);
	table->memory = memory;
	table->slots = (CnapDecision *) CACHELINEALIGN(table->memory);
	table->tags = (uint16 *) (table->slots + slots);
	memset(table->tags, 0, slots * sizeof(uint16));
}

CnapDecisions *
CnapDecisionsCreate(MemoryContext context)
{
	CnapDecisions *table = MemoryContextAlloc(context, sizeof(CnapDecisions));

	table->context = context;
	table->members = 0;
	allocate_slots(table, MIN_SLOTS);
	return table;
}

void
CnapDecisionsReserve(CnapDecisions *table, uint64 more)
{
	CnapDecisions former = *table;
	uint64		slots = slots_for(table->members + more);

	if (slots <= (uint64) former.mask + 1)
		return;
	allocate_slots(table, slots);
	for (uint64 i = 0; i <= former.mask; i++)
	{
		if (former.tags[i] != 0)
		{
			CnapDecision *decision = &former.slots[i];
			uint64		hash = CnapDecisionHash(&decision->workspace, decision->user);
			uint32		slot = CnapDecisionsSlot(table, &decision->workspace,
												 decision->user, hash);

			table->tags[slot] = CnapDecisionTag(hash);
			table->slots[slot] = *decision;
		}
	}
	pfree(former.memory);
}

CnapDecision *
CnapDecisionsInsert(CnapDecisions *table, const pg_uuid_t *workspace, uint32 user)
{
	uint64		hash = CnapDecisionHash(workspace, user);
	uint32		slot = CnapDecisionsSlot(table, workspace, user, hash);

	if (table->tags[slot] == 0)
	{
		CnapDecisionsReserve(table, 1);
		slot = CnapDecisionsSlot(table, workspace, user, hash);
		table->tags[slot] = CnapDecisionTag(hash);
		table->slots[slot].workspace = *workspace;
		table->slots[slot].user = user;
		table->members++;
	}
	return &table->slots[slot];
}

/* While the table is being enlarged, its former slots are still allocated. */
Size
CnapDecisionsGrowth(const CnapDecisions *table, uint64 more)
{
	uint64		slots = slots_for(table->members + more);

	return slots > (uint64) table->mask + 1 ? slots_space(slots) : 0;
}

Size
CnapDecisionsSpace(uint64 members)
{
	return slots_space(slots_for(members));
}
