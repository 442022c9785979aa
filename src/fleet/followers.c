/*-------------------------------------------------------------------------
 *
 * followers.c
 *	  What an origin and its followers know of each other: the publication,
 *	  positions, and the followers' lag.
 *
 * A position consists of the origin and a position in its write-ahead log.  A
 * follower has reached it when it shows a beat that was stamped later in that
 * log.  This works for every kind of follower, also for one that follows
 * another follower, and needs no clock.  A standby of the origin has the same
 * log, so can tell by what it has replayed.  While a table is being copied, the
 * beat can be ahead of it, so no position has been reached.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "access/xlogrecovery.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/latch.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/pg_lsn.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "change/authorize.h"
#include "core/arguments.h"
#include "core/citus.h"
#include "core/compat.h"
#include "core/freshness.h"
#include "core/own_catalog.h"
#include "core/run_as_owner.h"
#include "fleet/beat.h"

PG_FUNCTION_INFO_V1(cnap_published_tables);
PG_FUNCTION_INFO_V1(cnap_publish);
PG_FUNCTION_INFO_V1(cnap_position);
PG_FUNCTION_INFO_V1(cnap_wait);
PG_FUNCTION_INFO_V1(cnap_followers);

#define PUBLICATION "cnap_access"

/* What separates the origin from the place in its log. */
#define SEPARATOR '@'

/* How long cnap_wait() sleeps between two looks, in milliseconds */
#define LOOK_AGAIN 5

/* Execute a utility statement as the caller. */
static void
execute_utility(const char *statement)
{
	if (SPI_execute(statement, false, 0) != SPI_OK_UTILITY)
		elog(ERROR, "could not execute: %s", statement);
}

/* The first column of a query's first row, or NULL, as the caller. */
static char *
query_text(const char *query)
{
	if (SPI_execute(query, true, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not execute: %s", query);
	if (SPI_processed == 0)
		return NULL;
	return SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
}

/* cnap.published_tables() -> text[] */
Datum
cnap_published_tables(PG_FUNCTION_ARGS)
{
	Datum		names[CNAP_PUBLISHED_TABLES];

	for (int i = 0; i < CNAP_PUBLISHED_TABLES; i++)
		names[i] = CStringGetTextDatum(get_rel_name(CnapTableOid(CnapPublishedTables[i])));
	PG_RETURN_ARRAYTYPE_P(construct_array(names, lengthof(names), TEXTOID, -1, false,
										  TYPALIGN_INT));
}

/*
 * cnap_publish() -> void
 *
 * Whoever follows needs a beat, so this makes one where the data are kept.
 * ALTER PUBLICATION ... SET TABLE also removes tables, row filters and column
 * lists that somebody has added.  It does nothing where nothing differs.
 */
Datum
cnap_publish(PG_FUNCTION_ARGS)
{
	char	   *tables;
	char	   *exists;
	CnapAct		act;
	int			nest_level;

	if (!superuser())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be superuser to publish the access data")));

	/* Others may follow a follower. */
	if (CnapFleetRoleNow() != CNAP_FOLLOWER)
		CnapBeat(false);

	nest_level = CnapBeginHereOnly();
	SPI_connect();
	tables = query_text("SELECT pg_catalog.string_agg('TABLE cnap.' || pg_catalog.quote_ident(name), ', ')"
						" FROM pg_catalog.unnest(cnap.published_tables()) name");
	exists = query_text("SELECT puballtables FROM pg_catalog.pg_publication"
						" WHERE pubname = '" PUBLICATION "'");
	if (exists == NULL)
		execute_utility(psprintf("CREATE PUBLICATION " PUBLICATION " FOR %s", tables));
	else if (exists[0] == 't')
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("publication \"%s\" is FOR ALL TABLES", PUBLICATION),
				 errdetail("The audit log, and how caches are told of changes, must not be published."),
				 errhint("Drop the publication first.")));
	else
		execute_utility(psprintf("ALTER PUBLICATION " PUBLICATION " SET %s", tables));
	execute_utility("ALTER PUBLICATION " PUBLICATION " SET"
					" (publish = 'insert, update, delete, truncate', publish_via_partition_root = false)");
	SPI_finish();
	AtEOXact_GUC(false, nest_level);

	CnapActByPrivilege(&act);
	CnapRecord(&act, "publication.set", NULL, "");
	PG_RETURN_VOID();
}

/*
 * cnap_position() -> text
 *
 * The place in the log is one that all commits so far precede.  It could be
 * asked for too early in the transaction that makes the change, so there it is
 * refused.
 */
Datum
cnap_position(PG_FUNCTION_ARGS)
{
	if (RecoveryInProgress() || CnapFleetRoleNow() != CNAP_ORIGIN)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("access data is not kept in this database"),
				 errhint("Call cnap_position() where the change was committed.")));
	if (TransactionIdIsValid(GetTopTransactionIdIfAny()))
		ereport(ERROR,
				(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				 errmsg("cnap_position() cannot be called in a transaction that has changed something"),
				 errhint("Commit first.")));
	PG_RETURN_TEXT_P(cstring_to_text(psprintf("%s%c%X/%X", CnapOwnOrigin(), SEPARATOR,
											  LSN_FORMAT_ARGS(GetXLogInsertRecPtr()))));
}

/* Read a place in the log, as printed by cnap_position(). */
static bool
parse_place(const char *string, XLogRecPtr *place)
{
	static const char hex_digits[] = "0123456789ABCDEFabcdef";
	size_t		high = strspn(string, hex_digits);
	size_t		low = string[high] == '/' ? strspn(string + high + 1, hex_digits) : 0;

	if (high < 1 || high > 8 || low < 1 || low > 8 || string[high + 1 + low] != '\0')
		return false;
	*place = (uint64) strtoul(string, NULL, 16) << 32 | strtoul(string + high + 1, NULL, 16);
	return true;
}

/* Split a position; the result is the origin, palloc'd. */
static char *
parse_position(FunctionCallInfo fcinfo, int argno, XLogRecPtr *place)
{
	char	   *origin = text_to_cstring(DatumGetTextPP(CnapRequiredArg(fcinfo, argno, "position")));
	char	   *separator = strchr(origin, SEPARATOR);

	if (separator == NULL || !parse_place(separator + 1, place))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid position"),
				 errhint("Pass what cnap_position() has returned.")));
	*separator = '\0';
	return origin;
}

/* Is this database a standby of that origin, on the same log? */
static bool
is_standby_of(const char *origin)
{
	return RecoveryInProgress() && strcmp(origin, CnapOwnOrigin()) == 0;
}

/* Has everything that was committed before that place arrived here? */
static bool
has_arrived(const char *origin, XLogRecPtr place)
{
	XLogRecPtr	beat_position;
	char	   *beat_origin;

	if (is_standby_of(origin) && GetXLogReplayRecPtr(NULL) >= place)
		return true;
	beat_origin = CnapBeatPosition(&beat_position);
	if (CnapFleetRoleNow() == CNAP_ORIGIN && strcmp(origin, CnapOwnOrigin()) == 0)
		return true;
	if (beat_origin == NULL || strcmp(beat_origin, origin) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("this database does not follow the origin of that position"),
				 beat_origin == NULL ?
				 errdetail("It has no beat.") :
				 errdetail("Its access data is kept at %s.", beat_origin)));
	return beat_position >= place && !CnapIsBeingCopied();
}

/*
 * cnap_wait(position, timeout) -> void
 *
 * PostgreSQL 19's WAIT FOR LSN cannot be executed by a function, and knows
 * nothing of logical replication.
 */
Datum
cnap_wait(PG_FUNCTION_ARGS)
{
	XLogRecPtr	place = InvalidXLogRecPtr;
	char	   *origin = parse_position(fcinfo, 0, &place);
	TimestampTz until = DatumGetTimestampTz(DirectFunctionCall2(timestamptz_pl_interval,
																TimestampTzGetDatum(GetCurrentTimestamp()),
																CnapRequiredAge(fcinfo, 1, "timeout")));
	uint32		wait_event = CnapWaitEvent("CnapWaitPosition");

	while (!has_arrived(origin, place))
	{
		if (GetCurrentTimestamp() >= until)
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("the position has not been reached in time"),
					 errdetail("This database has not yet received all changes that were committed before it."),
					 errhint("Ask the origin, or wait longer.")));
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 LOOK_AGAIN, wait_event);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
	PG_RETURN_VOID();
}

/*
 * cnap_followers() -> setof (name, kind, connected, applied, lag, open)
 *
 * A follower is one that streams, or has a slot, in this server: directly, that
 * is.  What it has applied is as old as the last noted beat that it has applied.
 * Without such a beat its age is unknown, and it must be taken for closed as
 * soon as max_staleness is over; it is reported as not open.  That goes for those
 * who follow a follower, too, since its beat is of another server's log.
 */
Datum
cnap_followers(PG_FUNCTION_ARGS)
{
	static CnapStatement query = {
		"WITH setting AS MATERIALIZED ("
		" SELECT setting::integer AS max_staleness FROM pg_catalog.pg_settings"
		" WHERE name = 'cnap.max_staleness'),"
		" beats AS MATERIALIZED ("
		" SELECT at, \"position\" FROM cnap.beat_trail"
		" UNION ALL SELECT at, \"position\" FROM cnap.beat WHERE NOT restored AND origin = $1),"
		" peer AS ("
		" SELECT coalesce(s.slot_name, r.application_name) AS name,"
		" coalesce(s.slot_type, 'physical') AS kind,"
		" r.pid IS NOT NULL AS connected,"
		" coalesce(r.replay_lsn, s.confirmed_flush_lsn) AS applied"
		" FROM pg_catalog.pg_stat_replication r"
		" FULL JOIN (SELECT * FROM pg_catalog.pg_replication_slots"
		" WHERE slot_type = 'physical' OR database = pg_catalog.current_database()) s"
		" ON s.active_pid = r.pid"
		" WHERE s.slot_name IS NOT NULL OR NOT EXISTS"
		" (SELECT FROM pg_catalog.pg_replication_slots o WHERE o.active_pid = r.pid))"
		" SELECT name::text, kind::text, connected, applied, lag,"
		" coalesce(max_staleness < 0 OR lag <= make_interval(secs => max_staleness / 1000.0), false)"
		" FROM peer, setting, LATERAL ("
		" SELECT pg_catalog.clock_timestamp() - max(at) FROM beats"
		" WHERE \"position\" <= applied) age (lag)"
		" ORDER BY name",
		1, {TEXTOID}
	};
	Datum		own = CStringGetTextDatum(CnapOwnOrigin());

	return CnapReturnRows(fcinfo, &query, &own, NULL);
}
