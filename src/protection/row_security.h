/*-------------------------------------------------------------------------
 *
 * row_security.h
 *	  Row-level security of a table as it was before it was protected.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_ROW_SECURITY_H
#define CNAP_ROW_SECURITY_H

#include "protection/protection.h"

typedef struct CnapRowSecurity
{
	bool		enabled;
	bool		forced;
	List	   *policies;		/* names of the table's own */
} CnapRowSecurity;

extern void CnapPresentRowSecurity(Oid relid, const CnapProtection *protection,
								   CnapRowSecurity *present);
extern bool CnapRecordedRowSecurity(Oid relid, const CnapProtection *protection,
									CnapRowSecurity *before);
extern void CnapRecordRowSecurity(Oid relid, const char *policy,
								  const CnapRowSecurity *before);
extern void CnapRestoreRowSecurity(Oid relid, const CnapProtection *former,
								   const CnapRowSecurity *before);

#endif							/* CNAP_ROW_SECURITY_H */
