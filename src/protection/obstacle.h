/*-------------------------------------------------------------------------
 *
 * obstacle.h
 *	  What prevents a table from having a workspace column that follows its
 *	  parent's.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_OBSTACLE_H
#define CNAP_OBSTACLE_H

#include "protection/foreign_key.h"

/* An obstacle: the reason for a plan, and the error for whoever tries. */
typedef struct CnapObstacle
{
	const char *reason;
	int			sqlerrcode;
	char	   *message;
	char	   *detail;			/* NULL for none */
	char	   *hint;			/* likewise */
} CnapObstacle;

/* Can workspace columns of children follow this one? */
extern bool CnapCanBeFollowed(Oid relid, AttrNumber column);

/* Return whether there is an obstacle, of the parent and its column, or any other. */
extern bool CnapFindParentObstacle(Oid relid, const CnapLink *link, AttrNumber parent_column,
								   CnapObstacle *obstacle);
extern bool CnapFindColumnObstacle(Oid relid, const CnapLink *link, const char *column,
								   CnapObstacle *obstacle);
pg_noreturn extern void CnapRaiseObstacle(const CnapObstacle *obstacle);

#endif							/* CNAP_OBSTACLE_H */
