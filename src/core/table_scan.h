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
