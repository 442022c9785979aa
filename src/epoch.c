/*-------------------------------------------------------------------------
 *
 * epoch.c
 *	  How a session learns that access data changed.
 *
 * PostgreSQL's shared invalidation messages carry the news.  Triggers on the
 * tables of members and workspaces send a relation cache invalidation for one
 * of some empty tables, the epochs; a callback counts them.  Nobody reads the
 * epochs, so their messages cost nobody a plan or a catalog lookup, which
 * messages about the data tables themselves would.
 *
 * PostgreSQL sends the messages of a transaction after its changes have become
 * visible and before COMMIT returns; applies them to the own session at each
 * command's end; drops them, after applying them to the own session once more,
 * with a transaction or subtransaction that aborts; keeps them with a prepared
 * transaction; and replays them on a standby.
 *
 * There are three kinds of epochs, so that what is still true stays cached:
 * - access_epoch: anything may have changed; a workspace did.
 * - user_epoch_0 to user_epoch_15: the memberships of a user changed whose id
 *	 has that hash.
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

#include "access/htup_details.h"
#include "access/xact.h"
#include "commands/trigger.h"
#include "common/hashfn.h"
#include "fmgr.h"
#include "utils/inval.h"
#include "utils/rel.h"

#include "compat.h"
#include "epoch.h"
#include "relations.h"

PG_FUNCTION_INFO_V1(cnap_signal_change);
PG_FUNCTION_INFO_V1(cnap_signal_user);
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

/* cnap.signal_change(): trigger, after what may concern anybody */
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

/* Queues the message about the user of a member's row. */
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

/* cnap.signal_user(): row trigger, after a change of somebody's membership */
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
