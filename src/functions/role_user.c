/*-------------------------------------------------------------------------
 *
 * role_user.c
 *	  Recording the user of a database role.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"

#include "change/authorize.h"
#include "core/arguments.h"
#include "core/run_as_owner.h"

PG_FUNCTION_INFO_V1(cnap_set_role_user);
PG_FUNCTION_INFO_V1(cnap_lint_former_roles);

/*
 * cnap_set_role_user(role regrole, user_id text) -> void
 *
 * Null for the user removes the record, also that of a role that no longer
 * exists, which regrole accepts by its OID.
 */
Datum
cnap_set_role_user(PG_FUNCTION_ARGS)
{
	static CnapStatement set = {
		"INSERT INTO cnap.role_user AS known (role, user_id) VALUES ($1, $2)"
		" ON CONFLICT (role) DO UPDATE SET user_id = EXCLUDED.user_id"
		" WHERE known.user_id <> EXCLUDED.user_id",
		2, {REGROLEOID, TEXTOID}
	};
	static CnapStatement unset = {
		"DELETE FROM cnap.role_user WHERE role = $1", 1, {REGROLEOID}
	};
	CnapAct		act;
	Datum		values[2];

	if (!superuser())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be superuser to say which user a role belongs to")));

	values[0] = CnapRequiredArg(fcinfo, 0, "role");
	CnapActByPrivilege(&act);
	if (PG_ARGISNULL(1))
		CnapExecuteAct(&act, &unset, values, NULL);
	else
	{
		/* This raises an error if there is no such role. */
		GetUserNameFromId(DatumGetObjectId(values[0]), false);
		values[1] = PointerGetDatum(CnapRequiredUserId(fcinfo, 1, "user_id"));
		CnapExecuteAct(&act, &set, values, NULL);
	}
	PG_RETURN_VOID();
}

/*
 * cnap.lint_former_roles() -> setof (role, recorded_at)
 *
 * Roles that have been dropped, but still have a user.  DROP ROLE can be
 * executed in another database, so cannot remove the row.
 */
Datum
cnap_lint_former_roles(PG_FUNCTION_ARGS)
{
	static CnapStatement query = {
		"SELECT role::pg_catalog.oid, created_at FROM cnap.role_user"
		" WHERE role::pg_catalog.oid NOT IN (SELECT oid FROM pg_catalog.pg_authid)"
	};

	return CnapReturnRows(fcinfo, &query, NULL, NULL);
}
