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

/* The reason why a table cannot have such a column; NULL if there is none. */
extern const char *CnapFindColumnObstacle(Oid relid, const CnapLink *link,
										  const char *column);
extern AttrNumber CnapKeepColumn(List *tables, const CnapLink *link,
								 AttrNumber parent_column, const char *column);

#endif							/* CNAP_KEPT_COLUMN_H */
