/*-------------------------------------------------------------------------
 *
 * formats.c
 *	  Formats of the values that users supply.
 *
 * Each format is defined once, here.  The constraints on the tables use it
 * through the functions cnap.is_...(), so that it applies to every writer; the
 * public functions use it for their arguments (arguments.c), so that their
 * callers get SQLSTATE 22023 and a message that names the argument.
 *
 * All tests work on bytes and ASCII classes only.  They do not depend on the
 * locale, so that a constraint stays satisfied when a database is moved to
 * another machine.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <string.h>

#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "core/compat.h"
#include "core/formats.h"

#define URL_SCHEME "https://"

PG_FUNCTION_INFO_V1(cnap_is_user_id);
PG_FUNCTION_INFO_V1(cnap_is_name);
PG_FUNCTION_INFO_V1(cnap_is_slug);
PG_FUNCTION_INFO_V1(cnap_is_https_url);
PG_FUNCTION_INFO_V1(cnap_is_email);
PG_FUNCTION_INFO_V1(cnap_is_duration);

/* ASCII white space and the other control characters. */
static inline bool
is_blank(char c)
{
	unsigned char uc = (unsigned char) c;

	return uc <= ' ' || uc == 0x7f;
}

bool
CnapIsUserId(const char *str, int len)
{
	return len >= 1 && len <= CNAP_MAX_USER_ID &&
		!is_blank(str[0]) && !is_blank(str[len - 1]);
}

/* Not blank, at most CNAP_MAX_NAME characters. */
bool
CnapIsName(const char *str, int len)
{
	int			i = 0;

	while (i < len && is_blank(str[i]))
		i++;
	return i < len && pg_mbstrlen_with_len(str, len) <= CNAP_MAX_NAME;
}

/* Lower-case ASCII letters and digits, and hyphens between them. */
bool
CnapIsSlug(const char *str, int len)
{
	if (len < 1 || len > CNAP_MAX_SLUG || str[0] == '-' || str[len - 1] == '-')
		return false;
	for (int i = 0; i < len; i++)
	{
		if (!(str[i] >= 'a' && str[i] <= 'z') &&
			!(str[i] >= '0' && str[i] <= '9') &&
			str[i] != '-')
			return false;
	}
	return true;
}

/*
 * An https URL with a host.  Characters that could end an HTML attribute are
 * refused, since applications put the value into one.
 */
bool
CnapIsHttpsUrl(const char *str, int len)
{
	int			scheme = strlen(URL_SCHEME);

	if (len <= scheme || len > CNAP_MAX_URL ||
		strncmp(str, URL_SCHEME, scheme) != 0 ||
		strchr("/?#:@", str[scheme]) != NULL)
		return false;
	for (int i = scheme; i < len; i++)
	{
		if (is_blank(str[i]) || strchr("\"'<>\\`", str[i]) != NULL)
			return false;
	}
	return true;
}

/* One @ between two parts without blanks. */
bool
CnapIsEmail(const char *str, int len)
{
	const char *at = memchr(str, '@', len);

	if (len > CNAP_MAX_EMAIL || at == NULL || at == str || at == str + len - 1)
		return false;
	for (int i = 0; i < len; i++)
	{
		if (is_blank(str[i]) || strchr("\"'<>\\,;", str[i]) != NULL ||
			(str[i] == '@' && str + i != at))
			return false;
	}
	return true;
}

bool
CnapIsAge(const Interval *interval)
{
	return interval->month >= 0 && interval->day >= 0 && interval->time >= 0 &&
		interval->month <= CNAP_MAX_DURATION * MONTHS_PER_YEAR &&
		interval->day <= CNAP_MAX_DURATION * 366 &&
		interval->time <= CNAP_MAX_DURATION * 366 * USECS_PER_DAY;
}

bool
CnapIsDuration(const Interval *interval)
{
	return CnapIsAge(interval) &&
		(interval->month > 0 || interval->day > 0 || interval->time > 0);
}

/* Apply a format test to an SQL text argument. */
static Datum
test_format(FunctionCallInfo fcinfo, bool (*test) (const char *, int))
{
	text	   *value = PG_GETARG_TEXT_PP(0);

	PG_RETURN_BOOL(test(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value)));
}

Datum
cnap_is_user_id(PG_FUNCTION_ARGS)
{
	return test_format(fcinfo, CnapIsUserId);
}

Datum
cnap_is_name(PG_FUNCTION_ARGS)
{
	return test_format(fcinfo, CnapIsName);
}

Datum
cnap_is_slug(PG_FUNCTION_ARGS)
{
	return test_format(fcinfo, CnapIsSlug);
}

Datum
cnap_is_https_url(PG_FUNCTION_ARGS)
{
	return test_format(fcinfo, CnapIsHttpsUrl);
}

Datum
cnap_is_email(PG_FUNCTION_ARGS)
{
	return test_format(fcinfo, CnapIsEmail);
}

Datum
cnap_is_duration(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(CnapIsDuration(PG_GETARG_INTERVAL_P(0)));
}
