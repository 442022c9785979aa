/*-------------------------------------------------------------------------
 *
 * kept_column.h
 *	  Workspace columns that follow the parent's.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_KEPT_COLUMN_H
#define CNAP_KEPT_COLUMN_H

#include "protection/foreign_key.h"

extern void CnapDropKeptColumn(Oid relid);

extern AttrNumber CnapKeepColumn(List *tables, const CnapLink *link,
								 AttrNumber parent_column, const char *column);

#endif							/* CNAP_KEPT_COLUMN_H */
