/*-------------------------------------------------------------------------
 *
 * statement.c
 *	  Executing statements about the application's tables.
 *
 * The caller may be a superuser, and the tables belong to somebody who is not.
 * ALTER TABLE executes functions of theirs more often than it seems: it
 * simplifies CHECK constraints to see whether they imply NOT NULL, and the
 * expressions of a partition key to find the partitions.  So only what creates
 * and drops policies or disables triggers, which executes nothing, is executed
 * as the caller, and all else as the owner of the table.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/guc.h"

#include "core/progress.h"
#include "core/relation.h"
#include "protection/statement.h"

/* Is one of our own statements being executed? */
static bool is_executing = false;

bool
CnapIsExecuting(void)
{
	return is_executing;
}

/* Execute a statement, and let the guard know that it is one of ours. */
static int
execute(const char *sql)
{
	volatile int result = 0;
	bool		former = is_executing;

	PG_TRY();
	{
		is_executing = true;
		CnapProgress(sql);
		result = SPI_execute(sql, false, 0);
	}
	PG_FINALLY();
	{
		is_executing = former;
	}
	PG_END_TRY();
	CnapProgressEnd();
	return result;
}

/*
 * Execute a DDL statement as the caller, which must be one that cannot execute
 * functions of the table's owner.  SPI must be connected.
 */
void
CnapExecuteUtility(const char *sql)
{
	if (execute(sql) != SPI_OK_UTILITY)
		elog(ERROR, "could not execute: %s", sql);
}

/*
 * Execute a statement as the owner of the table, because it may execute
 * functions in constraints, generated columns, indexes and casts of theirs.
 * Nor can these leave anything behind for the caller to execute: PostgreSQL's
 * own maintenance commands take the same precautions.
 */
void
CnapExecuteAsOwner(Oid relid, const char *sql, int result)
{
	Oid			userid;
	int			sec_context;
	int			nest_level = NewGUCNestLevel();

	GetUserIdAndSecContext(&userid, &sec_context);
	SetUserIdAndSecContext(CnapRelationOwner(relid),
						   sec_context | SECURITY_RESTRICTED_OPERATION |
						   SECURITY_NOFORCE_RLS);
	if (execute(sql) != result)
		elog(ERROR, "could not execute: %s", sql);
	SetUserIdAndSecContext(userid, sec_context);
	AtEOXact_GUC(false, nest_level);
}
