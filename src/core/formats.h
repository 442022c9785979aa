/*-------------------------------------------------------------------------
 *
 * formats.h
 *	  Formats of the values that users supply.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_FORMATS_H
#define CNAP_FORMATS_H

#include "datatype/timestamp.h"
#include "utils/jsonb.h"

#define CNAP_MAX_USER_ID 255	/* bytes */
#define CNAP_MAX_NAME 255		/* characters */
#define CNAP_MAX_SLUG 63		/* bytes */
#define CNAP_MAX_URL 2048		/* bytes */
#define CNAP_MAX_EMAIL 254		/* bytes; RFC 5321, section 4.5.3.1.3 */
#define CNAP_MAX_METADATA 65536 /* bytes, as text */
#define CNAP_ACCEPTS_ANYONE "anyone"
#define CNAP_ACCEPTS_LINKS "links"
#define CNAP_MAX_DURATION 1000	/* years */

/* Do the len bytes at str have the format? */
extern bool CnapIsUserId(const char *str, int len);
extern bool CnapIsName(const char *str, int len);
extern bool CnapIsSlug(const char *str, int len);
extern bool CnapIsHttpsUrl(const char *str, int len);
extern bool CnapIsEmail(const char *str, int len);

extern bool CnapIsBlank(const char *str, int len);
extern bool CnapIsLongName(const char *str, int len);

/* The first code point that cannot be seen, or 0. */
extern uint32 CnapInvisible(const char *str, int len);

/* Is it an object that is not too long? */
extern bool CnapIsMetadata(Jsonb *metadata);

/* Has the interval no negative field, and is it short enough to be added? */
extern bool CnapIsAge(const Interval *interval);

/* Likewise, and is it not zero? */
extern bool CnapIsDuration(const Interval *interval);

#endif							/* CNAP_FORMATS_H */
