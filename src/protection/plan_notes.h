/*-------------------------------------------------------------------------
 *
 * plan_notes.h
 *	  What to consider about the tables that are, or will be, protected.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_PLAN_NOTES_H
#define CNAP_PLAN_NOTES_H

#include "protection/target.h"

/* What is in a table today; false if the caller does not own it. */
extern bool CnapHasNulls(Oid relid, const AttrNumber *columns, int ncolumns);
extern bool CnapIsEmpty(Oid relid);

extern bool CnapIsReferenced(Oid relid);

/* Add to the reasons of a plan what to consider about its tables. */
extern void CnapAddPlanNotes(List *tables, const CnapRequest *request);

#endif							/* CNAP_PLAN_NOTES_H */
