/*-------------------------------------------------------------------------
 *
 * plan_kinds.c
 *	  Which users' plans are alike.
 *
 * A plan is correct whoever executes it, but it was made for the user who was
 * the current one then (planner.c).  For somebody who sees half of the table it
 * can take a thousand times as long as one of their own, and PostgreSQL keeps
 * the plans of prepared statements, and of those in functions, for all users of
 * a session.  Behind a pool that is whoever comes next.
 *
 * So each plan for the current user depends on an entry of a catalog cache that
 * does not exist: PostgreSQL takes the dependency for one on a function, whose
 * definition has changed if a message comes with that hash value.  There is one
 * such value for each workspace column and permission.  When another user
 * becomes the current one, for whom other plans would be made, we call the
 * callbacks that a message would, in this session alone.  They only mark the plans
 * as invalid, without access to catalogs, so this is possible wherever a setting
 * is assigned.  Then the next execution plans anew.  If a function had the same
 * hash value, plans that use it would be made anew as well.
 *
 * Planning for each execution would cost more than most plans gain, so users are
 * divided into a few kinds, by the number of their workspaces and by the fraction
 * of the column's rows that they see.  What kind a user is, is known once the
 * session has planned for the user.  A user of the kind for which the valid plans
 * were made goes on with them.
 *
 * The end of a user's identity invalidates nothing, as it matters little how
 * somebody without rights finds no rows.  What was kept about an access token's
 * or setting's user is compared when it is assigned.  A gateway's claims change
 * without an assignment to one of our settings, so where they are turned on, plans
 * last for one transaction.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "common/hashfn.h"
#include "nodes/plannodes.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

#include "access/plan_kinds.h"
#include "identity/claims.h"
#include "identity/generation.h"

/* A kind of users; there are two special ones. */
typedef uint16 Kind;

#define NO_PLANS 0				/* no plan is valid */
#define NOBODY 1				/* there is no current user */
#define FIRST_KIND 2

/* A workspace column, and the permission of a check. */
typedef struct Column
{
	Oid			relid;
	AttrNumber	attno;
	CnapPermission permission;
	uint32		hash;			/* on which the plans depend */
	Kind		kind;			/* for which the valid ones were made */
} Column;

/* When there are more than this, all plans are made anew. */
#define MAX_COLUMNS 256

static Column *columns = NULL;
static int	ncolumns = 0;

/* The kinds of some users, by a hash of the user and the column. */
typedef struct KnownKind
{
	uint64		user;			/* serial number; 0 if unused */
	uint16		column;
	Kind		kind;
} KnownKind;

#define KNOWN_KINDS 1024

static KnownKind *known_kinds = NULL;

static KnownKind *
known_kind(uint64 user, int column)
{
	return &known_kinds[(user * 31 + column) % KNOWN_KINDS];
}

/* Make all plans that depend on the column anew, when they are executed next. */
static void
invalidate(Column *column)
{
	if (column->kind == NO_PLANS)
		return;
	column->kind = NO_PLANS;
	CallSyscacheCallbacks(PROCOID, column->hash);
}

static void
invalidate_all(void)
{
	for (int i = 0; i < ncolumns; i++)
		invalidate(&columns[i]);
}

/*
 * Hook for changes of the identity.  The name of the user is not needed: the
 * cache tells whether it knows the user.  Limits are those of one token of one user,
 * so they stand for the user as well.
 */
static void
identity_changed(const char *user, uint64 limits)
{
	uint64		serial;

	if (ncolumns == 0 || (user != NULL && user[0] == '\0'))
		return;
	if (user == NULL)
		serial = 0;
	else
		serial = limits != 0 ? limits : CnapCachedUserSerial(user);
	for (int i = 0; i < ncolumns; i++)
	{
		KnownKind  *known = known_kind(serial, i);

		if (serial == 0 || known->user != serial || known->column != i ||
			known->kind != columns[i].kind)
			invalidate(&columns[i]);
	}
}

static void
at_transaction_end(XactEvent event, void *arg)
{
	if (ncolumns > 0 && CnapClaimsAreTurnedOn() &&
		(event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT ||
		 event == XACT_EVENT_PREPARE))
		invalidate_all();
}

/* In which class is a value?  The bounds are in descending order. */
static int
class_of(double value, const double *bounds, int nbounds)
{
	int			i = 0;

	while (i < nbounds && value < bounds[i])
		i++;
	return i;
}

static Kind
kind_of(const CnapUser *user, int set_size, double fraction)
{
	static const double sizes[] = {65537, 16385, 4097, 1025, 257, 65, 0};
	static const double fractions[] = {0.25, 0.05, 0.008, 0.0001, 0};

	if (user == NULL)
		return NOBODY;
	return FIRST_KIND +
		class_of(set_size, sizes, lengthof(sizes)) * (lengthof(fractions) + 1) +
		class_of(fraction, fractions, lengthof(fractions));
}

static int
find_column(Oid relid, AttrNumber attno, CnapPermission permission)
{
	Column	   *column;

	for (int i = 0; i < ncolumns; i++)
	{
		if (columns[i].relid == relid && columns[i].attno == attno &&
			columns[i].permission == permission)
			return i;
	}
	if (columns == NULL)
	{
		known_kinds = MemoryContextAllocZero(TopMemoryContext,
											 KNOWN_KINDS * sizeof(KnownKind));
		columns = MemoryContextAlloc(TopMemoryContext, MAX_COLUMNS * sizeof(Column));
	}
	if (ncolumns == MAX_COLUMNS)
	{
		invalidate_all();
		memset(known_kinds, 0, KNOWN_KINDS * sizeof(KnownKind));
		ncolumns = 0;
	}
	column = &columns[ncolumns];
	column->relid = relid;
	column->attno = attno;
	column->permission = permission;
	column->hash = hash_combine(hash_combine(murmurhash32(relid), attno),
								murmurhash32(permission + 1));
	column->hash = Max(column->hash, 1);	/* 0 stands for all functions */
	column->kind = NO_PLANS;
	return ncolumns++;
}

/* Let the plan that is being made depend on the column's hash. */
static void
depend_on(PlannerGlobal *glob, const Column *column)
{
	PlanInvalItem *item;
	ListCell   *lc;

	foreach(lc, glob->invalItems)
	{
		item = lfirst_node(PlanInvalItem, lc);
		if (item->cacheId == PROCOID && item->hashValue == column->hash)
			return;
	}
	item = makeNode(PlanInvalItem);
	item->cacheId = PROCOID;
	item->hashValue = column->hash;
	glob->invalItems = lappend(glob->invalItems, item);
}

void
CnapNotePlanKind(PlannerInfo *root, Oid relid, AttrNumber attno, CnapPermission permission,
				 const CnapUser *user, int set_size, double fraction)
{
	int			i = find_column(relid, attno, permission);
	Kind		kind = kind_of(user, set_size, fraction);

	/*
	 * What is known about the user may have changed since other plans were
	 * made.
	 */
	if (columns[i].kind != kind)
		invalidate(&columns[i]);
	columns[i].kind = kind;
	if (user != NULL)
	{
		uint64		serial = CnapUserSerial(user);

		*known_kind(serial, i) = (KnownKind) {serial, i, kind};
	}
	depend_on(root->glob, &columns[i]);
}

void
CnapPlanKindsInit(void)
{
	CnapIdentityHook = identity_changed;
	RegisterXactCallback(at_transaction_end, NULL);
}
