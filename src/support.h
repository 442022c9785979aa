/*-------------------------------------------------------------------------
 *
 * support.h
 *	  What our planner support functions have in common.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_SUPPORT_H
#define CNAP_SUPPORT_H

#include "nodes/supportnodes.h"

extern bool CnapValuesAreGiven(const SupportRequestIndexCondition *req);

#endif							/* CNAP_SUPPORT_H */
