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
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/lsyscache.h"

#include "change/authorize.h"
#include "core/arguments.h"

PG_FUNCTION_INFO_V1(cnap_trust);
PG_FUNCTION_INFO_V1(cnap_distrust);

/*
 * What trust consists of, as a query: privileges, as GRANT and REVOKE name
 * them, and the access control list that each of them stands in.  $1 is the
 * schema of the public functions.  The functions are those that give
 * information about, or act on, arbitrary users, and the ones used in index
 * conditions.
 */
#define TRUST \
	"SELECT 'SET ON PARAMETER cnap.user_id'," \
	" (SELECT paracl FROM pg_parameter_acl WHERE parname = 'cnap.user_id')" \
	" UNION ALL SELECT 'REFERENCES ON TABLE ' || oid::regclass, relacl FROM pg_class" \
	" WHERE oid IN ('cnap.organization'::regclass, 'cnap.workspace'::regclass)" \
	" UNION ALL SELECT 'EXECUTE ON FUNCTION ' || oid::regprocedure, proacl FROM pg_proc" \
	" WHERE oid IN (SELECT format(function, $1)::regprocedure FROM unnest(ARRAY[" \
	"'%I.cnap_can_access(text, uuid)', '%I.cnap_can_access(uuid, uuid)'," \
	"'%I.cnap_has_permission(text, uuid, cnap.permission)'," \
	"'%I.cnap_has_permission(uuid, uuid, cnap.permission)'," \
	"'%I.cnap_workspace_role(text, uuid)', '%I.cnap_accessible_workspaces(text)'," \
	"'%I.cnap_explain_access(text, uuid)', '%I.cnap_forget_user(text, text)'," \
	"'cnap.reachable(text, cnap.permission)', 'cnap.reachable(uuid, cnap.permission)'" \
	"]) function)"

#define CHANGE_TRUST(verb, preposition) \
	"SELECT format('" verb " %s " preposition " %s', privilege, $2::regrole)" \
	" FROM (" TRUST ") trust (privilege, acl)"

/*
 * PostgreSQL 19 (dd1398f1378) made GRANT record any grantor that it is given,
 * also another superuser, whose grants a REVOKE in the name of the owner leaves
 * alone.
 */
#define REVOKE_TRUST_OF_GRANTORS \
	"SELECT DISTINCT format('REVOKE %s FROM %s GRANTED BY %s', privilege, $2::regrole," \
	" granted.grantor::regrole) FROM (" TRUST ") trust (privilege, acl)," \
	" aclexplode(acl) granted WHERE granted.grantee = $2" \
	" AND granted.privilege_type = split_part(privilege, ' ', 1)"

/*
 * While the role was trusted, it could give itself an identity at login by
 * ALTER ROLE ... SET, in any database.
 */
#define RESET_LOGIN_IDENTITY \
	"SELECT format('ALTER ROLE %s%s RESET cnap.user_id'," \
	" $2::regrole, ' IN DATABASE ' || quote_ident(d.datname))" \
	" FROM pg_db_role_setting s LEFT JOIN pg_database d ON d.oid = s.setdatabase" \
	" WHERE s.setrole = $2"

/*
 * Execute the statements that a query returns for a role.
 */
static void
execute_each(FunctionCallInfo fcinfo, const char *query, Oid role)
{
	Oid			types[] = {TEXTOID, OIDOID};
	Datum		values[2];
	SPITupleTable *found;

	values[0] = CStringGetTextDatum(get_namespace_name(get_func_namespace(fcinfo->flinfo->fn_oid)));
	values[1] = ObjectIdGetDatum(role);
	if (SPI_execute_with_args(query, 2, types, values, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not execute: %s", query);
	found = SPI_tuptable;
	for (uint64 i = 0; i < found->numvals; i++)
	{
		char	   *statement = SPI_getvalue(found->vals[i], found->tupdesc, 1);

		if (SPI_execute(statement, false, 0) != SPI_OK_UTILITY)
			elog(ERROR, "could not execute: %s", statement);
	}
}

/* The checks and the audit entry that granting and revoking have in common. */
static void
change_trust(FunctionCallInfo fcinfo, bool grant)
{
	Oid			role = DatumGetObjectId(CnapRequiredArg(fcinfo, 0, "role"));
	char	   *role_name = GetUserNameFromId(role, false);
	CnapAct		act;
	StringInfoData detail;

	/* GRANT without grant options would merely raise a warning. */
	if (!superuser())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be superuser to change whom the database trusts")));

	SPI_connect();
	if (grant)
		execute_each(fcinfo, CHANGE_TRUST("GRANT", "TO"), role);
	else
	{
		execute_each(fcinfo,
					 PG_VERSION_NUM >= 190000 ? REVOKE_TRUST_OF_GRANTORS : CHANGE_TRUST("REVOKE", "FROM"),
					 role);
		execute_each(fcinfo, RESET_LOGIN_IDENTITY, role);
	}
	SPI_finish();

	initStringInfo(&detail);
	appendStringInfoString(&detail, "\"role\": ");
	escape_json(&detail, role_name);
	CnapActByPrivilege(&act);
	CnapRecord(&act, grant ? "role.trust" : "role.distrust", NULL, detail.data);

	if (!grant &&
		pg_parameter_aclcheck("cnap.user_id", role, ACL_SET) == ACLCHECK_OK)
		ereport(WARNING,
				(errmsg("role \"%s\" can still set \"%s\"", role_name, "cnap.user_id"),
				 errdetail("It is a superuser, a member of a trusted role, or has the privilege from a role that may grant it.")));
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
