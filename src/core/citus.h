/*-------------------------------------------------------------------------
 *
 * citus.h
 *	  What there is of Citus in this database, which need not be anything.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_CITUS_H
#define CNAP_CITUS_H

#include "nodes/pg_list.h"

/* What a node has answered to a command. */
typedef struct CnapNodeAnswer
{
	char	   *node;			/* its address */
	bool		success;
	char	   *result;			/* or the error */
} CnapNodeAnswer;

extern bool CnapHasCitus(void);
extern bool CnapIsDistributed(Oid relid);
extern bool CnapIsShard(Oid relid);
extern bool CnapIsCopy(Oid relid);
extern List *CnapWithoutShards(List *relids);
extern bool CnapIsCoordinator(void);
extern bool CnapIsForAnotherNode(void);
extern int	CnapBeginHereOnly(void);
extern List *CnapAskOtherNodes(const char *command);

#endif							/* CNAP_CITUS_H */
