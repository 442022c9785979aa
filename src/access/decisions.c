/*-------------------------------------------------------------------------
 *
 * decisions.c
 *	  The hash table of access decisions: creation and growth.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "access/decisions.h"

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
	return slots * (sizeof(CnapDecision) + 1) + PG_CACHE_LINE_SIZE;
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
	uint64		buckets = slots / CNAP_BUCKET_SLOTS;

	Assert(buckets <= (uint64) PG_UINT32_MAX + 1);
	table->mask = (uint32) (buckets - 1);
	table->memory = memory;
	table->slots = (CnapDecision *) CACHELINEALIGN(table->memory);
	table->tags = (uint64 *) (table->slots + slots);
	memset(table->tags, 0, slots);
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

static uint64
number_of_slots(const CnapDecisions *table)
{
	return ((uint64) table->mask + 1) * CNAP_BUCKET_SLOTS;
}

/* The tag in a slot, 0 if the slot is free. */
static uint8
tag_at(const CnapDecisions *table, uint64 slot)
{
	return (uint8) (table->tags[slot / CNAP_BUCKET_SLOTS] >>
					slot % CNAP_BUCKET_SLOTS * BITS_PER_BYTE);
}

/*
 * Occupy a slot for an entry with that hash, which the table has room for and
 * does not contain yet.
 */
static CnapDecision *
add_entry(CnapDecisions *table, uint64 hash)
{
	uint32		bucket = (uint32) hash & table->mask;
	uint64		unused;
	int			position;

	while ((unused = CnapFreeSlots(table->tags[bucket])) == 0)
		bucket = (bucket + 1) & table->mask;
	position = CnapBucketPosition(unused);
	table->tags[bucket] |= CnapDecisionTags(hash) &
		(UINT64CONST(0xFF) << position * BITS_PER_BYTE);
	return &table->slots[(uint64) bucket * CNAP_BUCKET_SLOTS + position];
}

void
CnapDecisionsReserve(CnapDecisions *table, uint64 more)
{
	CnapDecisions former = *table;
	uint64		slots = slots_for(table->members + more);

	if (slots <= number_of_slots(&former))
		return;
	allocate_slots(table, slots);
	for (uint64 i = 0; i < number_of_slots(&former); i++)
	{
		CnapDecision *decision = &former.slots[i];

		if (tag_at(&former, i) != 0)
			*add_entry(table, CnapDecisionHash(&decision->workspace,
											   decision->user)) = *decision;
	}
	pfree(former.memory);
}

CnapDecision *
CnapDecisionsInsert(CnapDecisions *table, const pg_uuid_t *workspace, uint32 user)
{
	CnapDecision *decision = CnapDecisionsFind(table, workspace, user);

	if (decision == NULL)
	{
		CnapDecisionsReserve(table, 1);
		decision = add_entry(table, CnapDecisionHash(workspace, user));
		decision->workspace = *workspace;
		decision->user = user;
		table->members++;
	}
	return decision;
}

CnapDecision *
CnapDecisionsNext(const CnapDecisions *table, uint64 *slot)
{
	while (*slot < number_of_slots(table))
	{
		uint64		i = (*slot)++;

		if (tag_at(table, i) != 0)
			return &table->slots[i];
	}
	return NULL;
}

/* While the table is being enlarged, its former slots are still allocated. */
Size
CnapDecisionsGrowth(const CnapDecisions *table, uint64 more)
{
	uint64		slots = slots_for(table->members + more);

	return slots > number_of_slots(table) ? slots_space(slots) : 0;
}

Size
CnapDecisionsSpace(uint64 members)
{
	return slots_space(slots_for(members));
}
