/*-------------------------------------------------------------------------
 *
 * verify.h
 *	  Is the protection of a table enforced, whichever way it is accessed?
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_VERIFY_H
#define CNAP_VERIFY_H

#include "protection/protection.h"

extern bool CnapIsProtectedAlike(Oid relid, Oid relative, const CnapChecks *checks);
extern bool CnapIsEnforced(Oid relid, const CnapChecks *checks);
extern bool CnapIsIntact(Oid relid, const CnapChecks *checks);

#endif							/* CNAP_VERIFY_H */
