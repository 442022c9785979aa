/*-------------------------------------------------------------------------
 *
 * reach.c
 *	  The workspaces that a user reaches: their list, their number, a sample.
 *
 * A list is a decision like a check, and as exact: it is made of the user's set,
 * if the cache holds it as of the last event or can load it, and otherwise of
 * what the tables say, which then is not kept.  The number and the sample serve
 * the planner's estimates alone, and may be of a set that has changed since.
 *
 * What a token's limits leave of a set is decided here, too, since the set that
 * is kept is that of the user, whoever asks.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "access/known_user.h"
#include "access/reach.h"
#include "core/permission.h"

int
CnapReachSize(CnapUser *user, int max_rows)
{
	if (user->limits != NULL && user->limits->nworkspaces >= 0)
		return user->limits->nworkspaces;

	/*
	 * For an estimate, the set may well have changed since, or while it is
	 * read.
	 */
	if (user->known == NULL || !user->known->loaded || user->stamp < CnapLastChange(user))
	{
		CnapRefreshUser(user);
		if (user->known != NULL && user->known->at_least >= max_rows)
			return -1;
		CnapLoadSet(user, max_rows);
	}
	return user->known != NULL && user->known->loaded ? user->known->size : -1;
}

int
CnapSampleReach(const CnapUser *user, int max_sample, pg_uuid_t *sample)
{
	const CnapKnownSet *known = user->known;
	const pg_uuid_t *workspaces;
	int			size;
	int			count;

	if (user->limits != NULL && user->limits->nworkspaces >= 0)
	{
		workspaces = user->limits->workspaces;
		size = user->limits->nworkspaces;
	}
	else if (known != NULL && known->loaded)
	{
		workspaces = known->workspaces;
		size = known->size;
	}
	else
		return 0;
	count = Min(size, max_sample);
	for (int i = 0; i < count; i++)
		sample[i] = workspaces[(int64) i * size / count];
	return count;
}

uint32
CnapUserVersion(const CnapUser *user)
{
	return CnapLastChangeOfSet(user);
}

/* Those of the workspaces in which the user has the permission. */
static pg_uuid_t *
reachable_of(CnapUser *user, CnapPermission permission, const pg_uuid_t *workspaces,
			 int nworkspaces, int *count)
{
	pg_uuid_t  *result = palloc(Max(nworkspaces, 1) * sizeof(pg_uuid_t));

	*count = 0;
	for (int i = 0; i < nworkspaces; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (CnapAllows(user, &workspaces[i], permission))
			result[(*count)++] = workspaces[i];
	}
	return result;
}

pg_uuid_t *
CnapReachable(CnapUser *user, CnapPermission permission, int *count)
{
	const CnapLimits *limits = user->limits;
	pg_uuid_t  *result;
	int			found = 0;

	if (limits != NULL && !(limits->permissions & CnapPermissionBit(permission)))
		return reachable_of(user, permission, NULL, 0, count);
	if (limits != NULL && limits->nworkspaces >= 0)
		return reachable_of(user, permission, limits->workspaces, limits->nworkspaces, count);

	CnapRefreshUser(user);
	if (user->complete ||
		((user->known == NULL || user->known->at_least < CNAP_TOO_LARGE) &&
		 CnapLoadSet(user, PG_INT64_MAX)))
	{
		const CnapKnownSet *known = user->known;
		TimestampTz now = GetCurrentTimestamp();

		result = MemoryContextAllocHuge(CurrentMemoryContext,
										Max(known->size, 1) * sizeof(pg_uuid_t));
		for (int i = 0; i < known->size; i++)
		{
			const CnapDecision *decision = CnapKeptDecision(user, &known->workspaces[i]);

			/*
			 * The set is complete as of the last event, and none arrives in
			 * this loop.
			 */
			Assert(decision != NULL);
			if (decision != NULL &&
				CnapWaysAllow(CnapWaysAt(decision->ways, decision->managed_until, now), permission))
				result[found++] = known->workspaces[i];
		}
	}
	else
	{
		text	   *id = CnapUserText(user);
		int			reached;
		CnapMemberships *memberships;
		CnapReach  *items = CnapFindReach(id, PG_INT64_MAX, &reached, &memberships);
		TimestampTz now = GetCurrentTimestamp();

		result = MemoryContextAllocHuge(CurrentMemoryContext,
										Max(reached, 1) * sizeof(pg_uuid_t));
		for (int i = 0; i < reached; i++)
		{
			if (CnapWaysAllow(CnapWaysAt(items[i].ways, items[i].managed_until, now), permission))
				result[found++] = items[i].workspace;
		}
		pfree(memberships);
		pfree(items);
		pfree(id);
	}
	*count = found;
	return result;
}
