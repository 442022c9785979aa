/*-------------------------------------------------------------------------
 *
 * freshness.c
 *	  Whether the access data of this database may still be relied on.
 *
 * One database, the origin, keeps the access data; others may follow it by
 * PostgreSQL's replication.  The origin stamps the row of cnap.beat again and
 * again.  The beat travels in the same stream as the access data, and in the
 * order of the commits, so a database that shows the beat of a time has
 * everything that was committed before that time.
 *
 * A database follows if it is in recovery and has a beat, if its beat names
 * another origin, or if its access tables are subscribed.  It may rely on its
 * data until the beat is older than cnap.max_staleness, unless a table is still
 * being copied, there is no beat, or the beat lies in the future, which would
 * keep it fresh for too long.  A beat that was inserted by something other than
 * replication or cnap_beat(), as by restoring a dump, proves nothing;
 * neither does one that arrived while a table was being copied.  The
 * origin consists of the identifier of the server and the OID of the database,
 * which a copy of the database does not share, but a standby does, so that it
 * becomes the origin when it is promoted.
 *
 * What has been judged holds for the statements that begin within a window of
 * time.  It is compared with the time at which the statement began, which a
 * parallel worker takes over from its leader.  A clock that was set back leaves
 * the window as well.  At its end the judgement is made anew, so beats that
 * arrive need not be announced.  What makes an end come sooner is: a beat that
 * appears, disappears or gets another origin (a trigger invalidates the relation
 * cache entry of cnap.beat), and the state of a subscribed table, which has a
 * system cache.  In a database that follows nobody, the window has no end.
 *
 * That the data are too old holds for the statement for which it was found out,
 * so that its other rows do not find it out again.
 *
 * Hazard: a statement that runs for long, as a procedure that commits in a
 * loop, began when it began.
 *
 * Everything here is in static memory, except for what is returned.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <limits.h>

#include "access/htup_details.h"
#include "access/xlog.h"
#include "catalog/pg_subscription_rel.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/catcache.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/pg_lsn.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "core/compat.h"
#include "core/freshness.h"
#include "core/invalidation.h"
#include "core/own_catalog.h"
#include "core/table_scan.h"

/* How far ahead of this server's clock the origin's may be. */
#define MAX_AHEAD USECS_PER_SEC

const CnapTable CnapPublishedTables[CNAP_PUBLISHED_TABLES] = {
	CNAP_ORGANIZATION,
	CNAP_ORGANIZATION_MEMBER,
	CNAP_WORKSPACE,
	CNAP_WORKSPACE_MEMBER,
	CNAP_ASSIGNMENT,
	CNAP_ROLE_DEFINITION,
	CNAP_PERMISSION_DEFINITION,
	CNAP_ACCESS_TOKEN,
	CNAP_BEAT,
};

CnapFreshWindow CnapFresh = {0};

/* The statement that was judged to be too late, if still_stale. */
static TimestampTz stale_statement;
static bool still_stale = false;

/* What the last judgement found. */
static CnapFleetRole role_found = CNAP_ORIGIN;

/* Nothing has been invalidated since the judgement began. */
static bool undisturbed = false;

int			CnapMaxStaleness;

static void
forget_judgement(void)
{
	CnapFresh.open = false;
	CnapFresh.endless = false;
	still_stale = false;
	undisturbed = false;
}

/* Relation cache callback */
static void
beat_invalidated(Oid relid)
{
	if (!OidIsValid(relid) || relid == CnapKnownTableOid(CNAP_BEAT))
		forget_judgement();
}

/* System cache callback: a table is subscribed, or its state has changed. */
static void
subscription_invalidated(Datum arg, int cacheid, uint32 hashvalue)
{
	forget_judgement();
}

static void
assign_max_staleness(int newval, void *extra)
{
	forget_judgement();
}

void
CnapFreshnessInit(void)
{
	CnapOnInvalidation(beat_invalidated);
	CacheRegisterSyscacheCallback(SUBSCRIPTIONRELMAP, subscription_invalidated, (Datum) 0);
	DefineCustomIntVariable("cnap.max_staleness",
							"The age of the last beat from which on a follower denies all access.",
							"-1 turns this off.",
							&CnapMaxStaleness,
							30 * 1000,
							-1,
							INT_MAX,
							PGC_SUSET,
							GUC_UNIT_MS | GUC_NOT_IN_SAMPLE | GUC_ALLOW_IN_PARALLEL,
							NULL, assign_max_staleness, NULL);
}

char *
CnapOwnOrigin(void)
{
	return psprintf(UINT64_FORMAT "/%u", GetSystemIdentifier(), MyDatabaseId);
}

/* The row of cnap.beat; the strings are palloc'd. */
typedef struct Beat
{
	char	   *origin;			/* NULL if there is no row */
	char	   *version;		/* NULL if it has none */
	TimestampTz at;
	XLogRecPtr	position;
	bool		restored;
} Beat;

static Beat
read_beat(void)
{
	Beat		beat = {0};
	CnapScan	scan;
	HeapTuple	tuple;

	CnapBeginScan(&scan, CNAP_BEAT, NULL, 0, NULL);
	tuple = CnapNextRow(&scan);
	if (HeapTupleIsValid(tuple))
	{
		bool		isnull;
		Datum		version = CnapField(&scan, tuple, Anum_beat_version, &isnull);

		if (!isnull)
			beat.version = TextDatumGetCString(version);
		beat.origin = TextDatumGetCString(CnapField(&scan, tuple, Anum_beat_origin, &isnull));
		beat.at = DatumGetTimestampTz(CnapField(&scan, tuple, Anum_beat_at, &isnull));
		beat.position = DatumGetLSN(CnapField(&scan, tuple, Anum_beat_position, &isnull));
		beat.restored = DatumGetBool(CnapField(&scan, tuple, Anum_beat_restored, &isnull));
	}
	CnapEndScan(&scan);
	return beat;
}

char *
CnapBeatPosition(XLogRecPtr *position)
{
	Beat		beat = read_beat();

	*position = beat.position;
	return beat.origin;
}

char *
CnapBeatOrigin(void)
{
	return read_beat().origin;
}

char *
CnapBeatVersion(void)
{
	return read_beat().version;
}

/*
 * Look at the subscriptions of the access tables: is there any, and is each
 * table in sync?
 */
static bool
is_subscribed(bool *in_sync)
{
	bool		any = false;

	*in_sync = true;
	for (int i = 0; i < CNAP_PUBLISHED_TABLES; i++)
	{
		CatCList   *list = SearchSysCacheList1(SUBSCRIPTIONRELMAP,
											   ObjectIdGetDatum(CnapTableOid(CnapPublishedTables[i])));

		if (list->n_members > 0)
			any = true;
		else
			*in_sync = false;
		for (int j = 0; j < list->n_members; j++)
		{
			Form_pg_subscription_rel rel =
				(Form_pg_subscription_rel) GETSTRUCT(&list->members[j]->tuple);

			if (rel->srsubstate != SUBREL_STATE_READY)
				*in_sync = false;
		}
		ReleaseSysCacheList(list);
	}
	return any;
}

bool
CnapIsSubscribed(void)
{
	bool		in_sync;

	return is_subscribed(&in_sync);
}

bool
CnapIsBeingCopied(void)
{
	bool		in_sync;

	return is_subscribed(&in_sync) && !in_sync;
}

/*
 * Until when may a follower's data be relied on?  DT_NOBEGIN: they may not.
 */
static TimestampTz
fresh_until(const Beat *beat, bool in_sync)
{
	TimestampTz now = GetCurrentTimestamp();

	if (CnapMaxStaleness < 0)
		return DT_NOEND;
	if (beat->origin == NULL || beat->restored || !in_sync || beat->at > now + MAX_AHEAD)
		return DT_NOBEGIN;
	return TimestampTzPlusMilliseconds(beat->at, CnapMaxStaleness);
}

/* How did this database get its access data? */
static CnapFleetRole
fleet_role(bool subscribed, const Beat *beat)
{
	CnapFleetRole role = CNAP_ORIGIN;

	if (subscribed)
		role = CNAP_FOLLOWER;
	else if (beat->origin != NULL)
	{
		char	   *own = CnapOwnOrigin();

		if (RecoveryInProgress() || (!beat->restored && strcmp(beat->origin, own) != 0))
			role = CNAP_FOLLOWER;
		else if (beat->restored)
			role = CNAP_RESTORED;
		pfree(own);
	}
	return role;
}

/*
 * Judge the running statement, and open a new window if it may rely on the
 * access data.  If an invalidation arrives meanwhile, the judgement is good for
 * this call only.
 */
bool
CnapJudgeFreshness(void)
{
	TimestampTz statement = GetCurrentStatementStartTimestamp();
	TimestampTz until = DT_NOEND;
	Beat		beat;
	bool		in_sync;
	bool		subscribed;

	if (still_stale && stale_statement == statement)
		return false;

	forget_judgement();
	undisturbed = true;
	beat = read_beat();
	subscribed = is_subscribed(&in_sync);
	role_found = fleet_role(subscribed, &beat);
	if (role_found != CNAP_ORIGIN)
		until = fresh_until(&beat, !subscribed || in_sync);
	if (beat.origin != NULL)
		pfree(beat.origin);
	if (beat.version != NULL)
		pfree(beat.version);

	if (until < statement)
	{
		stale_statement = statement;
		still_stale = undisturbed;
		return false;
	}
	CnapFresh.from = statement;
	CnapFresh.length = (uint64) until - (uint64) statement;
	CnapFresh.open = undisturbed;
	CnapFresh.endless = undisturbed && role_found == CNAP_ORIGIN;
	return true;
}

void
CnapRequireFreshData(void)
{
	AcceptInvalidationMessages();
	if (!CnapDataIsFresh())
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("access data is stale"),
				 errdetail("This database follows another one, and cannot prove that it has received the changes of the last %d ms.",
						   CnapMaxStaleness),
				 errhint("See whether replication is running. If this database is to keep the access data itself, a superuser executes cnap_beat(take_over => true).")));
}

CnapFleetRole
CnapFleetRoleNow(void)
{
	AcceptInvalidationMessages();
	(void) CnapDataIsFresh();
	return role_found;
}
