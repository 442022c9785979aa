/*
 * cnap_bench.c
 *		The minimal C function in place of a check, and a clock.
 *
 * It fetches the same arguments, reads one byte of the workspace's id and
 * returns a boolean. The ids of the benchmark are evenly distributed, so the
 * functions accept as many rows as the check that they replace, and the rest
 * of the plan has the same work to do.
 */
#include "postgres.h"

#include <sys/resource.h>

#include "fmgr.h"
#include "utils/uuid.h"

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(bench_trivial_row);
PG_FUNCTION_INFO_V1(bench_trivial_check);
PG_FUNCTION_INFO_V1(bench_processor_time);

/* (workspace uuid): true for a tenth, as a policy is for the user "big" */
Datum
bench_trivial_row(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(0))
		PG_RETURN_BOOL(false);
	PG_RETURN_BOOL(PG_GETARG_UUID_P(0)->data[0] < 26);
}

/* (user_id text, workspace uuid): true for a half, as for the pairs checked */
Datum
bench_trivial_check(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_BOOL(false);
	(void) PG_GETARG_TEXT_PP(0);
	PG_RETURN_BOOL(PG_GETARG_UUID_P(1)->data[0] < 128);
}

/* (): the seconds for which this process has been executed */
Datum
bench_processor_time(PG_FUNCTION_ARGS)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	PG_RETURN_FLOAT8(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec +
					 (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6);
}
