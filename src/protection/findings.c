/*-------------------------------------------------------------------------
 *
 * findings.c
 *	  What cnap_lint() is told about the protection of tables: how they are
 *	  protected, why not, and what would protect them.
 *
 * All read the catalogs, without locking the tables.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/tuplestore.h"

#include "core/relation.h"
#include "protection/call.h"
#include "protection/plan.h"

PG_FUNCTION_INFO_V1(cnap_protections);
PG_FUNCTION_INFO_V1(cnap_protection_reasons);
PG_FUNCTION_INFO_V1(cnap_protection_plan);

/* Hash table entry, to find a table by its OID. */
typedef struct KnownTarget
{
	Oid			relid;
	CnapTarget *table;
} KnownTarget;

/* The commands of those with a mark, as an array of what pg_policy has for them. */
static Datum
command_array(const bool *marked)
{
	Datum		codes[CNAP_COMMANDS];
	int			ncodes = 0;

	for (int i = 0; i < CNAP_COMMANDS; i++)
	{
		if (marked[i])
			codes[ncodes++] = CharGetDatum(CnapCommands[i].code);
	}
	return PointerGetDatum(construct_array(codes, ncodes, CHAROID, 1, true, TYPALIGN_CHAR));
}

/*
 * The number of a table among those that are protected through each other: one
 * more than that of its parent.
 */
static int
step_of(Oid relid, const CnapChecks *checks)
{
	List	   *seen = NIL;

	while (OidIsValid(relid) && !list_member_oid(seen, relid))
	{
		CnapProtection protection;

		seen = lappend_oid(seen, relid);
		CnapReadProtection(relid, checks, &protection);
		relid = protection.test.link.parent;
	}
	return Max(list_length(seen), 1);
}

/*
 * cnap.protections(checks regnamespace)
 *	 -> setof (relation, column_number, parent, key, restricted, statement, step)
 *
 * Returns every table with a policy that has our shape or one of our names.  The
 * column is the workspace column, or if there is a parent, the first one that
 * refers to it; null if no policy has our shape.
 */
Datum
cnap_protections(PG_FUNCTION_ARGS)
{
	static const CnapRequired nothing = {CNAP_ACCESS, CNAP_ACCESS};
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	CnapChecks	checks;
	List	   *tables;
	ListCell   *lc;

	InitMaterializedSRF(fcinfo, 0);
	CnapFindChecksBySchema(PG_GETARG_OID(0), &checks);
	CnapKeepProtections(&checks);
	tables = CnapTablesWithPolicies(NULL);
	foreach(lc, tables)
	{
		Oid			relid = lfirst_oid(lc);
		CnapProtection protection;
		const CnapTest *test = &protection.test;
		Oid			top;
		char	   *statement;
		Datum		values[6];
		bool		nulls[6] = {false};

		CnapReadProtection(relid, &checks, &protection);
		if (protection.own == NIL)
			continue;
		top = CnapTopmost(relid, &checks);
		statement = CnapCallAgain(top, &checks, &nothing);
		values[0] = ObjectIdGetDatum(relid);
		nulls[1] = !protection.is_protected;
		values[1] = Int16GetDatum(test->column != 0 ? test->column : test->link.child_keys[0]);
		nulls[2] = !OidIsValid(test->link.parent);
		values[2] = ObjectIdGetDatum(test->link.parent);
		values[3] = command_array(protection.restricted);
		nulls[4] = statement == NULL;
		if (statement != NULL)
			values[4] = CStringGetTextDatum(statement);
		values[5] = Int32GetDatum(step_of(top, &checks));
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/* The tables with which there may be reasons, in the order of their OIDs. */
static List *
affected_tables(const CnapChecks *checks)
{
	List	   *tables = CnapTablesWithPolicies(NULL);
	List	   *affected = NIL;
	ListCell   *lc;

	foreach(lc, tables)
	{
		CnapProtection protection;

		CnapReadProtection(lfirst_oid(lc), checks, &protection);
		if (protection.own == NIL)
			continue;
		affected = list_concat(affected, find_all_inheritors(lfirst_oid(lc), NoLock, NULL));
		affected = list_concat(affected, CnapAncestors(lfirst_oid(lc)));
		if (OidIsValid(protection.test.link.parent))
			affected = lappend_oid(affected, protection.test.link.parent);
	}
	list_sort(affected, list_oid_cmp);
	list_deduplicate_oid(affected);
	return affected;
}

/*
 * cnap.protection_reasons(checks regnamespace)
 *	 -> setof (relation, severity, rule, reason, statement, step, other, lost)
 *
 * Returns all reasons why the protections of tables are not as they should be.
 * The rule is null for what the linter finds by rules of its own.  If a table has
 * lost all policies of our shape, nobody knows how it was protected: then "lost"
 * is that table, and its plan has the statement.
 */
Datum
cnap_protection_reasons(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	CnapChecks	checks;
	List	   *tables;
	ListCell   *lc;

	InitMaterializedSRF(fcinfo, 0);
	CnapFindChecksBySchema(PG_GETARG_OID(0), &checks);
	CnapKeepProtections(&checks);
	tables = affected_tables(&checks);
	foreach(lc, tables)
	{
		Oid			relid = lfirst_oid(lc);
		List	   *reasons = CnapFindReasons(relid, &checks);
		Oid			top = reasons != NIL ? CnapTopmost(relid, &checks) : InvalidOid;
		ListCell   *r;

		foreach(r, reasons)
		{
			const CnapReason *reason = lfirst(r);
			char	   *statement = CnapRemedyStatement(relid, reason, &checks);
			CnapProtection of_top;
			Datum		values[8];
			bool		nulls[8] = {false};

			CnapReadProtection(top, &checks, &of_top);
			values[0] = ObjectIdGetDatum(relid);
			values[1] = CStringGetTextDatum(reason->severity);
			nulls[2] = reason->rule == NULL;
			if (reason->rule != NULL)
				values[2] = CStringGetTextDatum(reason->rule);
			values[3] = CStringGetTextDatum(reason->text);
			nulls[4] = statement == NULL;
			if (statement != NULL)
				values[4] = CStringGetTextDatum(statement);
			values[5] = Int32GetDatum(step_of(top, &checks));
			nulls[6] = !OidIsValid(reason->other);
			values[6] = ObjectIdGetDatum(reason->other);
			nulls[7] = of_top.own == NIL || of_top.is_protected ||
				(reason->remedy != CNAP_PROTECT_AGAIN && reason->remedy != CNAP_PROTECT_HEIR);
			values[7] = ObjectIdGetDatum(top);
			tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
		}
	}
	return (Datum) 0;
}

/* The tables to be planned: those at the top, and those with a given column. */
static List *
find_targets(ArrayType *relations, ArrayType *columns)
{
	HASHCTL		ctl = {.keysize = sizeof(Oid),.entrysize = sizeof(KnownTarget),
	.hcxt = CurrentMemoryContext};
	HTAB	   *by_oid = hash_create("cnap_org targets", 256, &ctl,
									 HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	List	   *targets = CnapFindTargets(InvalidOid);
	Datum	   *oids;
	Datum	   *names;
	int			count;
	int			nnames;
	ListCell   *lc;

	foreach(lc, targets)
	{
		CnapTarget *table = lfirst(lc);

		((KnownTarget *) hash_search(by_oid, &table->relid, HASH_ENTER, NULL))->table = table;
	}
	deconstruct_array(relations, OIDOID, sizeof(Oid), true, TYPALIGN_INT, &oids, NULL, &count);
	deconstruct_array(columns, NAMEOID, NAMEDATALEN, false, TYPALIGN_CHAR, &names, NULL, &nnames);
	for (int i = 0; i < Min(count, nnames); i++)
	{
		Oid			relid = DatumGetObjectId(oids[i]);
		bool		found;
		KnownTarget *entry = hash_search(by_oid, &relid, HASH_ENTER, &found);

		if (!found)
		{
			entry->table = CnapMakeTarget(relid);
			targets = lappend(targets, entry->table);
		}
		entry->table->column = NameStr(*DatumGetName(names[i]));
	}
	return targets;
}

/*
 * cnap.protection_plan(relations oid[], columns name[], checks regnamespace)
 *	 -> setof (relation, parent, key, nullable, statement, step)
 *
 * The plan for all tables of the database that are not protected yet, whoever will
 * execute it.  The arguments are tables and the columns that hold their
 * workspaces.
 */
Datum
cnap_protection_plan(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	CnapRequest request;
	List	   *tables = find_targets(PG_GETARG_ARRAYTYPE_P(0), PG_GETARG_ARRAYTYPE_P(1));
	ListCell   *lc;

	InitMaterializedSRF(fcinfo, 0);
	memset(&request, 0, sizeof(request));
	request.by_anybody = true;
	CnapFindChecksBySchema(PG_GETARG_OID(2), &request.checks);
	CnapKeepProtections(&request.checks);
	CnapPlanTables(tables, &request);
	foreach(lc, tables)
	{
		const CnapTarget *table = lfirst(lc);
		const CnapLink *link = &table->test.link;
		CnapProtection protection;
		Datum		values[6];
		bool		nulls[6] = {false};

		CnapReadProtection(table->relid, &request.checks, &protection);
		if (protection.is_protected || table->statement == NULL)
			continue;
		values[0] = ObjectIdGetDatum(table->relid);
		nulls[1] = nulls[2] = !OidIsValid(link->parent);
		values[1] = ObjectIdGetDatum(link->parent);
		values[2] = ObjectIdGetDatum(link->constraint);
		values[3] = BoolGetDatum(table->is_nullable);
		values[4] = CStringGetTextDatum(table->statement);
		values[5] = Int32GetDatum(table->level + 1);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}
