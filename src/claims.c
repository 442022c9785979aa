/*-------------------------------------------------------------------------
 *
 * claims.c
 *	  The current user as a gateway's claims say it.
 *
 * PostgREST and PostGraphile check a JSON web token themselves, and put its
 * claims into a setting of a name of their own, such as request.jwt.claims.
 * The administrator can let that setting say who is asking: cnap.claims_setting
 * names it, and cnap.claims_key the member of the JSON object in it that is the
 * user's id.  Without a key, the setting itself is the id.
 *
 * Hazard: anybody who can execute any SQL can set such a setting to anything.
 * Claims are for databases that only the gateway reaches, and are off by
 * default.
 *
 * Whatever is wrong with the claims, there is no current user then, and never
 * an error: they are read in the middle of policies.  The parser of PostgreSQL
 * reports malformed JSON without an error, except where it is nested so deeply
 * that the stack runs out, and, up to version 15, where the escape of a character
 * stands for one that the database's encoding does not have.  So what could have
 * either is not parsed.
 *
 * What the claims said last is kept, in TopMemoryContext, together with their
 * text.  The setting is looked up for each question, since nothing tells of its
 * changes, and parsed where the text differs.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/jsonapi.h"
#include "mb/pg_wchar.h"
#include "utils/guc.h"
#include "utils/memutils.h"

#include "claims.h"
#include "compat.h"
#include "identity.h"
#include "validate.h"

/* Objects and arrays that claims may consist of. */
#define MAX_CONTAINERS 1000

static char *claims_setting = NULL;
static char *claims_key = NULL;

static char *known_claims = NULL;	/* null: none yet */
static char known_user[CNAP_MAX_USER_ID + 1];	/* empty: nobody */

/* What the parser has come to. */
typedef struct Search
{
	JsonLexContext *lex;
	bool		at_key;			/* the value that comes next is that of the key */
	char		user[CNAP_MAX_USER_ID + 1];
} Search;

/* Takes over a user's id; if it cannot be one, there is no user. */
static void
take_user(char *user, const char *value)
{
	int			len = strlen(value);

	user[0] = '\0';
	if (CnapIsUserId(value, len) &&
		pg_verify_mbstr(GetDatabaseEncoding(), value, len, true))
		strlcpy(user, value, CNAP_MAX_USER_ID + 1);
}

/* The name of an object's member.  Of members with the same name, the last counts. */
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

/* A string, or a number as it is written; nothing else is a user's id. */
static CnapJsonResult
scalar(void *state, char *token, JsonTokenType type)
{
	Search	   *search = (Search *) state;

	if (search->at_key && (type == JSON_TOKEN_STRING || type == JSON_TOKEN_NUMBER))
		take_user(search->user, token);
	search->at_key = false;
	CnapJsonContinue();
}

/* Finds the user's id in a JSON object; the memory is given back by the caller. */
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

/* Finds out who the user is by claims that have not been seen before. */
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
	CnapIdentityChanged();
}

const char *
CnapClaimsUser(bool *turned_on)
{
	const char *claims;

	*turned_on = claims_setting != NULL && claims_setting[0] != '\0';
	if (!*turned_on)
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
	CnapIdentityChanged();
}

void
CnapClaimsInit(void)
{
	DefineCustomStringVariable("cnap.claims_setting",
							   "Setting in which a gateway says who the current user is.",
							   "The empty string turns that off.  Plain SQL can forge such a setting.",
							   &claims_setting,
							   "",
							   PGC_SUSET,
							   GUC_NOT_IN_SAMPLE,
							   NULL, assign_claims, NULL);
	DefineCustomStringVariable("cnap.claims_key",
							   "Member of the claims, a JSON object, that is the user's id.",
							   "With the empty string, the setting's value is the id itself.",
							   &claims_key,
							   "sub",
							   PGC_SUSET,
							   GUC_NOT_IN_SAMPLE,
							   NULL, assign_claims, NULL);
}
