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

#include "executor/spi.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/lsyscache.h"

#include "arguments.h"
#include "authorize.h"

PG_FUNCTION_INFO_V1(cnap_trust);
PG_FUNCTION_INFO_V1(cnap_distrust);

/*
 * The functions that give information about, or act on, arbitrary users: the
 * public ones, in their schema, and those used in index conditions.
 */
static const char *const trusted_functions[] = {
	"cnap_can_access(text, uuid)",
	"cnap_can_access(uuid, uuid)",
	"cnap_has_permission(text, uuid, cnap.permission)",
	"cnap_has_permission(uuid, uuid, cnap.permission)",
	"cnap_workspace_role(text, uuid)",
	"cnap_accessible_workspaces(text)",
	"cnap_explain_access(text, uuid)",
	"cnap_forget_user(text, text)",
};

static const char *const trusted_internals[] = {
	"reachable(text, cnap.permission)",
	"reachable(uuid, cnap.permission)",
};

/* Execute the statements that a query returns. */
static void
execute_each(const char *query)
{
	SPITupleTable *found;

	if (SPI_execute(query, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not execute: %s", query);
	found = SPI_tuptable;
	for (uint64 i = 0; i < found->numvals; i++)
	{
		char	   *statement = SPI_getvalue(found->vals[i], found->tupdesc, 1);

		if (SPI_execute(statement, false, 0) != SPI_OK_UTILITY)
			elog(ERROR, "could not execute: %s", statement);
	}
}

/*
 * Reset the identity that the role has at login: while it was trusted, it
 * could give itself one by ALTER ROLE ... SET, in any database.
 */
static void
reset_login_identity(Oid role)
{
	execute_each(psprintf("SELECT format('ALTER ROLE %%s%%s RESET cnap.user_id',"
						  " %u::regrole, ' IN DATABASE ' || quote_ident(d.datname))"
						  " FROM pg_db_role_setting s"
						  " LEFT JOIN pg_database d ON d.oid = s.setdatabase"
						  " WHERE s.setrole = %u", role, role));
}

/*
 * Revoke what others than the owners have granted.  PostgreSQL 19
 * (dd1398f1378) made GRANT record any grantor that it is given, also another
 * superuser, whose grants a REVOKE in the name of the owner leaves alone.
 */
static void
revoke_from_grantors(Oid role, const char *schema)
{
	StringInfoData query;

	initStringInfo(&query);
	appendStringInfo(&query,
					 "SELECT format('REVOKE %%s ON %%s FROM %%s GRANTED BY %%s CASCADE',"
					 " acl.privilege_type, object, acl.grantee::regrole, acl.grantor::regrole)"
					 " FROM (SELECT 'PARAMETER ' || parname, paracl FROM pg_parameter_acl"
					 " WHERE parname = 'cnap.user_id'"
					 " UNION ALL SELECT 'TABLE ' || oid::regclass, relacl FROM pg_class"
					 " WHERE oid IN ('cnap.organization'::regclass, 'cnap.workspace'::regclass)"
					 " UNION ALL SELECT 'FUNCTION ' || oid::regprocedure, proacl FROM pg_proc"
					 " WHERE oid IN (");
	for (int i = 0; i < (int) lengthof(trusted_functions); i++)
		appendStringInfo(&query, "%s::regprocedure, ",
						 quote_literal_cstr(psprintf("%s.%s", schema, trusted_functions[i])));
	for (int i = 0; i < (int) lengthof(trusted_internals); i++)
		appendStringInfo(&query, "%s'cnap.%s'::regprocedure", i > 0 ? ", " : "", trusted_internals[i]);
	appendStringInfo(&query, ")) object (object, items), aclexplode(items) acl"
					 " WHERE acl.grantee = %u", role);
	execute_each(query.data);
}

/*
 * Executes "verb ... preposition role" for everything that trust consists of.
 */
static void
change_trust(FunctionCallInfo fcinfo, bool grant, const char *action)
{
	Oid			role = DatumGetObjectId(CnapRequiredArg(fcinfo, 0, "role"));
	const char *verb = grant ? "GRANT" : "REVOKE";
	const char *preposition = grant ? "TO" : "FROM";
	char	   *role_name = GetUserNameFromId(role, false);
	const char *schema = quote_identifier(get_namespace_name(get_func_namespace(fcinfo->flinfo->fn_oid)));
	CnapAct		act;
	StringInfoData sql;
	StringInfoData detail;

	/* GRANT without grant options would merely raise a warning. */
	if (!superuser())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be superuser to change whom the database trusts")));

	initStringInfo(&sql);
	appendStringInfo(&sql, "%s SET ON PARAMETER cnap.user_id %s %s;",
					 verb, preposition, quote_identifier(role_name));
	appendStringInfo(&sql, "%s REFERENCES ON cnap.organization, cnap.workspace %s %s;",
					 verb, preposition, quote_identifier(role_name));
	for (int i = 0; i < (int) lengthof(trusted_functions); i++)
		appendStringInfo(&sql, "%s EXECUTE ON FUNCTION %s.%s %s %s;",
						 verb, schema, trusted_functions[i],
						 preposition, quote_identifier(role_name));
	for (int i = 0; i < (int) lengthof(trusted_internals); i++)
		appendStringInfo(&sql, "%s EXECUTE ON FUNCTION cnap.%s %s %s;",
						 verb, trusted_internals[i],
						 preposition, quote_identifier(role_name));

	SPI_connect();
	if (SPI_execute(sql.data, false, 0) < 0)
		elog(ERROR, "could not change the privileges of role \"%s\"", role_name);
	if (!grant)
	{
		if (PG_VERSION_NUM >= 190000)
			revoke_from_grantors(role, schema);
		reset_login_identity(role);
	}
	SPI_finish();

	initStringInfo(&detail);
	appendStringInfoString(&detail, "\"role\": ");
	escape_json(&detail, role_name);
	CnapActByPrivilege(&act);
	CnapRecord(&act, action, NULL, detail.data);
}

/* cnap_trust(role regrole) -> void */
Datum
cnap_trust(PG_FUNCTION_ARGS)
{
	change_trust(fcinfo, true, "role.trust");
	PG_RETURN_VOID();
}

/* cnap_distrust(role regrole) -> void */
Datum
cnap_distrust(PG_FUNCTION_ARGS)
{
	change_trust(fcinfo, false, "role.distrust");
	PG_RETURN_VOID();
}
