/*-------------------------------------------------------------------------
 *
 * ddl_observer.c
 *	  Notes which relations a command touches.
 *
 * A relation cache callback does: PostgreSQL sends such a message for each
 * relation that has had its row, columns, policies, triggers, foreign keys or
 * heirs changed.  The command counter from the start of the command gives a
 * snapshot of what was before it.
 *
 * DDL can nest: a command executes functions or a script, which execute others.
 * What the outer one has done so far is then judged when the inner one starts,
 * and the rest from there on.  Commands that use several transactions, such as
 * DETACH PARTITION CONCURRENTLY, end the first one's observation with its
 * COMMIT; none of them takes anything away.  If an inner command is rolled back,
 * by an exception that the outer one handles, what was judged there is judged again.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_inherits.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "core/invalidation.h"
#include "protection/ddl_observer.h"
#include "protection/protection.h"

/* If a command touches more relations, all that have policies are judged, and their heirs. */
#define MAX_TOUCHED 256

/* What has been observed since the start of a command. */
typedef struct Observation
{
	bool		active;
	bool		own;			/* what is observed is a statement of ours */
	CommandId	start;			/* later commands have done it */
	int			level;			/* of the subtransaction in which it began */
	struct Observation *outer;	/* what had begun before that; NULL if nothing */
	bool		all;			/* more relations than there is room for */
	int			ntouched;
	Oid			touched[MAX_TOUCHED];
} Observation;

static Observation observed;

/* Relation cache callback: note the relation; InvalidOid stands for all. */
static void
note_relation(Oid relid)
{
	if (!observed.active || observed.all)
		return;
	for (int i = 0; i < observed.ntouched; i++)
	{
		if (observed.touched[i] == relid)
			return;
	}
	if (!OidIsValid(relid) || observed.ntouched == MAX_TOUCHED)
		observed.all = true;
	else
		observed.touched[observed.ntouched++] = relid;
}

/* The end of a transaction, or of a part of one that began after the command. */
static void
end_transaction(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE)
	{
		observed.active = false;
		observed.outer = NULL;
	}
}

/*
 * The end of a subtransaction.  One that is rolled back takes along what the guard
 * did there about an earlier part of the command around it, or the error by which it
 * refused that.  So that part is observed again, and judged once more.
 */
static void
end_subtransaction(SubXactEvent event, SubTransactionId mySubid, SubTransactionId parentSubid,
				   void *arg)
{
	int			level = GetCurrentTransactionNestLevel();
	bool		aborted = event == SUBXACT_EVENT_ABORT_SUB;
	Observation *outer = observed.outer;

	if (!observed.active || observed.level < level ||
		(!aborted && event != SUBXACT_EVENT_COMMIT_SUB))
		return;
	if (aborted)
	{
		if (outer != NULL)
			observed = *outer;
		else
			observed.active = false;
	}
	else
	{
		observed.level = level - 1;
		if (outer == NULL || outer->level < observed.level)
			return;
		observed.outer = outer->outer;
	}
	if (outer != NULL)
		pfree(outer);
}

/* Observe what follows; is it a statement of ours? */
void
CnapStartObserving(bool own)
{
	int			level = GetCurrentTransactionNestLevel();

	if (!observed.active)
		observed.outer = NULL;
	else if (observed.level < level)
	{
		Observation *outer = MemoryContextAlloc(TopTransactionContext, sizeof(Observation));

		*outer = observed;
		observed.outer = outer;
	}
	observed.level = level;
	observed.active = true;
	observed.own = own;
	observed.start = GetCurrentCommandId(false);
	observed.all = false;
	observed.ntouched = 0;
}

/*
 * Tables that are left, with all that inherit from them.  Those that have come to do so may
 * have no policies yet.
 */
static List *
with_heirs(List *tables)
{
	List	   *relations = NIL;
	ListCell   *lc;

	foreach(lc, tables)
	{
		if (SearchSysCacheExists1(RELOID, ObjectIdGetDatum(lfirst_oid(lc))))
			relations = list_concat(relations, find_all_inheritors(lfirst_oid(lc), NoLock, NULL));
	}
	list_sort(relations, list_oid_cmp);
	list_deduplicate_oid(relations);
	return relations;
}

/*
 * Register a snapshot as of the start of the command.  It sees what others have
 * committed since, but less of what we have done.
 */
Snapshot
CnapRegisterSnapshotBefore(void)
{
	Snapshot	before = RegisterSnapshot(GetLatestSnapshot());

	before->curcid = observed.start;
	return before;
}

/* The relations that may have been changed since that snapshot. */
List *
CnapTouchedRelations(Snapshot before)
{
	List	   *relations = NIL;

	if (observed.all)
		return with_heirs(CnapTablesWithPolicies(before));
	for (int i = 0; i < observed.ntouched; i++)
		relations = lappend_oid(relations, observed.touched[i]);
	return relations;
}

/* Has a command started? */
bool
CnapIsObserving(void)
{
	return observed.active;
}

/* Is what is observed a statement of ours? */
bool
CnapObservesOwn(void)
{
	return observed.own;
}

void
CnapObserverInit(void)
{
	CnapOnInvalidation(note_relation);
	RegisterXactCallback(end_transaction, NULL);
	RegisterSubXactCallback(end_subtransaction, NULL);
}
