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
 * The tests do not depend on the locale, so that a constraint stays satisfied
 * when a database is moved to another machine.  Which characters are blank, and
 * which cannot be seen, is what Unicode says: a text that one person stores
 * is shown to another, who decides by it whom to trust.  PostgreSQL has these
 * properties only since 17, and its regular expressions have those of the
 * locale, so they are written out here.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <ctype.h>
#include <string.h>

#include "access/xact.h"
#include "catalog/pg_conversion.h"
#include "catalog/pg_namespace.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

#include "core/compat.h"
#include "core/formats.h"

#define URL_SCHEME "https://"

/* No text is shorter than its binary form by more than this factor. */
#define MAX_JSONB_GROWTH 16

PG_FUNCTION_INFO_V1(cnap_is_user_id);
PG_FUNCTION_INFO_V1(cnap_is_name);
PG_FUNCTION_INFO_V1(cnap_is_slug);
PG_FUNCTION_INFO_V1(cnap_is_https_url);
PG_FUNCTION_INFO_V1(cnap_is_email);
PG_FUNCTION_INFO_V1(cnap_is_metadata);
PG_FUNCTION_INFO_V1(cnap_is_duration);

/* ---- characters ---- */

typedef struct CodePoints
{
	pg_wchar	first;
	pg_wchar	last;
} CodePoints;

/*
 * Characters that have no look of their own, or change that of others: the
 * controls and separators of lines (general categories Cc, Zl, Zp), what
 * Unicode calls Default_Ignorable_Code_Point, among which are the controls of
 * direction, and the other format characters (Cf), apart from those that
 * enclose the following number.
 */
static const CodePoints invisible[] = {
	{0x0000, 0x001F}, {0x007F, 0x009F}, {0x00AD, 0x00AD}, {0x034F, 0x034F},
	{0x061C, 0x061C}, {0x115F, 0x1160}, {0x17B4, 0x17B5}, {0x180B, 0x180F},
	{0x200B, 0x200F}, {0x2028, 0x202E}, {0x2060, 0x206F}, {0x3164, 0x3164},
	{0xFE00, 0xFE0F}, {0xFEFF, 0xFEFF}, {0xFFA0, 0xFFA0}, {0xFFF0, 0xFFFB},
	{0x13430, 0x1343F}, {0x1BCA0, 0x1BCA3}, {0x1D173, 0x1D17A},
	{0xE0000, 0xE0FFF}
};

/*
 * Characters that can be told from nothing only by their width: the rest of
 * Unicode's White_Space, and the Braille pattern without dots.
 */
static const CodePoints spaces[] = {
	{0x0020, 0x0020}, {0x00A0, 0x00A0}, {0x1680, 0x1680}, {0x2000, 0x200A},
	{0x202F, 0x202F}, {0x205F, 0x205F}, {0x2800, 0x2800}, {0x3000, 0x3000}
};

static bool
is_among(pg_wchar c, const CodePoints *ranges, int nranges)
{
	int			i = 0;

	while (i < nranges && c > ranges[i].last)
		i++;
	return i < nranges && c >= ranges[i].first;
}

static inline bool
is_invisible(pg_wchar c)
{
	return is_among(c, invisible, lengthof(invisible));
}

static inline bool
is_blank(pg_wchar c)
{
	return is_among(c, spaces, lengthof(spaces)) || is_invisible(c);
}

static bool
is_ascii(const char *str, int len)
{
	for (int i = 0; i < len; i++)
	{
		if (IS_HIGHBIT_SET(str[i]))
			return false;
	}
	return true;
}

/*
 * Get the code points of a text in the database's encoding; NULL if these
 * cannot be known.  The bytes of an SQL_ASCII database count as UTF-8 if they
 * are that, since this is how they will be shown.
 *
 * The conversion is PostgreSQL's own, whatever others are in the search path.
 * Outside of a transaction, where settings can be assigned, it is out of
 * reach.
 */
static pg_wchar *
code_points(const char *str, int len, int *count)
{
	int			encoding = GetDatabaseEncoding();
	pg_wchar   *result;

	if (encoding == PG_SQL_ASCII)
		encoding = PG_UTF8;
	if (encoding != PG_UTF8 && !is_ascii(str, len))
	{
		int			size = len * MAX_CONVERSION_GROWTH + 1;
		char	   *converted = palloc(size);
		Oid			proc;

		if (!IsTransactionState())
			return NULL;
		proc = FindDefaultConversion(PG_CATALOG_NAMESPACE, encoding, PG_UTF8);
		if (!OidIsValid(proc) ||
			pg_do_encoding_conversion_buf(proc, encoding, PG_UTF8,
										  (unsigned char *) unconstify(char *, str), len,
										  (unsigned char *) converted, size, true) < len)
			return NULL;
		str = converted;
		len = strlen(converted);
	}
	if (pg_encoding_verifymbstr(PG_UTF8, str, len) < len)
		return NULL;

	result = palloc((len + 1) * sizeof(pg_wchar));
	*count = pg_encoding_mb2wchar_with_len(PG_UTF8, str, result, len);
	return result;
}

/*
 * Judge a text by its characters: is all of it blank, is any, are its ends, and
 * what in it cannot be seen?  Bytes whose code points cannot be known are taken for
 * letters, unless they are ASCII.
 */
typedef struct Looks
{
	bool		blank;
	bool		has_blank;
	bool		blank_end;		/* at either end */
	pg_wchar	invisible;		/* the first such character; 0 if there is
								 * none */
} Looks;

static Looks
looks_of(const char *str, int len)
{
	Looks		looks = {.blank = true};
	int			count = len;
	pg_wchar   *points = is_ascii(str, len) ? NULL : code_points(str, len, &count);

	for (int i = 0; i < count; i++)
	{
		pg_wchar	c = points != NULL ? points[i] :
			IS_HIGHBIT_SET(str[i]) ? 'x' : (pg_wchar) str[i];
		bool		blank = is_blank(c);

		looks.blank = looks.blank && blank;
		looks.has_blank = looks.has_blank || blank;
		if (i == 0 || i == count - 1)
			looks.blank_end = looks.blank_end || blank;
		if (looks.invisible == 0 && is_invisible(c))
			looks.invisible = c;
	}
	if (points != NULL)
		pfree(points);
	return looks;
}

bool
CnapIsBlank(const char *str, int len)
{
	return looks_of(str, len).blank;
}

uint32
CnapInvisible(const char *str, int len)
{
	return looks_of(str, len).invisible;
}

/* ---- formats ---- */

/*
 * 1 to CNAP_MAX_USER_ID bytes, no blank at either end.  The ids that
 * applications use begin and end with an ASCII character as a rule; then the
 * rest need not be looked at, since this is asked with every check.
 */
bool
CnapIsUserId(const char *str, int len)
{
	if (len < 1 || len > CNAP_MAX_USER_ID)
		return false;
	if (!IS_HIGHBIT_SET(str[0]) && !IS_HIGHBIT_SET(str[len - 1]))
		return !is_blank(str[0]) && !is_blank(str[len - 1]);
	return !looks_of(str, len).blank_end;
}

/* Is it too long for a name? */
bool
CnapIsLongName(const char *str, int len)
{
	return len > CNAP_MAX_NAME * pg_database_encoding_max_length() ||
		pg_mbstrlen_with_len(str, len) > CNAP_MAX_NAME;
}

/* Not blank, at most CNAP_MAX_NAME characters, all of which can be seen. */
bool
CnapIsName(const char *str, int len)
{
	Looks		looks;

	if (CnapIsLongName(str, len))
		return false;
	looks = looks_of(str, len);
	return !looks.blank && looks.invisible == 0;
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
 * The part of a URL that follows the scheme and names a host, with a port if
 * need be; returns what comes behind it, or NULL.
 *
 * There must be nothing but that: a name of a user in front of it, as in
 * https://acme.example@evil.example/, is taken for the host by those who read
 * it, and letters of other scripts for those that they look like.  An
 * international name is written in Punycode.
 */
static const char *
skip_host(const char *str, const char *end)
{
	const char *start = str;

	if (str < end && *str == '[')
	{
		for (str++; str < end && (isxdigit((unsigned char) *str) || strchr(":.", *str)); str++)
			 /* an address of IPv6 */ ;
		if (str == end || *str++ != ']')
			return NULL;
	}
	else
	{
		while (str < end && (isalnum((unsigned char) *str) || strchr("-._", *str)))
			str++;
		if (str == start || !isalnum((unsigned char) *start))
			return NULL;
	}
	if (str < end && *str == ':')
	{
		for (str++; str < end && isdigit((unsigned char) *str); str++)
			 /* a port */ ;
	}
	return str == end || strchr("/?#", *str) ? str : NULL;
}

/*
 * An https URL with a host.  Characters that could end an HTML attribute are
 * refused, since applications put the value into one, and so are those that
 * no URL contains (RFC 3986), but in percent-encoding.
 */
bool
CnapIsHttpsUrl(const char *str, int len)
{
	int			scheme = strlen(URL_SCHEME);
	const char *end = str + len;

	if (len <= scheme || len > CNAP_MAX_URL ||
		strncmp(str, URL_SCHEME, scheme) != 0 || !is_ascii(str, len))
		return false;
	str = skip_host(str + scheme, end);
	if (str == NULL)
		return false;
	for (; str < end; str++)
	{
		if (is_blank(*str) || strchr("\"'<>\\`", *str) != NULL)
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
		if (strchr("\"'<>\\,;", str[i]) != NULL ||
			(str[i] == '@' && str + i != at))
			return false;
	}
	return !looks_of(str, len).has_blank;
}

/*
 * A JSON object whose text, which is what everybody reads, is not too long.
 * What is a multiple of that in binary form has too long a text, which then
 * need not be produced.
 */
bool
CnapIsMetadata(Jsonb *metadata)
{
	char	   *string;
	bool		result;

	if (!JB_ROOT_IS_OBJECT(metadata) ||
		VARSIZE(metadata) / MAX_JSONB_GROWTH > CNAP_MAX_METADATA)
		return false;
	string = JsonbToCString(NULL, &metadata->root, VARSIZE(metadata));
	result = strlen(string) <= CNAP_MAX_METADATA;
	pfree(string);
	return result;
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
cnap_is_metadata(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(CnapIsMetadata(PG_GETARG_JSONB_P(0)));
}

Datum
cnap_is_duration(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(CnapIsDuration(PG_GETARG_INTERVAL_P(0)));
}
