/*-------------------------------------------------------------------------
 *
 * token.c
 *	  The format of tokens.
 *
 * A token consists of a prefix that says what it is for, 160 bits from
 * pg_strong_random(), and a checksum of both.  It is written in lower case in
 * the base 32 alphabet of RFC 4648, whose letters and digits survive e-mail,
 * URLs, a double click and reading aloud.  The checksum (CRC-32C) allows us to
 * refuse a mistyped token without a lookup, and scanners for leaked secrets to
 * be certain of what they found.  It is no protection, since anybody can
 * compute it.
 *
 * Only the SHA-256 of a token is stored.  As 160 random bits cannot be guessed
 * from that, there is no need for a salt or a slow hash, and the hash can be
 * looked up in an index.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "port/pg_crc32c.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"

#include "core/compat.h"
#include "core/token.h"

#define RANDOM_BYTES 20

/* Each character encodes five bits. */
#define RANDOM_CHARS (RANDOM_BYTES * 8 / 5)
#define CHECKSUM_CHARS 7

static void
append_base32(StringInfo token, const uint8 *bytes, int len)
{
	static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz234567";
	uint32		bits = 0;
	int			nbits = 0;

	for (int i = 0; i < len; i++)
	{
		bits = bits << 8 | bytes[i];
		for (nbits += 8; nbits >= 5; nbits -= 5)
			appendStringInfoChar(token, alphabet[bits >> (nbits - 5) & 31]);
	}
	if (nbits > 0)
		appendStringInfoChar(token, alphabet[bits << (5 - nbits) & 31]);
}

/* Append the checksum of the token so far. */
static void
append_checksum(StringInfo token)
{
	pg_crc32c	crc;
	uint8		bytes[4];

	INIT_CRC32C(crc);
	COMP_CRC32C(crc, token->data, token->len);
	FIN_CRC32C(crc);
	for (int i = 0; i < (int) lengthof(bytes); i++)
		bytes[i] = crc >> (24 - 8 * i) & 0xFF;
	append_base32(token, bytes, lengthof(bytes));
}

static Datum
sha256(const char *data, int len)
{
	return DirectFunctionCall1(sha256_bytea,
							   PointerGetDatum(cstring_to_text_with_len(data, len)));
}

text *
CnapNewToken(const char *prefix, Datum *hash)
{
	StringInfoData token;
	uint8		bytes[RANDOM_BYTES];

	if (!pg_strong_random(bytes, sizeof(bytes)))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not generate a random token")));
	initStringInfo(&token);
	appendStringInfoString(&token, prefix);
	append_base32(&token, bytes, sizeof(bytes));
	append_checksum(&token);
	*hash = sha256(token.data, token.len);
	return cstring_to_text_with_len(token.data, token.len);
}

bool
CnapHashToken(const char *prefix, const text *token, Datum *hash)
{
	const char *given = VARDATA_ANY(token);
	int			body_len = strlen(prefix) + RANDOM_CHARS;
	int			len = body_len + CHECKSUM_CHARS;
	StringInfoData expected;
	bool		good = false;

	initStringInfo(&expected);
	if ((int) VARSIZE_ANY_EXHDR(token) == len)
	{
		appendBinaryStringInfo(&expected, given, body_len);
		append_checksum(&expected);
		good = memcmp(given, prefix, strlen(prefix)) == 0 &&
			memcmp(given, expected.data, len) == 0;
	}
	else
		appendStringInfoSpaces(&expected, len);
	*hash = sha256(expected.data, expected.len);
	return good;
}
