/*-------------------------------------------------------------------------
 *
 * table_scan.c
 *	  Index scans of the extension's own tables.
 *
 * All reads use a fresh catalog snapshot.  Such a snapshot sees everything
 * committed by the time of the scan, whatever the isolation level, and the
 * changes of the current transaction up to the current command, which are the
 * semantics of PostgreSQL's own GRANT and REVOKE.  With the active snapshot, a
 * member removed meanwhile would keep access until the end of a REPEATABLE READ
 * transaction.
 *
 * Direct scans require no privileges on the tables, and do not depend on the
 * caller's planner settings or search path.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "access/transam.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "core/table_scan.h"

/* For CnapNoteRowsSince() */
static TransactionId since = InvalidTransactionId;
static bool saw_since = false;

void
CnapKeyOid(ScanKey key, AttrNumber attno, Oid value)
{
	ScanKeyInit(key, attno, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(value));
}

void
CnapKeyUuid(ScanKey key, AttrNumber attno, const pg_uuid_t *value)
{
	ScanKeyInit(key, attno, BTEqualStrategyNumber, F_UUID_EQ,
				UUIDPGetDatum(value));
}

/* User ids compare bytewise: ScanKeyInit() sets the collation "C". */
void
CnapKeyText(ScanKey key, AttrNumber attno, text *value)
{
	ScanKeyInit(key, attno, BTEqualStrategyNumber, F_TEXTEQ,
				PointerGetDatum(value));
}

/*
 * Our tables have no syscache, so GetCatalogSnapshot() takes a new snapshot
 * each time.  The callbacks must know the tables before that, or they could
 * miss a change that the snapshot does not see.
 */
Snapshot
CnapFreshSnapshot(void)
{
	return RegisterSnapshot(GetCatalogSnapshot(CnapTableOid(CNAP_WORKSPACE)));
}

/*
 * The table is locked before the index is chosen, since nobody can drop an
 * index of a locked table.
 */
void
CnapBeginScan(CnapScan *scan, CnapTable table, Snapshot snapshot, int nkeys, ScanKey keys)
{
	Oid			index;

	scan->rel = CnapOpenTable(table);
	index = nkeys > 0 ? CnapIndexOid(table, keys[0].sk_attno) : InvalidOid;
	scan->scan = systable_beginscan(scan->rel, index, OidIsValid(index),
									snapshot, nkeys, keys);
}

void
CnapNoteRowsSince(TransactionId xmin)
{
	since = xmin;
	saw_since = false;
}

bool
CnapSawRowsSince(void)
{
	return saw_since;
}

HeapTuple
CnapNextRow(CnapScan *scan)
{
	HeapTuple	tuple = systable_getnext(scan->scan);

	if (HeapTupleIsValid(tuple) &&
		!TransactionIdPrecedes(HeapTupleHeaderGetRawXmin(tuple->t_data), since))
		saw_since = true;
	return tuple;
}

HeapTuple
CnapScanRow(CnapScan *scan, CnapTable table, ScanKey key)
{
	CnapBeginScan(scan, table, NULL, 1, key);
	return CnapNextRow(scan);
}

void
CnapEndScan(CnapScan *scan)
{
	systable_endscan(scan->scan);
	table_close(scan->rel, AccessShareLock);
}

/* In a version of the extension that lacks the column, it is null. */
Datum
CnapField(const CnapScan *scan, HeapTuple tuple, AttrNumber attno, bool *isnull)
{
	if (attno > RelationGetNumberOfAttributes(scan->rel))
	{
		*isnull = true;
		return (Datum) 0;
	}
	return heap_getattr(tuple, attno, RelationGetDescr(scan->rel), isnull);
}
