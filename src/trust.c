/*-------------------------------------------------------------------------
 *
 * trust.c
 *	  What an application server's role needs, given and taken in one step.
 *
 * The catalogs' own privileges are the only record of who is trusted.  Only a
 * superuser can change them, because only a superuser can grant a setting.
 *
 * Caveat: the right to set a parameter belongs to the role, in all databases
 * of the cluster.
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
 * The functions that answer about anybody, or act on anybody: public ones, in their schema, and
 * those that index conditions are made of.
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

/* Executes "verb ... preposition role" for everything that trust consists of. */
static void
change_trust(FunctionCallInfo fcinfo, const char *verb, const char *preposition,
			 const char *action)
{
	Oid			role = DatumGetObjectId(CnapRequiredArg(fcinfo, 0, "role"));
	char	   *role_name = GetUserNameFromId(role, false);
	const char *schema = quote_identifier(get_namespace_name(get_func_namespace(fcinfo->flinfo->fn_oid)));
	CnapAct		act;
	StringInfoData sql;
	StringInfoData detail;

	/* GRANT by somebody who may not would be no more than a warning. */
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
	change_trust(fcinfo, "GRANT", "TO", "role.trust");
	PG_RETURN_VOID();
}

/* cnap_distrust(role regrole) -> void */
Datum
cnap_distrust(PG_FUNCTION_ARGS)
{
	change_trust(fcinfo, "REVOKE", "FROM", "role.distrust");
	PG_RETURN_VOID();
}
