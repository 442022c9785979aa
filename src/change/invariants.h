/*-------------------------------------------------------------------------
 *
 * invariants.h
 *	  Rules that constraints cannot express.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_INVARIANTS_H
#define CNAP_INVARIANTS_H

#include "core/rows.h"

/*
 * Can somebody be let into the workspace, either by an activation, until a time or
 * for good, or by an assignment?  Raises 55000 (object_not_in_prerequisite_state) if
 * its management does not provide for that.
 */
extern void CnapCheckAssignable(const CnapWorkspace *workspace, bool activated, bool ends);

#endif							/* CNAP_INVARIANTS_H */
