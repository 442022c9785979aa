/*-------------------------------------------------------------------------
 *
 * cache.c
 *	  A session's cache of access decisions.
 *
 * A decision is what the tables say about one user and one workspace: the
 * user's ways in.  It is found by index lookups (lookup.c) and kept in a hash
 * table.  A user for whom many lookups were needed gets the whole set of
 * workspaces loaded; from then on a workspace that is not in the table is one
 * that the user cannot reach, and costs no lookup.
 *
 * What is kept is stamped with the epochs (epoch.h) of the moment before its
 * snapshot was taken, and published only if these are still the same after it
 * was read.  A stamp that is behind makes it
 * - void, if access_epoch moved;
 * - good for granting and not for denying, if membership_epoch moved;
 * - for a set: incomplete, if membership_epoch or workspace_epoch moved.
 * That a workspace does not exist is not kept, so its creation contradicts
 * nothing but sets.  Void entries are overwritten when the same question comes
 * again, or go with the table.
 *
 * Every question first absorbs the invalidation messages that are waiting.  A
 * prepared statement that is executed again inside a transaction takes no new
 * lock, so nothing else would.
 *
 * The memory is one context below TopMemoryContext.  Before it would grow past
 * cnap.cache_size, all of it is given back, and the cache begins again.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/memutils.h"

#include "cache.h"
#include "compat.h"
#include "epoch.h"
#include "identity.h"
#include "validate.h"

PG_FUNCTION_INFO_V1(cnap_cache_stats);

/*
 * A user's set is loaded once FIRST_LOAD lookups were needed, at the cost of
 * reading at most LOAD_ROWS rows for each lookup so far.  Where that does not
 * suffice, the next attempt comes after twice as many lookups.  So the loading
 * costs a constant factor of what the lookups cost, however large the set is.
 */
#define FIRST_LOAD 8
#define LOAD_ROWS 8

struct CnapUser
{
	uint32		number;			/* stands for the user in decisions */
	int			id_len;
	CnapEpoch	epoch;			/* of the fields below */
	uint32		lookups;		/* needed in this epoch */
	uint32		load_at;		/* number of lookups at which to load the set */
	bool		loaded;			/* the set is complete */
	int			set_size;
	int			at_least;		/* the set is known to have more rows than this */
	pg_uuid_t  *set;			/* sorted */
	char		id[FLEXIBLE_ARRAY_MEMBER];
};

typedef struct UserKey
{
	const char *id;				/* in an entry: of its user */
	int			len;
	uint32		hash;
} UserKey;

typedef struct UserEntry
{
	UserKey		key;
	CnapUser   *user;
	char		status;
} UserEntry;

typedef struct DecisionKey
{
	pg_uuid_t	workspace;
	uint32		user;
} DecisionKey;

typedef struct Decision
{
	DecisionKey key;
	uint32		change;			/* epochs at which it was read */
	uint32		membership;
	CnapWays	ways;
	char		status;
	TimestampTz managed_until;
} Decision;

/*
 * A multiplicative hash.  Its upper half depends on all bits of the key; random
 * ids would need no more than an xor, but time-ordered and hand-made ones do.
 */
static inline uint32
hash_decision(DecisionKey key)
{
	uint64		words[2];

	memcpy(words, &key.workspace, sizeof(words));
	words[0] ^= words[1] * UINT64CONST(0x9E3779B97F4A7C15);
	words[0] ^= key.user;
	words[0] ^= words[0] >> 32;
	return (uint32) ((words[0] * UINT64CONST(0xD6E8FEB86659FD93)) >> 32);
}

static inline bool
equal_decisions(DecisionKey a, DecisionKey b)
{
	return a.user == b.user &&
		memcmp(&a.workspace, &b.workspace, sizeof(pg_uuid_t)) == 0;
}

static inline bool
equal_users(UserKey a, UserKey b)
{
	return a.hash == b.hash && a.len == b.len && memcmp(a.id, b.id, a.len) == 0;
}

#define SH_PREFIX decisions
#define SH_ELEMENT_TYPE Decision
#define SH_KEY_TYPE DecisionKey
#define SH_KEY key
#define SH_HASH_KEY(table, key) hash_decision(key)
#define SH_EQUAL(table, a, b) equal_decisions(a, b)
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

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

/* How full simplehash.h lets a table become before it doubles it. */
#define FILL_FACTOR 0.9

#define INITIAL_DECISIONS 256
#define INITIAL_USERS 16

static int	cache_size;			/* setting, in kB */

/* Everything that follows is emptied together. */
static MemoryContext cache_context = NULL;
static decisions_hash *decisions = NULL;
static users_hash *users = NULL;
static uint32 next_user = 0;
static CnapUser *current_user_entry = NULL;
static CnapUser *last_user = NULL;
static uint64 first_event = 0;	/* CnapCurrentEpoch.events at that moment */

/* There is no room left; not done at once, since a user may be in use. */
static bool empty_cache_next = false;

/* Of this session, for cnap_cache_stats(). */
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
											  ALLOCSET_DEFAULT_SIZES);
	else
		MemoryContextReset(cache_context);
	decisions = decisions_create(cache_context, INITIAL_DECISIONS, NULL);
	users = users_create(cache_context, INITIAL_USERS, NULL);
	next_user = 0;
	current_user_entry = NULL;
	last_user = NULL;
	first_event = CnapCurrentEpoch.events;
	empty_cache_next = false;
}

/* The memory that a hash table of decisions takes once it has more members. */
static Size
decisions_space(uint64 members)
{
	return pg_nextpower2_64(Max((uint64) (members / FILL_FACTOR) + 1,
								INITIAL_DECISIONS)) * sizeof(Decision);
}

/*
 * Whether there is room for more decisions and other bytes.  While the table
 * grows, the former one is still there.
 */
static bool
has_room(uint64 more, Size bytes)
{
	Size		table = decisions->size * sizeof(Decision);
	Size		grown = decisions_space(decisions->members + more);

	if (grown > table)
		bytes += grown;
	return MemoryContextMemAllocated(cache_context, true) + bytes <=
		(Size) cache_size * 1024;
}

/* Gives room, with the next question, to something that fits into an empty cache. */
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

/* Absorbs what other sessions have changed, and makes the cache usable. */
static inline void
begin_question(void)
{
	AcceptInvalidationMessages();

	/* Stamps are shorter than the count of events that they come from. */
	if (unlikely(decisions == NULL || empty_cache_next ||
				 CnapCurrentEpoch.events - first_event >= PG_UINT32_MAX))
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
	user = MemoryContextAllocZero(cache_context, offsetof(CnapUser, id) + len);
	user->number = next_user++;
	user->id_len = len;
	memcpy(user->id, id, len);
	user->epoch = CnapCurrentEpoch;
	user->load_at = FIRST_LOAD;

	key.id = user->id;
	entry = users_insert(users, key, &found);
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

CnapUser *
CnapGetCurrentCachedUser(void)
{
	begin_question();
	if (unlikely(current_user_entry == NULL))
	{
		const char *id = CnapCurrentUser();

		if (id != NULL)
			current_user_entry = get_user(id, strlen(id));
	}
	return current_user_entry;
}

void
CnapCurrentUserChanged(void)
{
	current_user_entry = NULL;
}

/* ---- decisions ---- */

static bool
is_current(const CnapEpoch *epoch)
{
	return epoch->change == CnapCurrentEpoch.change &&
		epoch->membership == CnapCurrentEpoch.membership;
}

/* Whether the user's set can be relied on for what is not in it. */
static inline bool
is_complete(const CnapUser *user)
{
	return user->loaded && is_current(&user->epoch) &&
		user->epoch.workspace == CnapCurrentEpoch.workspace;
}

static inline Decision *
find_decision(const CnapUser *user, const pg_uuid_t *workspace)
{
	DecisionKey key = {*workspace, user->number};
	Decision   *decision = decisions_lookup(decisions, key);

	if (decision != NULL && decision->change == CnapCurrentEpoch.change)
		return decision;
	return NULL;
}

/* Keeps a decision that was read when the epoch was this; there is room. */
static void
keep_decision(const CnapUser *user, const pg_uuid_t *workspace,
			  CnapWays ways, TimestampTz managed_until, const CnapEpoch *epoch)
{
	DecisionKey key = {*workspace, user->number};
	bool		found;
	Decision   *decision = decisions_insert(decisions, key, &found);

	decision->change = epoch->change;
	decision->membership = epoch->membership;
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
 * Brings the user's own account of lookups up to date.  After a change it
 * begins anew.  A set that additions have made incomplete is loaded again as
 * soon as that costs no more than the lookups in place of it.
 */
static void
refresh_user(CnapUser *user)
{
	if (user->epoch.change != CnapCurrentEpoch.change)
	{
		user->loaded = false;
		user->at_least = 0;
		user->lookups = 0;
		user->load_at = FIRST_LOAD;
		user->epoch = CnapCurrentEpoch;
	}
	else if (user->loaded && !is_complete(user))
	{
		user->loaded = false;
		user->lookups = 0;
		user->load_at = 1 + user->set_size / LOAD_ROWS;
		user->epoch = CnapCurrentEpoch;
	}
}

/*
 * Loads the user's set, unless that takes reading more than max_rows rows, or
 * more room than there is.  Returns whether the set is complete now.
 */
static bool
load_set(CnapUser *user, uint64 max_rows)
{
	CnapEpoch	epoch = CnapCurrentEpoch;
	text	   *id = user_text(user);
	int			count = 0;
	CnapReach  *items = CnapFindReach(id, max_rows, &count);

	pfree(id);
	stats.loads++;
	if (items == NULL)
	{
		user->at_least = (int) Min(max_rows, PG_INT32_MAX);
		return false;
	}
	if (!has_room(count, count * sizeof(pg_uuid_t)))
	{
		if (decisions_space(count) + count * sizeof(pg_uuid_t) <
			(Size) cache_size * 1024 / 2 && decisions->members > 0)
			run_out_of_room();
		else
			user->at_least = PG_INT32_MAX;
		pfree(items);
		return false;
	}

	CnapEpochNoteLoad();
	if (memcmp(&epoch, &CnapCurrentEpoch, sizeof(epoch)) == 0)
	{
		if (user->set != NULL)
			pfree(user->set);
		user->set = NULL;
		user->set_size = count;
		if (count > 0)
			user->set = MemoryContextAllocHuge(cache_context, count * sizeof(pg_uuid_t));
		for (int i = 0; i < count; i++)
		{
			user->set[i] = items[i].workspace;
			keep_decision(user, &items[i].workspace, items[i].ways,
						  items[i].managed_until, &epoch);
		}
		user->epoch = epoch;
		user->loaded = true;
	}
	pfree(items);
	return is_complete(user);
}

/* Finds the user's ways into a workspace where the cache does not say. */
static CnapWays
look_up(CnapUser *user, const pg_uuid_t *workspace)
{
	CnapEpoch	epoch;
	CnapAccess	access;
	text	   *id;

	stats.misses++;
	refresh_user(user);
	if (++user->lookups >= user->load_at && user->at_least < PG_INT32_MAX)
	{
		if (load_set(user, (uint64) user->lookups * LOAD_ROWS))
		{
			Decision   *decision = find_decision(user, workspace);

			return decision == NULL ? 0 :
				CnapWaysNow(decision->ways, decision->managed_until);
		}
		user->load_at = user->lookups * 2;
	}

	epoch = CnapCurrentEpoch;
	id = user_text(user);
	access = CnapFindAccess(id, workspace);
	pfree(id);
	if (access.exists)
	{
		CnapEpochNoteLoad();
		if (!is_current(&epoch))
			 /* what was read may be older than what changed meanwhile */ ;
		else if (has_room(1, 0))
			keep_decision(user, workspace, access.ways, access.managed_until, &epoch);
		else
			run_out_of_room();
	}
	return CnapWaysNow(access.ways, access.managed_until);
}

bool
CnapAllows(CnapUser *user, const pg_uuid_t *workspace, CnapWays allowed)
{
	Decision   *decision = find_decision(user, workspace);

	if (likely(decision != NULL))
	{
		if (CnapWaysNow(decision->ways, decision->managed_until) & allowed)
		{
			stats.hits++;
			return true;
		}
		if (decision->membership == CnapCurrentEpoch.membership)
		{
			stats.hits++;
			return false;
		}
	}
	if (is_complete(user))
	{
		stats.hits++;
		return false;
	}
	return (look_up(user, workspace) & allowed) != 0;
}

CnapWays
CnapAllWays(CnapUser *user, const pg_uuid_t *workspace)
{
	Decision   *decision = find_decision(user, workspace);

	if (decision != NULL && decision->membership == CnapCurrentEpoch.membership)
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

/* ---- sets ---- */

int
CnapReachSize(CnapUser *user, int max_rows)
{
	if (user->epoch.change == CnapCurrentEpoch.change)
	{
		if (user->loaded)
			return user->set_size;
		if (user->at_least >= max_rows)
			return -1;
	}
	refresh_user(user);
	return load_set(user, max_rows) ? user->set_size : -1;
}

pg_uuid_t *
CnapReachable(CnapUser *user, CnapWays allowed, int *count)
{
	pg_uuid_t  *result;
	int			found = 0;

	refresh_user(user);
	if (is_complete(user) || load_set(user, PG_INT64_MAX))
	{
		result = MemoryContextAllocHuge(CurrentMemoryContext,
										Max(user->set_size, 1) * sizeof(pg_uuid_t));
		for (int i = 0; i < user->set_size; i++)
		{
			Decision   *decision = find_decision(user, &user->set[i]);

			if (CnapWaysNow(decision->ways, decision->managed_until) & allowed)
				result[found++] = user->set[i];
		}
	}
	else
	{
		text	   *id = user_text(user);
		int			reached;
		CnapReach  *items = CnapFindReach(id, PG_INT64_MAX, &reached);

		result = MemoryContextAllocHuge(CurrentMemoryContext,
										Max(reached, 1) * sizeof(pg_uuid_t));
		for (int i = 0; i < reached; i++)
		{
			if (CnapWaysNow(items[i].ways, items[i].managed_until) & allowed)
				result[found++] = items[i].workspace;
		}
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
							"Below what a statement needs, it looks decisions up again.",
							&cache_size,
							32 * 1024,
							64,
							MAX_KILOBYTES,
							PGC_USERSET,
							GUC_UNIT_KB | GUC_NOT_IN_SAMPLE,
							NULL, assign_cache_size, NULL);
}

/*
 * cnap_cache_stats() -> (hits, misses, loads, flushes, entries, bytes)
 */
Datum
cnap_cache_stats(PG_FUNCTION_ARGS)
{
	TupleDesc	desc;
	decisions_iterator iterator;
	Decision   *decision;
	int64		entries = 0;
	Datum		values[6];
	bool		nulls[6] = {false};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");

	begin_question();
	decisions_start_iterate(decisions, &iterator);
	while ((decision = decisions_iterate(decisions, &iterator)) != NULL)
		entries += decision->change == CnapCurrentEpoch.change;

	values[0] = Int64GetDatum(stats.hits);
	values[1] = Int64GetDatum(stats.misses);
	values[2] = Int64GetDatum(stats.loads);
	values[3] = Int64GetDatum(CnapCurrentEpoch.change + stats.overflows);
	values[4] = Int64GetDatum(entries);
	values[5] = Int64GetDatum((int64) MemoryContextMemAllocated(cache_context, true));
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls));
}
