/*-------------------------------------------------------------------------
 *
 * managers.c
 *	  Which members of a managing organization get into a workspace.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"

#include "core/managers.h"

static const char *const names[] = {
	[CNAP_MANAGERS_ALL] = "all",
	[CNAP_MANAGERS_ASSIGNED] = "assigned",
	[CNAP_MANAGERS_ACTIVATED] = "activated",
};

const char *
CnapManagersName(CnapManagers managers)
{
	return names[managers];
}

bool
CnapFindManagers(const text *name, CnapManagers *managers)
{
	for (int i = 0; i < (int) lengthof(names); i++)
	{
		if (VARSIZE_ANY_EXHDR(name) == strlen(names[i]) &&
			memcmp(VARDATA_ANY(name), names[i], strlen(names[i])) == 0)
		{
			*managers = i;
			return true;
		}
	}
	return false;
}

/* The tables' constraints admit no other name; one would let in nobody. */
CnapManagers
CnapManagersFromDatum(Datum value)
{
	CnapManagers managers = CNAP_MANAGERS_ASSIGNED;

	(void) CnapFindManagers(DatumGetTextPP(value), &managers);
	return managers;
}

bool
CnapSameTerms(const CnapManagerTerms *a, const CnapManagerTerms *b)
{
	return a->managers == b->managers &&
		(a->managers != CNAP_MANAGERS_ACTIVATED ||
		 (a->activation.month == b->activation.month &&
		  a->activation.day == b->activation.day &&
		  a->activation.time == b->activation.time));
}
