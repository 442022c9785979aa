/*-------------------------------------------------------------------------
 *
 * distributed.c
 *	  What is different for the distributed tables of Citus.
 *
 * Citus copies policies to its workers, but not the word RESTRICTIVE (seen with
 * 13.2): there, any other policy opens the table, whether it was meant to permit
 * or to restrict.  Citus accepts neither policies that read other tables nor
 * triggers, so a table cannot be protected through a parent.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_inherits.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "core/citus.h"
#include "core/relation.h"
#include "protection/distributed.h"

/* Do policies other than ours open a table on the workers? */
bool
CnapIsOpenOnWorkers(Oid relid, const CnapProtection *protection)
{
	return protection->others != NIL && CnapIsDistributed(relid);
}

/*
 * The reason why a table, or one that inherits from it, cannot be protected by a
 * workspace column where it is distributed; NULL if there is none.
 */
char *
CnapFindDistributedObstacle(Oid relid, const CnapChecks *checks)
{
	List	   *tables = CnapHasCitus() ? find_all_inheritors(relid, NoLock, NULL) : NIL;
	ListCell   *lc;

	foreach(lc, tables)
	{
		CnapProtection protection;

		CnapReadProtection(lfirst_oid(lc), checks, &protection);
		if (CnapIsOpenOnWorkers(lfirst_oid(lc), &protection))
			return psprintf("%s is distributed, and has policies of its own, which would open it on the workers of Citus",
							CnapQualifiedName(lfirst_oid(lc)));
	}
	return NULL;
}

/* Raise an error if policies other than ours open a table on the workers. */
void
CnapCheckOpenOnWorkers(Oid relid, const CnapProtection *protection)
{
	if (CnapIsOpenOnWorkers(relid, protection))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("\"%s\" is distributed, and has policies of its own", get_rel_name(relid)),
				 errdetail("Citus does not copy the word RESTRICTIVE to its workers, so these would open the table there, also those that restrict."),
				 errhint("Drop them first.")));
}

/* Raise an error if a table that is to be protected through a parent is distributed. */
void
CnapRefuseDistributedChild(Oid relid)
{
	if (CnapIsDistributed(relid))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("\"%s\" is distributed: " CNAP_DISTRIBUTE_BY_WORKSPACE, get_rel_name(relid)),
				 errdetail("Citus supports neither policies that read other tables nor triggers on distributed tables.")));
}
