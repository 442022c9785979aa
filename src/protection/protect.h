/*-------------------------------------------------------------------------
 *
 * protect.h
 *	  Creating and dropping our policies.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_PROTECT_H
#define CNAP_PROTECT_H

#include "protection/protection.h"

/*
 * Protect a list of tables: the first one and all that inherit from it.  The
 * caller must have connected to SPI.
 */
extern void CnapProtectTables(List *tables, const CnapChecks *checks,
							  const CnapTest *test, const CnapRequired *required);

/* Protect tables in the same way as one that they inherit from. */
extern void CnapProtectHeirs(Oid ancestor, List *heirs, const CnapChecks *checks);

/* Does a table have anything left that protecting it created? */
extern bool CnapHasRemains(Oid relid, const CnapProtection *protection);

#endif							/* CNAP_PROTECT_H */
