/*-------------------------------------------------------------------------
 *
 * invitation.c
 *	  Invitations to organizations and to workspaces.
 *
 * Any user with the token of an invitation can become a member with the role
 * that it specifies, or the one user whom it names, if it does.  There is no
 * table of users, so the e-mail address is only stored for the application,
 * which delivers the token, and is not checked.
 *
 * An invitation is valid only as long as its inviter would be allowed to add
 * that member directly.  This is checked when the token is presented, so there
 * is nothing to clean up when somebody leaves.
 *
 * As with changes of members, every change first locks the row of the
 * organization or workspace, and reads the invitation after that.  So two
 * acceptances of the same invitation, or its acceptance and revocation, are
 * serialized.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/builtins.h"

#include "core/arguments.h"
#include "core/compat.h"
#include "core/definitions.h"
#include "core/rows.h"
#include "core/token.h"
#include "functions/membership.h"

PG_FUNCTION_INFO_V1(cnap_invite_to_organization);
PG_FUNCTION_INFO_V1(cnap_invite_to_workspace);
PG_FUNCTION_INFO_V1(cnap_invitation);
PG_FUNCTION_INFO_V1(cnap_accept_invitation);
PG_FUNCTION_INFO_V1(cnap_decline_invitation);
PG_FUNCTION_INFO_V1(cnap_invitations);
PG_FUNCTION_INFO_V1(cnap_workspace_invitations);
PG_FUNCTION_INFO_V1(cnap_revoke_invitation);
PG_FUNCTION_INFO_V1(cnap_resend_invitation);

/* The path of acts whose right is a token. */
#define BY_INVITATION "by an invitation"

static CnapMembership *
membership_of(const CnapInvitation *invitation)
{
	return invitation->to_organization ?
		&CnapOrganizationMembership : &CnapWorkspaceMembership;
}

/* ---- inviting ---- */

/* (object, role, email, expires_at, user_id) -> text */
static Datum
invite(FunctionCallInfo fcinfo, CnapMembership *kind)
{
	static CnapStatement insert = {
		"INSERT INTO cnap.invitation"
		" (organization_id, workspace_id, role, email, expires_at, user_id, token_hash, inviter)"
		" VALUES (CASE WHEN $8 THEN $1 END, CASE WHEN NOT $8 THEN $1 END, $2,"
		" nullif($3, ''), coalesce($4, now() + interval '7 days'), $5, $6, $7)",
		8, {UUIDOID, TEXTOID, TEXTOID, TIMESTAMPTZOID, TEXTOID, BYTEAOID, TEXTOID, BOOLOID}
	};
	CnapAct		act;
	CnapRole	role;
	text	   *email;
	text	   *token;
	Datum		values[8];
	char		nulls[8];

	CnapRefuseLimitedToken();
	kind->authorize(CnapRequiredUuid(fcinfo, 0, kind->name), CNAP_CHANGE, &act);
	role = CnapRequiredRole(fcinfo, 1, kind->roles);
	kind->require_on_role(&act, role);
	email = CnapOptionalText(fcinfo, 2);
	if (email != NULL && VARSIZE_ANY_EXHDR(email) > 0)
		CnapCheckEmail(email, "email");
	CnapCheckFuture(fcinfo, 3, "expires_at");
	if (!PG_ARGISNULL(4))
		CnapRequiredUserId(fcinfo, 4, "user_id");

	CnapArguments(fcinfo, 5, values, nulls);
	values[1] = CnapRoleToDatum(role);
	token = CnapNewToken(CNAP_INVITATION_PREFIX, &values[5]);
	nulls[5] = ' ';
	values[6] = PointerGetDatum(act.actor.user);
	nulls[6] = act.actor.user != NULL ? ' ' : 'n';
	values[7] = BoolGetDatum(kind == &CnapOrganizationMembership);
	nulls[7] = ' ';
	CnapExecuteAct(&act, &insert, values, nulls);
	PG_RETURN_TEXT_P(token);
}

Datum
cnap_invite_to_organization(PG_FUNCTION_ARGS)
{
	return invite(fcinfo, &CnapOrganizationMembership);
}

Datum
cnap_invite_to_workspace(PG_FUNCTION_ARGS)
{
	return invite(fcinfo, &CnapWorkspaceMembership);
}

/* cnap_invitations(organization) -> its invitations */
Datum
cnap_invitations(PG_FUNCTION_ARGS)
{
	static CnapStatement query = {
		"SELECT * FROM cnap.list_organization_invitations($1)", 1, {UUIDOID}
	};

	return CnapOrganizationRows(fcinfo, CNAP_ORGANIZATION_MANAGE_MEMBERS, &query);
}

/* cnap_workspace_invitations(workspace) -> its invitations */
Datum
cnap_workspace_invitations(PG_FUNCTION_ARGS)
{
	static CnapStatement query = {
		"SELECT * FROM cnap.list_workspace_invitations($1)", 1, {UUIDOID}
	};

	return CnapWorkspaceRows(fcinfo, CNAP_MANAGE_MEMBERS, &query);
}

/*
 * Find the invitation named by the function's argument, check that the actor
 * would be allowed to make it now, and lock the organization or workspace.
 */
static CnapInvitation
pending_invitation(FunctionCallInfo fcinfo, CnapAct *act)
{
	CnapActor	actor;
	const pg_uuid_t *id;
	CnapInvitation invitation;
	CnapMembership *kind;

	CnapGetActor(&actor);
	id = CnapRequiredUuid(fcinfo, 0, "invitation_id");
	if (!CnapFindInvitation(CnapById(id), &invitation) ||
		!membership_of(&invitation)->sees(&actor, &invitation.object))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("invitation \"%s\" does not exist", CnapUuidString(id))));

	kind = membership_of(&invitation);
	kind->authorize(&invitation.object, CNAP_END, act);
	kind->require_on_role(act, invitation.role);
	if (!CnapFindInvitation(CnapById(id), &invitation) || invitation.ended)
		CnapEndedAlready("invitation");
	return invitation;
}

/* End an invitation, whose organization or workspace is locked. */
static void
end_invitation(const CnapAct *act, const CnapInvitation *invitation, const char *outcome)
{
	static CnapStatement end = {
		"UPDATE cnap.invitation SET outcome = $2, outcome_at = now(), outcome_by = $3"
		" WHERE id = $1 AND outcome IS NULL",
		3, {UUIDOID, TEXTOID, TEXTOID}
	};
	Datum		values[3];
	char		nulls[3] = {' ', ' ', ' '};

	values[0] = UUIDPGetDatum(&invitation->id);
	values[1] = CStringGetTextDatum(outcome);
	values[2] = PointerGetDatum(act->actor.user);
	nulls[2] = act->actor.user != NULL ? ' ' : 'n';
	CnapExecuteActOnRow(act, &end, values, nulls);
}

/* cnap_revoke_invitation(invitation_id) -> void */
Datum
cnap_revoke_invitation(PG_FUNCTION_ARGS)
{
	CnapAct		act;
	CnapInvitation invitation = pending_invitation(fcinfo, &act);

	end_invitation(&act, &invitation, "revoked");
	PG_RETURN_VOID();
}

/*
 * cnap_resend_invitation(invitation_id) -> text
 *
 * Works for expired invitations as well.  The actor becomes its inviter.  The
 * expiry is left alone if it is so far in the future that extending it could
 * exceed the range of timestamps.
 */
Datum
cnap_resend_invitation(PG_FUNCTION_ARGS)
{
	static CnapStatement renew = {
		"UPDATE cnap.invitation SET token_hash = $2, inviter = $3, sent_at = now(),"
		" expires_at = CASE WHEN expires_at < make_timestamptz(200000, 1, 1, 0, 0, 0)"
		" THEN now() + (expires_at - sent_at) ELSE expires_at END"
		" WHERE id = $1 AND outcome IS NULL",
		3, {UUIDOID, BYTEAOID, TEXTOID}
	};
	CnapAct		act;
	CnapInvitation invitation = pending_invitation(fcinfo, &act);
	text	   *token;
	Datum		values[3];
	char		nulls[3] = {' ', ' ', ' '};

	values[0] = UUIDPGetDatum(&invitation.id);
	token = CnapNewToken(CNAP_INVITATION_PREFIX, &values[1]);
	values[2] = PointerGetDatum(act.actor.user);
	nulls[2] = act.actor.user != NULL ? ' ' : 'n';
	CnapExecuteActOnRow(&act, &renew, values, nulls);
	PG_RETURN_TEXT_P(token);
}

/* ---- answering an invitation ---- */

/*
 * Find the invitation of a token, and raise an error unless it can be accepted
 * at this moment, by that user if it is for one; NULL is the system, which sees
 * all.
 */
static CnapInvitation
valid_invitation(Datum hash, const text *user)
{
	CnapInvitation invitation;

	if (!CnapFindInvitation(CnapByHash(hash), &invitation) || !invitation.valid ||
		(invitation.user != NULL && user != NULL && !CnapTextEqual(invitation.user, user)) ||
		(invitation.inviter != NULL &&
		 !membership_of(&invitation)->allows_on_role(&invitation.object,
													 invitation.inviter,
													 invitation.role)))
		CnapInvalidOffer(CNAP_OFFER_INVITATION);
	return invitation;
}

/*
 * Find the invitation whose token is the function's argument, and lock the
 * organization or workspace.
 */
static CnapInvitation
held_invitation(FunctionCallInfo fcinfo, CnapAct *act)
{
	Datum		hash;
	CnapInvitation invitation;

	memset(act, 0, sizeof(*act));
	CnapGetUser(&act->actor);
	act->path = BY_INVITATION;
	hash = CnapRequiredOffer(fcinfo, 0, CNAP_INVITATION_PREFIX, CNAP_OFFER_INVITATION);
	invitation = valid_invitation(hash, act->actor.user);
	membership_of(&invitation)->hold(&invitation.object);
	return valid_invitation(hash, act->actor.user);
}

/* cnap_invitation(token) -> who is inviting, and to what */
Datum
cnap_invitation(PG_FUNCTION_ARGS)
{
	static CnapStatement query = {
		"SELECT * FROM cnap.show_invitation($1)", 1, {UUIDOID}
	};
	CnapActor	actor;
	CnapInvitation invitation;
	Datum		value;

	CnapGetActor(&actor);
	invitation = valid_invitation(CnapRequiredOffer(fcinfo, 0, CNAP_INVITATION_PREFIX, CNAP_OFFER_INVITATION),
								  actor.user);
	value = UUIDPGetDatum(&invitation.id);
	return CnapReturnRows(fcinfo, &query, &value, NULL);
}

/* cnap_accept_invitation(token) -> void */
Datum
cnap_accept_invitation(PG_FUNCTION_ARGS)
{
	CnapAct		act;
	CnapInvitation invitation = held_invitation(fcinfo, &act);

	end_invitation(&act, &invitation, "accepted");
	CnapAddMember(&act, membership_of(&invitation), &invitation.object,
				  act.actor.user, invitation.role, invitation.inviter);
	PG_RETURN_VOID();
}

/* cnap_decline_invitation(token) -> void */
Datum
cnap_decline_invitation(PG_FUNCTION_ARGS)
{
	CnapAct		act;
	CnapInvitation invitation = held_invitation(fcinfo, &act);

	end_invitation(&act, &invitation, "declined");
	PG_RETURN_VOID();
}
