/*-------------------------------------------------------------------------
 *
 * trust.c
 *	  Granting and revoking what an application server's role needs, in one
 *	  step.
 *
 * The privileges in the system catalogs are the only record of who is trusted.
 * These functions require superuser, because by default only superusers can
 * grant privileges on a parameter.
 *
 * Caveat: privileges on parameters are cluster-wide, so the role can set the
 * identity in all databases.
 *
 * In a cluster of Citus, each node has privileges of its own, so all of them are
 * told.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/json.h"

#include "change/authorize.h"
#include "core/arguments.h"
#include "core/citus.h"
#include "core/compat.h"
#include "identity/trusted.h"

PG_FUNCTION_INFO_V1(cnap_trust);
PG_FUNCTION_INFO_V1(cnap_distrust);
PG_FUNCTION_INFO_V1(cnap_change_trust);

/* What trust consists of is listed by cnap.privileges() alone. */
#define GRANT_TRUST \
	"SELECT format('GRANT %s ON %s %s TO %s', privilege, kind, object, $1::regrole)" \
	" FROM cnap.privileges() WHERE audience = 'trusted'"

#define REVOKE_TRUST \
	"SELECT format('REVOKE %s ON %s %s FROM %s', privilege, kind, object, $1::regrole)" \
	" FROM cnap.privileges() WHERE audience = 'trusted'"

/* Likewise, where a REVOKE leaves alone what other grantors have granted. */
#define REVOKE_TRUST_OF_GRANTORS \
	"SELECT DISTINCT format('REVOKE %s ON %s %s FROM %s GRANTED BY %s'," \
	" p.privilege, p.kind, p.object, $1::regrole, granted.grantor::regrole)" \
	" FROM cnap.privileges() p, LATERAL (" \
	"SELECT paracl FROM pg_parameter_acl WHERE p.kind = 'PARAMETER' AND parname = p.object" \
	" UNION ALL SELECT relacl FROM pg_class WHERE p.kind = 'TABLE' AND oid = p.objid" \
	" UNION ALL SELECT proacl FROM pg_proc WHERE p.kind = 'FUNCTION' AND oid = p.objid) a (acl)," \
	" aclexplode(a.acl) granted" \
	" WHERE p.audience = 'trusted' AND granted.grantee = $1 AND granted.privilege_type = p.privilege"

/*
 * While the role was trusted, it could give itself an identity at login by
 * ALTER ROLE ... SET, in any database.
 */
#define RESET_LOGIN_IDENTITY \
	"SELECT format('ALTER ROLE %s%s RESET cnap.user_id'," \
	" $1::regrole, ' IN DATABASE ' || quote_ident(d.datname))" \
	" FROM pg_db_role_setting s LEFT JOIN pg_database d ON d.oid = s.setdatabase" \
	" WHERE s.setrole = $1"

/*
 * Execute the statements that a query returns for a role, and make their effect
 * visible.
 */
static void
execute_each(const char *query, Oid role)
{
	Oid			types[] = {OIDOID};
	Datum		values[] = {ObjectIdGetDatum(role)};
	SPITupleTable *found;

	if (SPI_execute_with_args(query, 1, types, values, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not execute: %s", query);
	found = SPI_tuptable;
	for (uint64 i = 0; i < found->numvals; i++)
	{
		char	   *statement = SPI_getvalue(found->vals[i], found->tupdesc, 1);

		if (SPI_execute(statement, false, 0) != SPI_OK_UTILITY)
			elog(ERROR, "could not execute: %s", statement);
	}
	CommandCounterIncrement();
}

/*
 * Let Citus send what a session of the role sets for its transaction to the nodes
 * that take part in it: SET LOCAL cnap.user_id, too.
 */
static void
send_settings(Oid role)
{
	char	   *statement = psprintf("ALTER ROLE %s IN DATABASE %s SET citus.propagate_set_commands = 'local'",
									 quote_identifier(GetUserNameFromId(role, false)),
									 quote_identifier(get_database_name(MyDatabaseId)));

	if (SPI_execute(statement, false, 0) != SPI_OK_UTILITY)
		elog(ERROR, "could not execute: %s", statement);
}

/* Grant or revoke in this database, with the checks and the audit entry for it. */
static void
change_trust_here(Oid role, bool grant)
{
	int			nest_level;
	char	   *role_name = GetUserNameFromId(role, false);
	CnapAct		act;
	StringInfoData detail;

	/* GRANT without grant options would merely raise a warning. */
	if (!superuser())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be superuser to change whom the database trusts")));

	/* No policy would apply to the role, whatever user it acts for. */
	if (grant && has_bypassrls_privilege(role))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("role \"%s\" bypasses row-level security", role_name),
				 superuser_arg(role) ?
				 errdetail("It is a superuser, so no policy would apply to its users.") :
				 errdetail("It has BYPASSRLS, so no policy would apply to its users."),
				 errhint("Let the application connect with a role of its own that has neither.")));

	nest_level = CnapBeginHereOnly();
	SPI_connect();
	if (grant && CnapHasCitus())
		send_settings(role);
	if (grant)
		execute_each(GRANT_TRUST, role);
	else
	{
		execute_each(CnapGrantsHaveGrantors ? REVOKE_TRUST_OF_GRANTORS : REVOKE_TRUST, role);
		execute_each(RESET_LOGIN_IDENTITY, role);
	}
	SPI_finish();
	AtEOXact_GUC(false, nest_level);

	initStringInfo(&detail);
	appendStringInfoString(&detail, "\"role\": ");
	escape_json(&detail, role_name);
	CnapActByPrivilege(&act);
	CnapRecord(&act, grant ? "role.trust" : "role.distrust", NULL, detail.data);

	if (!grant && CnapIsTrusted(role))
		ereport(WARNING,
				(errmsg("role \"%s\" can still set \"%s\"", role_name, CNAP_USER_ID_SETTING),
				 errdetail("It is a superuser, a member of a trusted role, or has the privilege from a role that may grant it.")));
}

/*
 * Do so on the other nodes of Citus as well.  Trust that not all have is an error.
 * What was revoked must not be undone because of a node that cannot be reached.
 */
static void
change_trust_elsewhere(Oid role, bool grant)
{
	char	   *role_name = GetUserNameFromId(role, false);
	List	   *answers = CnapAskOtherNodes(psprintf("SELECT cnap.change_trust(%s::pg_catalog.regrole, %s)",
													 quote_literal_cstr(quote_identifier(role_name)),
													 grant ? "true" : "false"));
	StringInfoData failures;
	ListCell   *lc;

	initStringInfo(&failures);
	foreach(lc, answers)
	{
		const CnapNodeAnswer *answer = lfirst(lc);

		if (!answer->success)
			appendStringInfo(&failures, "%s%s: %s", failures.len > 0 ? "; " : "",
							 answer->node, answer->result);
	}
	if (failures.len > 0)
		ereport(grant ? ERROR : WARNING,
				(errcode(ERRCODE_CONNECTION_FAILURE),
				 grant ? errmsg("role \"%s\" is not trusted on all nodes", role_name) :
				 errmsg("role \"%s\" may still be trusted on other nodes", role_name),
				 errdetail_internal("%s", failures.data),
				 errhint("Repeat it when all nodes can be reached; the role must have been committed before.")));
}

static void
change_trust(FunctionCallInfo fcinfo, bool grant)
{
	Oid			role = DatumGetObjectId(CnapRequiredArg(fcinfo, 0, "role"));

	change_trust_here(role, grant);
	change_trust_elsewhere(role, grant);
}

/*
 * cnap.change_trust(role regrole, trusted boolean) -> void; called on other nodes
 */
Datum
cnap_change_trust(PG_FUNCTION_ARGS)
{
	Oid			role = DatumGetObjectId(CnapRequiredArg(fcinfo, 0, "role"));

	change_trust_here(role, DatumGetBool(CnapRequiredArg(fcinfo, 1, "trusted")));
	PG_RETURN_VOID();
}

/* cnap_trust(role regrole) -> void */
Datum
cnap_trust(PG_FUNCTION_ARGS)
{
	change_trust(fcinfo, true);
	PG_RETURN_VOID();
}

/* cnap_distrust(role regrole) -> void */
Datum
cnap_distrust(PG_FUNCTION_ARGS)
{
	change_trust(fcinfo, false);
	PG_RETURN_VOID();
}
