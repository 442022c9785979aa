/*-------------------------------------------------------------------------
 *
 * known_user.h
 *	  What the cache knows about one user, and whether it is still valid.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_KNOWN_USER_H
#define CNAP_KNOWN_USER_H

#include "utils/builtins.h"

#include "access/decisions.h"
#include "access/ways.h"
#include "core/epoch.h"
#include "identity/token_limits.h"

/*
 * A user's set is loaded once FIRST_LOAD lookups have been needed, reading at
 * most LOAD_ROWS rows for each lookup so far.  If that is not enough, the next
 * attempt is made after twice as many lookups.  So the cost of loading is
 * limited to a constant factor of the cost of the lookups, however large the
 * set is.  Once the user's memberships are known, lookups are cheaper, and
 * count as LOAD_ROWS_OF_CHEAP rows.  An attempt that would read less than twice
 * what is known to be too little is put off.
 */
#define CNAP_FIRST_LOAD 8
#define CNAP_LOAD_ROWS 8
#define CNAP_LOAD_ROWS_OF_CHEAP 2

/* Special value of at_least: the set does not fit into the cache. */
#define CNAP_TOO_LARGE PG_INT32_MAX

/*
 * The result of attempts to load a user's set.  It depends on the channels of
 * the user, and of the organizations that the user is a member of: if there are
 * no more than CNAP_MAX_ORGANIZATIONS, they are known, else it depends on all.
 */
typedef struct CnapKnownSet
{
	bool		loaded;			/* the set was complete */
	bool		has_memberships;
	int			size;
	int			allocated;
	int			at_least;		/* the set is known to have more rows than
								 * this */
	int			norganizations; /* number of channels; -1 if not known */
	int			nallocated;
	pg_uuid_t  *workspaces;		/* sorted */
	CnapMemberships *memberships;	/* valid if has_memberships */
	uint16	   *organizations;	/* their channels */
} CnapKnownSet;

#define CNAP_MAX_ORGANIZATIONS 256

struct CnapUser
{
	uint32		number;			/* in decisions */
	uint16		channel;
	uint8		id_len;

	/*
	 * As of the event with the number judged_at: is the set complete, so that
	 * what is not in it is denied?  A decision with the stamp valid_from or a
	 * later one is valid, whatever workspace it is about.
	 */
	bool		complete;
	uint32		judged_at;
	uint32		valid_from;

	/*
	 * Set whenever the cache is asked for the user: the limits of the token
	 * that signed this user in, or NULL.  Whoever answers a question applies
	 * them; nothing that is kept depends on them.
	 */
	const CnapLimits *limits;

	CnapKnownSet *known;		/* NULL until the first attempt */
	uint32		stamp;			/* of what is known, and of the fields below */
	uint32		lookups;		/* needed since the last change */
	uint32		load_at;		/* number of lookups at which to load the set */
	char		id[FLEXIBLE_ARRAY_MEMBER];
};

StaticAssertDecl(CNAP_CHANNELS <= PG_UINT16_MAX, "channels must fit into 16 bits");

static inline bool
CnapHasId(const struct CnapUser *user, const char *id, int len)
{
	return user->id_len == len && memcmp(user->id, id, len) == 0;
}

/* The last event that invalidated all that was known about the user. */
static inline uint32
CnapLastChange(const struct CnapUser *user)
{
	return Max(CnapCurrentEpoch.last[CNAP_ANYTHING][0],
			   CnapCurrentEpoch.last[CNAP_ABOUT_USER][user->channel]);
}

/* Is a decision about the user still valid, by its own channels? */
static inline bool
CnapDecisionIsValid(const struct CnapUser *user, const CnapDecision *decision)
{
	return decision->stamp >= user->valid_from ||
		(!user->complete && decision->stamp >= CnapLastChange(user) &&
		 decision->stamp >= CnapCurrentEpoch.last[CNAP_ABOUT_WORKSPACE]
		 [CnapUuidChannel(&decision->workspace)]);
}

/* The user's memberships, if they are known and still valid, or NULL. */
static inline const CnapMemberships *
CnapKnownMembershipsOf(const struct CnapUser *user)
{
	return user->known != NULL && user->known->has_memberships &&
		user->stamp >= CnapLastChange(user) ? user->known->memberships : NULL;
}

/* The user's id, allocated in the caller's context. */
static inline text *
CnapUserText(const struct CnapUser *user)
{
	return cstring_to_text_with_len(user->id, user->id_len);
}

/* The last event that concerns the user's set. */
extern uint32 CnapLastChangeOfSet(const struct CnapUser *user);

/* Find out what is still valid after the events that have arrived. */
extern void CnapJudgeUser(struct CnapUser *user);

/* Likewise, and begin anew with counting lookups if something is not. */
extern void CnapRefreshUser(struct CnapUser *user);

/* Remember on which channels the set depends. */
extern void CnapKeepOrganizations(struct CnapUser *user, const CnapMemberships *memberships,
								  MemoryContext context);

#endif							/* CNAP_KNOWN_USER_H */
