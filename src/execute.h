/*-------------------------------------------------------------------------
 *
 * execute.h
 *	  The SQL that public functions execute on the extension's tables.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_EXECUTE_H
#define CNAP_EXECUTE_H

#include "executor/spi.h"
#include "fmgr.h"

#define CNAP_MAX_PARAMS 10

/*
 * A statement, its parameters' types, and the plan once it was made.  All
 * types are built in, so that the plan outlives a DROP EXTENSION: values of
 * our enums travel as text, and the statement casts them.
 */
typedef struct CnapStatement
{
	const char *sql;
	int			nparams;
	Oid			types[CNAP_MAX_PARAMS];
	SPIPlanPtr	plan;			/* kept for the life of the session */
} CnapStatement;

/*
 * Each executes a statement as the owner of the tables.  A null pointer in
 * nulls means that no parameter is null; else it has 'n' for each that is.
 */
extern uint64 CnapExecute(CnapStatement *statement, Datum *values, const char *nulls);
extern char *CnapQueryText(CnapStatement *statement, Datum *values, const char *nulls);
extern Datum CnapReturnRows(FunctionCallInfo fcinfo, CnapStatement *statement,
							Datum *values, const char *nulls);

/*
 * Raises 40001 (serialization_failure): decisions see what others have just
 * committed, and in REPEATABLE READ and above the statements do not.
 */
extern void CnapSerializationFailure(void);

/* A new id, for a row that a statement is about to insert. */
extern Datum CnapNewUuid(void);

#endif							/* CNAP_EXECUTE_H */
