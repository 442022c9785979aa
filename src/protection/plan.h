/*-------------------------------------------------------------------------
 *
 * plan.h
 *	  The plan by which the tables of a schema are protected.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_PLAN_H
#define CNAP_PLAN_H

#include "protection/target.h"

/* The plan for protecting the tables of a schema, parents first. */
extern void CnapPlanTables(List *tables, const CnapRequest *request);
extern List *CnapPlanSchema(const CnapRequest *request);

#endif							/* CNAP_PLAN_H */
