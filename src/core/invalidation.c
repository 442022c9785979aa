/*-------------------------------------------------------------------------
 *
 * invalidation.c
 *	  One relation cache callback for all that need one.
 *
 * PostgreSQL has room for ten relation cache callbacks in a process, and ends it
 * when there are more.  Its own parts take up to five, and another library, as
 * Citus, as many.  So of us, there is only one.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/inval.h"

#include "core/invalidation.h"

static CnapRelationCallback callbacks[4];
static int	ncallbacks = 0;

/* Relation cache callback */
static void
relation_invalidated(Datum arg, Oid relid)
{
	for (int i = 0; i < ncallbacks; i++)
		callbacks[i] (relid);
}

/* Have a function called for each message of the relation cache. */
void
CnapOnInvalidation(CnapRelationCallback callback)
{
	if (ncallbacks == lengthof(callbacks))
		elog(FATAL, "out of invalidation callbacks");
	if (ncallbacks == 0)
		CacheRegisterRelcacheCallback(relation_invalidated, (Datum) 0);
	callbacks[ncallbacks++] = callback;
}
