/*-------------------------------------------------------------------------
 *
 * epoch.c
 *	  How a session learns that access data changed.
 *
 * PostgreSQL's shared invalidation messages carry the news.  Triggers on the
 * tables of members and workspaces send a relation cache invalidation for one
 * of three empty tables, the epochs; a callback counts them.  Nobody reads the
 * epochs, so their messages cost nobody a plan or a catalog lookup, which
 * messages about the data tables themselves would.
 *
 * PostgreSQL sends the messages of a transaction after its changes have become
 * visible and before COMMIT returns; applies them to the own session at each
 * command's end; drops them, after applying them to the own session once more,
 * with a transaction or subtransaction that aborts; keeps them with a prepared
 * transaction; and replays them on a standby.
 *
 * There are three epochs, because additions are harmless to most of what a
 * session has cached:
 * - access_epoch: somebody may have lost access, or anything else changed.
 * - membership_epoch: somebody was added to an organization or a workspace.
 *	 What was granted stays granted; what was denied may be granted now.
 * - workspace_epoch: a workspace was created.  What was found out about the
 *	 workspaces that existed stays as it is; a list of all workspaces of
 *	 somebody may be incomplete now.
 *
 * One hazard is left.  A trigger that fires before ours can make this session
 * read rows of the command that is still running, and if that command then
 * fails, no message has been queued.  So whoever keeps what it read in a
 * transaction that has written something, says so, and the end of the
 * (sub)transaction, other than by commit, counts as a change.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "commands/trigger.h"
#include "fmgr.h"
#include "utils/inval.h"

#include "epoch.h"
#include "relations.h"

PG_FUNCTION_INFO_V1(cnap_signal_change);
PG_FUNCTION_INFO_V1(cnap_signal_membership);
PG_FUNCTION_INFO_V1(cnap_signal_workspace);

CnapEpoch	CnapCurrentEpoch = {0};

/* Something was kept that this transaction's own changes may show in. */
static bool kept_uncommitted = false;

static uint32
count_event(void)
{
	CnapCurrentEpoch.total++;
	return ++CnapCurrentEpoch.events;
}

/*
 * Relation cache callback.  It must not read catalogs, so it compares with the
 * OIDs that are known: whoever has cached anything has looked them up before.
 */
static void
epoch_invalidated(Datum arg, Oid relid)
{
	if (!OidIsValid(relid) || relid == CnapKnownTableOid(CNAP_ACCESS_EPOCH))
		CnapEpochAdvance();
	else if (relid == CnapKnownTableOid(CNAP_MEMBERSHIP_EPOCH))
		CnapCurrentEpoch.membership = count_event();
	else if (relid == CnapKnownTableOid(CNAP_WORKSPACE_EPOCH))
		CnapCurrentEpoch.workspace = count_event();
}

void
CnapEpochAdvance(void)
{
	CnapCurrentEpoch.change = count_event();
	CnapCurrentEpoch.changes++;
}

void
CnapEpochRestart(void)
{
	CnapCurrentEpoch.events = 0;
	CnapCurrentEpoch.change = 0;
	CnapCurrentEpoch.membership = 0;
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

void
CnapEpochInit(void)
{
	CacheRegisterRelcacheCallback(epoch_invalidated, (Datum) 0);
	RegisterXactCallback(at_transaction_end, NULL);
	RegisterSubXactCallback(at_subtransaction_end, NULL);
}

/* Queues the message about one of the epochs. */
static Datum
signal_epoch(FunctionCallInfo fcinfo, CnapTable epoch)
{
	if (!CALLED_AS_TRIGGER(fcinfo))
		elog(ERROR, "signal function was not called as a trigger");
	CacheInvalidateRelcacheByRelid(CnapTableOid(epoch));
	return PointerGetDatum(NULL);
}

/* cnap.signal_change(): trigger, after what may take access from somebody */
Datum
cnap_signal_change(PG_FUNCTION_ARGS)
{
	return signal_epoch(fcinfo, CNAP_ACCESS_EPOCH);
}

/* cnap.signal_membership(): trigger, after somebody was added */
Datum
cnap_signal_membership(PG_FUNCTION_ARGS)
{
	return signal_epoch(fcinfo, CNAP_MEMBERSHIP_EPOCH);
}

/* cnap.signal_workspace(): trigger, after a workspace was created */
Datum
cnap_signal_workspace(PG_FUNCTION_ARGS)
{
	return signal_epoch(fcinfo, CNAP_WORKSPACE_EPOCH);
}
