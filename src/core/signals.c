/*-------------------------------------------------------------------------
 *
 * signals.c
 *	  The triggers that announce changes of access data to all sessions.
 *
 * Each finds out whom a change is about, and announces it on their channels
 * (epoch.c).  All of them are row triggers but those of TRUNCATE, because
 * logical replication's apply workers fire no others.
 *
 * A change of a workspace's row is announced on the workspace's channel, on
 * which decisions about it depend, and on those of everybody who had or has a
 * way in by that row: of the owner, if that is another one, and of the
 * organizations that managed it before and manage it now.  On these depend the
 * sets of those users.  Direct members have rows of their own, and a workspace
 * takes these along when it is deleted.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "fmgr.h"
#include "utils/rel.h"
#include "utils/uuid.h"

#include "core/epoch.h"
#include "core/own_catalog.h"
#include "core/trigger.h"

PG_FUNCTION_INFO_V1(cnap_signal_change);
PG_FUNCTION_INFO_V1(cnap_signal_user);
PG_FUNCTION_INFO_V1(cnap_signal_workspace);

/* cnap.signal_change(): trigger, after a change that may concern any user */
Datum
cnap_signal_change(PG_FUNCTION_ARGS)
{
	(void) CnapTriggerData(fcinfo);
	CnapAnnounce(CNAP_ANYTHING, 0);
	return PointerGetDatum(NULL);
}

/* Announce a change about the user whose id is in a column. */
static void
signal_user_in(TriggerData *trigdata, HeapTuple tuple, AttrNumber attno, CnapChannelKind kind)
{
	bool		isnull;
	text	   *user = DatumGetTextPP(heap_getattr(tuple, attno,
												   RelationGetDescr(trigdata->tg_relation),
												   &isnull));

	CnapAnnounce(kind, CnapUserChannel(VARDATA_ANY(user), VARSIZE_ANY_EXHDR(user)));
}

/* Likewise about the organization or workspace, unless the column is null. */
static void
signal_uuid_in(TriggerData *trigdata, HeapTuple tuple, AttrNumber attno, CnapChannelKind kind)
{
	bool		isnull;
	Datum		id = heap_getattr(tuple, attno, RelationGetDescr(trigdata->tg_relation),
								  &isnull);

	if (!isnull)
		CnapAnnounce(kind, CnapUuidChannel(DatumGetUUIDP(id)));
}

/* cnap.signal_user(): row trigger, after a change of a membership or token */
Datum
cnap_signal_user(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = CnapRowTriggerData(fcinfo);

	signal_user_in(trigdata, trigdata->tg_trigtuple, Anum_organization_member_user_id,
				   CNAP_ABOUT_USER);
	if (TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event))
		signal_user_in(trigdata, trigdata->tg_newtuple, Anum_organization_member_user_id,
					   CNAP_ABOUT_USER);
	return PointerGetDatum(NULL);
}

/*
 * cnap.signal_workspace(): row trigger, after a workspace was created or
 * deleted, or its row changed in a way that access depends on
 *
 * That a workspace does not exist is never cached, so its creation concerns no
 * decision.
 */
Datum
cnap_signal_workspace(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = CnapRowTriggerData(fcinfo);
	HeapTuple	row = trigdata->tg_trigtuple;
	bool		same_owner = false;

	if (TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event))
	{
		HeapTuple	after = trigdata->tg_newtuple;
		TupleDesc	desc = RelationGetDescr(trigdata->tg_relation);

		if (CnapColumnDiffers(desc, row, after, Anum_workspace_id))
			CnapAnnounce(CNAP_ANYTHING, 0);
		same_owner = !CnapColumnDiffers(desc, row, after, Anum_workspace_owner_id);
		if (!same_owner)
			signal_user_in(trigdata, after, Anum_workspace_owner_id, CNAP_ABOUT_OWNER);
		signal_uuid_in(trigdata, after, Anum_workspace_managed_by, CNAP_ABOUT_ORGANIZATION);
	}
	if (!TRIGGER_FIRED_BY_INSERT(trigdata->tg_event))
		signal_uuid_in(trigdata, row, Anum_workspace_id, CNAP_ABOUT_WORKSPACE);
	if (!same_owner)
		signal_user_in(trigdata, row, Anum_workspace_owner_id, CNAP_ABOUT_OWNER);
	signal_uuid_in(trigdata, row, Anum_workspace_managed_by, CNAP_ABOUT_ORGANIZATION);
	return PointerGetDatum(NULL);
}
