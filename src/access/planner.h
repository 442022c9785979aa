/*-------------------------------------------------------------------------
 *
 * planner.h
 *	  What our planner support functions have in common.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_PLANNER_H
#define CNAP_PLANNER_H

#include "nodes/supportnodes.h"

extern bool CnapValuesAreGiven(const SupportRequestIndexCondition *req);

#endif							/* CNAP_PLANNER_H */
