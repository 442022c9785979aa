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
 *
 * Everything kept is stamped with the number of events (signals.h) just before
 * its snapshot was taken.  An event with a higher number, which may have
 * arrived while it was being read, invalidates it if the event is a general
 * change or concerns the user.  The creation of a workspace makes sets
 * incomplete, and does nothing else, since the nonexistence of a workspace is
 * never cached.  Stale entries are overwritten when the same check is made
 * again, or freed together with the table.
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

#include "common/hashfn.h"
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
#include "core/compat.h"
#include "core/epoch.h"
#include "core/formats.h"
#include "identity/generation.h"
#include "identity/identity.h"

PG_FUNCTION_INFO_V1(cnap_cache_stats);

/*
 * A user's set is loaded once FIRST_LOAD lookups have been needed, reading at
 * most LOAD_ROWS rows for each lookup so far.  If that is not enough, the next
 * attempt is made after twice as many lookups.  So the cost of loading is
 * limited to a constant factor of the cost of the lookups, however large the
 * set is.  Once the user's memberships are known, lookups are cheaper, and
 * count as LOAD_ROWS_OF_CHEAP rows.  An attempt that would read less than twice
 * what is known to be too little is put off.
 */
#define FIRST_LOAD 8
#define LOAD_ROWS 8
#define LOAD_ROWS_OF_CHEAP 2

/* Special value of at_least: the set does not fit into the cache. */
#define TOO_LARGE PG_INT32_MAX

struct CnapUser
{
	uint32		number;			/* in decisions; the low bits are the channel */
	uint64		serial;			/* never reused */
	int			id_len;
	uint32		stamp;			/* of the fields below */
	uint32		lookups;		/* needed since the last change */
	uint32		load_at;		/* number of lookups at which to load the set */
	bool		loaded;			/* the set is complete */
	bool		has_memberships;
	int			set_size;
	int			set_allocated;
	int			at_least;		/* the set is known to have more rows than this */
	pg_uuid_t  *set;			/* sorted */
	CnapMemberships *memberships;	/* valid if has_memberships */
	char		id[FLEXIBLE_ARRAY_MEMBER];
};

typedef struct UserKey
{
	const char *id;				/* in an entry, points into its user */
	int			len;
	uint32		hash;
} UserKey;

typedef struct UserEntry
{
	UserKey		key;
	CnapUser   *user;
	char		status;
} UserEntry;

static inline bool
equal_users(UserKey a, UserKey b)
{
	return a.hash == b.hash && a.len == b.len && memcmp(a.id, b.id, a.len) == 0;
}

#define SH_PREFIX users
#define SH_ELEMENT_TYPE UserEntry
#define SH_KEY_TYPE UserKey
#define SH_KEY key
#define SH_HASH_KEY(table, key) ((key).hash)
#define SH_EQUAL(table, a, b) equal_users(a, b)
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

#define INITIAL_USERS 16

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
static users_hash *users = NULL;
static uint32 next_user = 0;
static CnapUser *current_user_entry = NULL;	/* NULL if there is none */
static uint64 current_user_as_of = 0;	/* its CnapIdentityGeneration */
static uint64 current_user_known = 0;	/* likewise, or 0 if not fixed */
static CnapUser *last_user = NULL;

static uint64 last_serial = 0;	/* of users; never reset */

/*
 * Empty the cache at the next check.  This cannot be done at once, since a
 * CnapUser may be in use.
 */
static bool empty_cache_next = false;

/* Statistics of this session, for cnap_cache_stats(). */
static struct
{
	int64		hits;
	int64		misses;
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
		MemoryContextReset(cache_context);	/* deletes user_context */
	user_context = GenerationContextCreate(cache_context, "cnap_org users",
										   ALLOCSET_SMALL_MINSIZE,
										   ALLOCSET_SMALL_INITSIZE,
										   MAX_BLOCK);
	decisions = CnapDecisionsCreate(cache_context);
	users = users_create(cache_context, INITIAL_USERS, NULL);
	next_user = 0;
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
	 * Stamps have few bits, which must also suffice for the events that arrive
	 * during a check.
	 */
	if (unlikely(decisions == NULL || empty_cache_next ||
				 CnapCurrentEpoch.events >= CNAP_MAX_STAMP / 2))
		empty_cache();
}

static CnapUser *
get_user(const char *id, int len)
{
	UserKey		key = {id, len, hash_bytes((const unsigned char *) id, len)};
	UserEntry  *entry = users_lookup(users, key);
	CnapUser   *user;
	bool		found;

	if (entry != NULL)
		return entry->user;
	if (!CnapIsUserId(id, len))
		return NULL;

	if (!has_room(0, 2 * users->size * sizeof(UserEntry) + sizeof(CnapUser) + len))
	{
		run_out_of_room();
		if (next_user > 0)
			empty_cache();
	}
	user = MemoryContextAllocZero(user_context, offsetof(CnapUser, id) + len);
	user->number = next_user++ * CNAP_USER_CHANNELS + CnapUserChannel(id, len);
	user->serial = ++last_serial;
	user->id_len = len;
	memcpy(user->id, id, len);
	user->stamp = CnapCurrentEpoch.events;
	user->load_at = FIRST_LOAD;

	/*
	 * If there is not enough memory for the table to grow, simplehash of
	 * PostgreSQL 15 leaves it in disorder, and it must not be used again.
	 */
	key.id = user->id;
	empty_cache_next = true;
	entry = users_insert(users, key, &found);
	empty_cache_next = false;
	entry->user = user;
	return user;
}

CnapUser *
CnapGetCachedUser(const char *id, int len)
{
	begin_question();
	if (last_user == NULL || last_user->id_len != len ||
		memcmp(last_user->id, id, len) != 0)
		last_user = get_user(id, len);
	return last_user;
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
	if (unlikely(current_user_known != CnapIdentityGeneration))
	{
		bool		is_fixed;
		const char *id = CnapFindCurrentUser(&is_fixed);

		if (current_user_as_of != CnapIdentityGeneration)
			current_user_entry = NULL;
		if (id == NULL)
			current_user_entry = NULL;
		else if (current_user_entry == NULL)
			current_user_entry = get_user(id, strlen(id));
		current_user_as_of = CnapIdentityGeneration;
		current_user_known = is_fixed ? CnapIdentityGeneration : 0;
	}
	return current_user_entry;
}

CnapUser *
CnapGetCurrentCachedUser(void)
{
	return get_current_user();
}

uint64
CnapUserSerial(const CnapUser *user)
{
	return user->serial;
}

/* ---- decisions ---- */

/*
 * The last event that invalidated what was known about the user with that
 * number.
 */
static inline uint32
last_change(uint32 number)
{
	return Max(CnapCurrentEpoch.change,
			   CnapCurrentEpoch.user[number % CNAP_USER_CHANNELS]);
}

/* Is the user's set complete, so that absence from it means no access? */
static inline bool
is_complete(const CnapUser *user)
{
	return user->loaded && user->stamp >= last_change(user->number) &&
		user->stamp >= CnapCurrentEpoch.workspace;
}

/* Find a decision that is still valid, or return NULL. */
static inline CnapDecision *
find_decision(const CnapUser *user, const pg_uuid_t *workspace)
{
	CnapDecision *decision = CnapDecisionsFind(decisions, workspace, user->number);

	if (decision != NULL && decision->stamp >= last_change(user->number))
		return decision;
	return NULL;
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

/* The user's id, allocated in the caller's context. */
static text *
user_text(const CnapUser *user)
{
	return cstring_to_text_with_len(user->id, user->id_len);
}

/*
 * Keep the memberships of a user whose set is too large, if there is room.  If
 * something changed while they were being read, the user's stamp is too old.
 */
static void
keep_memberships(CnapUser *user, const CnapMemberships *memberships)
{
	Size		size = CnapMembershipsSize(memberships);

	user->has_memberships = false;
	if (!has_room(0, size))
		return;
	CnapEpochNoteLoad();
	user->memberships = user->memberships == NULL ?
		MemoryContextAllocHuge(user_context, size) :
		repalloc_huge(user->memberships, size);
	memcpy(user->memberships, memberships, size);
	user->has_memberships = true;
}

/* The user's memberships, if they are known and still valid, or NULL. */
static const CnapMemberships *
known_memberships(const CnapUser *user)
{
	return user->has_memberships && user->stamp >= last_change(user->number) ?
		user->memberships : NULL;
}

/*
 * Bring the user's own count of lookups up to date.  After a change it starts
 * from zero.  A set that a new workspace has made incomplete is reloaded as
 * soon as that costs no more than the lookups that were made in its place.
 */
static void
refresh_user(CnapUser *user)
{
	if (user->stamp < last_change(user->number))
	{
		user->loaded = false;
		user->has_memberships = false;
		user->at_least = 0;
		user->lookups = 0;
		user->load_at = FIRST_LOAD;
		user->stamp = CnapCurrentEpoch.events;
	}
	else if (user->loaded && !is_complete(user))
	{
		user->loaded = false;
		user->lookups = 0;
		user->load_at = 1 + user->set_size / LOAD_ROWS;
		user->stamp = CnapCurrentEpoch.events;
	}
}

/* Keep a set that was read as of the stamp, for which there is room. */
static void
keep_set(CnapUser *user, const CnapReach *items, int count, uint32 stamp)
{
	CnapEpochNoteLoad();
	user->has_memberships = false;
	if (user->set_allocated < count)
	{
		if (user->set != NULL)
			pfree(user->set);
		user->set = NULL;
		user->set_allocated = 0;
		user->set = MemoryContextAllocHuge(user_context, count * sizeof(pg_uuid_t));
		user->set_allocated = count;
	}
	user->set_size = count;
	CnapDecisionsReserve(decisions, count);
	for (int i = 0; i < count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		user->set[i] = items[i].workspace;
		keep_decision(user, &items[i].workspace, items[i].ways,
					  items[i].managed_until, stamp);
	}
	user->stamp = stamp;
	user->loaded = true;
	user->at_least = 0;
}

/*
 * Load the user's set, unless that requires reading more than max_rows rows,
 * or more memory than is available.  Returns whether the set is complete now.
 * If it was not loaded, at least the user's memberships may be known.
 */
static bool
load_set(CnapUser *user, uint64 max_rows)
{
	uint64		fitting = (uint64) cache_size * 1024 / sizeof(CnapDecision);
	uint32		stamp = CnapCurrentEpoch.events;
	text	   *id = user_text(user);
	int			count = 0;
	CnapMemberships *memberships;
	CnapReach  *items = CnapFindReach(id, Min(max_rows, fitting), &count, &memberships);
	bool		fits = items != NULL && has_room(count, count * sizeof(pg_uuid_t));

	stats.loads++;
	if (fits)
		keep_set(user, items, count, stamp);
	else
	{
		if (items == NULL)
			user->at_least = max_rows < fitting ?
				Max(user->at_least, (int) max_rows) : TOO_LARGE;
		else if (CnapDecisionsSpace(count) + count * sizeof(pg_uuid_t) <
				 (Size) cache_size * 1024 / 2 && decisions->members > 0)
			run_out_of_room();
		else
			user->at_least = TOO_LARGE;
		if (memberships != NULL)
			keep_memberships(user, memberships);
	}

	pfree(id);
	if (items != NULL)
		pfree(items);
	if (memberships != NULL)
		pfree(memberships);
	return fits && is_complete(user);
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
	refresh_user(user);
	user->lookups++;
	max_rows = (uint64) user->lookups *
		(user->has_memberships ? LOAD_ROWS_OF_CHEAP : LOAD_ROWS);
	if (user->lookups >= user->load_at &&
		user->at_least < TOO_LARGE && 2 * (uint64) user->at_least <= max_rows)
	{
		if (load_set(user, max_rows))
		{
			CnapDecision *decision = find_decision(user, workspace);

			return decision == NULL ? 0 :
				CnapWaysNow(decision->ways, decision->managed_until);
		}
		user->load_at = user->lookups * 2;
	}

	stamp = CnapCurrentEpoch.events;
	id = user_text(user);
	access = CnapFindAccess(id, workspace, known_memberships(user));
	pfree(id);
	if (access.exists)
	{
		CnapEpochNoteLoad();
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
	CnapDecision *decision = find_decision(user, workspace);

	if (likely(decision != NULL))
	{
		stats.hits++;
		return CnapWaysNow(decision->ways, decision->managed_until);
	}
	if (is_complete(user))
	{
		stats.hits++;
		return 0;
	}
	return look_up(user, workspace);
}

CnapWays
CnapAllWays(CnapUser *user, const pg_uuid_t *workspace)
{
	return all_ways(user, workspace);
}

/* Nothing is asked of permission.c where the user has no way in at all. */
static inline bool
allows(CnapUser *user, const pg_uuid_t *workspace, CnapPermission permission)
{
	CnapWays	ways = all_ways(user, workspace);

	return ways != 0 && (ways & CnapWaysThatAllow(permission)) != 0;
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

/* ---- sets ---- */

int
CnapReachSize(CnapUser *user, int max_rows)
{
	if (user->stamp >= last_change(user->number))
	{
		if (user->loaded)
			return user->set_size;
		if (user->at_least >= max_rows)
			return -1;
	}
	refresh_user(user);

	/* For an estimate, the set may well have changed while it was read. */
	load_set(user, max_rows);
	return user->loaded ? user->set_size : -1;
}

pg_uuid_t *
CnapReachable(CnapUser *user, CnapPermission permission, int *count)
{
	CnapWays	allowed = CnapWaysThatAllow(permission);
	pg_uuid_t  *result;
	int			found = 0;

	refresh_user(user);
	if (is_complete(user) ||
		(user->at_least < TOO_LARGE && load_set(user, PG_INT64_MAX)))
	{
		result = MemoryContextAllocHuge(CurrentMemoryContext,
										Max(user->set_size, 1) * sizeof(pg_uuid_t));
		for (int i = 0; i < user->set_size; i++)
		{
			CnapDecision *decision = find_decision(user, &user->set[i]);

			if (CnapWaysNow(decision->ways, decision->managed_until) & allowed)
				result[found++] = user->set[i];
		}
	}
	else
	{
		text	   *id = user_text(user);
		int			reached;
		CnapMemberships *memberships;
		CnapReach  *items = CnapFindReach(id, PG_INT64_MAX, &reached, &memberships);

		result = MemoryContextAllocHuge(CurrentMemoryContext,
										Max(reached, 1) * sizeof(pg_uuid_t));
		for (int i = 0; i < reached; i++)
		{
			if (CnapWaysNow(items[i].ways, items[i].managed_until) & allowed)
				result[found++] = items[i].workspace;
		}
		pfree(memberships);
		pfree(items);
		pfree(id);
	}
	*count = found;
	return result;
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

/*
 * cnap_cache_stats() -> one row (hits, misses, loads, flushes, entries, bytes)
 */
Datum
cnap_cache_stats(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	int64		entries = 0;
	uint64		place = 0;
	CnapDecision *decision;
	Datum		values[6];
	bool		nulls[6] = {false};

	InitMaterializedSRF(fcinfo, 0);
	begin_question();
	while ((decision = CnapDecisionsNext(decisions, &place)) != NULL)
		entries += decision->stamp >= last_change(decision->user);

	values[0] = Int64GetDatum(stats.hits);
	values[1] = Int64GetDatum(stats.misses);
	values[2] = Int64GetDatum(stats.loads);
	values[3] = Int64GetDatum(CnapCurrentEpoch.changes + stats.overflows);
	values[4] = Int64GetDatum(entries);
	values[5] = Int64GetDatum((int64) MemoryContextMemAllocated(cache_context, true));
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	return (Datum) 0;
}
