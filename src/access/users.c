/*-------------------------------------------------------------------------
 *
 * users.c
 *	  The hash table of the users whom a session's cache knows.
 *
 * A session of a pool may ask about a hundred thousand users, so each takes as little
 * as possible: a context keeps a header with each chunk, so users are cut from larger
 * pieces, and the table has no copy of the id, which is its key.
 *
 * Hazard: if there is not enough memory for the table to grow, simplehash of
 * PostgreSQL 15 leaves it in disorder.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "utils/memutils.h"

#include "access/users.h"
#include "core/formats.h"

typedef struct UserEntry
{
	struct CnapUser *user;		/* its id is the key */
	uint32		hash;
	char		status;
} UserEntry;

#define SH_PREFIX users
#define SH_ELEMENT_TYPE UserEntry
#define SH_KEY_TYPE struct CnapUser *
#define SH_KEY user
#define SH_HASH_KEY(table, key) hash_bytes((unsigned char *) (key)->id, (key)->id_len)
#define SH_EQUAL(table, a, b) CnapHasId(a, (b)->id, (b)->id_len)
#define SH_STORE_HASH
#define SH_GET_HASH(table, entry) ((entry)->hash)
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

#define INITIAL_USERS 16

/* What is allocated for users at once, some twenty with short ids. */
#define PIECE 1024

struct CnapUsers
{
	users_hash *hash;
	MemoryContext user_context;
	uint32		count;
	char	   *space;			/* what is left of the latest piece */
	Size		space_left;
};

CnapUsers *
CnapUsersCreate(MemoryContext context, MemoryContext user_context)
{
	CnapUsers  *users = MemoryContextAllocZero(context, sizeof(CnapUsers));

	users->hash = users_create(context, INITIAL_USERS, NULL);
	users->user_context = user_context;
	return users;
}

uint32
CnapUsersCount(const CnapUsers *users)
{
	return users->count;
}

struct CnapUser *
CnapUsersFind(CnapUsers *users, const char *id, int len)
{
	union
	{
		struct CnapUser user;
		char		space[offsetof(struct CnapUser, id) + CNAP_MAX_USER_ID];
	}			key;
	UserEntry  *entry;

	if (len > CNAP_MAX_USER_ID)
		return NULL;
	key.user.id_len = len;
	memcpy(key.user.id, id, len);
	entry = users_lookup(users->hash, &key.user);
	return entry != NULL ? entry->user : NULL;
}

Size
CnapUsersGrowth(const CnapUsers *users)
{
	return 2 * users->hash->size * sizeof(UserEntry) + PIECE;
}

/* Cut a user from the latest piece, or a new one. */
static struct CnapUser *
allocate_user(CnapUsers *users, int len)
{
	Size		size = MAXALIGN(offsetof(struct CnapUser, id) + len);
	struct CnapUser *user;

	if (size > users->space_left)
	{
		users->space_left = 0;
		users->space = MemoryContextAllocZero(users->user_context, PIECE);
		users->space_left = PIECE;
	}
	user = (struct CnapUser *) users->space;
	users->space += size;
	users->space_left -= size;
	return user;
}

struct CnapUser *
CnapUsersInsert(CnapUsers *users, const char *id, int len)
{
	struct CnapUser *user = allocate_user(users, len);
	bool		found;

	user->number = users->count++;
	user->id_len = len;
	memcpy(user->id, id, len);
	users_insert(users->hash, user, &found);
	return user;
}

struct CnapUser **
CnapUsersByNumber(CnapUsers *users)
{
	struct CnapUser **by_number = MemoryContextAllocHuge(CurrentMemoryContext,
														 Max(users->count, 1) * sizeof(struct CnapUser *));
	users_iterator iterator;
	UserEntry  *entry;

	users_start_iterate(users->hash, &iterator);
	while ((entry = users_iterate(users->hash, &iterator)) != NULL)
		by_number[entry->user->number] = entry->user;
	return by_number;
}
