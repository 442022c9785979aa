/*-------------------------------------------------------------------------
 *
 * audit_feed.c
 *	  Following the audit log, entry by entry, without missing any.
 *
 * The id of an entry is drawn when it is written, but it can be read only when its
 * transaction has committed: whoever remembers the highest id that they have seen
 * misses what is committed later with a lower one.  So a consumer's cursor is not a
 * number but a snapshot (sql/68_audit_feed.sql), the set of the transactions that
 * have been read.  The next batch is what is visible now and was not then.  Nobody's
 * open or prepared transaction holds it up.
 *
 * The numbers of transactions mean something only within one history: not after a
 * dump and restore, and not after a failover, in which the new primary may not have
 * got the last transactions and gives their numbers to others.  So a cursor names
 * its history, by a random id that no dump contains, and its timeline.
 *
 * Hazard: on a standby, pg_current_snapshot() lists no transactions that are in
 * progress, so the log is not followed there.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/builtins.h"

#include "core/arguments.h"
#include "core/run_as_owner.h"

PG_FUNCTION_INFO_V1(cnap_audit_feed);
PG_FUNCTION_INFO_V1(cnap_audit_cursor);

/* What a cursor of this history begins with. */
static char *
history_prefix(void)
{
	static CnapStatement query = {"SELECT id FROM cnap.audit_history"};
	char	   *id;

	if (RecoveryInProgress())
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the audit log cannot be followed on a standby"),
				 errhint("Follow it on the primary.")));
	id = CnapQueryText(&query, NULL, NULL);
	if (id == NULL)
		elog(ERROR, "the history of the audit log has no id");
	return psprintf("%s/%u/", id, GetWALInsertionTimeLine());
}

/*
 * Read a pg_snapshot; false if it is none.  The type's input function does nothing that its
 * error would leave behind, so that can be caught here.
 */
static bool
read_snapshot(char *str, Datum *snapshot)
{
	MemoryContext context = CurrentMemoryContext;
	volatile bool is_read = true;

	PG_TRY();
	{
		*snapshot = DirectFunctionCall1(pg_snapshot_in, CStringGetDatum(str));
	}
	PG_CATCH();
	{
		if (geterrcode() != ERRCODE_INVALID_TEXT_REPRESENTATION)
			PG_RE_THROW();
		MemoryContextSwitchTo(context);
		FlushErrorState();
		is_read = false;
	}
	PG_END_TRY();
	return is_read;
}

/*
 * The snapshot in a cursor.  Anything that is not in the form of a cursor raises
 * 22023.
 */
static Datum
cursor_position(char *cursor, const char *prefix)
{
	char	   *first = strchr(cursor, '/');
	char	   *last = strrchr(cursor, '/');
	Datum		snapshot = (Datum) 0;

	if (first == NULL || last == first || !read_snapshot(last + 1, &snapshot))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid cursor"),
				 errhint("Pass a cursor that cnap_audit_feed() or cnap_audit_cursor() has returned.")));
	if (strncmp(cursor, prefix, strlen(prefix)) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the cursor belongs to another history of the database"),
				 errdetail("The database has been restored, or a standby has been promoted, since."),
				 errhint("Compare all that depends on access with what the checks say now, and continue from cnap_audit_cursor().")));
	return snapshot;
}

/* cnap_audit_feed(after, max_rows) -> the audit entries that follow a cursor */
Datum
cnap_audit_feed(PG_FUNCTION_ARGS)
{
	static CnapStatement query = {
		"SELECT * FROM cnap.list_audit_feed($1, $2, $3)",
		3, {TEXTOID, PG_SNAPSHOTOID, INT4OID}, CURSOR_OPT_CUSTOM_PLAN
	};
	char	   *prefix;
	Datum		values[3];
	char		nulls[3] = {' ', ' ', ' '};

	CnapCheckMaxRows(fcinfo, 1);
	prefix = history_prefix();
	values[0] = CStringGetTextDatum(prefix);
	values[1] = PG_ARGISNULL(0) ?
		DirectFunctionCall1(pg_snapshot_in, CStringGetDatum("1:1:")) :
		cursor_position(text_to_cstring(PG_GETARG_TEXT_PP(0)), prefix);
	values[2] = PG_GETARG_DATUM(1);
	nulls[2] = PG_ARGISNULL(1) ? 'n' : ' ';
	return CnapReturnRows(fcinfo, &query, values, nulls);
}

/* cnap_audit_cursor() -> the cursor after all that is committed */
Datum
cnap_audit_cursor(PG_FUNCTION_ARGS)
{
	static CnapStatement query = {"SELECT cnap.feed_end()"};

	PG_RETURN_TEXT_P(cstring_to_text(psprintf("%s%s", history_prefix(),
											  CnapQueryText(&query, NULL, NULL))));
}
