/*-------------------------------------------------------------------------
 *
 * trigger.h
 *	  What our trigger functions were called for.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_TRIGGER_H
#define CNAP_TRIGGER_H

#include "commands/trigger.h"
#include "fmgr.h"

/*
 * The data of the trigger that a function was called as.  Anything else is an
 * error: a call in a query, and, for the second, a trigger for each statement.
 * Whoever may execute the function could cause both.
 */
extern TriggerData *CnapTriggerData(FunctionCallInfo fcinfo);
extern TriggerData *CnapRowTriggerData(FunctionCallInfo fcinfo);

#endif							/* CNAP_TRIGGER_H */
