/*-------------------------------------------------------------------------
 *
 * validate.h
 *	  Formats of the values that users give.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_VALIDATE_H
#define CNAP_VALIDATE_H

#include "datatype/timestamp.h"

#define CNAP_MAX_USER_ID 255	/* bytes */
#define CNAP_MAX_NAME 255		/* characters */
#define CNAP_MAX_SLUG 63		/* bytes */
#define CNAP_MAX_URL 2048		/* bytes */
#define CNAP_MAX_EMAIL 254		/* bytes; RFC 5321, section 4.5.3.1.3 */
#define CNAP_MAX_DURATION 1000	/* years */

/* Whether the len bytes at str have the format. */
extern bool CnapIsUserId(const char *str, int len);
extern bool CnapIsName(const char *str, int len);
extern bool CnapIsSlug(const char *str, int len);
extern bool CnapIsHttpsUrl(const char *str, int len);
extern bool CnapIsEmail(const char *str, int len);

/* Whether an interval goes back nowhere, and is not too long to be added. */
extern bool CnapIsAge(const Interval *interval);

/* The same, and is not zero. */
extern bool CnapIsDuration(const Interval *interval);

#endif							/* CNAP_VALIDATE_H */
