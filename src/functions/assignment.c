/*-------------------------------------------------------------------------
 *
 * assignment.c
 *	  Public functions to say who of a managing organization gets into a workspace.
 *
 * The customer's grant says by which rule (core/managers.h).  Under "assigned", the
 * owners and admins of the organization choose some of its members; under
 * "activated", each of them gives a reason and is in for a time.  Both are rows of
 * cnap.assignment.  Which rows there can be is checked, and which grant and
 * membership they belong to is filled in, by a trigger (invariants.c).
 *
 * None of this takes access to the workspace, but only a role in the organization
 * that manages it: an admin who is not assigned can assign others.  The customer can
 * end what lets a single manager in, but not choose whom.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"

#include "change/authorize.h"
#include "change/invariants.h"
#include "core/arguments.h"
#include "core/formats.h"
#include "core/rows.h"

PG_FUNCTION_INFO_V1(cnap_assign_manager);
PG_FUNCTION_INFO_V1(cnap_unassign_manager);
PG_FUNCTION_INFO_V1(cnap_activate_management);

/* Has a member been let into the workspace, by a row that still counts? */
static bool
find_assignment(const pg_uuid_t *id, const CnapWorkspace *workspace, text *user,
				const CnapOrganizationMember *member, CnapAssignment *assignment)
{
	return CnapFindAssignmentAsOf(NULL, id, user, assignment) &&
		CnapAssignmentCounts(assignment, workspace, &member->id) &&
		CnapHoldsUntil(assignment->until);
}

/*
 * Let a user in, until a time or DT_NOEND.  A row of the user's that has ended may
 * still be there, and is used again.
 */
static void
let_in(const CnapAct *act, const pg_uuid_t *workspace, text *user, TimestampTz until,
	   text *reason)
{
	static CnapStatement insert = {
		"INSERT INTO cnap.assignment (workspace_id, user_id, until, reason, assigned_by)"
		" VALUES ($1, $2, $3, $4, $5) ON CONFLICT (workspace_id, user_id) DO UPDATE"
		" SET until = EXCLUDED.until, reason = EXCLUDED.reason, assigned_by = EXCLUDED.assigned_by,"
		" created_at = EXCLUDED.created_at, management_id = EXCLUDED.management_id,"
		" membership_id = EXCLUDED.membership_id",
		5, {UUIDOID, TEXTOID, TIMESTAMPTZOID, TEXTOID, TEXTOID}
	};
	Datum		values[5];
	char		nulls[5] = {' ', ' ', ' ', ' ', ' '};

	values[0] = UUIDPGetDatum(workspace);
	values[1] = PointerGetDatum(user);
	values[2] = TimestampTzGetDatum(until);
	nulls[2] = until == DT_NOEND ? 'n' : ' ';
	values[3] = PointerGetDatum(reason);
	nulls[3] = reason != NULL ? ' ' : 'n';
	values[4] = PointerGetDatum(act->actor.user);
	nulls[4] = act->actor.user != NULL ? ' ' : 'n';
	CnapExecuteAct(act, &insert, values, nulls);
}

/* cnap_assign_manager(workspace, user_id, until) -> void */
Datum
cnap_assign_manager(PG_FUNCTION_ARGS)
{
	const pg_uuid_t *workspace = CnapRequiredUuid(fcinfo, 0, "workspace");
	TimestampTz until = PG_ARGISNULL(2) ? DT_NOEND : PG_GETARG_TIMESTAMPTZ(2);
	CnapWorkspace row = {0};
	CnapOrganizationMember member;
	CnapAssignment assignment;
	CnapAct		act;
	text	   *user;

	CnapAuthorizeManager(workspace, CNAP_ORGANIZATION_ASSIGN, CNAP_CHANGE, &act);
	user = CnapRequiredUserId(fcinfo, 1, "user_id");
	CnapCheckFuture(fcinfo, 2, "until");
	(void) CnapFindWorkspace(workspace, &row);
	CnapCheckAssignable(&row, false, until != DT_NOEND);
	if (!CnapFindMemberAsOf(NULL, &row.managed_by, user, &member))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("user \"%s\" is not a member of the organization",
						text_to_cstring(user))));
	if (find_assignment(workspace, &row, user, &member, &assignment) &&
		assignment.until == until)
		ereport(ERROR,
				(errcode(ERRCODE_UNIQUE_VIOLATION),
				 errmsg("user \"%s\" is already assigned to the workspace",
						text_to_cstring(user))));
	let_in(&act, workspace, user, until, NULL);
	PG_RETURN_VOID();
}

/*
 * cnap_unassign_manager(workspace, user_id) -> void
 *
 * All members of the organization can do that to themselves, and whoever may revoke the
 * management to anybody.
 */
Datum
cnap_unassign_manager(PG_FUNCTION_ARGS)
{
	static CnapStatement remove = {
		"DELETE FROM cnap.assignment"
		" WHERE workspace_id = $1 AND user_id = $2 AND management_id = $3",
		3, {UUIDOID, TEXTOID, UUIDOID}
	};
	const pg_uuid_t *workspace = CnapRequiredUuid(fcinfo, 0, "workspace");
	text	   *user = CnapRequiredUserId(fcinfo, 1, "user_id");
	CnapActor	actor;
	CnapWorkspace row;
	CnapOrganizationMember member;
	CnapAssignment assignment;
	CnapAct		act;
	Datum		values[3];

	CnapGetActor(&actor);
	CnapAuthorizeUnassignment(workspace,
							  actor.user != NULL && CnapTextEqual(actor.user, user) ?
							  CNAP_ORGANIZATION_SEE : CNAP_ORGANIZATION_ASSIGN, &act);
	if (!CnapFindWorkspace(workspace, &row) || !row.managed ||
		!CnapFindMemberAsOf(NULL, &row.managed_by, user, &member) ||
		!find_assignment(workspace, &row, user, &member, &assignment))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("user \"%s\" is not assigned to the workspace",
						text_to_cstring(user))));
	values[0] = UUIDPGetDatum(workspace);
	values[1] = PointerGetDatum(user);
	values[2] = UUIDPGetDatum(&assignment.management_id);
	CnapExecuteActOnRow(&act, &remove, values, NULL);
	PG_RETURN_VOID();
}

static TimestampTz
after(TimestampTz moment, const Interval *duration)
{
	Interval	copy = *duration;

	return DatumGetTimestampTz(DirectFunctionCall2(timestamptz_pl_interval,
												   TimestampTzGetDatum(moment),
												   IntervalPGetDatum(&copy)));
}

/*
 * cnap_activate_management(workspace, reason, duration) -> timestamptz
 *
 * Returns when the current user's access ends.
 */
Datum
cnap_activate_management(PG_FUNCTION_ARGS)
{
	const pg_uuid_t *id = CnapRequiredUuid(fcinfo, 0, "workspace");
	CnapActor	actor;
	CnapAct		act;
	CnapWorkspace workspace = {0};
	text	   *reason;
	TimestampTz now;
	TimestampTz until;

	CnapGetUser(&actor);
	CnapAuthorizeManager(id, CNAP_ORGANIZATION_SEE, CNAP_CHANGE, &act);
	reason = DatumGetTextPP(CnapRequiredArg(fcinfo, 1, "reason"));
	CnapCheckText(reason, "reason");
	CnapCheckDuration(fcinfo, 2, "duration");
	(void) CnapFindWorkspace(id, &workspace);
	CnapCheckAssignable(&workspace, true, true);
	now = GetCurrentTimestamp();
	until = after(now, &workspace.terms.activation);
	if (!PG_ARGISNULL(2))
	{
		TimestampTz wanted = after(now, PG_GETARG_INTERVAL_P(2));

		if (wanted > until)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("duration is too long"),
					 errdetail("The management of the workspace can be activated until %s at most.",
							   timestamptz_to_str(until))));
		until = wanted;
	}
	until = Min(until, workspace.managed_until);
	let_in(&act, id, act.actor.user, until, reason);
	PG_RETURN_TIMESTAMPTZ(until);
}
