/*-------------------------------------------------------------------------
 *
 * epoch.c
 *	  How sessions tell each other that access data changed.
 *
 * This is built on PostgreSQL's shared invalidation messages, which it sends
 * after a transaction's changes have become visible and before COMMIT returns.
 * Within the session that made the changes, it also processes them at the end
 * of each command, and once more if the transaction or subtransaction aborts,
 * in which case they are not sent.  It stores them with a prepared transaction,
 * and replays them on a standby.
 *
 * A message says which relation's cache entry is invalid, and a callback sees
 * its OID.  Ours name relations that do not exist: the channels have the last
 * OIDs of all, from FIRST_CHANNEL on, which the counter of a cluster reaches
 * after four billion objects.  So nobody's catalog caches or plans are affected,
 * as they would be by messages about the data tables, and there can be thousands
 * of channels without a table for each.  If there were a relation with such an
 * OID, its messages would merely count as events, and ours would make sessions
 * read its catalog entries again.
 *
 * A change is announced on the channels of what it is about: a user, an
 * organization, a workspace.  So a decision that does not depend on these stays
 * valid, whatever others do (cache.c).
 *
 * A transaction announces each channel only once, lest the change of a hundred
 * thousand rows fill the queue of messages, which would make every session of
 * the cluster discard all that it has cached.  If it changes something on the
 * same channel again, this session alone counts an event.  It does so at once,
 * when the change need not be visible yet to its own next statement, so
 * until the next command nothing is kept that is read.  And a transaction that
 * would announce more than MAX_ANNOUNCED channels announces that anything may
 * have changed.
 *
 * One hazard remains.  A trigger that fires before ours can make this session
 * read rows written by the running command, and if that command then fails, no
 * message has been queued.  So if something was kept in a transaction that has a
 * transaction id, and it or one of its subtransactions then ends other than by
 * commit, that counts as a change of anything.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_class.h"
#include "common/hashfn.h"
#include "utils/inval.h"

#include "core/epoch.h"
#include "core/invalidation.h"

#define FIRST_CHANNEL ((Oid) 0xFFFF0000)
#define CHANNELS (CNAP_CHANNEL_KINDS * CNAP_CHANNELS)

StaticAssertDecl(CHANNELS <= 0x10000, "the channels' OIDs must not wrap around");

#define MAX_ANNOUNCED 512

CnapEpoch	CnapCurrentEpoch = {0};

/* Something was cached that may depend on this transaction's own changes. */
static bool kept_uncommitted = false;

/* What this transaction has announced. */
static struct
{
	int			count;
	uint8		channels[CHANNELS / BITS_PER_BYTE];
}			announced;

/* The command in which something has changed without a message, if any. */
static CommandId unsettled = InvalidCommandId;

/*
 * Count an event, and return its number.  The numbers must not wrap around in
 * a session that makes no check for a very long time: the last one invalidates
 * whatever is cached, and the next check restarts the count.
 */
static void
count_event(CnapChannelKind kind, int channel)
{
	CnapCurrentEpoch.total++;
	if (CnapCurrentEpoch.events < PG_UINT32_MAX)
		CnapCurrentEpoch.events++;
	if (kind == CNAP_ANYTHING)
		CnapCurrentEpoch.anything = CnapCurrentEpoch.total;
	CnapCurrentEpoch.latest[kind] = CnapCurrentEpoch.events;
	CnapCurrentEpoch.last[kind][channel] = CnapCurrentEpoch.events;
	if (kind == CNAP_ANYTHING || kind == CNAP_ABOUT_USER || kind == CNAP_ABOUT_WORKSPACE)
		CnapCurrentEpoch.changes++;
}

/* Relation cache callback: InvalidOid stands for all relations. */
static void
relation_invalidated(Oid relid)
{
	if (!OidIsValid(relid))
		CnapEpochAdvance();
	else if (relid >= FIRST_CHANNEL && relid - FIRST_CHANNEL < CHANNELS)
		count_event((relid - FIRST_CHANNEL) / CNAP_CHANNELS,
					(relid - FIRST_CHANNEL) % CNAP_CHANNELS);
}

int
CnapUserChannel(const char *id, int len)
{
	return hash_bytes((const unsigned char *) id, len) % CNAP_CHANNELS;
}

/*
 * Queue a message about a relation that need not exist.  All that PostgreSQL
 * takes from the row of pg_class is the OID, and whether the relation is shared.
 */
static void
queue_message(Oid relid)
{
	Size		offset = MAXALIGN(SizeofHeapTupleHeader);
	HeapTupleData tuple = {.t_len = offset + sizeof(FormData_pg_class)};

	tuple.t_data = palloc0(tuple.t_len);
	tuple.t_data->t_hoff = offset;
	((Form_pg_class) GETSTRUCT(&tuple))->oid = relid;
	CacheInvalidateRelcacheByTuple(&tuple);
	pfree(tuple.t_data);
}

void
CnapAnnounce(CnapChannelKind kind, int channel)
{
	int			i;
	uint8		bit;

	if (announced.count >= MAX_ANNOUNCED)
	{
		kind = CNAP_ANYTHING;
		channel = 0;
	}
	i = kind * CNAP_CHANNELS + channel;
	bit = 1 << i % BITS_PER_BYTE;
	if (announced.channels[i / BITS_PER_BYTE] & bit)
	{
		count_event(kind, channel);
		unsettled = GetCurrentCommandId(false);
	}
	else
	{
		queue_message(FIRST_CHANNEL + i);
		announced.channels[i / BITS_PER_BYTE] |= bit;
		announced.count++;
	}
}

void
CnapEpochAdvance(void)
{
	count_event(CNAP_ANYTHING, 0);
}

void
CnapEpochRestart(void)
{
	CnapCurrentEpoch.events = 0;
	memset(CnapCurrentEpoch.latest, 0, sizeof(CnapCurrentEpoch.latest));
	memset(CnapCurrentEpoch.last, 0, sizeof(CnapCurrentEpoch.last));
}

bool
CnapEpochMayKeep(void)
{
	if (!TransactionIdIsValid(GetTopTransactionIdIfAny()))
		return true;
	kept_uncommitted = true;
	return unsettled == InvalidCommandId || unsettled != GetCurrentCommandId(false);
}

/* Messages that a subtransaction has queued are dropped when it aborts. */
static void
forget_announced(void)
{
	if (announced.count > 0)
		memset(&announced, 0, sizeof(announced));
}

static void
at_transaction_end(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_ABORT:
		case XACT_EVENT_PARALLEL_ABORT:
		case XACT_EVENT_PREPARE:
			if (kept_uncommitted)
				CnapEpochAdvance();
			break;
		case XACT_EVENT_COMMIT:
		case XACT_EVENT_PARALLEL_COMMIT:
			break;
		default:
			return;
	}
	kept_uncommitted = false;
	unsettled = InvalidCommandId;
	forget_announced();
}

static void
at_subtransaction_end(SubXactEvent event, SubTransactionId my_subid,
					  SubTransactionId parent_subid, void *arg)
{
	if (event != SUBXACT_EVENT_ABORT_SUB)
		return;
	if (kept_uncommitted)
		CnapEpochAdvance();
	forget_announced();
}

void
CnapEpochInit(void)
{
	CnapOnInvalidation(relation_invalidated);
	RegisterXactCallback(at_transaction_end, NULL);
	RegisterSubXactCallback(at_subtransaction_end, NULL);
}
