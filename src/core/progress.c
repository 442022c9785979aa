/*-------------------------------------------------------------------------
 *
 * progress.c
 *	  What a long command of ours is doing, for those who look on.
 *
 * The progress views of PostgreSQL know its own commands alone.  So the statement
 * that is being executed, and which part of the command it is, is shown as the
 * query of the session in pg_stat_activity, as autovacuum and the workers that
 * build an index show theirs.  Only the session's role and those who may read
 * everybody's statements see it.  After an error it remains there until the next
 * command, and tells where this one failed.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "tcop/tcopprot.h"
#include "utils/backend_status.h"

#include "core/progress.h"

/* The part of the command that began at that time. */
static TimestampTz command_start = 0;
static int	current_part;
static int	all_parts;

void
CnapProgressPart(int part, int parts)
{
	command_start = GetCurrentStatementStartTimestamp();
	current_part = part;
	all_parts = parts;
}

void
CnapProgress(const char *statement)
{
	char	   *step;

	if (command_start == GetCurrentStatementStartTimestamp())
		step = psprintf("cnap_org, part %d of %d: %s", current_part, all_parts, statement);
	else
		step = psprintf("cnap_org: %s", statement);
	pgstat_report_activity(STATE_RUNNING, step);
	pfree(step);
}

void
CnapProgressEnd(void)
{
	pgstat_report_activity(STATE_RUNNING, debug_query_string);
}
