/*-------------------------------------------------------------------------
 *
 * ddl_observer.h
 *	  Notes which relations a command touches.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_DDL_OBSERVER_H
#define CNAP_DDL_OBSERVER_H

#include "nodes/pg_list.h"
#include "utils/snapshot.h"

/* Begin anew with what follows, which is a statement of our own or not. */
extern void CnapStartObserving(bool own);
extern bool CnapIsObserving(void);
extern bool CnapObservesOwn(void);

/* A registered snapshot from before what is observed. */
extern Snapshot CnapRegisterSnapshotBefore(void);

/* Oids of the relations touched since; some may have been dropped, or not be changed. */
extern List *CnapTouchedRelations(Snapshot before);

/* Register the callbacks. */
extern void CnapObserverInit(void);

#endif							/* CNAP_DDL_OBSERVER_H */
