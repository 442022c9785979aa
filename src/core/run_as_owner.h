/*-------------------------------------------------------------------------
 *
 * run_as_owner.h
 *	  The SQL that public functions execute on the extension's tables.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_RUN_AS_OWNER_H
#define CNAP_RUN_AS_OWNER_H

#include "executor/spi.h"
#include "fmgr.h"

#include "core/compat.h"

#define CNAP_MAX_PARAMS 10

/*
 * A flag of ours in the security context of a security-restricted operation: it is
 * done for the current user (identity.c).  PostgreSQL uses the lowest bits, carries the
 * others along, also to parallel workers, and restores them together.
 */
#define CNAP_SECURITY_FOR_USER 0x10000

/*
 * A statement, its parameter types, and its plan once it has been prepared.
 * All types are built-in ones, so that the plan survives DROP EXTENSION and
 * re-creation.
 */
typedef struct CnapStatement
{
	const char *sql;
	int			nparams;
	Oid			types[CNAP_MAX_PARAMS];
	int			options;		/* CURSOR_OPT_..., for the planner */
	SPIPlanPtr	plan;			/* kept for the lifetime of the session */
} CnapStatement;

/*
 * Each of these executes a statement as the owner of the tables.  If nulls is
 * NULL, no parameter is null; otherwise it has 'n' for each one that is, as in
 * SPI_execute_plan().
 *
 * CnapExecuteChange() is for statements that may fire triggers of other roles'
 * tables: it fires AFTER triggers as the caller.
 */
extern uint64 CnapExecute(CnapStatement *statement, Datum *values, const char *nulls);
extern uint64 CnapExecuteChange(CnapStatement *statement, Datum *values, const char *nulls);
extern char *CnapQueryText(CnapStatement *statement, Datum *values, const char *nulls);
extern Datum CnapReturnRows(FunctionCallInfo fcinfo, CnapStatement *statement,
							Datum *values, const char *nulls);

/*
 * Raise 40001 (serialization_failure).  Authorization checks see changes that
 * others have just committed, which in REPEATABLE READ and above the
 * statements do not see.
 */
pg_noreturn extern void CnapSerializationFailure(void);

/* Generate the id of a row that is about to be inserted. */
extern Datum CnapNewUuid(void);

#endif							/* CNAP_RUN_AS_OWNER_H */
