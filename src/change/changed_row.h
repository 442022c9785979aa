/*-------------------------------------------------------------------------
 *
 * changed_row.h
 *	  Reading the row that a trigger was fired for.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_CHANGED_ROW_H
#define CNAP_CHANGED_ROW_H

#include "access/htup_details.h"
#include "lib/stringinfo.h"
#include "utils/uuid.h"

/*
 * The old and new versions of a changed row; NULL if there is no such version.
 */
typedef struct CnapChange
{
	TupleDesc	desc;
	HeapTuple	before;
	HeapTuple	after;
} CnapChange;

/* A column of one of the versions; text and ids are NULL where it is null. */
extern Datum CnapChangedValue(const CnapChange *change, HeapTuple tuple, AttrNumber attno,
							  bool *isnull);
extern char *CnapChangedText(const CnapChange *change, HeapTuple tuple, AttrNumber attno);
extern const pg_uuid_t *CnapChangedUuid(const CnapChange *change, HeapTuple tuple,
										AttrNumber attno);

/* The new version, or the old one of a row that was deleted; and a not-null column of it. */
extern HeapTuple CnapCurrentRow(const CnapChange *change);
extern Datum CnapCurrentValue(const CnapChange *change, AttrNumber attno);

/* What an UPDATE has done; the second question is about UPDATEs only. */
extern bool CnapIsUpdate(const CnapChange *change);
extern bool CnapColumnChanged(const CnapChange *change, AttrNumber attno);
extern bool CnapColumnWasSet(const CnapChange *change, AttrNumber attno);

/* Add the names of those columns to the fields of an object; were there any? */
extern bool CnapAppendChanged(StringInfo json, const CnapChange *change,
							  const AttrNumber *columns, int ncolumns);

#endif							/* CNAP_CHANGED_ROW_H */
