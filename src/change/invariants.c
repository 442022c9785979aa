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
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "change/authorize.h"
#include "core/definitions.h"
#include "core/own_catalog.h"
#include "core/rows.h"
#include "core/trigger.h"

PG_FUNCTION_INFO_V1(cnap_membership_before_write);
PG_FUNCTION_INFO_V1(cnap_organization_before_write);
PG_FUNCTION_INFO_V1(cnap_workspace_before_write);
PG_FUNCTION_INFO_V1(cnap_last_owner);

/* Does the UPDATE change a column? */
static bool
changes(TriggerData *trigdata, AttrNumber attno)
{
	return CnapColumnDiffers(RelationGetDescr(trigdata->tg_relation),
							 trigdata->tg_trigtuple, trigdata->tg_newtuple, attno);
}

/*
 * Refuse an UPDATE that changes any of the first columns, which identify the
 * row.
 */
static void
keep_columns(TriggerData *trigdata, int count)
{
	for (AttrNumber attno = 1; attno <= count; attno++)
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

/*
 * cnap.workspace_before_write(): BEFORE INSERT or UPDATE trigger
 *
 * Keeps the columns about the management consistent: without a manager they
 * are all null, as after the deletion of the organization sets managed_by to
 * null; a new management starts now, and with the role 'admin' unless the row
 * specifies another.
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
	int			columns[3];
	Datum		values[3] = {0};
	bool		nulls[3] = {false};
	int			count = 0;

	if (is_update)
	{
		keep_columns(trigdata, Anum_workspace_id);
		before = get_management(trigdata->tg_trigtuple, desc);
	}

	if (!after.managed)
	{
		columns[count] = Anum_workspace_managed_role;
		nulls[count++] = true;
		columns[count] = Anum_workspace_managed_until;
		nulls[count++] = true;
		columns[count] = Anum_workspace_managed_since;
		nulls[count++] = true;
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
		{
			columns[count] = Anum_workspace_managed_role;
			values[count++] = CnapRoleToDatum(CNAP_ROLE_ADMIN);
		}
		if (renewed &&
			(is_update ? !changes(trigdata, Anum_workspace_managed_since) :
			 heap_attisnull(tuple, Anum_workspace_managed_since, desc)))
		{
			columns[count] = Anum_workspace_managed_since;
			values[count++] =
				TimestampTzGetDatum(GetCurrentTransactionStartTimestamp());
		}
	}

	if (is_update)
		tuple = touch(trigdata, tuple, Anum_workspace_updated_at);
	if (count > 0)
		tuple = heap_modify_tuple_by_cols(tuple, desc, count, columns, values, nulls);
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
