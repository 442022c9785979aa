/*-------------------------------------------------------------------------
 *
 * visible.c
 *	  What a user sees of tables, and may change, as a given role; and how the
 *	  plan of cnap_protect_schema() changes that.
 *
 * Nothing is concluded about policies here: PostgreSQL counts the rows, as that
 * role and user, by statements that cnap.row_counts() writes.  The policies that
 * it applies, and the functions that they call, may be anybody's, so they are
 * executed by the role, within a security-restricted operation, which can't get
 * back to its caller's rights; and in a subtransaction that is always rolled back.
 *
 * Hazard: the caller must be able to become the role anyway, or a trusted role
 * could count as another one.  Nobody counts as a superuser: to read a table is to
 * execute the functions in its index expressions, and policies would not apply.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/tuplestore.h"

#include "core/arguments.h"
#include "core/compat.h"
#include "core/run_as_owner.h"
#include "identity/trusted.h"

PG_FUNCTION_INFO_V1(cnap_visible_rows);
PG_FUNCTION_INFO_V1(cnap_compare_protection);

#define NUMBERS 4				/* visible, insertable, updatable, deletable */

/* The rows of a table, for one user; and why there is no number, or none else. */
typedef struct Counts
{
	Oid			relid;
	Oid			role;			/* as which they are counted */
	char	   *sql;
	char	   *note;
	int64		numbers[NUMBERS];
	bool		nulls[NUMBERS];
} Counts;

/* The role to count as, which the caller must be able to become. */
static Oid
count_as(FunctionCallInfo fcinfo, int argno)
{
	Oid			role = PG_ARGISNULL(argno) ? GetUserId() : PG_GETARG_OID(argno);
	char	   *name = GetUserNameFromId(role, false);

	if (!CnapMaySetRole(GetUserId(), role))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to set role \"%s\"", name)));
	if (superuser_arg(role))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("role \"%s\" is a superuser, to whom policies do not apply", name),
				 errhint("Name the role of the application.")));
	return role;
}

/*
 * Get the tables, and the statements that count their rows: those of a schema, or
 * all that are protected.
 */
static List *
get_statements(Datum schema, bool all_schemas, Oid role)
{
	MemoryContext context = CurrentMemoryContext;
	List	   *tables = NIL;
	Oid			types[] = {NAMEOID, OIDOID};
	Datum		values[] = {schema, ObjectIdGetDatum(role)};

	SPI_connect();
	if (SPI_execute_with_args("SELECT * FROM cnap.row_counts($1, $2)", lengthof(types), types, values,
							  all_schemas ? "n " : NULL, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not list the tables");
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		MemoryContext spi_context = MemoryContextSwitchTo(context);
		Counts	   *counts = palloc0(sizeof(Counts));
		bool		isnull;

		counts->role = role;
		counts->relid = DatumGetObjectId(SPI_getbinval(row, desc, 1, &isnull));
		counts->sql = SPI_getvalue(row, desc, 2);
		counts->note = SPI_getvalue(row, desc, 3);
		tables = lappend(tables, counts);
		MemoryContextSwitchTo(spi_context);
	}
	SPI_finish();
	return tables;
}

/*
 * Make somebody the current user, and let nothing else depend on the settings of the
 * session.  Returns what end_as_user() restores these by, as does an error.
 */
static int
begin_as_user(const char *user)
{
	int			nest_level = NewGUCNestLevel();

	(void) set_config_option(CNAP_USER_ID_SETTING, user, PGC_SUSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	(void) set_config_option("row_security", "on", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	(void) set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	return nest_level;
}

static void
end_as_user(int nest_level)
{
	AtEOXact_GUC(false, nest_level);
}

/* Execute the statement of a table, and get its numbers. */
static void
execute_count(void *arg)
{
	Counts	   *counts = arg;
	Oid			caller;
	int			sec_context;

	GetUserIdAndSecContext(&caller, &sec_context);
	SetUserIdAndSecContext(counts->role, sec_context | SECURITY_RESTRICTED_OPERATION |
						   CNAP_SECURITY_FOR_USER);
	SPI_connect();
	if (SPI_execute(counts->sql, false, 1) != SPI_OK_SELECT || SPI_processed != 1)
		elog(ERROR, "could not count rows");
	for (int i = 0; i < NUMBERS; i++)
	{
		Datum		value = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc,
										  i + 1, &counts->nulls[i]);

		counts->numbers[i] = counts->nulls[i] ? 0 : DatumGetInt64(value);
	}
	SPI_finish();
	SetUserIdAndSecContext(caller, sec_context);
}

/*
 * Do some work in a subtransaction, in the current memory context, and undo it, whether
 * it failed or not.  Returns the error, or NULL if there was none.
 */
static ErrorData *
attempt(void (*work) (void *), void *arg)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	ErrorData  *volatile error = NULL;

	BeginInternalSubTransaction(NULL);
	PG_TRY();
	{
		MemoryContextSwitchTo(context);
		work(arg);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
	}
	PG_END_TRY();
	RollbackAndReleaseCurrentSubTransaction();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	return error;
}

/*
 * Count the rows of a table for the current user.  What fails, as for lack of a
 * privilege that a policy needs, is noted about the table.
 */
static void
count_rows(Counts *counts)
{
	ErrorData  *error = attempt(execute_count, counts);

	if (error == NULL)
		return;
	if (error->sqlerrcode == ERRCODE_QUERY_CANCELED)
		ReThrowError(error);
	counts->note = error->message;
	memset(counts->nulls, true, sizeof(counts->nulls));
}

/* cnap_visible_rows(user_id, role, schema) -> a row for each table */
Datum
cnap_visible_rows(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	char	   *user;
	Oid			role;
	int			nest_level;
	ListCell   *lc;

	CnapRequireTrust(fcinfo);
	user = text_to_cstring(CnapRequiredUserId(fcinfo, 0, "user_id"));
	role = count_as(fcinfo, 1);
	InitMaterializedSRF(fcinfo, 0);

	nest_level = begin_as_user(user);
	foreach(lc, get_statements(PG_GETARG_DATUM(2), PG_ARGISNULL(2), role))
	{
		Counts	   *counts = lfirst(lc);
		Datum		values[2 + NUMBERS];
		bool		nulls[2 + NUMBERS] = {false};

		count_rows(counts);
		values[0] = ObjectIdGetDatum(counts->relid);
		for (int i = 0; i < NUMBERS; i++)
		{
			values[i + 1] = Int64GetDatum(counts->numbers[i]);
			nulls[i + 1] = counts->nulls[i];
		}
		nulls[NUMBERS + 1] = counts->note == NULL;
		if (counts->note != NULL)
			values[NUMBERS + 1] = CStringGetTextDatum(counts->note);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	end_as_user(nest_level);
	return (Datum) 0;
}

/* ---- before and after ---- */

/* What cnap_compare_protection() is to compare, and the counts so far. */
typedef struct Comparison
{
	FunctionCallInfo fcinfo;
	Datum	   *users;
	int			nusers;
	Oid			role;
	List	   *before;			/* a list of counts for each user */
	List	   *after;
} Comparison;

/* The counts of all tables of the schema for all users, one user after another. */
static List *
count_for_users(const Comparison *comparison)
{
	FunctionCallInfo fcinfo = comparison->fcinfo;
	List	   *all = NIL;

	for (int i = 0; i < comparison->nusers; i++)
	{
		int			nest_level = begin_as_user(TextDatumGetCString(comparison->users[i]));
		List	   *tables = get_statements(PG_GETARG_DATUM(0), false, comparison->role);
		ListCell   *lc;

		foreach(lc, tables)
			count_rows(lfirst(lc));
		end_as_user(nest_level);
		all = lappend(all, tables);
	}
	return all;
}

/* Carry out the plan for the schema, as the caller, who must own the tables. */
static void
protect_schema(FunctionCallInfo fcinfo)
{
	Oid			types[] = {NAMEOID, NAMEARRAYOID, TEXTOID, TEXTOID, NAMEOID, REGCLASSARRAYOID};
	Datum		values[lengthof(types)];
	char		nulls[lengthof(types) + 1] = {0};

	for (int i = 0; i < (int) lengthof(types); i++)
	{
		int			argno = i == 0 ? 0 : i + 2;

		values[i] = PG_GETARG_DATUM(argno);
		nulls[i] = PG_ARGISNULL(argno) ? 'n' : ' ';
	}
	SPI_connect();
	if (SPI_execute_with_args(psprintf("SELECT FROM %s.cnap_protect_schema($1, true, $2, $3, $4, $5, $6)",
									   quote_identifier(get_namespace_name(get_func_namespace(fcinfo->flinfo->fn_oid)))),
							  lengthof(types), types, values, nulls,
							  false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not protect the schema");
	SPI_finish();
}

/* Carry out the plan, and count again. */
static void
count_protected(void *arg)
{
	Comparison *comparison = arg;

	protect_schema(comparison->fcinfo);
	comparison->after = count_for_users(comparison);
}

/*
 * cnap_compare_protection(schema, users, role, workspace_columns,
 *						   write_permission, read_permission, child_column,
 *						   leave_out)
 *	 -> a row for each table and user
 */
Datum
cnap_compare_protection(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Comparison	comparison = {.fcinfo = fcinfo};
	bool	   *user_nulls;
	ErrorData  *error;

	CnapRequireTrust(fcinfo);
	(void) CnapRequiredArg(fcinfo, 0, "schema");
	deconstruct_array(DatumGetArrayTypeP(CnapRequiredArg(fcinfo, 1, "users")), TEXTOID, -1, false,
					  TYPALIGN_INT, &comparison.users, &user_nulls, &comparison.nusers);
	for (int i = 0; i < comparison.nusers; i++)
	{
		if (user_nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("users must not contain nulls")));
		CnapCheckUserId(DatumGetTextPP(comparison.users[i]), "users");
	}
	comparison.role = count_as(fcinfo, 2);
	InitMaterializedSRF(fcinfo, 0);

	comparison.before = count_for_users(&comparison);
	error = attempt(count_protected, &comparison);
	if (error != NULL)
		ReThrowError(error);
	for (int i = 0; i < comparison.nusers; i++)
	{
		ListCell   *lb;
		ListCell   *la;

		forboth(lb, list_nth(comparison.before, i), la, list_nth(comparison.after, i))
		{
			Counts	   *was = lfirst(lb);
			Counts	   *is = lfirst(la);
			const char *note = was->nulls[0] ? was->note : is->note;
			Datum		values[5] = {
				ObjectIdGetDatum(was->relid), comparison.users[i], Int64GetDatum(was->numbers[0]),
				Int64GetDatum(is->numbers[0])
			};
			bool		nulls[5] = {
				false, false, was->nulls[0], is->nulls[0], note == NULL
			};

			if (note != NULL)
				values[4] = CStringGetTextDatum(note);
			tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
		}
	}
	return (Datum) 0;
}
