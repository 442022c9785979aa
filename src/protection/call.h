/*-------------------------------------------------------------------------
 *
 * call.h
 *	  The calls of public functions that protect a table.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_CALL_H
#define CNAP_CALL_H

#include "protection/verify.h"

extern char *CnapFormatCall(const CnapChecks *checks, const char *function, int nargs,
							const char *const *args, const char *const *types);
extern AttrNumber CnapNamingColumn(List *links, const CnapLink *link);
extern char *CnapColumnCall(Oid relid, const CnapChecks *checks, const char *column,
							const CnapRequired *required);
extern char *CnapParentCall(Oid relid, const CnapChecks *checks, const char *key,
							const char *column);
extern char *CnapCallAgain(Oid relid, const CnapChecks *checks, const CnapRequired *otherwise);
extern char *CnapRemedyStatement(Oid relid, const CnapReason *reason, const CnapChecks *checks);

#endif							/* CNAP_CALL_H */
