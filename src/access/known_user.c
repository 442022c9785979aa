/*-------------------------------------------------------------------------
 *
 * known_user.c
 *	  What the cache knows about one user, and whether it is still valid.
 *
 * What is known depends on different channels (epoch.h), so that it outlives
 * changes that are about others:
 *
 * - A decision that was read on its own rests on the user's rows in the tables
 *	 of members, and on the workspace's row.  It depends on the channels of the
 *	 user and of the workspace.
 * - A set rests on the user's memberships, the rows of the workspaces that the
 *	 user owns, and of those that the user's organizations manage.  It depends on
 *	 the channels of the user, of the user as an owner, and of each of these
 *	 organizations, but not on those of the workspaces: whatever gives the user a
 *	 way into a workspace, takes it or changes it, is announced on one of the
 *	 former, since the workspace has or had this owner, or this manager.
 *
 * For the same reason, as long as the set is valid, so is any decision about the
 * user that was read since.  And when the set no longer is, the decisions that
 * were loaded with it go on as if each had been read on its own.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "access/known_user.h"

/* The last event that concerns the user's set. */
uint32
CnapLastChangeOfSet(const struct CnapUser *user)
{
	const CnapKnownSet *known = user->known;
	uint32		last = Max(CnapLastChange(user),
						   CnapCurrentEpoch.last[CNAP_ABOUT_OWNER][user->channel]);

	if (known == NULL || known->norganizations < 0)
		return Max(last, CnapCurrentEpoch.latest[CNAP_ABOUT_ORGANIZATION]);
	for (int i = 0; i < known->norganizations; i++)
		last = Max(last, CnapCurrentEpoch.last[CNAP_ABOUT_ORGANIZATION][known->organizations[i]]);
	return last;
}

void
CnapJudgeUser(struct CnapUser *user)
{
	user->judged_at = CnapCurrentEpoch.events;
	user->complete = user->known != NULL && user->known->loaded &&
		user->stamp >= CnapLastChangeOfSet(user);
	user->valid_from = user->complete ? user->stamp :
		Max(CnapLastChange(user), CnapCurrentEpoch.latest[CNAP_ABOUT_WORKSPACE]);
}

/*
 * After a change of the user's memberships, everything starts from zero.  A set
 * that another change has made incomplete is reloaded as soon as that costs no
 * more than the lookups that were made in its place.
 */
void
CnapRefreshUser(struct CnapUser *user)
{
	CnapKnownSet *known = user->known;

	if (user->stamp < CnapLastChange(user))
	{
		user->lookups = 0;
		user->load_at = CNAP_FIRST_LOAD;
		user->stamp = CnapCurrentEpoch.events;
		if (known != NULL)
		{
			known->loaded = false;
			known->has_memberships = false;
			known->at_least = 0;
			known->norganizations = -1;
		}
	}
	else if (known != NULL && user->stamp < CnapLastChangeOfSet(user))
	{
		if (known->loaded)
		{
			user->lookups = 0;
			user->load_at = 1 + known->size / CNAP_LOAD_ROWS;
		}
		known->loaded = false;
		known->at_least = 0;
		user->stamp = CnapCurrentEpoch.events;
	}
	CnapJudgeUser(user);
}

void
CnapKeepOrganizations(struct CnapUser *user, const CnapMemberships *memberships,
					  MemoryContext context)
{
	CnapKnownSet *known = user->known;

	known->norganizations = -1;
	if (memberships == NULL || memberships->norganizations > CNAP_MAX_ORGANIZATIONS)
		return;
	if (known->nallocated < memberships->norganizations)
	{
		if (known->organizations != NULL)
			pfree(known->organizations);
		known->organizations = NULL;
		known->nallocated = 0;
		known->organizations = MemoryContextAlloc(context,
												  memberships->norganizations * sizeof(uint16));
		known->nallocated = memberships->norganizations;
	}
	for (int i = 0; i < memberships->norganizations; i++)
		known->organizations[i] = CnapUuidChannel(&memberships->list[i].object);
	known->norganizations = memberships->norganizations;
}
