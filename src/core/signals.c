/*-------------------------------------------------------------------------
 *
 * signals.c
 *	  How a session learns that access data changed.
 *
 * This is built on PostgreSQL's shared invalidation messages.  Triggers on the
 * tables of members, workspaces and access tokens send a relation cache
 * invalidation for one of several empty tables, the epochs, and a callback
 * counts them.  Nothing else uses the epochs, so their messages invalidate no
 * plans and no catalog caches, as messages about the data tables themselves
 * would.
 *
 * PostgreSQL sends a transaction's messages after its changes have become
 * visible and before COMMIT returns.  Within the session that made the
 * changes, it also processes them at the end of each command, and once more if
 * the transaction or subtransaction aborts, in which case they are not sent.
 * It stores them with a prepared transaction, and replays them on a standby.
 *
 * There are three kinds of epochs, so that decisions that are still valid stay
 * cached:
 * - access_epoch: anything may have changed, for example a workspace.
 * - user_epoch_0 to user_epoch_15: a membership or access token changed of a
 *	 user whose id has that hash.
 * - workspace_epoch: a workspace was created.  Decisions about workspaces that
 *	 existed before are still valid, but a user's set of workspaces may be
 *	 incomplete now.
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

#include "access/htup_details.h"
#include "access/xact.h"
#include "commands/trigger.h"
#include "common/hashfn.h"
#include "fmgr.h"
#include "utils/inval.h"
#include "utils/rel.h"

#include "core/compat.h"
#include "core/own_catalog.h"
#include "core/signals.h"

PG_FUNCTION_INFO_V1(cnap_signal_change);
PG_FUNCTION_INFO_V1(cnap_signal_user);
PG_FUNCTION_INFO_V1(cnap_signal_workspace);

CnapEpoch	CnapCurrentEpoch = {0};

/* Something was cached that may depend on this transaction's own changes. */
static bool kept_uncommitted = false;

/*
 * Count an event, and return its number.  The numbers must not wrap around in
 * a session that makes no check for a very long time: the last one invalidates
 * whatever is cached, and the next check restarts the count.
 */
static uint32
count_event(void)
{
	CnapCurrentEpoch.total++;
	if (CnapCurrentEpoch.events < PG_UINT32_MAX)
		CnapCurrentEpoch.events++;
	return CnapCurrentEpoch.events;
}

/*
 * Relation cache callback.  It must not access catalogs, so it compares relid
 * with the OIDs that are already known.  They have been looked up if anything
 * has been cached.
 */
static void
epoch_invalidated(Datum arg, Oid relid)
{
	if (!OidIsValid(relid) || relid == CnapKnownTableOid(CNAP_ACCESS_EPOCH))
		CnapEpochAdvance();
	else if (relid == CnapKnownTableOid(CNAP_WORKSPACE_EPOCH))
		CnapCurrentEpoch.workspace = count_event();
	else
	{
		for (int i = 0; i < CNAP_USER_CHANNELS; i++)
		{
			if (relid == CnapKnownTableOid(CNAP_USER_EPOCH + i))
			{
				CnapCurrentEpoch.user[i] = count_event();
				CnapCurrentEpoch.changes++;
				break;
			}
		}
	}
}

int
CnapUserChannel(const char *id, int len)
{
	return hash_bytes((const unsigned char *) id, len) % CNAP_USER_CHANNELS;
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

void
CnapEpochInit(void)
{
	CacheRegisterRelcacheCallback(epoch_invalidated, (Datum) 0);
	RegisterXactCallback(at_transaction_end, NULL);
	RegisterSubXactCallback(at_subtransaction_end, NULL);
}

/* cnap.signal_change(): trigger, after a change that may concern any user */
Datum
cnap_signal_change(PG_FUNCTION_ARGS)
{
	if (!CALLED_AS_TRIGGER(fcinfo))
		elog(ERROR, "cnap.signal_change() was not called as a trigger");
	CacheInvalidateRelcacheByRelid(CnapTableOid(CNAP_ACCESS_EPOCH));
	return PointerGetDatum(NULL);
}

/* cnap.signal_workspace(): trigger, after a workspace was created */
Datum
cnap_signal_workspace(PG_FUNCTION_ARGS)
{
	if (!CALLED_AS_TRIGGER(fcinfo))
		elog(ERROR, "cnap.signal_workspace() was not called as a trigger");
	CacheInvalidateRelcacheByRelid(CnapTableOid(CNAP_WORKSPACE_EPOCH));
	return PointerGetDatum(NULL);
}

/* Queue the message about the user of a row. */
static void
signal_user_of(TriggerData *trigdata, HeapTuple tuple)
{
	bool		isnull;
	text	   *user = DatumGetTextPP(heap_getattr(tuple, Anum_organization_member_user_id,
												   RelationGetDescr(trigdata->tg_relation),
												   &isnull));
	int			channel = CnapUserChannel(VARDATA_ANY(user), VARSIZE_ANY_EXHDR(user));

	CacheInvalidateRelcacheByRelid(CnapTableOid(CNAP_USER_EPOCH + channel));
}

/* cnap.signal_user(): row trigger, after a change of a membership or token */
Datum
cnap_signal_user(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_FOR_ROW(trigdata->tg_event))
		elog(ERROR, "cnap.signal_user() was not called as a row trigger");
	signal_user_of(trigdata, trigdata->tg_trigtuple);
	if (TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event))
		signal_user_of(trigdata, trigdata->tg_newtuple);
	return PointerGetDatum(NULL);
}
