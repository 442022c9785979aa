/*-------------------------------------------------------------------------
 *
 * record.c
 *	  What cnap_lint() knows from tables of ours: the objects that CREATE
 *	  EXTENSION made, and the findings that somebody has accepted.
 *
 * An accepted finding is identified by its rule, its object and its text.  So
 * one that changes, because a privilege has been granted to one more role, say,
 * is reported again.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"

#include "core/arguments.h"
#include "core/formats.h"
#include "core/own_catalog.h"
#include "core/run_as_owner.h"

/* As in the constraint of the table, in characters. */
#define MAX_REASON 1000

PG_FUNCTION_INFO_V1(cnap_lint_wanted);
PG_FUNCTION_INFO_V1(cnap_accepted_findings);
PG_FUNCTION_INFO_V1(cnap_accept_finding);

/* cnap.lint_wanted() -> the rows of cnap.made; for everybody */
Datum
cnap_lint_wanted(PG_FUNCTION_ARGS)
{
	static CnapStatement query = {"SELECT * FROM cnap.made", 0};

	return CnapReturnRows(fcinfo, &query, NULL, NULL);
}

/* cnap_accepted_findings() -> the rows of cnap.accepted_finding; for everybody */
Datum
cnap_accepted_findings(PG_FUNCTION_ARGS)
{
	static CnapStatement query = {
		"SELECT rule, object, finding, reason, accepted_by, accepted_at FROM cnap.accepted_finding"
		" ORDER BY rule COLLATE \"C\", object COLLATE \"C\", finding COLLATE \"C\"", 0
	};

	return CnapReturnRows(fcinfo, &query, NULL, NULL);
}

/* Raise 22023 for a reason that does not say anything, or is too long. */
static void
check_reason(const text *reason)
{
	const char *str = VARDATA_ANY(reason);
	int			len = VARSIZE_ANY_EXHDR(reason);

	if (CnapIsBlank(str, len) || pg_mbstrlen_with_len(str, len) > MAX_REASON)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid reason"),
				 errdetail("A reason is not blank, and has at most %d characters.", MAX_REASON)));
}

/*
 * cnap_accept_finding(rule, object, reason) -> void
 *
 * Accepts what the linter finds about the object now, in place of what was
 * accepted before.
 */
Datum
cnap_accept_finding(PG_FUNCTION_ARGS)
{
	static CnapStatement take_back = {
		"DELETE FROM cnap.accepted_finding WHERE (rule, object) = ($1, $2)", 2, {TEXTOID, TEXTOID}
	};
	static CnapStatement accept = {
		"INSERT INTO cnap.accepted_finding (rule, object, finding, reason, accepted_by)"
		" SELECT DISTINCT rule, object, finding, $3, $4 FROM cnap.lint_findings()"
		" WHERE (rule, object) = ($1, $2)",
		4, {TEXTOID, TEXTOID, TEXTOID, TEXTOID}
	};
	Datum		values[4];
	bool		taken_back;

	if (!has_privs_of_role(GetUserId(), CnapOwner()))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be owner of the extension to accept a finding")));
	values[0] = CnapRequiredArg(fcinfo, 0, "rule");
	values[1] = CnapRequiredArg(fcinfo, 1, "object");
	if (!PG_ARGISNULL(2))
		check_reason(PG_GETARG_TEXT_PP(2));
	taken_back = CnapExecute(&take_back, values, NULL) > 0;
	if (!PG_ARGISNULL(2))
	{
		values[2] = PG_GETARG_DATUM(2);
		values[3] = CStringGetTextDatum(GetUserNameFromId(GetUserId(), false));
		taken_back = CnapExecute(&accept, values, NULL) > 0;
	}
	if (!taken_back)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg(PG_ARGISNULL(2) ? "no finding of rule \"%s\" about \"%s\" has been accepted" :
						"there is no finding of rule \"%s\" about \"%s\"",
						TextDatumGetCString(values[0]), TextDatumGetCString(values[1])),
				 errhint("Call cnap_lint() and cnap_accepted_findings(), and copy the rule and the object.")));
	PG_RETURN_VOID();
}
