/*-------------------------------------------------------------------------
 *
 * statistics.c
 *	  What all sessions of the server have asked, and what it cost.
 *
 * A check increments counters of its session alone (cache.c).  At the end of a
 * transaction, what has been added since the last time goes to shared memory,
 * at most once a second, and without waiting for anybody.  What is held back
 * follows with a later transaction, or when the session ends.
 *
 * Since PostgreSQL 18, the shared counters are a kind of cumulative statistics,
 * and the server decides when a session reports them; before, they are in
 * memory of our own.  Either requires that the library is preloaded by the
 * server.  They begin anew when the server starts: PostgreSQL 18 discards all
 * statistics if it finds those of a kind that is no longer loaded.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "access/cache.h"
#include "access/statistics.h"
#include "core/compat.h"

#if PG_VERSION_NUM >= 180000
#include "utils/pgstat_internal.h"
#endif

PG_FUNCTION_INFO_V1(cnap_server_stats);

/* How long a session keeps its counters to itself, in ms */
#define REPORT_INTERVAL 1000

/* Of all sessions, since the server was started. */
typedef struct Totals
{
	CnapCounters counters;
	TimestampTz since;
} Totals;

typedef struct SharedTotals
{
	LWLock		lock;
	Totals		totals;
} SharedTotals;

static bool is_preloaded = false;

/* What this session has reported so far. */
static CnapCounters reported;

#if PG_VERSION_NUM >= 180000

/*
 * Numbers of kinds are assigned in PostgreSQL's wiki.  The server does not start
 * if two libraries have the same.
 */
#define STATISTICS_KIND ((PgStat_Kind) 29)

static SharedTotals *
shared_totals(void)
{
	return is_preloaded ? pgstat_get_custom_shmem_data(STATISTICS_KIND) : NULL;
}

#else

static SharedTotals *own_memory = NULL;
static shmem_request_hook_type next_shmem_request = NULL;
static shmem_startup_hook_type next_shmem_startup = NULL;
static TimestampTz last_report = 0;

#define TRANCHE_NAME "cnap_org"

static SharedTotals *
shared_totals(void)
{
	return own_memory;
}

#endif

/* Does this session have counters that it has not reported? */
static bool
is_anything_new(CnapCounters *counters)
{
	CnapCacheCounters(counters);
	return memcmp(counters, &reported, sizeof(reported)) != 0;
}

/*
 * Add what is new to the shared counters.  Returns whether something is left,
 * because somebody else has the lock and we do not wait.
 */
static bool
report(bool nowait)
{
	SharedTotals *shared = shared_totals();
	CnapCounters counters;

	if (shared == NULL || !is_anything_new(&counters))
		return false;
	if (!nowait)
		LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
	else if (!LWLockConditionalAcquire(&shared->lock, LW_EXCLUSIVE))
		return true;
	for (int i = 0; i < CNAP_COUNTERS; i++)
		shared->totals.counters.count[i] += counters.count[i] - reported.count[i];
	LWLockRelease(&shared->lock);
	reported = counters;
	return false;
}

static void
reset_totals(SharedTotals *shared, TimestampTz now)
{
	memset(&shared->totals, 0, sizeof(Totals));
	shared->totals.since = now;
}

#if PG_VERSION_NUM >= 180000

static void
init_shmem(void *stats)
{
	SharedTotals *shared = stats;

	LWLockInitialize(&shared->lock, LWTRANCHE_PGSTATS_DATA);
	reset_totals(shared, GetCurrentTimestamp());
}

/* pg_stat_reset_shared() does not know us, but the recovery from a crash does. */
static void
reset_all(TimestampTz ts)
{
	SharedTotals *shared = pgstat_get_custom_shmem_data(STATISTICS_KIND);

	LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
	reset_totals(shared, ts);
	LWLockRelease(&shared->lock);
}

static void
take_snapshot(void)
{
	SharedTotals *shared = pgstat_get_custom_shmem_data(STATISTICS_KIND);

	LWLockAcquire(&shared->lock, LW_SHARED);
	memcpy(pgstat_get_custom_snapshot_data(STATISTICS_KIND), &shared->totals, sizeof(Totals));
	LWLockRelease(&shared->lock);
}

static const PgStat_KindInfo kind_info = {
	.name = "cnap_org",
	.fixed_amount = true,
	.write_to_file = false,
	.shared_size = sizeof(SharedTotals),
	.shared_data_off = offsetof(SharedTotals, totals),
	.shared_data_len = sizeof(Totals),
	.init_shmem_cb = init_shmem,
	.flush_static_cb = report,
	.reset_all_cb = reset_all,
	.snapshot_cb = take_snapshot,
};

static void
read_totals(Totals *totals)
{
	pgstat_snapshot_fixed(STATISTICS_KIND);
	memcpy(totals, pgstat_get_custom_snapshot_data(STATISTICS_KIND), sizeof(Totals));
}

/* Let the server's next report include ours. */
static void
report_soon(void)
{
	CnapCounters counters;

	if (is_anything_new(&counters))
		pgstat_report_fixed = true;
}

static void
prepare_totals(void)
{
	pgstat_register_kind(STATISTICS_KIND, &kind_info);
}

#else

static void
request_shmem(void)
{
	if (next_shmem_request != NULL)
		next_shmem_request();
	RequestAddinShmemSpace(MAXALIGN(sizeof(SharedTotals)));
	RequestNamedLWLockTranche(TRANCHE_NAME, 1);
}

/* Our lock stands beside what it protects, and has the tranche's name alone. */
static void
startup_shmem(void)
{
	bool		found;

	if (next_shmem_startup != NULL)
		next_shmem_startup();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	own_memory = ShmemInitStruct("cnap_org statistics", sizeof(SharedTotals), &found);
	if (!found)
	{
		LWLockInitialize(&own_memory->lock, GetNamedLWLockTranche(TRANCHE_NAME)->lock.tranche);
		reset_totals(own_memory, GetCurrentTimestamp());
	}
	LWLockRelease(AddinShmemInitLock);
}

static void
read_totals(Totals *totals)
{
	SharedTotals *shared = shared_totals();

	LWLockAcquire(&shared->lock, LW_SHARED);
	*totals = shared->totals;
	LWLockRelease(&shared->lock);
}

static void
report_at_exit(int code, Datum arg)
{
	(void) report(false);
}

/* The first transaction also sees to it that the last ones are reported. */
static void
report_soon(void)
{
	TimestampTz now = GetCurrentTransactionStopTimestamp();

	if (last_report == 0)
		before_shmem_exit(report_at_exit, (Datum) 0);
	else if (!TimestampDifferenceExceeds(last_report, now, REPORT_INTERVAL))
		return;
	last_report = now;
	(void) report(true);
}

static void
prepare_totals(void)
{
	next_shmem_request = shmem_request_hook;
	shmem_request_hook = request_shmem;
	next_shmem_startup = shmem_startup_hook;
	shmem_startup_hook = startup_shmem;
}

#endif

static void
at_transaction_end(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_COMMIT:
		case XACT_EVENT_PARALLEL_COMMIT:
		case XACT_EVENT_ABORT:
		case XACT_EVENT_PARALLEL_ABORT:
		case XACT_EVENT_PREPARE:
			report_soon();
			break;
		default:
			break;
	}
}

void
CnapStatisticsInit(void)
{
	if (!process_shared_preload_libraries_in_progress)
		return;
	is_preloaded = true;
	prepare_totals();
	RegisterXactCallback(at_transaction_end, NULL);
}

/*
 * cnap_server_stats()
 *	 -> one row (checks, denials, without_user, lookups, loads, flushes, since),
 *		or none where the library is not preloaded
 */
Datum
cnap_server_stats(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Totals		totals;
	Datum		values[CNAP_COUNTERS + 1];
	bool		nulls[CNAP_COUNTERS + 1] = {false};

	InitMaterializedSRF(fcinfo, 0);
	if (!is_preloaded)
		return (Datum) 0;
	read_totals(&totals);
	for (int i = 0; i < CNAP_COUNTERS; i++)
		values[i] = Int64GetDatum(totals.counters.count[i]);
	values[CNAP_COUNTERS] = TimestampTzGetDatum(totals.since);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	return (Datum) 0;
}
