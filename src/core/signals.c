/*-------------------------------------------------------------------------
 *
 * signals.c
 *	  How a session learns that access data changed.
 *
 * This is built on PostgreSQL's shared invalidation messages.  Triggers on the
 * tables of members, workspaces and access tokens send a relation cache
 * invalidation for one of several empty tables, the epochs, and a callback
 * counts them (epoch.c).  Nothing else uses the epochs, so their messages
 * invalidate no plans and no catalog caches, as messages about the data tables
 * themselves would.
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
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "commands/trigger.h"
#include "fmgr.h"
#include "utils/inval.h"
#include "utils/rel.h"

#include "core/epoch.h"
#include "core/own_catalog.h"
#include "core/signals.h"

PG_FUNCTION_INFO_V1(cnap_signal_change);
PG_FUNCTION_INFO_V1(cnap_signal_user);
PG_FUNCTION_INFO_V1(cnap_signal_workspace);

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
		CnapCurrentEpoch.workspace = CnapEpochCount();
	else
	{
		for (int i = 0; i < CNAP_USER_CHANNELS; i++)
		{
			if (relid == CnapKnownTableOid(CNAP_USER_EPOCH + i))
			{
				CnapCurrentEpoch.user[i] = CnapEpochCount();
				CnapCurrentEpoch.changes++;
				break;
			}
		}
	}
}

/* Register the callback. */
void
CnapSignalsInit(void)
{
	CacheRegisterRelcacheCallback(epoch_invalidated, (Datum) 0);
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
