/*-------------------------------------------------------------------------
 *
 * trigger.c
 *	  What our trigger functions were called for.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/lsyscache.h"

#include "core/compat.h"
#include "core/trigger.h"

pg_noreturn static void
refuse_call(FunctionCallInfo fcinfo, const char *kind)
{
	ereport(ERROR,
			(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
			 errmsg("cnap.%s() can only be called as a trigger%s",
					get_func_name(fcinfo->flinfo->fn_oid), kind)));
}

TriggerData *
CnapTriggerData(FunctionCallInfo fcinfo)
{
	if (!CALLED_AS_TRIGGER(fcinfo))
		refuse_call(fcinfo, "");
	return (TriggerData *) fcinfo->context;
}

TriggerData *
CnapRowTriggerData(FunctionCallInfo fcinfo)
{
	TriggerData *trigdata = CnapTriggerData(fcinfo);

	if (!TRIGGER_FIRED_FOR_ROW(trigdata->tg_event))
		refuse_call(fcinfo, " for each row");
	return trigdata;
}
