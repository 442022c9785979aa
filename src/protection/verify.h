/*-------------------------------------------------------------------------
 *
 * verify.h
 *	  Is the protection of a table enforced, whichever way it is accessed, and
 *	  if not, why?
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_VERIFY_H
#define CNAP_VERIFY_H

#include "protection/protection.h"

/* What closes a gap. */
typedef enum CnapRemedy
{
	CNAP_NO_REMEDY,
	CNAP_PROTECT_AGAIN,			/* protecting the topmost table again */
	CNAP_FORCE,					/* ALTER TABLE, for the table itself */
	CNAP_PROTECT_HEIR,			/* the topmost table, or else the heir */
	CNAP_AGREE					/* what makes a table agree with all others */
} CnapRemedy;

/* A reason why the protection of a table is not as it should be. */
typedef struct CnapReason
{
	const char *severity;		/* of the linter's finding */
	bool		breaks;			/* the table's protection is not enforced */
	const char *rule;			/* of the linter; NULL if it has others */
	char	   *text;
	CnapRemedy	remedy;
	Oid			other;			/* the table that it is about as well */
} CnapReason;

extern List *CnapFindReasons(Oid relid, const CnapChecks *checks);
extern bool CnapIsProtectedAlike(Oid relid, Oid relative, const CnapChecks *checks);
extern bool CnapIsEnforced(Oid relid, const CnapChecks *checks);
extern bool CnapIsIntact(Oid relid, const CnapChecks *checks);
extern bool CnapRequiresMore(const CnapRequired *a, const CnapRequired *b);
extern List *CnapTopmostTables(Oid relid, const CnapChecks *checks);
extern Oid	CnapTopmost(Oid relid, const CnapChecks *checks);

#endif							/* CNAP_VERIFY_H */
