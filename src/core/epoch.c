/*-------------------------------------------------------------------------
 *
 * epoch.c
 *	  What this session has been told of changes of access data, by numbers.
 *
 * The events that signals.c receives are counted here.  Whoever caches something
 * notes the number of the last event, and compares it later.
 *
 * One hazard remains.  A trigger that fires before ours can make this session
 * read rows written by the running command, and if that command then fails, no
 * message has been queued.  So whoever caches something in a transaction that
 * has a transaction id must call CnapEpochNoteLoad(), and if the transaction
 * or one of its subtransactions then ends other than by commit, that counts as
 * a change.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "common/hashfn.h"

#include "core/epoch.h"

CnapEpoch	CnapCurrentEpoch = {0};

/* Something was cached that may depend on this transaction's own changes. */
static bool kept_uncommitted = false;

/*
 * Count an event, and return its number.  The numbers must not wrap around in
 * a session that makes no check for a very long time: the last one invalidates
 * whatever is cached, and the next check restarts the count.
 */
uint32
CnapEpochCount(void)
{
	CnapCurrentEpoch.total++;
	if (CnapCurrentEpoch.events < PG_UINT32_MAX)
		CnapCurrentEpoch.events++;
	return CnapCurrentEpoch.events;
}

void
CnapEpochAdvance(void)
{
	CnapCurrentEpoch.change = CnapEpochCount();
	CnapCurrentEpoch.changes++;
}

void
CnapEpochRestart(void)
{
	CnapCurrentEpoch.events = 0;
	CnapCurrentEpoch.change = 0;
	memset(CnapCurrentEpoch.user, 0, sizeof(CnapCurrentEpoch.user));
	CnapCurrentEpoch.workspace = 0;
}

void
CnapEpochNoteLoad(void)
{
	if (TransactionIdIsValid(GetTopTransactionIdIfAny()))
		kept_uncommitted = true;
}

static void
at_transaction_end(XactEvent event, void *arg)
{
	if (!kept_uncommitted)
		return;
	switch (event)
	{
		case XACT_EVENT_ABORT:
		case XACT_EVENT_PARALLEL_ABORT:
		case XACT_EVENT_PREPARE:
			CnapEpochAdvance();
			kept_uncommitted = false;
			break;
		case XACT_EVENT_COMMIT:
		case XACT_EVENT_PARALLEL_COMMIT:
			kept_uncommitted = false;
			break;
		default:
			break;
	}
}

static void
at_subtransaction_end(SubXactEvent event, SubTransactionId my_subid,
					  SubTransactionId parent_subid, void *arg)
{
	if (event == SUBXACT_EVENT_ABORT_SUB && kept_uncommitted)
		CnapEpochAdvance();
}

/* The channel of the user with that id. */
int
CnapUserChannel(const char *id, int len)
{
	return hash_bytes((const unsigned char *) id, len) % CNAP_USER_CHANNELS;
}

/* Register the callbacks. */
void
CnapEpochInit(void)
{
	RegisterXactCallback(at_transaction_end, NULL);
	RegisterSubXactCallback(at_subtransaction_end, NULL);
}
