/*-------------------------------------------------------------------------
 *
 * planned_code.h
 *	  Whose code PostgreSQL executes when it plans a query of a table.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_PLANNED_CODE_H
#define CNAP_PLANNED_CODE_H

#include "nodes/pg_list.h"
#include "storage/lockdefs.h"

/*
 * Those of a table and its partitions whose owner is no superuser.  The partitions are
 * locked, the table is not.
 */
extern List *CnapForeignTables(Oid relid, LOCKMODE lockmode);

/* Does any query of these execute what somebody has defined? */
extern bool CnapPlansForeignCode(const List *tables);

#endif							/* CNAP_PLANNED_CODE_H */
