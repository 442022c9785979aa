/*-------------------------------------------------------------------------
 *
 * citus.c
 *	  What there is of Citus in this database, which need not be anything.
 *
 * We do not depend on Citus, neither to be compiled nor to be loaded.  Its
 * extension is found in the catalogs, and its tables and functions by their names
 * in pg_catalog, where only superusers can create anything, and only if they are
 * members of that extension.
 *
 * A distributed table exists on each node; its rows are in shards, which are
 * tables of the same name with a number.  What happens to it is decided on the
 * coordinator, and the others repeat it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/dependency.h"
#include "catalog/pg_class.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "core/citus.h"

/* How sessions that execute what another node has decided are called. */
static const char *const internal_names[] = {"citus_internal gpid=", "citus_rebalancer gpid="};

/* One of Citus' relations; InvalidOid if there is none. */
static Oid
citus_relation(const char *name)
{
	Oid			extension = get_extension_oid("citus", true);
	Oid			relid = OidIsValid(extension) ?
		get_relname_relid(name, PG_CATALOG_NAMESPACE) : InvalidOid;

	return OidIsValid(relid) &&
		getExtensionOfObject(RelationRelationId, relid) == extension ? relid : InvalidOid;
}

/* One of its functions, likewise. */
static Oid
citus_function(const char *name, int nargs, const Oid *types)
{
	Oid			extension = get_extension_oid("citus", true);
	Oid			function = OidIsValid(extension) ?
		GetSysCacheOid3(PROCNAMEARGSNSP, Anum_pg_proc_oid, CStringGetDatum(name),
						PointerGetDatum(buildoidvector(types, nargs)),
						ObjectIdGetDatum(PG_CATALOG_NAMESPACE)) : InvalidOid;

	return OidIsValid(function) &&
		getExtensionOfObject(ProcedureRelationId, function) == extension ? function : InvalidOid;
}

/* Is this database part of a cluster of Citus? */
bool
CnapHasCitus(void)
{
	return OidIsValid(citus_relation("pg_dist_partition"));
}

/* Is it a distributed table, or a reference table, of which each node has a copy? */
bool
CnapIsDistributed(Oid relid)
{
	Oid			partition = citus_relation("pg_dist_partition");
	Relation	rel;
	ScanKeyData key;
	SysScanDesc scan;
	bool		found;

	if (!OidIsValid(partition))
		return false;
	rel = table_open(partition, AccessShareLock);
	ScanKeyInit(&key, get_attnum(partition, "logicalrelid"), BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(relid));
	scan = systable_beginscan(rel, citus_relation("pg_dist_partition_logical_relid_index"),
							  true, NULL, 1, &key);
	found = HeapTupleIsValid(systable_getnext(scan));
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return found;
}

/* Does it contain a part of a distributed table's rows? */
bool
CnapIsShard(Oid relid)
{
	Oid			types[] = {REGCLASSOID};
	Oid			function = citus_function("relation_is_a_known_shard", 1, types);

	return OidIsValid(function) &&
		DatumGetBool(OidFunctionCall1(function, ObjectIdGetDatum(relid)));
}

/* The number of the group of nodes to which this database belongs; 0 for the coordinator. */
static int32
local_group(void)
{
	Oid			relid = citus_relation("pg_dist_local_group");
	int32		group = 0;
	Relation	rel;
	SysScanDesc scan;
	HeapTuple	tuple;

	if (!OidIsValid(relid))
		return 0;
	rel = table_open(relid, AccessShareLock);
	scan = systable_beginscan(rel, InvalidOid, false, NULL, 0, NULL);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		bool		isnull;

		group = DatumGetInt32(heap_getattr(tuple, get_attnum(relid, "groupid"),
										   RelationGetDescr(rel), &isnull));
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return group;
}

/* Is this the node on which tables are distributed? */
bool
CnapIsCoordinator(void)
{
	return CnapHasCitus() && local_group() == 0;
}

/*
 * Is it a copy of a table that the coordinator has, or a shard?  Citus makes these,
 * and loses the word RESTRICTIVE of their policies (seen with 13.2).
 */
bool
CnapIsCopy(Oid relid)
{
	return CnapIsShard(relid) || (local_group() != 0 && CnapIsDistributed(relid));
}

/* A list of tables without the shards among them. */
List *
CnapWithoutShards(List *relids)
{
	List	   *others = NIL;
	ListCell   *lc;

	if (!CnapHasCitus())
		return relids;
	foreach(lc, relids)
	{
		if (!CnapIsShard(lfirst_oid(lc)))
			others = lappend_oid(others, lfirst_oid(lc));
	}
	return others;
}

/*
 * Does this session execute what another node has decided?  Anybody can give a
 * session such a name, so it is no proof.
 */
bool
CnapIsForAnotherNode(void)
{
	bool		is_internal = false;

	for (size_t i = 0; i < lengthof(internal_names); i++)
		is_internal |= application_name != NULL &&
			strncmp(application_name, internal_names[i], strlen(internal_names[i])) == 0;
	return is_internal && CnapHasCitus();
}

/*
 * Execute the following DDL in this database only, until the end of the level of
 * settings that is returned.  Citus would repeat it on the other nodes.
 */
int
CnapBeginHereOnly(void)
{
	int			nest_level = NewGUCNestLevel();

	if (CnapHasCitus())
		(void) set_config_option("citus.enable_ddl_propagation", "off", PGC_USERSET,
								 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	return nest_level;
}

/*
 * Have a command executed in this database on all other nodes, each in a session
 * and a transaction of its own, as the caller; returns their answers, a list of
 * CnapNodeAnswer.  Empty if there is no Citus.
 */
List *
CnapAskOtherNodes(const char *command)
{
	Oid			types[] = {TEXTARRAYOID, INT4ARRAYOID, TEXTARRAYOID, BOOLOID};
	Oid			argtypes[] = {TEXTOID, INT4OID};
	Datum		args[] = {CStringGetTextDatum(command), Int32GetDatum(local_group())};
	MemoryContext caller = CurrentMemoryContext;
	List	   *answers = NIL;

	/* A call that names exactly these types finds exactly this function. */
	if (!OidIsValid(citus_function("master_run_on_worker", lengthof(types), types)) ||
		!OidIsValid(citus_relation("pg_dist_node")))
		return NIL;
	SPI_connect();
	if (SPI_execute_with_args("SELECT pg_catalog.format('%s:%s', a.node_name, a.node_port), a.success, a.result"
							  " FROM (SELECT pg_catalog.array_agg(nodename ORDER BY nodeid) AS names,"
							  " pg_catalog.array_agg(nodeport ORDER BY nodeid) AS ports,"
							  " pg_catalog.array_agg($1 ORDER BY nodeid) AS commands"
							  " FROM pg_catalog.pg_dist_node"
							  " WHERE isactive AND noderole = 'primary' AND groupid OPERATOR(pg_catalog.<>) $2) n,"
							  " pg_catalog.master_run_on_worker(n.names, n.ports, n.commands, false) a"
							  " WHERE n.names IS NOT NULL",
							  lengthof(args), argtypes, args, NULL, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not ask the other nodes");
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		MemoryContext former = MemoryContextSwitchTo(caller);
		CnapNodeAnswer *answer = palloc(sizeof(CnapNodeAnswer));
		bool		isnull;

		answer->node = SPI_getvalue(tuple, desc, 1);
		answer->success = DatumGetBool(SPI_getbinval(tuple, desc, 2, &isnull));
		answer->result = SPI_getvalue(tuple, desc, 3);
		answers = lappend(answers, answer);
		MemoryContextSwitchTo(former);
	}
	SPI_finish();
	return answers;
}
