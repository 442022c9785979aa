/*-------------------------------------------------------------------------
 *
 * arguments.c
 *	  The arguments of public functions.
 *
 * Public functions are not strict, so that a null argument raises an error
 * that names it, rather than returning a null that nobody looks at.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

#include "core/arguments.h"
#include "core/compat.h"
#include "core/formats.h"
#include "core/token.h"

/* An argument that must not be null. */
Datum
CnapRequiredArg(FunctionCallInfo fcinfo, int argno, const char *argname)
{
	if (PG_ARGISNULL(argno))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s is required", argname)));
	return PG_GETARG_DATUM(argno);
}

/* A text argument, or NULL if it is null. */
text *
CnapOptionalText(FunctionCallInfo fcinfo, int argno)
{
	return PG_ARGISNULL(argno) ? NULL : PG_GETARG_TEXT_PP(argno);
}

void
CnapCheckUserId(const text *value, const char *argname)
{
	if (!CnapIsUserId(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid %s", argname),
				 errdetail("A user id has 1 to %d bytes, and no blank at either end.",
						   CNAP_MAX_USER_ID)));
}

/* A text argument that must be a user id. */
text *
CnapRequiredUserId(FunctionCallInfo fcinfo, int argno, const char *argname)
{
	text	   *value;

	value = DatumGetTextPP(CnapRequiredArg(fcinfo, argno, argname));
	CnapCheckUserId(value, argname);
	return value;
}

/* The detail of an error about a text that is shown to others. */
static int
name_detail(const text *value)
{
	uint32		invisible = CnapInvisible(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value));

	if (invisible != 0)
		return errdetail("It must not contain control characters and others that cannot be seen, such as U+%04X.",
						 invisible);
	return errdetail("It must not be blank or longer than %d characters.",
					 CNAP_MAX_NAME);
}

/* A text argument that must be a name. */
text *
CnapRequiredName(FunctionCallInfo fcinfo, int argno)
{
	text	   *value = CnapOptionalText(fcinfo, argno);
	const char *str = value != NULL ? VARDATA_ANY(value) : "";
	int			len = value != NULL ? VARSIZE_ANY_EXHDR(value) : 0;

	if (CnapIsLongName(str, len))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("name is too long"),
				 errdetail("It must not be longer than %d characters.", CNAP_MAX_NAME)));
	if (CnapIsBlank(str, len))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("name is required"),
				 errdetail("It must not be blank.")));
	if (!CnapIsName(str, len))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid name"),
				 name_detail(value)));
	return value;
}

void
CnapInvalidOffer(const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid or expired invitation"),
			 errhint("Ask for a new %s.", what)));
}

Datum
CnapRequiredOffer(FunctionCallInfo fcinfo, int argno, const char *prefix, const char *what)
{
	text	   *token = DatumGetTextPP(CnapRequiredArg(fcinfo, argno, "token"));
	Datum		hash;

	if (!CnapHashToken(prefix, token, &hash))
		CnapInvalidOffer(what);
	return hash;
}

void
CnapCheckText(const text *value, const char *argname)
{
	if (!CnapIsName(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid %s", argname),
				 name_detail(value)));
}

void
CnapCheckSlug(const text *slug)
{
	if (!CnapIsSlug(VARDATA_ANY(slug), VARSIZE_ANY_EXHDR(slug)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid slug"),
				 errdetail("A slug has 1 to %d lower-case letters, digits and inner hyphens.",
						   CNAP_MAX_SLUG)));
}

void
CnapCheckUrl(const text *url, const char *argname)
{
	if (!CnapIsHttpsUrl(VARDATA_ANY(url), VARSIZE_ANY_EXHDR(url)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid %s", argname),
				 errdetail("It must be an https URL of at most %d bytes, with a host and without a user.",
						   CNAP_MAX_URL)));
}

void
CnapCheckEmail(const text *email, const char *argname)
{
	if (!CnapIsEmail(VARDATA_ANY(email), VARSIZE_ANY_EXHDR(email)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid %s", argname),
				 errdetail("It must be an e-mail address of at most %d bytes.", CNAP_MAX_EMAIL)));
}

void
CnapCheckAccepts(const text *value)
{
	char	   *accepts = text_to_cstring(value);

	if (strcmp(accepts, CNAP_ACCEPTS_ANYONE) != 0 && strcmp(accepts, CNAP_ACCEPTS_LINKS) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid accepts"),
				 errdetail("It must be \"%s\" or \"%s\".",
						   CNAP_ACCEPTS_ANYONE, CNAP_ACCEPTS_LINKS)));
}

/* A jsonb argument that must be an object of limited size, or null. */
void
CnapCheckMetadata(FunctionCallInfo fcinfo, int argno)
{
	if (!PG_ARGISNULL(argno) && !CnapIsMetadata(PG_GETARG_JSONB_P(argno)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid metadata"),
				 errdetail("Metadata must be a JSON object of at most %d bytes.",
						   CNAP_MAX_METADATA)));
}

/* A uuid argument that must not be null. */
const pg_uuid_t *
CnapRequiredUuid(FunctionCallInfo fcinfo, int argno, const char *argname)
{
	return DatumGetUUIDP(CnapRequiredArg(fcinfo, argno, argname));
}

/* An argument that must be the name of a role of that kind. */
CnapRole
CnapRequiredRole(FunctionCallInfo fcinfo, int argno, CnapRoleKind kind)
{
	return CnapNamedRole(DatumGetTextPP(CnapRequiredArg(fcinfo, argno, "role")), kind);
}

/*
 * Which of the managers get in, and, if they have to activate that, for how long they
 * can.
 */
CnapManagerTerms
CnapRequiredTerms(FunctionCallInfo fcinfo, int managers, int activation)
{
	text	   *name = DatumGetTextPP(CnapRequiredArg(fcinfo, managers, "managers"));
	CnapManagerTerms terms = {0};

	if (!CnapFindManagers(name, &terms.managers))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid managers"),
				 errdetail("It must be \"%s\", \"%s\" or \"%s\".",
						   CnapManagersName(CNAP_MANAGERS_ALL),
						   CnapManagersName(CNAP_MANAGERS_ASSIGNED),
						   CnapManagersName(CNAP_MANAGERS_ACTIVATED))));
	CnapCheckDuration(fcinfo, activation, "activation");
	if (terms.managers == CNAP_MANAGERS_ACTIVATED)
		terms.activation = *DatumGetIntervalP(CnapRequiredArg(fcinfo, activation, "activation"));
	return terms;
}

/* An interval argument, how long something is to last, or null. */
void
CnapCheckDuration(FunctionCallInfo fcinfo, int argno, const char *argname)
{
	if (!PG_ARGISNULL(argno) && !CnapIsDuration(PG_GETARG_INTERVAL_P(argno)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid %s", argname),
				 errdetail("A duration must be longer than zero, and none of its fields may be negative or more than %d years.",
						   CNAP_MAX_DURATION)));
}

/* An interval argument, how long ago or for how long, which may be zero. */
Datum
CnapRequiredAge(FunctionCallInfo fcinfo, int argno, const char *argname)
{
	Datum		age = CnapRequiredArg(fcinfo, argno, argname);

	if (!CnapIsAge(DatumGetIntervalP(age)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid %s", argname),
				 errdetail("None of its fields may be negative or more than %d years.",
						   CNAP_MAX_DURATION)));
	return age;
}

/* A timestamptz argument, the time at which something is to end, or null. */
void
CnapCheckFuture(FunctionCallInfo fcinfo, int argno, const char *argname)
{
	if (!PG_ARGISNULL(argno) && PG_GETARG_TIMESTAMPTZ(argno) <= GetCurrentTimestamp())
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must be in the future", argname)));
}

/* An integer argument that limits the number of rows, or null. */
void
CnapCheckMaxRows(FunctionCallInfo fcinfo, int argno)
{
	if (!PG_ARGISNULL(argno) && PG_GETARG_INT32(argno) <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("max_rows must be positive")));
}

/* Get the first arguments as parameters of a statement. */
void
CnapArguments(FunctionCallInfo fcinfo, int nargs, Datum *values, char *nulls)
{
	for (int i = 0; i < nargs; i++)
	{
		values[i] = PG_GETARG_DATUM(i);
		nulls[i] = PG_ARGISNULL(i) ? 'n' : ' ';
	}
}
