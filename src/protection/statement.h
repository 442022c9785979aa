/*-------------------------------------------------------------------------
 *
 * statement.h
 *	  Executing statements about the application's tables.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_STATEMENT_H
#define CNAP_STATEMENT_H

/* Is a statement being executed by one of the following? */
extern bool CnapIsExecuting(void);

extern void CnapExecuteUtility(const char *sql);

/* The result is that expected of SPI_execute(). */
extern void CnapExecuteAsOwner(Oid relid, const char *sql, int result);

#endif							/* CNAP_STATEMENT_H */
