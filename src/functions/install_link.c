/*-------------------------------------------------------------------------
 *
 * install_link.c
 *	  Install links: how a vendor asks customers that it does not know for the
 *	  management of their workspaces.
 *
 * An organization issues a link.  A user with its token can see which
 * organization is asking, and let it manage one of their own workspaces on the
 * terms of the link.  The token conveys no other right, and none to the
 * organization: redeeming it takes the permission manage_delegation on the
 * workspace.
 *
 * A use is counted by a single conditional UPDATE, and the terms are read
 * after that, when the row is locked.  So only one of two concurrent attempts
 * at the last use succeeds, and the terms granted are those of the row version
 * in which the use was counted.
 *
 * Each workspace is counted once (cnap.redemption): otherwise its owner could
 * use up a link for all others by redeeming and revoking.  The workspace is
 * locked, so nobody else redeems anything for it meanwhile.  To redeem a link
 * again takes one that is still valid, but no lock on it: of a revocation at
 * that moment, it comes before or after.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"

#include "core/arguments.h"
#include "core/compat.h"
#include "core/definitions.h"
#include "core/formats.h"
#include "core/rows.h"
#include "core/token.h"
#include "functions/management.h"

PG_FUNCTION_INFO_V1(cnap_create_install_link);
PG_FUNCTION_INFO_V1(cnap_install_link);
PG_FUNCTION_INFO_V1(cnap_redeem_install_link);
PG_FUNCTION_INFO_V1(cnap_install_links);
PG_FUNCTION_INFO_V1(cnap_revoke_install_link);

/* Find the install link of a token, and raise an error unless it is valid. */
static CnapInstallLink
required_link(FunctionCallInfo fcinfo, int argno)
{
	Datum		hash = CnapRequiredOffer(fcinfo, argno, CNAP_INSTALL_LINK_PREFIX, CNAP_OFFER_LINK);
	CnapInstallLink link;

	if (!CnapFindInstallLink(CnapByHash(hash), &link) || !link.valid)
		CnapInvalidOffer(CNAP_OFFER_LINK);
	return link;
}

/*
 * cnap_create_install_link(organization, label, max_uses, expires_at, role,
 *							duration, managers, activation) -> text
 */
Datum
cnap_create_install_link(PG_FUNCTION_ARGS)
{
	static CnapStatement insert = {
		"INSERT INTO cnap.install_link"
		" (organization_id, label, max_uses, expires_at, role, duration, managers, activation,"
		" token_hash, created_by)"
		" VALUES ($1, nullif($2, ''), $3, $4, $5, $6, $7, $8, $9, $10)",
		10, {UUIDOID, TEXTOID, INT4OID, TIMESTAMPTZOID, TEXTOID, INTERVALOID, TEXTOID, INTERVALOID,
		BYTEAOID, TEXTOID}
	};
	CnapAct		act;
	text	   *label;
	text	   *token;
	CnapRole	role;
	CnapManagerTerms terms;
	Datum		values[10];
	char		nulls[10];

	CnapAuthorizeOrganization(CnapRequiredUuid(fcinfo, 0, "organization"),
							  CNAP_ORGANIZATION_MANAGE_LINKS, CNAP_CHANGE, &act);
	label = CnapOptionalText(fcinfo, 1);
	if (label != NULL && VARSIZE_ANY_EXHDR(label) > 0)
		CnapCheckText(label, "label");
	CnapCheckFuture(fcinfo, 3, "expires_at");
	role = CnapRequiredRole(fcinfo, 4, CNAP_WORKSPACE_ROLES);
	if (!PG_ARGISNULL(2) && PG_GETARG_INT32(2) <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("max_uses must be positive")));
	CnapCheckDuration(fcinfo, 5, "duration");
	terms = CnapRequiredTerms(fcinfo, 6, 7);

	CnapArguments(fcinfo, 8, values, nulls);
	values[4] = CnapRoleToDatum(role);
	if (terms.managers != CNAP_MANAGERS_ACTIVATED)
		nulls[7] = 'n';
	token = CnapNewToken(CNAP_INSTALL_LINK_PREFIX, &values[8]);
	nulls[8] = ' ';
	values[9] = PointerGetDatum(act.actor.user);
	nulls[9] = act.actor.user != NULL ? ' ' : 'n';
	CnapExecuteAct(&act, &insert, values, nulls);
	PG_RETURN_TEXT_P(token);
}

/*
 * cnap_install_link(token) -> the organization that is asking, and the terms
 *
 * For any current user who has the token, and for the system.
 */
Datum
cnap_install_link(PG_FUNCTION_ARGS)
{
	static CnapStatement query = {
		"SELECT * FROM cnap.show_install_link($1)", 1, {UUIDOID}
	};
	CnapActor	actor;
	CnapInstallLink link;
	Datum		value;

	CnapGetActor(&actor);
	link = required_link(fcinfo, 0);
	value = UUIDPGetDatum(&link.id);
	return CnapReturnRows(fcinfo, &query, &value, NULL);
}

/*
 * Count a use of a link, unless the workspace has used it before.  If the
 * UPDATE finds no row, another transaction has ended the link since it was
 * looked up, or else, if the link is still valid, the transaction's snapshot is
 * too old to see it.
 */
static void
use_link(const CnapAct *act, const pg_uuid_t *workspace, CnapInstallLink *link)
{
	static CnapStatement repeat = {
		"UPDATE cnap.redemption SET redeemed_at = now()"
		" WHERE link_id = $1 AND workspace_id = $2",
		2, {UUIDOID, UUIDOID}
	};
	static CnapStatement use = {
		"UPDATE cnap.install_link SET uses = uses + 1"
		" WHERE id = $1 AND revoked_at IS NULL"
		" AND (max_uses IS NULL OR uses < max_uses)"
		" AND (expires_at IS NULL OR expires_at > clock_timestamp())",
		1, {UUIDOID}
	};
	static CnapStatement record = {
		"INSERT INTO cnap.redemption (link_id, workspace_id) VALUES ($1, $2)",
		2, {UUIDOID, UUIDOID}
	};
	pg_uuid_t	id = link->id;
	Datum		values[2] = {UUIDPGetDatum(&id), UUIDPGetDatum(workspace)};
	bool		repeated;
	bool		used;
	bool		exists;

	CnapEnterAlone(CNAP_HELD_LINK, &id, act->actor.user == NULL ?
				   CNAP_RANK_SYSTEM : CNAP_RANK_OUTSIDER);
	repeated = CnapExecuteAct(act, &repeat, values, NULL) > 0;
	used = repeated || CnapExecuteAct(act, &use, values, NULL) > 0;
	exists = CnapFindInstallLink(CnapById(&id), link);

	if (!used && exists && link->valid && IsolationUsesXactSnapshot())
		CnapSerializationFailure();
	if (!used || !exists || (repeated && !link->valid))
		CnapInvalidOffer(CNAP_OFFER_LINK);
	if (!repeated)
		CnapExecuteAct(act, &record, values, NULL);
}

/* cnap_redeem_install_link(token, workspace) -> void */
Datum
cnap_redeem_install_link(PG_FUNCTION_ARGS)
{
	const pg_uuid_t *workspace = CnapRequiredUuid(fcinfo, 1, "workspace");
	CnapAct		act;
	CnapInstallLink link;
	TimestampTz until = DT_NOEND;

	CnapRefuseLimitedToken();
	CnapAuthorizeWorkspace(workspace, CNAP_MANAGE_DELEGATION, CNAP_READ, &act);
	link = required_link(fcinfo, 0);
	if (!CnapAuthorizeGrant(workspace, &link.organization, &act))
		CnapInvalidOffer(CNAP_OFFER_LINK);
	use_link(&act, workspace, &link);

	if (link.duration != NULL)
		until = DatumGetTimestampTz(DirectFunctionCall2(timestamptz_pl_interval,
														TimestampTzGetDatum(GetCurrentTimestamp()),
														IntervalPGetDatum(link.duration)));
	CnapGrantManagement(&act, workspace, &link.organization, link.role, until, &link.terms);
	PG_RETURN_VOID();
}

/* cnap_install_links(organization) -> its links, including those that ended */
Datum
cnap_install_links(PG_FUNCTION_ARGS)
{
	static CnapStatement query = {
		"SELECT * FROM cnap.list_install_links($1)", 1, {UUIDOID}
	};

	return CnapOrganizationRows(fcinfo, CNAP_ORGANIZATION_MANAGE_LINKS, &query);
}

/* cnap_revoke_install_link(link_id) -> void */
Datum
cnap_revoke_install_link(PG_FUNCTION_ARGS)
{
	static CnapStatement revoke = {
		"UPDATE cnap.install_link SET revoked_at = now()"
		" WHERE id = $1 AND revoked_at IS NULL",
		1, {UUIDOID}
	};
	CnapAct		act;
	CnapActor	actor;
	const pg_uuid_t *id;
	CnapInstallLink link;
	Datum		value;

	CnapGetActor(&actor);
	id = CnapRequiredUuid(fcinfo, 0, "link_id");
	if (!CnapFindInstallLink(CnapById(id), &link) ||
		!CnapSeesOrganization(&actor, &link.organization))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("install link \"%s\" does not exist", CnapUuidString(id))));
	CnapAuthorizeOrganization(&link.organization, CNAP_ORGANIZATION_MANAGE_LINKS,
							  CNAP_END, &act);
	CnapEnterFirst(CNAP_HELD_LINK, id, CNAP_RANK_MEMBER);

	value = UUIDPGetDatum(id);
	if (CnapExecuteAct(&act, &revoke, &value, NULL) == 0)
	{
		if (CnapFindInstallLink(CnapById(id), &link) && !link.revoked)
			CnapSerializationFailure();
		CnapEndedAlready("install link");
	}
	PG_RETURN_VOID();
}
