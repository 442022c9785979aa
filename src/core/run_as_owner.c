/*-------------------------------------------------------------------------
 *
 * run_as_owner.c
 *	  The SQL that public functions execute on the extension's tables.
 *
 * Ordinary roles have no privileges on the tables.  A public function checks
 * in C, running as its caller, whether the caller is allowed to do what it
 * asks for, and then executes a fixed, parameterized statement as the owner of
 * the tables, as referential integrity triggers do.  The functions are not
 * SECURITY DEFINER, because the check has to know the caller.
 *
 * Hazard: an SQL function that calls this must have a SET search_path clause,
 * unless its statements qualify all names and operators.
 *
 * Hazard: a foreign key's action may cascade to tables of other roles, whose
 * AFTER triggers PostgreSQL fires at the end of the statement, up to version
 * 17 as the role that is current then.  They must not run as our owner, so
 * CnapExecuteChange() switches back to the caller before it fires them; and if that is
 * a superuser, to the owner of those tables (cascades.c).  Nor do settings outlast that
 * which they make in a superuser's session, such as the search path.
 *
 * Plans are kept for the lifetime of the session, by SPI_keepplan().
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "executor/tstoreReceiver.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/params.h"
#include "parser/parsetree.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/plancache.h"
#include "utils/snapmgr.h"

#include "core/cascades.h"
#include "core/own_catalog.h"
#include "core/run_as_owner.h"

/* State to restore after executing a statement as the owner. */
typedef struct Caller
{
	Oid			userid;
	int			sec_context;
} Caller;

/*
 * Connect to SPI and switch to the owner.  If the statement fails, abort
 * processing of the (sub)transaction restores the caller's user id.
 */
static void
begin_as_owner(CnapStatement *statement, Caller *caller)
{
	Oid			owner = CnapOwner();

	SPI_connect();
	GetUserIdAndSecContext(&caller->userid, &caller->sec_context);
	SetUserIdAndSecContext(owner, caller->sec_context |
						   SECURITY_LOCAL_USERID_CHANGE |
						   SECURITY_NOFORCE_RLS);
	if (statement->plan == NULL)
	{
		SPIPlanPtr	plan = SPI_prepare_cursor(statement->sql, statement->nparams,
											  statement->types, statement->options);

		if (plan == NULL)
			elog(ERROR, "SPI_prepare_cursor failed: %s",
				 SPI_result_code_string(SPI_result));
		SPI_keepplan(plan);
		statement->plan = plan;
	}
}

static void
end_as_owner(int result, const Caller *caller)
{
	if (result < 0)
		elog(ERROR, "SPI failed: %s", SPI_result_code_string(result));
	SetUserIdAndSecContext(caller->userid, caller->sec_context);
	SPI_finish();
}

/* Execute a statement, with or without firing its AFTER triggers. */
static uint64
execute(CnapStatement *statement, Datum *values, const char *nulls, bool fire_triggers)
{
	Caller		caller;
	int			result;
	uint64		processed;

	begin_as_owner(statement, &caller);
	result = SPI_execute_snapshot(statement->plan, values, nulls,
								  InvalidSnapshot, InvalidSnapshot,
								  false, fire_triggers, 0);
	processed = SPI_processed;
	end_as_owner(result, &caller);
	return processed;
}

/*
 * Become the role that fires the AFTER triggers of a statement that has been executed, if
 * not the caller.
 */
static void
become_trigger_owner(CnapStatement *statement, const Caller *caller)
{
#if PG_VERSION_NUM < 180000
	CachedPlanSource *source = linitial(SPI_plan_get_plan_sources(statement->plan));
	Query	   *query = linitial_node(Query, source->query_list);
	Bitmapset  *columns = NULL;
	CnapCascades cascades;
	ListCell   *lc;

	if ((query->commandType != CMD_DELETE && query->commandType != CMD_UPDATE) ||
		!superuser_arg(caller->userid))
		return;
	if (query->commandType == CMD_UPDATE)
	{
		foreach(lc, query->targetList)
			columns = bms_add_member(columns, lfirst_node(TargetEntry, lc)->resno);
	}
	cascades = CnapFindCascades(rt_fetch(query->resultRelation, query->rtable)->relid, columns);
	if (cascades.to_others)
		SetUserIdAndSecContext(OidIsValid(cascades.owner) ? cascades.owner : caller->userid,
							   caller->sec_context | SECURITY_LOCAL_USERID_CHANGE |
							   SECURITY_RESTRICTED_OPERATION | CNAP_SECURITY_FOR_USER);
#endif
}

/* Execute a statement; returns the number of rows processed. */
uint64
CnapExecute(CnapStatement *statement, Datum *values, const char *nulls)
{
	return execute(statement, values, nulls, true);
}

/*
 * Execute a statement on a table that other roles' tables may reference, and
 * fire its AFTER triggers as the caller, or as their owner; returns the number
 * of rows processed.  What the triggers did, including the invalidation of the
 * caches, takes effect for the rest of the statement that called us, as it does
 * if SPI fires them.
 */
uint64
CnapExecuteChange(CnapStatement *statement, Datum *values, const char *nulls)
{
	Caller		caller;
	EState	   *estate;
	uint64		processed;
	int			nest_level = 0;

	AfterTriggerBeginQuery();
	processed = execute(statement, values, nulls, false);

	GetUserIdAndSecContext(&caller.userid, &caller.sec_context);
	if (superuser_arg(caller.userid))
		nest_level = NewGUCNestLevel();
	become_trigger_owner(statement, &caller);
	estate = CreateExecutorState();
	PushActiveSnapshot(GetTransactionSnapshot());
	AfterTriggerEndQuery(estate);
	PopActiveSnapshot();
	SetUserIdAndSecContext(caller.userid, caller.sec_context);
	if (nest_level > 0)
		AtEOXact_GUC(false, nest_level);
	ExecCloseResultRelations(estate);
	ExecResetTupleTable(estate->es_tupleTable, false);
	FreeExecutorState(estate);
	CommandCounterIncrement();
	return processed;
}

/*
 * Execute a query; returns the first column of the first row in text form, or
 * NULL if that is null or there are no rows.
 */
char *
CnapQueryText(CnapStatement *statement, Datum *values, const char *nulls)
{
	MemoryContext context = CurrentMemoryContext;
	char	   *value = NULL;
	Caller		caller;
	int			result;

	begin_as_owner(statement, &caller);
	result = SPI_execute_plan(statement->plan, values, nulls, false, 1);
	if (result == SPI_OK_SELECT && SPI_processed > 0)
		value = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
	if (value != NULL)
		value = MemoryContextStrdup(context, value);
	end_as_owner(result, &caller);
	return value;
}

/*
 * Return the rows of a query as the result of a set-returning function.  They
 * are put directly into the function's tuplestore, which can spill to disk.
 *
 * The query uses a fresh snapshot, like the decision that the caller may read
 * these rows.  With that of a REPEATABLE READ transaction, it would list access
 * that has been revoked, and not find an object that the decision is about.
 */
Datum
CnapReturnRows(FunctionCallInfo fcinfo, CnapStatement *statement,
			   Datum *values, const char *nulls)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	SPIExecuteOptions options = {0};
	ParamListInfo params = makeParamList(statement->nparams);
	DestReceiver *dest;
	Caller		caller;
	int			result;

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < statement->nparams; i++)
	{
		params->params[i].value = values[i];
		params->params[i].isnull = nulls != NULL && nulls[i] == 'n';
		params->params[i].pflags = PARAM_FLAG_CONST;
		params->params[i].ptype = statement->types[i];
	}

	dest = CreateTuplestoreDestReceiver();
	SetTuplestoreDestReceiverParams(dest, rsinfo->setResult,
									rsinfo->econtext->ecxt_per_query_memory,
									false, rsinfo->setDesc,
									"unexpected columns in the result");

	begin_as_owner(statement, &caller);
	options.params = params;
	options.read_only = true;
	options.must_return_tuples = true;
	options.dest = dest;
	PushActiveSnapshot(GetCatalogSnapshot(CnapTableOid(CNAP_WORKSPACE)));
	result = SPI_execute_plan_extended(statement->plan, &options);
	PopActiveSnapshot();
	end_as_owner(result, &caller);
	dest->rDestroy(dest);
	return (Datum) 0;
}

void
CnapSerializationFailure(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
			 errmsg("could not serialize access due to concurrent update")));
}

Datum
CnapNewUuid(void)
{
	return OidFunctionCall0(F_GEN_RANDOM_UUID);
}
