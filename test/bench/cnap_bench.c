/*
 * cnap_bench.c
 *		What is put in place of a check, and a clock.
 *
 * The trivial functions fetch the same arguments, read one byte of the workspace's
 * id and return a boolean. The ids of the benchmark are evenly distributed, so the
 * functions accept as many rows as the check that they replace, and the rest
 * of the plan has the same work to do.
 *
 * The probe reads the rows that a check of a pair reads that was never seen, and
 * does nothing else: no fresh snapshot, no memory, no clock.
 */
#include "postgres.h"

#include <sys/resource.h>

#include "access/genam.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_collation_d.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(bench_trivial_row);
PG_FUNCTION_INFO_V1(bench_trivial_check);
PG_FUNCTION_INFO_V1(bench_probe);
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

/* PostgreSQL 18 added a place for statistics, and 19 flags. */
#if PG_VERSION_NUM >= 190000
#define begin_scan(table, index, snapshot, nkeys) \
	index_beginscan(table, index, snapshot, NULL, nkeys, 0, 0)
#elif PG_VERSION_NUM >= 180000
#define begin_scan(table, index, snapshot, nkeys) \
	index_beginscan(table, index, snapshot, NULL, nkeys, 0)
#else
#define begin_scan(table, index, snapshot, nkeys) \
	index_beginscan(table, index, snapshot, nkeys, 0)
#endif

/* A table and its primary key, which are looked up once in a session. */
typedef struct Probed
{
	const char *name;
	const char *key;
	Oid			table;
	Oid			index;
} Probed;

/* Columns of cnap.workspace; its key and that of the members come first. */
#define OWNER_ID 3
#define MANAGED_BY 4
#define MANAGED_UNTIL 6

static Probed workspaces =
{
	"workspace", "workspace_pkey"
};
static Probed workspace_members =
{
	"workspace_member", "workspace_member_pkey"
};
static Probed organization_members =
{
	"organization_member", "organization_member_pkey"
};

typedef struct Probe
{
	Relation	table;
	Relation	index;
	IndexScanDesc scan;
	TupleTableSlot *slot;
} Probe;

/* Find the row with an id and, unless that is NULL, a user. */
static bool
begin_probe(Probe *probe, Probed *probed, pg_uuid_t *id, text *user)
{
	ScanKeyData keys[2];
	int			nkeys = user != NULL ? 2 : 1;

	if (!OidIsValid(probed->table))
	{
		Oid			schema = get_namespace_oid("cnap", false);

		probed->index = get_relname_relid(probed->key, schema);
		probed->table = get_relname_relid(probed->name, schema);
	}
	probe->table = table_open(probed->table, AccessShareLock);
	probe->index = index_open(probed->index, AccessShareLock);
	probe->slot = table_slot_create(probe->table, NULL);
	ScanKeyInit(&keys[0], 1, BTEqualStrategyNumber, F_UUID_EQ, UUIDPGetDatum(id));
	if (user != NULL)
		ScanKeyInit(&keys[1], 2, BTEqualStrategyNumber, F_TEXTEQ, PointerGetDatum(user));
	probe->scan = begin_scan(probe->table, probe->index, GetActiveSnapshot(), nkeys);
	index_rescan(probe->scan, keys, nkeys, NULL, 0);
	return index_getnext_slot(probe->scan, ForwardScanDirection, probe->slot);
}

static void
end_probe(Probe *probe)
{
	index_endscan(probe->scan);
	ExecDropSingleTupleTableSlot(probe->slot);
	index_close(probe->index, AccessShareLock);
	table_close(probe->table, AccessShareLock);
}

static bool
is_member(Probed *probed, pg_uuid_t *id, text *user)
{
	Probe		probe;
	bool		found = begin_probe(&probe, probed, id, user);

	end_probe(&probe);
	return found;
}

/* (user_id text, workspace uuid): is it the owner, a member, or one of the managers? */
Datum
bench_probe(PG_FUNCTION_ARGS)
{
	text	   *user;
	pg_uuid_t  *id;
	Probe		probe;
	bool		result = false;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_BOOL(false);
	user = PG_GETARG_TEXT_PP(0);
	id = PG_GETARG_UUID_P(1);
	if (begin_probe(&probe, &workspaces, id, NULL))
	{
		bool		unmanaged;
		bool		forever;
		bool		isnull;
		Datum		until = slot_getattr(probe.slot, MANAGED_UNTIL, &forever);
		Datum		manager = slot_getattr(probe.slot, MANAGED_BY, &unmanaged);
		text	   *owner = DatumGetTextPP(slot_getattr(probe.slot, OWNER_ID, &isnull));

		result = DatumGetBool(DirectFunctionCall2Coll(texteq, C_COLLATION_OID,
													  PointerGetDatum(owner),
													  PointerGetDatum(user)));
		if (!result)
		{
			result = is_member(&workspace_members, id, user);
			if (!unmanaged &&
				(forever || DatumGetTimestampTz(until) > GetCurrentTransactionStartTimestamp()) &&
				is_member(&organization_members, DatumGetUUIDP(manager), user))
				result = true;
		}
	}
	end_probe(&probe);
	PG_RETURN_BOOL(result);
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
