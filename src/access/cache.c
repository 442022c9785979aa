/*-------------------------------------------------------------------------
 *
 * cache.c
 *	  A session's cache of access decisions.
 *
 * A decision is what the tables say about one user and one workspace: the
 * user's ways into it.  It is made by index lookups (ways.c) and kept in a
 * hash table.  Once a user has needed many lookups, the user's whole set of
 * workspaces is loaded; from then on, a workspace that is not in the table is
 * known to be unreachable for the user, without a lookup.  If the set is too
 * large for that, the user's memberships are kept instead, if they are few.
 * Lists, samples and sizes of sets are made in reach.c.
 *
 * Everything kept is stamped with the number of events (epoch.h) just before
 * its snapshot was taken.  An event with a higher number, which may have
 * arrived while it was being read, invalidates it if it is about something that
 * it depends on (known_user.c).  Stale entries are overwritten when the same
 * check is made again, or freed together with the table.
 *
 * Every check first processes pending invalidation messages.  We cannot rely
 * on that having happened when locks were taken, because re-executing a
 * prepared statement within a transaction acquires no new locks.
 *
 * All memory is in one context below TopMemoryContext.  When something does
 * not fit into cnap.cache_size any more, the cache is emptied and starts
 * afresh.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <limits.h>

#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/tuplestore.h"

#include "access/cache.h"
#include "access/decisions.h"
#include "access/known_user.h"
#include "access/users.h"
#include "core/compat.h"
#include "core/epoch.h"
#include "core/formats.h"
#include "core/freshness.h"
#include "identity/generation.h"
#include "identity/identity.h"
#include "identity/session_token.h"

PG_FUNCTION_INFO_V1(cnap_cache_stats);

/* The largest block that our memory contexts allocate for small objects. */
#define MAX_BLOCK ALLOCSET_SMALL_MAXSIZE

/*
 * With the largest cache, in kB, the numbers of users, of decisions, and of
 * rows of a set do not overflow.
 */
#define MAX_CACHE_SIZE Min(MAX_KILOBYTES, 16 * 1024 * 1024)

static int	cache_size;			/* setting, in kB */

/* All of the following is reset together, by empty_cache(). */
static MemoryContext cache_context = NULL;
static MemoryContext user_context = NULL;	/* below it: users and their sets */
static CnapDecisions *decisions = NULL;
static CnapUsers *users = NULL;
static CnapUser *current_user_entry = NULL; /* NULL if there is none */
static uint64 current_user_as_of = 0;	/* its CnapIdentityGeneration */
static uint64 current_user_known = 0;	/* likewise, or 0 to ask again */
static bool current_user_is_session = false;	/* rests on both of these, too */
static Oid	current_user_role;	/* the session's */
static uint64 current_user_events;
static CnapUser *last_user = NULL;

/* How many users there were before the cache was emptied; never reset. */
static uint64 former_users = 0;

/*
 * Empty the cache at the next check.  This cannot be done at once, since a
 * CnapUser may be in use.
 */
static bool empty_cache_next = false;

/* Statistics of this session. */
static struct
{
	int64		hits;
	int64		misses;
	int64		denials;
	int64		without_user;
	int64		loads;
	int64		overflows;
}			stats;

/* ---- memory ---- */

static void
empty_cache(void)
{
	if (cache_context == NULL)
		cache_context = AllocSetContextCreate(TopMemoryContext,
											  "cnap_org access decisions",
											  ALLOCSET_SMALL_SIZES);
	else
	{
		if (users != NULL)
			former_users += CnapUsersCount(users);
		decisions = NULL;
		users = NULL;
		MemoryContextReset(cache_context);	/* deletes user_context */
	}
	user_context = GenerationContextCreate(cache_context, "cnap_org users",
										   ALLOCSET_SMALL_MINSIZE,
										   ALLOCSET_SMALL_INITSIZE,
										   MAX_BLOCK);
	decisions = CnapDecisionsCreate(cache_context);
	users = CnapUsersCreate(cache_context, user_context);
	current_user_entry = NULL;
	current_user_as_of = 0;
	current_user_known = 0;
	last_user = NULL;
	CnapEpochRestart();
	empty_cache_next = false;
}

/*
 * Is there room for that many more decisions and other bytes?  A memory context
 * may allocate up to a block more than it is asked for.
 */
static bool
has_room(uint64 more, Size bytes)
{
	Size		needed = CnapDecisionsGrowth(decisions, more) + bytes;

	if (needed > 0)
		needed += MAX_BLOCK;
	return MemoryContextMemAllocated(cache_context, true) + needed <= (Size) cache_size * 1024;
}

/*
 * Make room, as of the next check, for something that fits into an empty
 * cache.
 */
static void
run_out_of_room(void)
{
	if (!empty_cache_next)
		stats.overflows++;
	empty_cache_next = true;
}

/* assign_hook of cnap.cache_size */
static void
assign_cache_size(int newval, void *extra)
{
	empty_cache_next = true;
}

/* ---- users ---- */

/* Process pending invalidation messages, and make the cache usable. */
static inline void
begin_question(void)
{
	AcceptInvalidationMessages();

	/*
	 * Stamps have few bits, which must also suffice for the events that
	 * arrive during a check.
	 */
	if (unlikely(decisions == NULL || empty_cache_next ||
				 CnapCurrentEpoch.events >= CNAP_MAX_STAMP / 2))
		empty_cache();
}

static CnapUser *
get_user(const char *id, int len)
{
	CnapUser   *user = CnapUsersFind(users, id, len);

	if (user != NULL)
		return user;
	if (!CnapIsUserId(id, len))
		return NULL;

	if (CnapUsersCount(users) == CNAP_MAX_USERS || !has_room(0, CnapUsersGrowth(users)))
	{
		run_out_of_room();
		if (CnapUsersCount(users) > 0)
			empty_cache();
	}

	/* After an error, the table is not used again. */
	empty_cache_next = true;
	user = CnapUsersInsert(users, id, len);
	empty_cache_next = false;
	user->channel = CnapUserChannel(id, len);
	user->stamp = CnapCurrentEpoch.events;
	user->load_at = CNAP_FIRST_LOAD;
	CnapJudgeUser(user);
	return user;
}

/* The limits for answers about the user with that id, or NULL. */
static const CnapLimits *
limits_of(const char *id, int len)
{
	const char *current;

	if (likely(!CnapSignedInByToken()))
		return NULL;
	current = CnapCurrentUser();
	return current != NULL && (int) strlen(current) == len && memcmp(current, id, len) == 0 ?
		CnapCurrentLimits() : NULL;
}

CnapUser *
CnapGetCachedUser(const char *id, int len)
{
	begin_question();
	if (!CnapDataIsFresh())
		return NULL;
	if (last_user == NULL || !CnapHasId(last_user, id, len))
		last_user = get_user(id, len);
	if (last_user != NULL)
		last_user->limits = limits_of(id, len);
	return last_user;
}

/*
 * Ask who the current user is, and remember what that rests on.  Events that arrive
 * meanwhile may have come too late for the answer.
 */
static void
find_current_user(void)
{
	uint64		events = CnapCurrentEpoch.total;
	CnapIdentityBasis basis;
	const char *id = CnapFindCurrentUser(&basis);

	/* Where it is asked again, another user need not mean another number. */
	if (id == NULL)
		current_user_entry = NULL;
	else if (current_user_entry == NULL ||
			 current_user_as_of != CnapIdentityGeneration ||
			 !CnapHasId(current_user_entry, id, strlen(id)))
		current_user_entry = get_user(id, strlen(id));
	if (current_user_entry != NULL)
		current_user_entry->limits = CnapCurrentLimits();
	current_user_as_of = CnapIdentityGeneration;
	current_user_known = basis == CNAP_BY_NOTHING ? 0 : CnapIdentityGeneration;
	current_user_is_session = basis == CNAP_BY_SESSION;
	current_user_role = GetSessionUserId();
	current_user_events = events;
}

/*
 * This, all_ways() and allows() are inlined into CnapAllowsCurrentUser(), which
 * is called for each row.  A compiler does not do that with the functions that
 * other files call, since a shared library's symbols can be interposed.
 */
static inline CnapUser *
get_current_user(void)
{
	begin_question();
	if (unlikely(!CnapDataIsFresh()) ||
		(unlikely(InSecurityRestrictedOperation()) && CnapIsUnasked()))
	{
		stats.without_user++;
		return NULL;
	}
	if (unlikely(current_user_known != CnapIdentityGeneration) ||
		(unlikely(current_user_is_session) &&
		 (current_user_role != GetSessionUserId() || current_user_events != CnapCurrentEpoch.total)))
		find_current_user();
	if (unlikely(current_user_entry == NULL))
		stats.without_user++;
	return current_user_entry;
}

CnapUser *
CnapGetCurrentCachedUser(void)
{
	return get_current_user();
}

/* A number that no other user of this session ever has; not 0. */
static uint64
serial_of(const CnapUser *user)
{
	return former_users + user->number + 1;
}

uint64
CnapCachedUserSerial(const char *id)
{
	const CnapUser *user = users != NULL && !empty_cache_next ?
		CnapUsersFind(users, id, strlen(id)) : NULL;

	return user != NULL ? serial_of(user) : 0;
}

const CnapLimits *
CnapUserLimits(const CnapUser *user)
{
	return user->limits;
}

uint64
CnapUserSerial(const CnapUser *user)
{
	return user->limits != NULL ? user->limits->serial : serial_of(user);
}

/* ---- decisions ---- */

/* Find a decision that is still valid, or return NULL. */
static inline CnapDecision *
find_decision(const CnapUser *user, const pg_uuid_t *workspace)
{
	CnapDecision *decision = CnapDecisionsFind(decisions, workspace, user->number);

	return decision != NULL && likely(CnapDecisionIsValid(user, decision)) ? decision : NULL;
}

const CnapDecision *
CnapKeptDecision(const CnapUser *user, const pg_uuid_t *workspace)
{
	return find_decision(user, workspace);
}

/*
 * Keep a decision that was read as of the stamp; the caller has checked that
 * there is room.  If something changed while it was being read, its stamp
 * makes it invalid from the start.
 */
static void
keep_decision(const CnapUser *user, const pg_uuid_t *workspace,
			  CnapWays ways, TimestampTz managed_until, uint32 stamp)
{
	CnapDecision *decision = CnapDecisionsInsert(decisions, workspace, user->number);

	decision->stamp = stamp;
	decision->ways = ways;
	decision->managed_until = managed_until;
}

/* What is known about the user's set, which there is room for. */
static CnapKnownSet *
known_set(CnapUser *user)
{
	if (user->known == NULL)
	{
		user->known = MemoryContextAllocZero(user_context, sizeof(CnapKnownSet));
		user->known->norganizations = -1;
	}
	return user->known;
}

/*
 * Keep the memberships of a user whose set is too large, if there is room.  If
 * something changed while they were being read, the user's stamp is too old.
 */
static void
keep_memberships(CnapUser *user, const CnapMemberships *memberships)
{
	Size		size = CnapMembershipsSize(memberships);
	CnapKnownSet *known = user->known;

	known->has_memberships = false;
	if (!has_room(0, size))
		return;
	known->memberships = known->memberships == NULL ?
		MemoryContextAllocHuge(user_context, size) :
		repalloc_huge(known->memberships, size);
	memcpy(known->memberships, memberships, size);
	known->has_memberships = true;
}

/* Keep a set that was read as of the stamp, for which there is room. */
static void
keep_set(CnapUser *user, const CnapReach *items, int count, uint32 stamp)
{
	CnapKnownSet *known = user->known;

	known->loaded = false;
	known->has_memberships = false;
	if (known->allocated < count)
	{
		if (known->workspaces != NULL)
			pfree(known->workspaces);
		known->workspaces = NULL;
		known->allocated = 0;
		known->workspaces = MemoryContextAllocHuge(user_context, count * sizeof(pg_uuid_t));
		known->allocated = count;
	}
	known->size = count;
	CnapDecisionsReserve(decisions, count);
	for (int i = 0; i < count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		known->workspaces[i] = items[i].workspace;
		keep_decision(user, &items[i].workspace, items[i].ways,
					  items[i].managed_until, stamp);
	}
	user->stamp = stamp;
	known->loaded = true;
	known->at_least = 0;
}

bool
CnapLoadSet(CnapUser *user, uint64 max_rows)
{
	uint64		fitting = (uint64) cache_size * 1024 / sizeof(CnapDecision);
	uint32		stamp = CnapCurrentEpoch.events;
	text	   *id = CnapUserText(user);
	int			count = 0;
	CnapMemberships *memberships;
	CnapReach  *items = CnapFindReach(id, Min(max_rows, fitting), &count, &memberships);
	Size		set_space = count * sizeof(pg_uuid_t);
	Size		other_space = sizeof(CnapKnownSet) + CNAP_MAX_ORGANIZATIONS * sizeof(uint16);

	stats.loads++;
	if (CnapEpochMayKeep())
	{
		CnapKnownSet *known = NULL;

		if (has_room(0, other_space))
		{
			known = known_set(user);
			CnapKeepOrganizations(user, memberships, user_context);
		}
		if (known == NULL)
			run_out_of_room();
		else if (items != NULL && has_room(count, set_space))
			keep_set(user, items, count, stamp);
		else
		{
			if (items == NULL)
				known->at_least = max_rows < fitting ?
					Max(known->at_least, (int) max_rows) : CNAP_TOO_LARGE;
			else if (CnapDecisionsSpace(count) + set_space < (Size) cache_size * 1024 / 2 &&
					 decisions->members > 0)
				run_out_of_room();
			else
				known->at_least = CNAP_TOO_LARGE;
			if (memberships != NULL)
				keep_memberships(user, memberships);
		}
	}
	CnapJudgeUser(user);

	pfree(id);
	if (items != NULL)
		pfree(items);
	if (memberships != NULL)
		pfree(memberships);
	return user->complete;
}

/* Is an attempt due to load the user's set, reading that many rows? */
static bool
is_load_due(const CnapUser *user, uint64 max_rows)
{
	return user->lookups >= user->load_at &&
		(user->known == NULL ||
		 (user->known->at_least < CNAP_TOO_LARGE &&
		  2 * (uint64) user->known->at_least <= max_rows));
}

/*
 * Find the user's ways into a workspace that the cache does not know about.
 * Inlining this would make a check save more registers.
 */
static pg_noinline CnapWays
look_up(CnapUser *user, const pg_uuid_t *workspace)
{
	uint64		max_rows;
	uint32		stamp;
	CnapAccess	access;
	text	   *id;

	stats.misses++;
	CnapRefreshUser(user);
	user->lookups++;
	max_rows = (uint64) user->lookups *
		(CnapKnownMembershipsOf(user) != NULL ? CNAP_LOAD_ROWS_OF_CHEAP : CNAP_LOAD_ROWS);
	if (is_load_due(user, max_rows))
	{
		if (CnapLoadSet(user, max_rows))
		{
			CnapDecision *decision = find_decision(user, workspace);

			return decision == NULL ? 0 :
				CnapWaysNow(decision->ways, decision->managed_until);
		}
		user->load_at = user->lookups * 2;
	}

	stamp = CnapCurrentEpoch.events;
	id = CnapUserText(user);
	access = CnapFindAccess(id, workspace, CnapKnownMembershipsOf(user));
	pfree(id);
	if (access.exists && CnapEpochMayKeep())
	{
		if (has_room(1, 0))
			keep_decision(user, workspace, access.ways, access.managed_until, stamp);
		else
			run_out_of_room();
	}
	return CnapWaysNow(access.ways, access.managed_until);
}

static inline CnapWays
all_ways(CnapUser *user, const pg_uuid_t *workspace)
{
	CnapDecision *decision;

	if (unlikely(user->judged_at != CnapCurrentEpoch.events))
		CnapJudgeUser(user);
	decision = find_decision(user, workspace);
	if (likely(decision != NULL))
	{
		stats.hits++;
		return CnapWaysNow(decision->ways, decision->managed_until);
	}
	if (user->complete)
	{
		stats.hits++;
		return 0;
	}
	return look_up(user, workspace);
}

CnapRole
CnapUserRole(CnapUser *user, const pg_uuid_t *workspace)
{
	const CnapLimits *limits = user->limits;

	if (limits == NULL)
		return CnapWaysRole(all_ways(user, workspace));
	return CnapLimitsInclude(limits, workspace) ?
		CnapLimitedRole(all_ways(user, workspace), limits->permissions) : CNAP_ROLE_NONE;
}

/* Nothing is asked of permission.c where the user has no way in at all. */
static inline bool
allows(CnapUser *user, const pg_uuid_t *workspace, CnapPermission permission)
{
	bool		result;

	if (unlikely(user->limits != NULL) &&
		!CnapLimitsAllow(user->limits, workspace, permission))
	{
		stats.hits++;
		result = false;
	}
	else
	{
		CnapWays	ways = all_ways(user, workspace);

		result = ways != CNAP_NO_WAY && CnapWaysAllow(ways, permission);
	}
	stats.denials += !result;
	return result;
}

bool
CnapAllows(CnapUser *user, const pg_uuid_t *workspace, CnapPermission permission)
{
	return allows(user, workspace, permission);
}

bool
CnapAllowsCurrentUser(const pg_uuid_t *workspace, CnapPermission permission)
{
	CnapUser   *user = get_current_user();

	return user != NULL && allows(user, workspace, permission);
}

/* ---- settings and statistics ---- */

void
CnapCacheInit(void)
{
	DefineCustomIntVariable("cnap.cache_size",
							"Memory for the access decisions that a session keeps.",
							"If it is too small for a statement, decisions are looked up again.",
							&cache_size,
							32 * 1024,
							64,
							MAX_CACHE_SIZE,
							PGC_USERSET,
							GUC_UNIT_KB | GUC_NOT_IN_SAMPLE | GUC_ALLOW_IN_PARALLEL,
							NULL, assign_cache_size, NULL);
}

void
CnapCacheCounters(CnapCounters *counters)
{
	counters->count[CNAP_CHECKS] = stats.hits + stats.misses;
	counters->count[CNAP_DENIALS] = stats.denials;
	counters->count[CNAP_WITHOUT_USER] = stats.without_user;
	counters->count[CNAP_LOOKUPS] = stats.misses;
	counters->count[CNAP_LOADS] = stats.loads;
	counters->count[CNAP_FLUSHES] = CnapCurrentEpoch.changes + stats.overflows;
}

/*
 * cnap_cache_stats() -> one row (hits, misses, loads, flushes, entries, bytes)
 */
Datum
cnap_cache_stats(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	int64		entries = 0;
	uint64		place = 0;
	CnapUser  **by_number;
	CnapDecision *decision;
	Datum		values[6];
	bool		nulls[6] = {false};

	InitMaterializedSRF(fcinfo, 0);
	begin_question();
	by_number = CnapUsersByNumber(users);
	for (uint32 i = 0; i < CnapUsersCount(users); i++)
		CnapJudgeUser(by_number[i]);
	while ((decision = CnapDecisionsNext(decisions, &place)) != NULL)
		entries += CnapDecisionIsValid(by_number[decision->user], decision);
	pfree(by_number);

	values[0] = Int64GetDatum(stats.hits);
	values[1] = Int64GetDatum(stats.misses);
	values[2] = Int64GetDatum(stats.loads);
	values[3] = Int64GetDatum(CnapCurrentEpoch.changes + stats.overflows);
	values[4] = Int64GetDatum(entries);
	values[5] = Int64GetDatum((int64) MemoryContextMemAllocated(cache_context, true));
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	return (Datum) 0;
}
