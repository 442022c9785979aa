/*-------------------------------------------------------------------------
 *
 * managers.h
 *	  Which members of a managing organization get into a workspace.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_MANAGERS_H
#define CNAP_MANAGERS_H

#include "datatype/timestamp.h"

#include "core/compat.h"

typedef enum CnapManagers
{
	CNAP_MANAGERS_ALL,
	CNAP_MANAGERS_ASSIGNED,		/* those whom its admins have assigned */
	CNAP_MANAGERS_ACTIVATED		/* whoever has given a reason, for a time */
} CnapManagers;

/* Unless the grant says so, for how long an activation lasts at most, in hours. */
#define CNAP_DEFAULT_ACTIVATION 8

/* Who gets in, and for how long an activation lasts at most. */
typedef struct CnapManagerTerms
{
	CnapManagers managers;
	Interval	activation;		/* zero unless CNAP_MANAGERS_ACTIVATED */
} CnapManagerTerms;

/* The name of such a rule, and the other way round; false if there is none. */
extern const char *CnapManagersName(CnapManagers managers);
extern bool CnapFindManagers(const text *name, CnapManagers *managers);

/* That in a column of one of our tables. */
extern CnapManagers CnapManagersFromDatum(Datum value);

extern bool CnapSameTerms(const CnapManagerTerms *a, const CnapManagerTerms *b);

#endif							/* CNAP_MANAGERS_H */
