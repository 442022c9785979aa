/*-------------------------------------------------------------------------
 *
 * claims.c
 *	  The current user according to a gateway's claims.
 *
 * PostgREST and PostGraphile verify a JSON web token themselves, and store its
 * claims in a setting such as request.jwt.claims.  The administrator can have
 * the current user taken from that setting: cnap.claims_setting is its name,
 * and cnap.claims_key the key in its JSON object whose value is the user's id.
 * If no key is given, the whole setting is the id.
 *
 * Hazard: anybody who can execute arbitrary SQL can set such a setting to any
 * value.  Claims are meant for databases that only the gateway can connect to,
 * and are off by default.
 *
 * Invalid claims mean that there is no current user, but never raise an error,
 * since they are read while policies are evaluated.  PostgreSQL's JSON parser
 * reports malformed input without an error, with two exceptions: input that is
 * nested so deeply that the stack depth limit is exceeded, and, up to version
 * 15, Unicode escapes of characters that the database encoding does not have.
 * So input that may contain either is not parsed.
 *
 * The result of the last parse is kept, in TopMemoryContext, together with the
 * text that was parsed.  We get no notice of changes of the setting, so it is
 * looked up for each check, and parsed again if its text differs.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/jsonapi.h"
#include "mb/pg_wchar.h"
#include "utils/guc.h"
#include "utils/memutils.h"

#include "core/compat.h"
#include "core/formats.h"
#include "identity/claims.h"
#include "identity/generation.h"

/* Maximum number of objects and arrays in claims. */
#define MAX_CONTAINERS 1000

static char *claims_setting = NULL;
static char *claims_key = NULL;

static char *known_claims = NULL;	/* NULL if none yet */
static char known_user[CNAP_MAX_USER_ID + 1];	/* empty if nobody */

/* State of the parser's semantic actions. */
typedef struct Search
{
	JsonLexContext *lex;
	bool		at_key;			/* next value is that of the key */
	char		user[CNAP_MAX_USER_ID + 1];
} Search;

/* Copy a value to user; if it is not a valid user id, there is no user. */
static void
take_user(char *user, const char *value)
{
	int			len = strlen(value);

	user[0] = '\0';
	if (CnapIsUserId(value, len) &&
		pg_verify_mbstr(GetDatabaseEncoding(), value, len, true))
		strlcpy(user, value, CNAP_MAX_USER_ID + 1);
}

/*
 * Start of an object field.  If a key occurs more than once, the last one
 * counts.
 */
static CnapJsonResult
member_begins(void *state, char *name, bool isnull)
{
	Search	   *search = (Search *) state;

	search->at_key = search->lex->lex_level == 1 && strcmp(name, claims_key) == 0;
	if (search->at_key)
		search->user[0] = '\0';
	CnapJsonContinue();
}

static CnapJsonResult
container_begins(void *state)
{
	((Search *) state)->at_key = false;
	CnapJsonContinue();
}

/* A string can be a user id, and so can a number, as it is written. */
static CnapJsonResult
scalar(void *state, char *token, JsonTokenType type)
{
	Search	   *search = (Search *) state;

	if (search->at_key && (type == JSON_TOKEN_STRING || type == JSON_TOKEN_NUMBER))
		take_user(search->user, token);
	search->at_key = false;
	CnapJsonContinue();
}

/* Find the user's id in a JSON object.  Memory is freed by the caller. */
static void
parse_claims(const char *claims, char *user)
{
	int			len = strlen(claims);
	int			containers = 0;
	Search		search = {0};
	JsonSemAction actions = {
		.semstate = &search,
		.object_start = container_begins,
		.array_start = container_begins,
		.object_field_start = member_begins,
		.scalar = scalar
	};

	user[0] = '\0';
	for (int i = 0; i < len; i++)
		containers += claims[i] == '{' || claims[i] == '[';
	if (containers > MAX_CONTAINERS ||
		(GetDatabaseEncoding() != PG_UTF8 && strstr(claims, "\\u") != NULL) ||
		!pg_verify_mbstr(GetDatabaseEncoding(), claims, len, true))
		return;

	search.lex = CnapJsonLexContext(claims, len);
	if (pg_parse_json(search.lex, &actions) == JSON_SUCCESS)
		strlcpy(user, search.user, sizeof(search.user));
}

/* Determine the user from claims that differ from the last ones. */
static void
read_claims(const char *claims)
{
	char		user[sizeof(known_user)];

	if (claims_key[0] == '\0')
		take_user(user, claims);
	else
	{
		MemoryContext parsing = AllocSetContextCreate(CurrentMemoryContext,
													  "cnap_org claims",
													  ALLOCSET_DEFAULT_SIZES);
		MemoryContext old = MemoryContextSwitchTo(parsing);

		parse_claims(claims, user);
		MemoryContextSwitchTo(old);
		MemoryContextDelete(parsing);
	}

	if (known_claims != NULL)
		pfree(known_claims);
	known_claims = NULL;
	known_claims = MemoryContextStrdup(TopMemoryContext, claims);
	strlcpy(known_user, user, sizeof(known_user));
	CnapIdentityChanged(known_user, 0);
}

bool
CnapClaimsAreTurnedOn(void)
{
	return claims_setting != NULL && claims_setting[0] != '\0';
}

const char *
CnapClaimsUser(void)
{
	const char *claims;

	if (!CnapClaimsAreTurnedOn())
		return NULL;
	claims = GetConfigOption(claims_setting, true, false);
	if (claims == NULL)
		claims = "";
	if (known_claims == NULL || strcmp(claims, known_claims) != 0)
		read_claims(claims);
	return known_user[0] != '\0' ? known_user : NULL;
}

bool
CnapClaimsGiven(void)
{
	return known_claims != NULL && known_claims[0] != '\0';
}

/* assign_hook of both settings */
static void
assign_claims(const char *newval, void *extra)
{
	if (known_claims != NULL)
		pfree(known_claims);
	known_claims = NULL;
	CnapIdentityChanged(NULL, 0);
}

void
CnapClaimsInit(void)
{
	DefineCustomStringVariable("cnap.claims_setting",
							   "Setting in which a gateway stores the claims about the current user.",
							   "The empty string turns this off.  Plain SQL can forge such a setting.",
							   &claims_setting,
							   "",
							   PGC_SUSET,
							   GUC_NOT_IN_SAMPLE | GUC_ALLOW_IN_PARALLEL,
							   NULL, assign_claims, NULL);
	DefineCustomStringVariable("cnap.claims_key",
							   "Key in the claims, a JSON object, whose value is the user's id.",
							   "With the empty string, the whole setting is the id.",
							   &claims_key,
							   "sub",
							   PGC_SUSET,
							   GUC_NOT_IN_SAMPLE | GUC_ALLOW_IN_PARALLEL,
							   NULL, assign_claims, NULL);
}
