/*-------------------------------------------------------------------------
 *
 * management.c
 *	  Public functions to grant and revoke the management of a workspace.
 *
 * The grant consists of some columns in the workspace's row; who has access
 * through it is derived at each check.  A trigger on the table ensures that a
 * workspace has only one manager at a time (invariants.c).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "core/arguments.h"
#include "core/definitions.h"
#include "core/own_catalog.h"
#include "core/rows.h"
#include "functions/management.h"

PG_FUNCTION_INFO_V1(cnap_grant_management);
PG_FUNCTION_INFO_V1(cnap_revoke_management);
PG_FUNCTION_INFO_V1(cnap_preview_revocation);

bool
CnapAuthorizeGrant(const pg_uuid_t *workspace, const pg_uuid_t *organization,
				   CnapAct *act)
{
	bool		exists;

	CnapAuthorizeWorkspace(workspace, CNAP_MANAGE_DELEGATION, CNAP_READ, act);
	exists = CnapKeepOrganization(organization, act);
	CnapAuthorizeWorkspace(workspace, CNAP_MANAGE_DELEGATION, CNAP_CHANGE, act);
	return exists;
}

/*
 * If the organization manages the workspace already, this changes the terms:
 * the role, the end, or who of its members gets in.  Granting the terms that are already in force is an
 * error, like creating an object that already exists.  Terms that are not named are
 * the defaults again, so it is said if more managers get in.
 */
void
CnapGrantManagement(const CnapAct *act, const pg_uuid_t *workspace,
					const pg_uuid_t *organization, CnapRole role, TimestampTz until,
					const CnapManagerTerms *terms)
{
	static CnapStatement grant = {
		"UPDATE cnap.workspace SET managed_by = $2, managed_role = $3, managed_until = $4,"
		" managed_access = $5, managed_activation = $6 WHERE id = $1",
		6, {UUIDOID, UUIDOID, TEXTOID, TIMESTAMPTZOID, TEXTOID, INTERVALOID}
	};
	CnapWorkspace row;
	bool		is_managed;
	Interval	activation = terms->activation;
	Datum		values[6];
	char		nulls[6] = {' ', ' ', ' ', ' ', ' ', ' '};

	is_managed = CnapFindWorkspace(workspace, &row) && CnapManagedNow(&row) &&
		memcmp(&row.managed_by, organization, sizeof(pg_uuid_t)) == 0;
	if (is_managed && row.managed_role == role && row.managed_until == until &&
		CnapSameTerms(&row.terms, terms))
		ereport(ERROR,
				(errcode(ERRCODE_RESTRICT_VIOLATION),
				 errmsg("workspace is already managed"),
				 errdetail("The organization already manages it with this role, until this time and by these managers.")));

	values[0] = UUIDPGetDatum(workspace);
	values[1] = UUIDPGetDatum(organization);
	values[2] = CnapRoleToDatum(role);
	values[3] = TimestampTzGetDatum(until);
	nulls[3] = until == DT_NOEND ? 'n' : ' ';
	values[4] = CStringGetTextDatum(CnapManagersName(terms->managers));
	values[5] = IntervalPGetDatum(&activation);
	nulls[5] = terms->managers == CNAP_MANAGERS_ACTIVATED ? ' ' : 'n';
	CnapExecuteActOnRow(act, &grant, values, nulls);
	if (is_managed && row.terms.managers != CNAP_MANAGERS_ALL &&
		terms->managers == CNAP_MANAGERS_ALL)
		ereport(NOTICE,
				(errmsg("all members of the organization manage the workspace now"),
				 errdetail("Before, these were the managers \"%s\".",
						   CnapManagersName(row.terms.managers))));
}

/*
 * An organization that accepts links alone decides by these who its customers
 * are: nobody fills its list with workspaces that it did not ask for.  The
 * terms of a management that it has can be changed, and the system decides for
 * itself, as do direct statements, which are its own.
 */
static void
require_acceptance(const CnapAct *act, const pg_uuid_t *workspace,
				   const pg_uuid_t *organization)
{
	CnapWorkspace row;

	if (act->actor.user == NULL || CnapAcceptsAnyone(organization) ||
		(CnapFindWorkspace(workspace, &row) && CnapManagedNow(&row) &&
		 memcmp(&row.managed_by, organization, sizeof(pg_uuid_t)) == 0))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("organization \"%s\" accepts workspaces only by its install links",
					CnapUuidString(organization)),
			 errhint("Ask it for a link, and redeem that with cnap_redeem_install_link().")));
}

/*
 * cnap_grant_management(workspace, organization, role, until, managers,
 *						 activation) -> void
 */
Datum
cnap_grant_management(PG_FUNCTION_ARGS)
{
	const pg_uuid_t *workspace = CnapRequiredUuid(fcinfo, 0, "workspace");
	const pg_uuid_t *organization;
	CnapAct		act;
	CnapRole	role;
	CnapManagerTerms terms;

	CnapAuthorizeWorkspace(workspace, CNAP_MANAGE_DELEGATION, CNAP_READ, &act);
	organization = CnapRequiredUuid(fcinfo, 1, "organization");
	role = CnapRequiredRole(fcinfo, 2, CNAP_WORKSPACE_ROLES);
	CnapCheckFuture(fcinfo, 3, "until");
	terms = CnapRequiredTerms(fcinfo, 4, 5);
	if (!CnapAuthorizeGrant(workspace, organization, &act))
		CnapNoOrganization(organization);
	require_acceptance(&act, workspace, organization);
	CnapGrantManagement(&act, workspace, organization, role,
						PG_ARGISNULL(3) ? DT_NOEND : PG_GETARG_TIMESTAMPTZ(3), &terms);
	PG_RETURN_VOID();
}

/*
 * cnap_revoke_management(workspace) -> void
 *
 * The workspace's owner revokes; an owner or admin of the managing
 * organization releases.
 */
Datum
cnap_revoke_management(PG_FUNCTION_ARGS)
{
	static CnapStatement revoke = {
		"UPDATE cnap.workspace SET managed_by = NULL"
		" WHERE id = $1 AND managed_by IS NOT NULL",
		1, {UUIDOID}
	};
	const pg_uuid_t *id = CnapRequiredUuid(fcinfo, 0, "workspace");
	CnapAct		act;
	Datum		value = UUIDPGetDatum(id);

	CnapAuthorizeRevocation(id, &act);
	if (CnapExecuteAct(&act, &revoke, &value, NULL) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("workspace is not managed")));
	PG_RETURN_VOID();
}

/*
 * cnap_preview_revocation(workspace) -> the managers, and what each would keep
 */
Datum
cnap_preview_revocation(PG_FUNCTION_ARGS)
{
	static CnapStatement query = {
		"SELECT * FROM cnap.list_revocation($1)", 1, {UUIDOID}
	};

	return CnapWorkspaceRows(fcinfo, CNAP_MANAGE_DELEGATION, &query);
}
