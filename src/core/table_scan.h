/*-------------------------------------------------------------------------
 *
 * table_scan.h
 *	  Index scans of the extension's own tables.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_TABLE_SCAN_H
#define CNAP_TABLE_SCAN_H

#include "access/genam.h"
#include "access/skey.h"
#include "utils/snapshot.h"
#include "utils/uuid.h"

#include "core/own_catalog.h"

/*
 * A scan of one of our tables by equality on the leading columns of an index.
 */
typedef struct CnapScan
{
	Relation	rel;
	SysScanDesc scan;
} CnapScan;

extern void CnapKeyOid(ScanKey key, AttrNumber attno, Oid value);
extern void CnapKeyUuid(ScanKey key, AttrNumber attno, const pg_uuid_t *value);
extern void CnapKeyText(ScanKey key, AttrNumber attno, text *value);

/*
 * A registered snapshot for a decision that is based on several scans.  The
 * caller unregisters it.
 */
extern Snapshot CnapFreshSnapshot(void);

/*
 * From now on, note whether a row is read that was written by a transaction which
 * had not ended when a snapshot with this xmin was taken.  All other rows that are
 * found were there for that snapshot, too.  Rows are frozen in the meantime, so what
 * is compared is their xmin from before; one that is so old that it seems to be a
 * later one is merely noted as well.
 */
extern void CnapNoteRowsSince(TransactionId xmin);
extern bool CnapSawRowsSince(void);

/* Begin a scan.  A NULL snapshot stands for a fresh one. */
extern void CnapBeginScan(CnapScan *scan, CnapTable table, Snapshot snapshot,
						  int nkeys, ScanKey keys);

/* The next row, or NULL.  It is valid until the next call. */
extern HeapTuple CnapNextRow(CnapScan *scan);

/* Begin a scan with a fresh snapshot, and return the first row, or NULL. */
extern HeapTuple CnapScanRow(CnapScan *scan, CnapTable table, ScanKey key);

extern void CnapEndScan(CnapScan *scan);

/* A column of a row, which is valid as long as the row is. */
extern Datum CnapField(const CnapScan *scan, HeapTuple tuple, AttrNumber attno,
					   bool *isnull);

#endif							/* CNAP_TABLE_SCAN_H */
