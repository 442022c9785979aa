/*-------------------------------------------------------------------------
 *
 * changed_row.c
 *	  Reading the row that a trigger was fired for.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/json.h"

#include "change/changed_row.h"
#include "core/rows.h"

Datum
CnapChangedValue(const CnapChange *change, HeapTuple tuple, AttrNumber attno, bool *isnull)
{
	return heap_getattr(tuple, attno, change->desc, isnull);
}

/* The new version of the row, or the old one if it was deleted. */
HeapTuple
CnapCurrentRow(const CnapChange *change)
{
	return change->after != NULL ? change->after : change->before;
}

/* Get a not-null column from the current row. */
Datum
CnapCurrentValue(const CnapChange *change, AttrNumber attno)
{
	bool		isnull;
	Datum		value = CnapChangedValue(change, CnapCurrentRow(change), attno, &isnull);

	if (isnull)
		elog(ERROR, "unexpected null in column %d", attno);
	return value;
}

char *
CnapChangedText(const CnapChange *change, HeapTuple tuple, AttrNumber attno)
{
	bool		isnull;
	Datum		value = CnapChangedValue(change, tuple, attno, &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

const pg_uuid_t *
CnapChangedUuid(const CnapChange *change, HeapTuple tuple, AttrNumber attno)
{
	bool		isnull;
	Datum		value = CnapChangedValue(change, tuple, attno, &isnull);

	return isnull ? NULL : DatumGetUUIDP(value);
}

bool
CnapIsUpdate(const CnapChange *change)
{
	return change->before != NULL && change->after != NULL;
}

/* Did the UPDATE change a column? */
bool
CnapColumnChanged(const CnapChange *change, AttrNumber attno)
{
	return CnapColumnDiffers(change->desc, change->before, change->after, attno);
}

/* Did an UPDATE set a column that was null? */
bool
CnapColumnWasSet(const CnapChange *change, AttrNumber attno)
{
	return CnapIsUpdate(change) &&
		heap_attisnull(change->before, attno, change->desc) &&
		!heap_attisnull(change->after, attno, change->desc);
}

/*
 * Add "changed": [names], listing those of the columns that the UPDATE
 * changed, apart from any InvalidAttrNumber.  Returns false, without adding
 * anything, if there are none.
 */
bool
CnapAppendChanged(StringInfo json, const CnapChange *change,
				  const AttrNumber *columns, int ncolumns)
{
	bool		any = false;

	for (int i = 0; i < ncolumns; i++)
	{
		if (columns[i] == InvalidAttrNumber || !CnapColumnChanged(change, columns[i]))
			continue;
		if (json->len > 0)
			appendStringInfoString(json, ", ");
		if (!any)
			appendStringInfoString(json, "\"changed\": [");
		escape_json(json, NameStr(TupleDescAttr(change->desc, columns[i] - 1)->attname));
		any = true;
	}
	if (any)
		appendStringInfoChar(json, ']');
	return any;
}
