/*-------------------------------------------------------------------------
 *
 * keeper.h
 *	  What keeps workspace columns equal to the parents', as the catalogs say.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_KEEPER_H
#define CNAP_KEEPER_H

#include "protection/foreign_key.h"

/*
 * Prefix of the names of constraints that we create, and therefore may drop.
 * PostgreSQL's own choice of a name begins with that of the table, which may
 * have the same prefix.
 */
#define CNAP_CONSTRAINT_PREFIX "cnap"

/* What keeps a table's workspace column equal to its parent's. */
typedef struct CnapKeeper
{
	char	   *trigger;		/* its name */
	bool		is_clone;		/* cloned from a partitioned table */
	char		enabled;		/* pg_trigger.tgenabled */
	AttrNumber	column;			/* 0 if the foreign key is missing */
	AttrNumber	parent_column;
	CnapLink	link;			/* without these columns */
	Oid			constraint;		/* the foreign key with these columns */
} CnapKeeper;

extern bool CnapIsOwnConstraint(Oid constraint);
extern bool CnapFindKeeperAsOf(Oid relid, Snapshot snapshot, CnapKeeper *keeper);
extern bool CnapFindKeeper(Oid relid, CnapKeeper *keeper);
extern List *CnapKeptChildren(Oid parent);
extern List *CnapForeignKeys(Oid relid);
extern Oid	CnapHeirWithoutKey(Oid relid, const CnapLink *link);

#endif							/* CNAP_KEEPER_H */
