/*-------------------------------------------------------------------------
 *
 * import.c
 *	  Importing organizations, workspaces and their members.
 *
 * The rows come as a JSON array, which the caller's own query has made of
 * tables that exist already.  So nothing here reads a table of somebody else's,
 * whose rules, policies and casts would be executed as our owner, and no name of
 * one is put together into a statement.
 *
 * A statement of SQL (sql/69_import.sql) takes the array apart, and says of each
 * row what is wrong with it.  The rows are inserted by one statement, if nothing
 * is, so that all constraints and triggers apply to them as to any others, and
 * the caches of other sessions are told once.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <ctype.h>

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

#include "change/authorize.h"
#include "core/arguments.h"
#include "core/compat.h"
#include "core/own_catalog.h"

PG_FUNCTION_INFO_V1(cnap_uuid_bigint);
PG_FUNCTION_INFO_V1(cnap_uuid_text);
PG_FUNCTION_INFO_V1(cnap_as_moment);
PG_FUNCTION_INFO_V1(cnap_check_import);
PG_FUNCTION_INFO_V1(cnap_import);

/* ---- ids ---- */

/*
 * The id of something that had a number: a UUID of version 8, whose last twelve
 * digits are those of the number in hexadecimal.  What 48 bits do not hold is in
 * its first digits.  The ids have the order of the numbers, if these are not
 * negative.
 */
static Datum
uuid_of_number(int64 number)
{
	pg_uuid_t  *uuid = palloc0(sizeof(pg_uuid_t));
	uint64		bits = (uint64) number;

	uuid->data[2] = bits >> 56 & 0xFF;
	uuid->data[3] = bits >> 48 & 0xFF;
	uuid->data[6] = 0x80;
	uuid->data[8] = 0x80;
	for (int i = 0; i < 6; i++)
		uuid->data[10 + i] = bits >> (40 - 8 * i) & 0xFF;
	return UUIDPGetDatum(uuid);
}

/*
 * The id of something that was known by a text: a UUID of version 8 that consists
 * of the beginning of its SHA-256 (RFC 9562, appendix B.2).  The text is hashed in
 * UTF-8, so that all databases give it the same id.
 */
static Datum
uuid_of_text(const char *str, int len)
{
	char	   *utf8 = pg_server_to_any(str, len, PG_UTF8);
	bytea	   *bytes = (bytea *) cstring_to_text_with_len(utf8, utf8 == str ? len : (int) strlen(utf8));
	bytea	   *hash = DatumGetByteaPP(DirectFunctionCall1(sha256_bytea, PointerGetDatum(bytes)));
	pg_uuid_t  *uuid = palloc(sizeof(pg_uuid_t));

	memcpy(uuid->data, VARDATA_ANY(hash), UUID_LEN);
	uuid->data[6] = (uuid->data[6] & 0x0F) | 0x80;
	uuid->data[8] = (uuid->data[8] & 0x3F) | 0x80;
	return UUIDPGetDatum(uuid);
}

/*
 * Is it the text of a UUID, in any of the forms that PostgreSQL reads?  These have
 * a hyphen after any group of four digits, and braces around all.
 */
static bool
is_uuid(const char *str, int len)
{
	int			digits = 0;

	if (len >= 2 && str[0] == '{' && str[len - 1] == '}')
	{
		str++;
		len -= 2;
	}
	for (int i = 0; i < len; i++)
	{
		if (isxdigit((unsigned char) str[i]))
			digits++;
		else if (str[i] != '-' || digits == 0 || digits % 4 != 0 ||
				 digits == UUID_LEN * 2 || str[i - 1] == '-')
			return false;
	}
	return digits == UUID_LEN * 2;
}

/* Is it the text of a number, as PostgreSQL writes it?  If so, of which? */
static bool
is_number(const char *str, int len, int64 *number)
{
	int			i = len > 0 && str[0] == '-' ? 1 : 0;
	uint64		limit = i > 0 ? (uint64) PG_INT64_MAX + 1 : (uint64) PG_INT64_MAX;
	uint64		value = 0;

	if (i == len || (str[i] == '0' && len > 1))
		return false;
	for (; i < len; i++)
	{
		uint64		digit = str[i] - '0';

		if (str[i] < '0' || str[i] > '9' ||
			value > (limit - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	*number = (int64) (str[0] == '-' ? -value : value);
	return true;
}

/* cnap_uuid(id bigint) -> uuid */
Datum
cnap_uuid_bigint(PG_FUNCTION_ARGS)
{
	return uuid_of_number(PG_GETARG_INT64(0));
}

/*
 * cnap_uuid(id text) -> uuid
 *
 * A UUID stays what it is, and a number has the same id as if it were none of
 * text, so that it makes no difference as what an id was stored.
 */
Datum
cnap_uuid_text(PG_FUNCTION_ARGS)
{
	text	   *id = PG_GETARG_TEXT_PP(0);
	const char *str = VARDATA_ANY(id);
	int			len = VARSIZE_ANY_EXHDR(id);
	int64		number;

	if (is_uuid(str, len))
		return DirectFunctionCall1(uuid_in, CStringGetDatum(text_to_cstring(id)));
	if (is_number(str, len, &number))
		return uuid_of_number(number);
	return uuid_of_text(str, len);
}

/*
 * cnap.as_moment(text) -> timestamptz
 *
 * Null for what is none, so that it can be reported together with what else is
 * wrong.
 */
Datum
cnap_as_moment(PG_FUNCTION_ARGS)
{
	TimestampTz moment;

	if (!CnapParseMoment(text_to_cstring(PG_GETARG_TEXT_PP(0)), &moment) ||
		TIMESTAMP_NOT_FINITE(moment))
		PG_RETURN_NULL();
	PG_RETURN_TIMESTAMPTZ(moment);
}

/* ---- rows ---- */

/* The kinds of rows, and what is inserted for each. */
typedef struct Import
{
	const char *kind;
	const char *action;			/* the entry of the audit log */
	CnapStatement problems;		/* what is wrong with the rows */
	CnapStatement summary;		/* that as a text, if there is anything */
	CnapStatement insert;
} Import;

#define ROWS(kind) " cnap.import_" kind "($1, $2)"
#define WITH_PROBLEMS(kind) \
	"SELECT r.n, r.key, p.problem FROM" ROWS(kind) " r, unnest(r.problems) p (problem) ORDER BY r.n"
#define PARAMETERS 2, {JSONBOID, BOOLOID}

#define IMPORT(kind, action, insert) \
	{ \
		kind, action, \
		{WITH_PROBLEMS(kind), PARAMETERS, CURSOR_OPT_CUSTOM_PLAN}, \
		{"SELECT count(DISTINCT n) || ' of ' || jsonb_array_length($1) || E'\\n'" \
			" || string_agg(format('Row %s (%s): %s.', n, key, problem), ' ') FILTER (WHERE i <= 10)" \
			" FROM (SELECT *, row_number() OVER () AS i FROM (" WITH_PROBLEMS(kind) ") p) p" \
			" HAVING count(*) > 0", \
			PARAMETERS, CURSOR_OPT_CUSTOM_PLAN}, \
		{"WITH found AS MATERIALIZED (SELECT * FROM" ROWS(kind) ")," \
			" good AS (SELECT * FROM found WHERE NOT existing" \
			" AND NOT EXISTS (SELECT FROM found WHERE problems <> '{}')) " \
			insert, \
			PARAMETERS, CURSOR_OPT_CUSTOM_PLAN} \
	}

static Import imports[] =
{
	IMPORT("organizations", "organization.import",
		   ", organization AS (INSERT INTO cnap.organization"
		   " (id, name, slug, logo, management_email, customer_id, accepts, metadata, created_by, created_at)"
		   " SELECT id, name, slug, logo, management_email, customer_id, accepts, metadata, created_by, created_at FROM good)"
		   " INSERT INTO cnap.organization_member (organization_id, user_id, role, added_by, created_at)"
		   " SELECT id, owner_id, 'owner', created_by, created_at FROM good"),
	IMPORT("organization_members", "organization_member.import",
		   "INSERT INTO cnap.organization_member (organization_id, user_id, role, added_by, created_at)"
		   " SELECT organization_id, user_id, role, added_by, created_at FROM good"),
	IMPORT("workspaces", "workspace.import",
		   "INSERT INTO cnap.workspace (id, name, owner_id, managed_by, managed_role, managed_access, managed_until, managed_since,"
		   " billing_email, customer_id, metadata, created_at)"
		   " SELECT id, name, owner_id, managed_by, managed_role, managed_access, managed_until, managed_since,"
		   " billing_email, customer_id, metadata, created_at FROM good"),
	IMPORT("workspace_members", "workspace_member.import",
		   "INSERT INTO cnap.workspace_member (workspace_id, user_id, role, added_by, created_at)"
		   " SELECT workspace_id, user_id, role, added_by, created_at FROM good"),
};

/*
 * Check who calls, and read the first two arguments: which kind of rows, and the
 * rows.  jsonb_agg() returns null for no rows.
 */
static Import *
begin_import(FunctionCallInfo fcinfo, Datum *rows)
{
	char	   *kind;

	if (!has_privs_of_role(GetUserId(), CnapOwner()))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be owner of the extension to import rows")));
	kind = TextDatumGetCString(CnapRequiredArg(fcinfo, 0, "kind"));
	*rows = PG_ARGISNULL(1) ?
		DirectFunctionCall1(jsonb_in, CStringGetDatum("[]")) : PG_GETARG_DATUM(1);
	if (!JB_ROOT_IS_ARRAY(DatumGetJsonbP(*rows)) || JB_ROOT_IS_SCALAR(DatumGetJsonbP(*rows)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid rows"),
				 errdetail("They must be a JSON array of objects.")));

	for (int i = 0; i < (int) lengthof(imports); i++)
	{
		if (strcmp(kind, imports[i].kind) == 0)
			return &imports[i];
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid kind"),
			 errdetail("It must be \"organizations\", \"organization_members\", \"workspaces\" or \"workspace_members\".")));
}

/*
 * cnap_check_import(kind, rows, skip_existing) -> n, key, problem
 */
Datum
cnap_check_import(PG_FUNCTION_ARGS)
{
	Datum		values[2];
	Import	   *import = begin_import(fcinfo, &values[0]);

	values[1] = CnapRequiredArg(fcinfo, 2, "skip_existing");
	return CnapReturnRows(fcinfo, &import->problems, values, NULL);
}

/*
 * Raise an error if any row has a problem.
 */
static void
refuse_problems(Import *import, Datum *values)
{
	char	   *summary = CnapQueryText(&import->summary, values, NULL);
	char	   *end;

	if (summary == NULL)
		return;
	end = strchr(summary, '\n');
	*end = '\0';
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("%s rows cannot be imported", summary),
			 errdetail("%s", end + 1),
			 errhint("cnap_check_import() lists all problems.")));
}

/*
 * cnap_import(kind, rows, audit, skip_existing) -> bigint
 *
 * If the statement inserts nothing, there may have been a reason.
 */
Datum
cnap_import(PG_FUNCTION_ARGS)
{
	Datum		values[2];
	Import	   *import = begin_import(fcinfo, &values[0]);
	CnapAct		act;
	uint64		count;

	CnapActByPrivilege(&act);
	act.import = true;
	act.unrecorded = !DatumGetBool(CnapRequiredArg(fcinfo, 2, "audit"));
	values[1] = CnapRequiredArg(fcinfo, 3, "skip_existing");

	count = CnapExecuteAct(&act, &import->insert, values, NULL);
	if (count == 0)
		refuse_problems(import, values);
	else
		CnapRecord(&act, import->action, NULL, psprintf("\"rows\": " UINT64_FORMAT, count));
	PG_RETURN_INT64((int64) count);
}
