/*-------------------------------------------------------------------------
 *
 * invariants.c
 *	  Triggers for rules that constraints cannot express.
 *
 * The triggers fire for the public functions and for direct statements alike,
 * but not in logical replication's apply workers, whose rows have been checked
 * at their origin.
 *
 * Every existing organization must have an owner.  Two owners who step down
 * concurrently would each still see the other's row, so the trigger first
 * locks the organization's row, and then searches for an owner with a fresh
 * snapshot, which in every isolation level sees the changes of the transaction
 * that it waited for.  The check is made after the statement, so that a single
 * UPDATE can hand over the ownership, and so that an organization can be
 * deleted with all its members.
 *
 * An assignment names the grant and the membership that it belongs to, and counts
 * only together with them, so nothing depends on its row being removed when they
 * end.  It is removed nevertheless, but without waiting for anybody: the customer
 * who ends the management, and the organization that removes the member, could keep
 * each other waiting for as long as they like.  What somebody else has locked is left
 * behind, and means nothing.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "change/authorize.h"
#include "change/invariants.h"
#include "core/definitions.h"
#include "core/managers.h"
#include "core/own_catalog.h"
#include "core/rows.h"
#include "core/run_as_owner.h"
#include "core/table_scan.h"
#include "core/trigger.h"

PG_FUNCTION_INFO_V1(cnap_membership_before_write);
PG_FUNCTION_INFO_V1(cnap_organization_before_write);
PG_FUNCTION_INFO_V1(cnap_workspace_before_write);
PG_FUNCTION_INFO_V1(cnap_last_owner);
PG_FUNCTION_INFO_V1(cnap_assignment_before_write);
PG_FUNCTION_INFO_V1(cnap_remove_assignments);

/* Does the UPDATE change a column? */
static bool
changes(TriggerData *trigdata, AttrNumber attno)
{
	return CnapColumnDiffers(RelationGetDescr(trigdata->tg_relation),
							 trigdata->tg_trigtuple, trigdata->tg_newtuple, attno);
}

/* Refuse an UPDATE that changes a column. */
static void
keep_column(TriggerData *trigdata, AttrNumber attno)
{
	if (changes(trigdata, attno))
		ereport(ERROR,
				(errcode(ERRCODE_RESTRICT_VIOLATION),
				 errmsg("column \"%s\" of \"%s\" cannot change",
						NameStr(TupleDescAttr(RelationGetDescr(trigdata->tg_relation),
											  attno - 1)->attname),
						RelationGetRelationName(trigdata->tg_relation)),
				 errhint("Delete the row and insert another one.")));
}

/* Likewise for the first columns, which identify the row. */
static void
keep_columns(TriggerData *trigdata, int count)
{
	for (AttrNumber attno = 1; attno <= count; attno++)
		keep_column(trigdata, attno);
}

/*
 * Return the new row of an UPDATE, with updated_at set if any column changes.
 */
static HeapTuple
touch(TriggerData *trigdata, HeapTuple tuple, AttrNumber updated_at)
{
	TupleDesc	desc = RelationGetDescr(trigdata->tg_relation);
	Datum		now = TimestampTzGetDatum(GetCurrentTransactionStartTimestamp());
	int			columns[] = {updated_at};
	bool		isnull = false;

	for (AttrNumber attno = 1; attno <= desc->natts; attno++)
	{
		/* Generated columns are computed after this. */
		if (TupleDescAttr(desc, attno - 1)->attgenerated == '\0' && changes(trigdata, attno))
			return heap_modify_tuple_by_cols(tuple, desc, 1, columns, &now, &isnull);
	}
	return tuple;
}

/* cnap.membership_before_write(): trigger, before UPDATE of a member */
Datum
cnap_membership_before_write(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = CnapTriggerData(fcinfo);

	keep_columns(trigdata, Anum_organization_member_user_id);
	if (CnapTableOf(trigdata->tg_relation) == CNAP_ORGANIZATION_MEMBER)
		keep_column(trigdata, Anum_organization_member_membership_id);
	return PointerGetDatum(touch(trigdata, trigdata->tg_newtuple,
								 Anum_organization_member_updated_at));
}

/*
 * cnap.organization_before_write(): trigger, before UPDATE of an organization
 */
Datum
cnap_organization_before_write(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = CnapTriggerData(fcinfo);

	keep_columns(trigdata, Anum_organization_id);
	return PointerGetDatum(touch(trigdata, trigdata->tg_newtuple,
								 Anum_organization_updated_at));
}

/* The management of a workspace, according to a version of its row. */
typedef struct Management
{
	bool		managed;
	pg_uuid_t	by;
	bool		ended;			/* managed_until has passed */
} Management;

static Management
get_management(HeapTuple tuple, TupleDesc desc)
{
	Management	management = {0};
	bool		isnull;
	Datum		value = heap_getattr(tuple, Anum_workspace_managed_by, desc, &isnull);

	management.managed = !isnull;
	if (!isnull)
	{
		management.by = *DatumGetUUIDP(value);
		value = heap_getattr(tuple, Anum_workspace_managed_until, desc, &isnull);
		management.ended = !isnull &&
			DatumGetTimestampTz(value) <= GetCurrentTimestamp();
	}
	return management;
}

/* The columns that a trigger sets in the new row. */
typedef struct NewColumns
{
	int			count;
	int			columns[8];
	Datum		values[8];
	bool		nulls[8];
} NewColumns;

static void
set_column(NewColumns *set, AttrNumber attno, Datum value)
{
	set->columns[set->count] = attno;
	set->nulls[set->count] = false;
	set->values[set->count++] = value;
}

static void
clear_column(NewColumns *set, AttrNumber attno)
{
	set->columns[set->count] = attno;
	set->nulls[set->count] = true;
	set->values[set->count++] = (Datum) 0;
}

/*
 * Which of the managers get in: all of them unless the row says otherwise, and for
 * some hours if they have to activate it.
 */
static void
complete_terms(NewColumns *set, HeapTuple tuple, TupleDesc desc)
{
	bool		isnull;
	Datum		access = heap_getattr(tuple, Anum_workspace_managed_access, desc, &isnull);
	bool		activated = !isnull &&
		CnapManagersFromDatum(access) == CNAP_MANAGERS_ACTIVATED;

	if (isnull)
		set_column(set, Anum_workspace_managed_access,
				   CStringGetTextDatum(CnapManagersName(CNAP_MANAGERS_ALL)));
	if (!activated)
		clear_column(set, Anum_workspace_managed_activation);
	else if (heap_attisnull(tuple, Anum_workspace_managed_activation, desc))
	{
		Interval   *activation = palloc0(sizeof(Interval));

		activation->time = CNAP_DEFAULT_ACTIVATION * USECS_PER_HOUR;
		set_column(set, Anum_workspace_managed_activation, IntervalPGetDatum(activation));
	}
}

/*
 * cnap.workspace_before_write(): BEFORE INSERT or UPDATE trigger
 *
 * Keeps the columns about the management consistent: without a manager they
 * are all null, as after the deletion of the organization sets managed_by to
 * null; a new management starts now, and with the role 'admin' unless the row
 * specifies another.  It gets an id of its own, as does one in which other
 * managers get in than before, so that no assignment counts any more.
 */
Datum
cnap_workspace_before_write(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = CnapTriggerData(fcinfo);
	TupleDesc	desc = RelationGetDescr(trigdata->tg_relation);
	bool		is_update = TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event);
	HeapTuple	tuple = is_update ? trigdata->tg_newtuple : trigdata->tg_trigtuple;
	Management	after = get_management(tuple, desc);
	Management	before = {0};
	NewColumns	set = {0};

	if (is_update)
	{
		keep_columns(trigdata, Anum_workspace_id);
		before = get_management(trigdata->tg_trigtuple, desc);
	}

	if (!after.managed)
	{
		clear_column(&set, Anum_workspace_managed_role);
		clear_column(&set, Anum_workspace_managed_until);
		clear_column(&set, Anum_workspace_managed_since);
		clear_column(&set, Anum_workspace_managed_access);
		clear_column(&set, Anum_workspace_managed_activation);
		clear_column(&set, Anum_workspace_management_id);
	}
	else
	{
		bool		replaced = before.managed &&
			memcmp(&before.by, &after.by, sizeof(pg_uuid_t)) != 0;
		bool		renewed = !before.managed || replaced ||
			(before.ended && !after.ended);

		if (replaced && !before.ended)
			ereport(ERROR,
					(errcode(ERRCODE_RESTRICT_VIOLATION),
					 errmsg("workspace is already managed"),
					 errdetail("Only one organization can manage a workspace at a time."),
					 errhint("Revoke its management first.")));
		if (heap_attisnull(tuple, Anum_workspace_managed_role, desc))
			set_column(&set, Anum_workspace_managed_role, CnapRoleToDatum(CNAP_ROLE_ADMIN));
		complete_terms(&set, tuple, desc);
		if (renewed &&
			(is_update ? !changes(trigdata, Anum_workspace_managed_since) :
			 heap_attisnull(tuple, Anum_workspace_managed_since, desc)))
			set_column(&set, Anum_workspace_managed_since,
					   TimestampTzGetDatum(GetCurrentTransactionStartTimestamp()));
		if (is_update ? renewed || changes(trigdata, Anum_workspace_managed_access) ||
			changes(trigdata, Anum_workspace_managed_activation) :
			heap_attisnull(tuple, Anum_workspace_management_id, desc))
			set_column(&set, Anum_workspace_management_id, CnapNewUuid());
		else if (is_update)
			keep_column(trigdata, Anum_workspace_management_id);
	}

	if (is_update)
		tuple = touch(trigdata, tuple, Anum_workspace_updated_at);
	if (set.count > 0)
		tuple = heap_modify_tuple_by_cols(tuple, desc, set.count, set.columns,
										  set.values, set.nulls);
	return PointerGetDatum(tuple);
}

/*
 * Does the organization have an owner?  A search has to skip the old versions
 * of all rows that the transaction has changed so far, and a statement can end
 * the ownership of thousands, so first look whether the owner found last is
 * still one.
 */
static bool
has_owner(const pg_uuid_t *organization)
{
	static pg_uuid_t known_organization;
	static text *known_owner = NULL;
	text	   *owner;
	Size		size;

	if (known_owner != NULL &&
		memcmp(&known_organization, organization, sizeof(pg_uuid_t)) == 0 &&
		CnapOrganizationRole(organization, known_owner) == CNAP_ROLE_OWNER)
		return true;

	owner = CnapFindOwner(organization);
	if (owner == NULL)
		return false;

	if (known_owner != NULL)
		pfree(known_owner);
	known_owner = NULL;
	size = VARSIZE_ANY(owner);
	known_owner = MemoryContextAlloc(TopMemoryContext, size);
	memcpy(known_owner, owner, size);
	known_organization = *organization;
	return true;
}

/*
 * cnap.last_owner(): trigger, after an owner is deleted or demoted, and after
 * TRUNCATE of the members
 */
Datum
cnap_last_owner(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = CnapTriggerData(fcinfo);
	const pg_uuid_t *organization;
	bool		isnull;

	if (TRIGGER_FIRED_BY_TRUNCATE(trigdata->tg_event))
	{
		if (CnapAnyOrganization())
			ereport(ERROR,
					(errcode(ERRCODE_RESTRICT_VIOLATION),
					 errmsg("organizations would lose their last owners"),
					 errhint("Truncate cnap.organization with CASCADE.")));
		return PointerGetDatum(NULL);
	}

	organization = DatumGetUUIDP(heap_getattr(trigdata->tg_trigtuple,
											  Anum_organization_member_organization_id,
											  RelationGetDescr(trigdata->tg_relation),
											  &isnull));
	if (CnapLockOrganization(organization) && !has_owner(organization))
		ereport(ERROR,
				(errcode(ERRCODE_RESTRICT_VIOLATION),
				 errmsg("organization \"%s\" would lose its last owner",
						CnapUuidString(organization)),
				 errhint("Make another member an owner first, or delete the organization.")));
	return PointerGetDatum(NULL);
}

/* ---- assignments ---- */

void
CnapCheckAssignable(const CnapWorkspace *workspace, bool activated, bool ends)
{
	if (!CnapManagedNow(workspace))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("workspace is not managed")));
	switch (workspace->terms.managers)
	{
		case CNAP_MANAGERS_ALL:
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("all members of the organization manage the workspace"),
					 errdetail("None of them needs to be assigned, or to activate that.")));
		case CNAP_MANAGERS_ASSIGNED:
			if (activated)
				ereport(ERROR,
						(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						 errmsg("managers of the workspace are assigned"),
						 errhint("An owner or admin of the organization can do that with cnap_assign_manager().")));
			break;
		case CNAP_MANAGERS_ACTIVATED:
			if (!activated || !ends)
				ereport(ERROR,
						(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						 errmsg("managers of the workspace activate the management themselves"),
						 errdetail("It takes a reason, and an end."),
						 errhint("Each of them can do that with cnap_activate_management().")));
			break;
	}
}

/*
 * cnap.assignment_before_write(): BEFORE INSERT or UPDATE trigger
 *
 * A new row that does not name its grant and membership, as one from a dump does,
 * belongs to the current ones.
 */
Datum
cnap_assignment_before_write(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = CnapTriggerData(fcinfo);
	TupleDesc	desc = RelationGetDescr(trigdata->tg_relation);
	HeapTuple	tuple = trigdata->tg_trigtuple;
	const pg_uuid_t *id;
	text	   *user;
	bool		isnull;
	bool		is_member;
	CnapWorkspace workspace = {0};
	CnapOrganizationMember member;
	Snapshot	snapshot;
	NewColumns	set = {0};

	if (TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event))
	{
		keep_columns(trigdata, Anum_assignment_user_id);
		return PointerGetDatum(trigdata->tg_newtuple);
	}
	if (!heap_attisnull(tuple, Anum_assignment_management_id, desc) ||
		heap_attisnull(tuple, Anum_assignment_workspace_id, desc) ||
		heap_attisnull(tuple, Anum_assignment_user_id, desc))
		return PointerGetDatum(tuple);	/* restored, or refused anyway */

	id = DatumGetUUIDP(heap_getattr(tuple, Anum_assignment_workspace_id, desc, &isnull));
	user = DatumGetTextPP(heap_getattr(tuple, Anum_assignment_user_id, desc, &isnull));
	snapshot = CnapFreshSnapshot();
	(void) CnapFindWorkspaceAsOf(snapshot, id, &workspace);
	is_member = workspace.managed &&
		CnapFindMemberAsOf(snapshot, &workspace.managed_by, user, &member);
	UnregisterSnapshot(snapshot);
	CnapCheckAssignable(&workspace, !heap_attisnull(tuple, Anum_assignment_reason, desc),
						!heap_attisnull(tuple, Anum_assignment_until, desc));
	if (!is_member)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("user \"%s\" is not a member of the organization",
						text_to_cstring(user))));

	set_column(&set, Anum_assignment_management_id, UUIDPGetDatum(&workspace.management_id));
	set_column(&set, Anum_assignment_membership_id, UUIDPGetDatum(&member.id));
	return PointerGetDatum(heap_modify_tuple_by_cols(tuple, desc, set.count, set.columns,
													 set.values, set.nulls));
}

/* Is there any assignment, current or not, with that key in a column? */
static bool
any_assignment(ScanKey key)
{
	CnapScan	scan;
	bool		found = HeapTupleIsValid(CnapScanRow(&scan, CNAP_ASSIGNMENT, key));

	CnapEndScan(&scan);
	return found;
}

/* Those that a statement removes, unless somebody has locked them. */
#define REMOVE_ASSIGNMENTS(condition) \
	"DELETE FROM cnap.assignment a WHERE " condition " AND a.ctid = ANY (ARRAY(" \
	"SELECT a.ctid FROM cnap.assignment a WHERE " condition " FOR UPDATE SKIP LOCKED))"

/* Those to a workspace, except for those of its management now. */
static void
remove_from_workspace(TriggerData *trigdata)
{
	static CnapStatement remove = {
		REMOVE_ASSIGNMENTS("a.workspace_id = $1 AND a.management_id IS DISTINCT FROM $2"),
		2, {UUIDOID, UUIDOID}
	};
	TupleDesc	desc = RelationGetDescr(trigdata->tg_relation);
	ScanKeyData key;
	bool		isnull;
	Datum		values[2] = {0};
	char		nulls[2] = {' ', 'n'};

	values[0] = heap_getattr(trigdata->tg_trigtuple, Anum_workspace_id, desc, &isnull);
	if (TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event))
	{
		values[1] = heap_getattr(trigdata->tg_newtuple, Anum_workspace_management_id,
								 desc, &isnull);
		nulls[1] = isnull ? 'n' : ' ';
	}
	CnapKeyUuid(&key, Anum_assignment_workspace_id, DatumGetUUIDP(values[0]));
	if (any_assignment(&key))
		CnapExecuteChange(&remove, values, nulls);
}

/* Those of a membership that has ended. */
static void
remove_from_member(TriggerData *trigdata)
{
	static CnapStatement remove = {
		REMOVE_ASSIGNMENTS("a.user_id = $1 AND a.membership_id = $2"),
		2, {TEXTOID, UUIDOID}
	};
	TupleDesc	desc = RelationGetDescr(trigdata->tg_relation);
	ScanKeyData key;
	bool		isnull;
	Datum		values[2];

	values[0] = heap_getattr(trigdata->tg_trigtuple, Anum_organization_member_user_id,
							 desc, &isnull);
	values[1] = heap_getattr(trigdata->tg_trigtuple, Anum_organization_member_membership_id,
							 desc, &isnull);
	CnapKeyText(&key, Anum_assignment_user_id, DatumGetTextPP(values[0]));
	if (any_assignment(&key))
		CnapExecuteChange(&remove, values, NULL);
}

/* All that have no grant or no membership any more, after TRUNCATE. */
static void
remove_orphans(void)
{
	static CnapStatement remove = {
		REMOVE_ASSIGNMENTS("NOT EXISTS (SELECT FROM cnap.workspace w"
						   " JOIN cnap.organization_member m ON m.organization_id = w.managed_by"
						   " WHERE w.id = a.workspace_id AND w.management_id = a.management_id"
						   " AND m.user_id = a.user_id AND m.membership_id = a.membership_id)"),
		0
	};

	CnapExecuteChange(&remove, NULL, NULL);
}

/*
 * cnap.remove_assignments(): trigger, after a grant, a membership or a workspace has
 * ended, and after TRUNCATE of the tables of these
 */
Datum
cnap_remove_assignments(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = CnapTriggerData(fcinfo);

	if (TRIGGER_FIRED_BY_TRUNCATE(trigdata->tg_event))
		remove_orphans();
	else if (CnapTableOf(trigdata->tg_relation) == CNAP_WORKSPACE)
		remove_from_workspace(CnapRowTriggerData(fcinfo));
	else
		remove_from_member(CnapRowTriggerData(fcinfo));
	return PointerGetDatum(NULL);
}
