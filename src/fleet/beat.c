/*-------------------------------------------------------------------------
 *
 * beat.c
 *	  The beat of the origin, and the refusal of writes anywhere else.
 *
 * freshness.c explains what the beat is for.  Its time and its position in the
 * write-ahead log are taken before its transaction commits, so whatever was
 * committed by then precedes it in every stream of replication.
 *
 * Only cnap_beat() writes the beat, and replication's apply, for which the
 * triggers here do not fire.  A row that somebody else inserts comes from a
 * dump: it is marked as restored, which closes the database until a superuser
 * decides who keeps the access data.  Until then the other tables can be
 * restored, in whatever order they come.
 *
 * The beat also carries the version of the extension at the origin, which a
 * follower must not be behind.
 *
 * The last beats are also noted in cnap.beat_trail, which is not replicated: by
 * a position in the log that a follower has applied, it tells how old the
 * follower's data is.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/rel.h"

#include "change/authorize.h"
#include "core/arguments.h"
#include "core/compat.h"
#include "core/freshness.h"
#include "core/own_catalog.h"
#include "core/run_as_owner.h"
#include "core/trigger.h"
#include "fleet/beat.h"

PG_FUNCTION_INFO_V1(cnap_beat);
PG_FUNCTION_INFO_V1(cnap_beat_before_write);
PG_FUNCTION_INFO_V1(cnap_mark_unproven_beat);
PG_FUNCTION_INFO_V1(cnap_signal_beat);
PG_FUNCTION_INFO_V1(cnap_refuse_local_write);
PG_FUNCTION_INFO_V1(cnap_refuse_published_truncate);

/* The version of the extension that this database has. */
#define OWN_VERSION \
	"(SELECT extversion FROM pg_catalog.pg_extension WHERE extname = 'cnap_org')"

/* How many beats are noted, as the constraint of cnap.beat_trail has it. */
#define BEAT_NOTES 64

/*
 * cnap_beat() is writing the beat.  It is reset when the statement ends in
 * whatever way.
 */
static bool beating = false;

/* Raise 25006: the access data is kept by another database. */
pg_noreturn static void
kept_elsewhere(const char *origin)
{
	ereport(ERROR,
			(errcode(ERRCODE_READ_ONLY_SQL_TRANSACTION),
			 origin != NULL ?
			 errmsg("access data is kept at %s", origin) :
			 errmsg("access data is kept at the publisher of this database's subscription"),
			 errdetail("This database follows that one by replication."),
			 errhint("Make the change there. If this database is to keep the access data itself, drop its subscription to the access tables, and let a superuser execute cnap_beat(take_over => true).")));
}

/* Execute a statement on the beat, which its trigger then lets through. */
static uint64
write_beat(CnapStatement *statement, Datum *values)
{
	uint64		processed = 0;

	PG_TRY();
	{
		beating = true;
		processed = CnapExecute(statement, values, NULL);
	}
	PG_FINALLY();
	{
		beating = false;
	}
	PG_END_TRY();
	return processed;
}

/*
 * Note the beat, at most once a second, and so seldom that the notes reach back
 * twice as far as a follower's data may be old.
 */
static void
note_beat(void)
{
	static CnapStatement note = {
		"INSERT INTO cnap.beat_trail AS trail (slot, at, \"position\")"
		" SELECT floor(extract(epoch FROM at) / $1)::bigint % $2, at, \"position\" FROM cnap.beat"
		" ON CONFLICT (slot) DO UPDATE SET at = excluded.at, \"position\" = excluded.\"position\""
		" WHERE trail.at < excluded.at - pg_catalog.make_interval(secs => $1)"
		" OR trail.at > excluded.at",
		2, {FLOAT8OID, INT4OID}
	};
	double		spacing = 2.0 * CnapMaxStaleness / 1000.0 / BEAT_NOTES;
	Datum		values[2];

	values[0] = Float8GetDatum(Max(spacing, 1.0));
	values[1] = Int32GetDatum(BEAT_NOTES);
	CnapExecute(&note, values, NULL);
}

/* Make this database the origin of data that it got from elsewhere. */
static void
take_over_from(const char *origin)
{
	static CnapStatement statement = {
		"UPDATE cnap.beat SET origin = $1, at = pg_catalog.clock_timestamp(),"
		" \"position\" = pg_catalog.pg_current_wal_insert_lsn(), restored = false,"
		" version = " OWN_VERSION,
		1, {TEXTOID}
	};
	Datum		value = CStringGetTextDatum(CnapOwnOrigin());
	CnapAct		act;
	StringInfoData detail;

	write_beat(&statement, &value);
	initStringInfo(&detail);
	CnapAppendPair(&detail, "from", origin);
	CnapActByPrivilege(&act);
	CnapRecord(&act, "beat.take_over", NULL, detail.data);
}

void
CnapBeat(bool take_over)
{
	static CnapStatement renew = {
		"UPDATE cnap.beat SET at = pg_catalog.clock_timestamp(),"
		" \"position\" = pg_catalog.pg_current_wal_insert_lsn(), version = " OWN_VERSION
		" WHERE origin = $1 AND NOT restored",
		1, {TEXTOID}
	};
	static CnapStatement first = {
		"INSERT INTO cnap.beat (origin, at, \"position\", restored, version)"
		" SELECT $1, pg_catalog.clock_timestamp(), pg_catalog.pg_current_wal_insert_lsn(), false, " OWN_VERSION
		" ON CONFLICT DO NOTHING",
		1, {TEXTOID}
	};
	Datum		value = CStringGetTextDatum(CnapOwnOrigin());
	char	   *origin;

	PreventCommandDuringRecovery("cnap_beat()");
	origin = CnapBeatOrigin();
	if (CnapIsSubscribed())
		kept_elsewhere(origin);
	if (write_beat(&renew, &value) == 0)
	{
		if (origin == NULL)
			write_beat(&first, &value);
		else if (take_over)
			take_over_from(origin);
		else
			kept_elsewhere(origin);
	}
	note_beat();
}

/* cnap_beat(take_over boolean) -> void */
Datum
cnap_beat(PG_FUNCTION_ARGS)
{
	bool		take_over = DatumGetBool(CnapRequiredArg(fcinfo, 0, "take_over"));

	if (take_over && !superuser())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be superuser to make this database the origin of its access data")));
	CnapBeat(take_over);
	PG_RETURN_VOID();
}

/* The row of a beat that proves nothing. */
static Datum
unproven(TriggerData *trigdata, HeapTuple tuple)
{
	int			restored = Anum_beat_restored;
	Datum		yes = BoolGetDatum(true);
	bool		isnull = false;

	return PointerGetDatum(heap_modify_tuple_by_cols(tuple, RelationGetDescr(trigdata->tg_relation),
													 1, &restored, &yes, &isnull));
}

/*
 * cnap.beat_before_write(): trigger, before each row of cnap.beat is written,
 * or the table is truncated, by anything but replication
 */
Datum
cnap_beat_before_write(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = CnapTriggerData(fcinfo);

	if (TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event) && beating)
		return PointerGetDatum(trigdata->tg_newtuple);
	if (TRIGGER_FIRED_BY_INSERT(trigdata->tg_event))
	{
		if (beating)
			return PointerGetDatum(trigdata->tg_trigtuple);
		return unproven(trigdata, trigdata->tg_trigtuple);
	}
	if (!TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event) && CnapFleetRoleNow() == CNAP_ORIGIN)
		return PointerGetDatum(trigdata->tg_trigtuple);
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("only cnap_beat() and replication change the beat"),
			 errhint("If this database is to keep the access data itself, a superuser executes cnap_beat(take_over => true).")));
}

/*
 * cnap.mark_unproven_beat(): trigger, before replication writes the beat
 *
 * While a table is being copied, the beat can be ahead of it.  This database
 * sees that in its catalogs, but those that follow it do not: for them, the row
 * says so.  The first beat after the copy sets it right.
 */
Datum
cnap_mark_unproven_beat(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = CnapTriggerData(fcinfo);
	HeapTuple	tuple = TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event) ?
		trigdata->tg_newtuple : trigdata->tg_trigtuple;

	if (CnapIsBeingCopied())
		return unproven(trigdata, tuple);
	return PointerGetDatum(tuple);
}

/*
 * cnap.signal_beat(): trigger, after a beat appeared, disappeared, or got
 * another origin
 */
Datum
cnap_signal_beat(PG_FUNCTION_ARGS)
{
	(void) CnapTriggerData(fcinfo);
	CacheInvalidateRelcacheByRelid(CnapTableOid(CNAP_BEAT));
	return PointerGetDatum(NULL);
}

/*
 * cnap.refuse_local_write(): trigger, before a statement that is not
 * replication's writes to a table that another database keeps
 */
Datum
cnap_refuse_local_write(PG_FUNCTION_ARGS)
{
	(void) CnapTriggerData(fcinfo);
	if (CnapFleetRoleNow() == CNAP_FOLLOWER)
		kept_elsewhere(CnapBeatOrigin());
	return PointerGetDatum(NULL);
}

/*
 * cnap.refuse_published_truncate(): trigger, before TRUNCATE of a table that
 * may be published
 *
 * A follower's tables can be referenced by tables that the origin does not
 * have; its apply would then fail again and again.
 */
Datum
cnap_refuse_published_truncate(PG_FUNCTION_ARGS)
{
	static CnapStatement published = {
		"SELECT pubname FROM pg_catalog.pg_publication_tables"
		" WHERE schemaname = 'cnap' AND tablename = $1 LIMIT 1",
		1, {NAMEOID}
	};
	TriggerData *trigdata = CnapTriggerData(fcinfo);
	Datum		name;
	char	   *publication;

	name = NameGetDatum(&trigdata->tg_relation->rd_rel->relname);
	publication = CnapQueryText(&published, &name, NULL);
	if (publication != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("cannot truncate \"%s\", which is published",
						RelationGetRelationName(trigdata->tg_relation)),
				 errdetail("It belongs to publication \"%s\". On a follower whose own tables reference it, TRUNCATE would stop replication.",
						   publication),
				 errhint("Use DELETE.")));
	return PointerGetDatum(NULL);
}
