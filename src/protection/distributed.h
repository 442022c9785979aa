/*-------------------------------------------------------------------------
 *
 * distributed.h
 *	  What is different for the distributed tables of Citus.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_DISTRIBUTED_H
#define CNAP_DISTRIBUTED_H

#include "protection/protection.h"

extern bool CnapIsOpenOnWorkers(Oid relid, const CnapProtection *protection);
extern char *CnapFindDistributedObstacle(Oid relid, const CnapChecks *checks);
extern void CnapCheckOpenOnWorkers(Oid relid, const CnapProtection *protection);
extern void CnapRefuseDistributedChild(Oid relid);

/* What to do instead, as a hint and as a reason */
#define CNAP_DISTRIBUTE_BY_WORKSPACE "distribute the table by its workspace column and use cnap_protect()"

#endif							/* CNAP_DISTRIBUTED_H */
