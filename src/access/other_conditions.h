/*-------------------------------------------------------------------------
 *
 * other_conditions.h
 *	  The conditions that a query has beside a check.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_OTHER_CONDITIONS_H
#define CNAP_OTHER_CONDITIONS_H

#include "nodes/pathnodes.h"

#include "access/estimates.h"

/*
 * Let those that give nothing away of a row be used with an index, as if they
 * stood alone.
 */
extern void CnapMarkHarmless(PlannerInfo *root, const CnapCheck *check);

#endif							/* CNAP_OTHER_CONDITIONS_H */
