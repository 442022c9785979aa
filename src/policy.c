/*-------------------------------------------------------------------------
 *
 * policy.c
 *	  Protection of the application's tables by row-level security.
 *
 * The catalogs are the only record of what is protected.  A policy protects if
 * it has our shape: it belongs to one command and to PUBLIC, and its
 * expressions are one of our checks, called on a column of the table.  So a
 * renamed table, column or policy is still known, a dump carries everything,
 * and what somebody has changed by hand no longer counts as protection.  What
 * has our shape or one of our names is ours to replace and to drop.
 *
 * For each command there is one RESTRICTIVE policy, so that no other policy can
 * open what it closes, and, where the table has no permissive policy of its
 * own, a PERMISSIVE one with the same expression, which PostgreSQL folds into
 * the other.  Reading takes the permission 'access'; writing takes the given
 * one, on the old row and on the new one.
 *
 * A policy on a parent says nothing about a query of its child, so partitions
 * and inheritance children get the same policies.
 *
 * The statements are executed as the caller, who must own the tables.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/transam.h"
#include "catalog/indexing.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "catalog/pg_index.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_policy.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "nodes/primnodes.h"
#include "nodes/readfuncs.h"
#include "parser/parse_func.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "arguments.h"
#include "compat.h"
#include "relations.h"

PG_FUNCTION_INFO_V1(cnap_protect);
PG_FUNCTION_INFO_V1(cnap_unprotect);
PG_FUNCTION_INFO_V1(cnap_protected_tables);
PG_FUNCTION_INFO_V1(cnap_policies);

/* The commands that policies are for. */
static const struct
{
	char		code;			/* pg_policy.polcmd */
	const char *name;
	bool		writes;
	bool		tests_old;		/* USING */
	bool		tests_new;		/* WITH CHECK */
}			commands[] = {
	{ACL_SELECT_CHR, "select", false, true, false},
	{ACL_INSERT_CHR, "insert", true, false, true},
	{ACL_UPDATE_CHR, "update", true, true, true},
	{ACL_DELETE_CHR, "delete", true, true, false},
};

#define NCOMMANDS ((int) lengthof(commands))

/* Our checks, as they stand in policies. */
typedef struct Checks
{
	const char *schema;			/* of the public functions, quoted */
	Oid			can_access;
	Oid			has_permission;
} Checks;

/* A policy in the shape of ours. */
typedef struct OwnPolicy
{
	int			command;		/* index into commands */
	bool		permissive;
	AttrNumber	column;
	CnapPermission permission;
} OwnPolicy;

/* What the policies of one table amount to. */
typedef struct Protection
{
	List	   *own;			/* names of the policies that are ours */
	bool		tests_column;	/* any of them is in our shape */
	bool		others;			/* there are other policies */
	bool		others_permissive;
	bool		one_column;		/* all of ours test the same column */
	AttrNumber	column;
	bool		restricted[NCOMMANDS];	/* by a restrictive policy of ours */
	CnapPermission permission[NCOMMANDS];	/* which that policy takes */
} Protection;

/* ---- recognizing policies ---- */

/* Finds the checks in the schema of the public functions. */
static void
find_checks_in(char *schema, Checks *checks)
{
	Oid			types[] = {UUIDOID, CnapPermissionType()};

	checks->schema = quote_identifier(schema);
	checks->can_access = LookupFuncName(list_make2(makeString(schema),
												   makeString("cnap_can_access")),
										1, types, false);
	checks->has_permission = LookupFuncName(list_make2(makeString(schema),
													   makeString("cnap_has_permission")),
											2, types, false);
}

/* Finds the checks beside the public function that is being executed. */
static void
find_checks(FunctionCallInfo fcinfo, Checks *checks)
{
	find_checks_in(get_namespace_name(get_func_namespace(fcinfo->flinfo->fn_oid)),
				   checks);
}

/*
 * Whether an expression is one of our checks on a column of the table.  A null
 * expression is none.
 */
static bool
recognize_check(const Checks *checks, Datum expression, bool isnull,
				AttrNumber *column, CnapPermission *permission)
{
	FuncExpr   *call;
	Var		   *var;

	if (isnull)
		return false;
	call = stringToNode(TextDatumGetCString(expression));
	if (!IsA(call, FuncExpr) || list_length(call->args) < 1)
		return false;
	var = linitial(call->args);
	if (!IsA(var, Var) || var->varattno <= 0)
		return false;
	*column = var->varattno;

	if (call->funcid == checks->can_access)
	{
		*permission = CNAP_ACCESS;
		return true;
	}
	if (call->funcid == checks->has_permission)
	{
		Const	   *constant = lsecond(call->args);

		if (!IsA(constant, Const) || constant->constisnull)
			return false;
		*permission = CnapPermissionFromOid(DatumGetObjectId(constant->constvalue));
		return true;
	}
	return false;
}

/* Whether a policy is for PUBLIC, and nobody else. */
static bool
is_for_public(HeapTuple tuple, TupleDesc desc)
{
	bool		isnull;
	ArrayType  *roles = DatumGetArrayTypeP(heap_getattr(tuple, Anum_pg_policy_polroles,
														desc, &isnull));

	return ARR_DIMS(roles)[0] == 1 && ((Oid *) ARR_DATA_PTR(roles))[0] == InvalidOid;
}

/* The name of a policy of ours. */
static char *
policy_name(int command, bool permissive)
{
	return psprintf("cnap_%s_%s", commands[command].name,
					permissive ? "permissive" : "restrictive");
}

/* Whether a policy has one of our names. */
static bool
is_own_name(const char *name)
{
	for (int i = 0; i < NCOMMANDS; i++)
	{
		if (strcmp(name, policy_name(i, false)) == 0 ||
			strcmp(name, policy_name(i, true)) == 0)
			return true;
	}
	return false;
}

/* Whether a policy has the shape of ours. */
static bool
recognize_policy(const Checks *checks, HeapTuple tuple, TupleDesc desc, OwnPolicy *policy)
{
	Form_pg_policy form = (Form_pg_policy) GETSTRUCT(tuple);
	bool		qual_null;
	bool		check_null;
	Datum		qual = heap_getattr(tuple, Anum_pg_policy_polqual, desc, &qual_null);
	Datum		check = heap_getattr(tuple, Anum_pg_policy_polwithcheck, desc, &check_null);
	AttrNumber	column;
	CnapPermission permission;

	for (int i = 0; i < NCOMMANDS; i++)
	{
		if (commands[i].code != form->polcmd)
			continue;
		if (commands[i].tests_old == qual_null || commands[i].tests_new == check_null ||
			!is_for_public(tuple, desc))
			return false;

		policy->command = i;
		policy->permissive = form->polpermissive;
		if (!recognize_check(checks, qual_null ? check : qual, false,
							 &policy->column, &policy->permission))
			return false;
		return qual_null || check_null ||
			(recognize_check(checks, check, false, &column, &permission) &&
			 column == policy->column && permission == policy->permission);
	}
	return false;
}

/* Adds a policy to what is known of its table. */
static void
add_policy(Protection *protection, const Checks *checks, HeapTuple tuple, TupleDesc desc)
{
	Form_pg_policy form = (Form_pg_policy) GETSTRUCT(tuple);
	OwnPolicy	policy;
	bool		is_own = recognize_policy(checks, tuple, desc, &policy);

	if (!is_own && !is_own_name(NameStr(form->polname)))
	{
		protection->others = true;
		protection->others_permissive |= form->polpermissive;
		return;
	}
	protection->own = lappend(protection->own, pstrdup(NameStr(form->polname)));
	if (!is_own)
		return;

	if (!protection->tests_column)
	{
		protection->column = policy.column;
		protection->one_column = true;
	}
	protection->tests_column = true;
	protection->one_column &= policy.column == protection->column;
	if (!policy.permissive)
	{
		protection->restricted[policy.command] = true;
		protection->permission[policy.command] = policy.permission;
	}
}

/* Reads what the policies of a table amount to. */
static void
read_protection(Oid relid, const Checks *checks, Protection *protection)
{
	Relation	rel = table_open(PolicyRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	memset(protection, 0, sizeof(*protection));
	ScanKeyInit(&key, Anum_pg_policy_polrelid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(relid));
	scan = systable_beginscan(rel, PolicyPolrelidPolnameIndexId, true, NULL, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
		add_policy(protection, checks, tuple, RelationGetDescr(rel));
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
}

/*
 * Whether every command takes a permission: reading 'access', writing one and
 * the same, which is stored where the caller wants it.
 */
static bool
is_complete(const Protection *protection, CnapPermission *write)
{
	*write = CNAP_ACCESS;
	for (int i = 0; i < NCOMMANDS; i++)
	{
		if (!protection->restricted[i])
			return false;
		if (commands[i].writes)
			*write = protection->permission[i];
		else if (protection->permission[i] != CNAP_ACCESS)
			return false;
	}
	for (int i = 0; i < NCOMMANDS; i++)
	{
		if (commands[i].writes && protection->permission[i] != *write)
			return false;
	}
	return protection->one_column;
}

/* ---- changing policies ---- */

static char *
qualified_name(Oid relid)
{
	return quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)),
									  get_rel_name(relid));
}

static void
execute(const char *sql)
{
	if (SPI_execute(sql, false, 0) != SPI_OK_UTILITY)
		elog(ERROR, "could not execute: %s", sql);
}

/* Refuses what cannot be protected, or not by the caller. */
static void
check_table(Oid relid)
{
	char		relkind = get_rel_relkind(relid);

	if (relkind == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist", relid)));
	if (relkind != RELKIND_RELATION && relkind != RELKIND_PARTITIONED_TABLE)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not a table", get_rel_name(relid)),
				 errdetail_relkind_not_supported(relkind),
				 relkind == RELKIND_VIEW ?
				 errhint("Protect the tables below it, and set the view's option security_invoker.") : 0));
	if (relid < FirstNormalObjectId)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("\"%s\" is a system table", get_rel_name(relid))));
	for (int i = 0; i < CNAP_TABLES; i++)
	{
		if (relid == CnapTableOid(i))
			ereport(ERROR,
					(errcode(ERRCODE_WRONG_OBJECT_TYPE),
					 errmsg("\"%s\" is a table of the extension itself",
							get_rel_name(relid))));
	}
	if (!CnapOwnsRelation(relid, GetUserId()))
		aclcheck_error(ACLCHECK_NOT_OWNER, get_relkind_objtype(relkind),
					   get_rel_name(relid));
}

/* The table and all that inherit from it, locked as ALTER TABLE would. */
static List *
lock_tables(Oid relid)
{
	List	   *tables;
	ListCell   *lc;

	check_table(relid);
	tables = find_all_inheritors(relid, AccessExclusiveLock, NULL);
	foreach(lc, tables)
		check_table(lfirst_oid(lc));
	return tables;
}

/* Refuses a column that is missing, or is no uuid. */
static void
check_column(Oid relid, const char *column)
{
	AttrNumber	attno = get_attnum(relid, column);

	if (attno <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("column \"%s\" of relation \"%s\" does not exist",
						column, get_rel_name(relid))));
	if (get_atttype(relid, attno) != UUIDOID)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" of relation \"%s\" is of type %s, not uuid",
						column, get_rel_name(relid),
						format_type_be(get_atttype(relid, attno)))));
}

/* Tells the owner of a table without an index that leads with the column. */
static void
advise_index(Oid relid, const char *column)
{
	AttrNumber	attno = get_attnum(relid, column);
	Relation	rel;
	List	   *indexes;
	ListCell   *lc;
	bool		found = false;

	/* An index on a partitioned table is one on each of its partitions. */
	if (get_rel_relkind(relid) != RELKIND_RELATION)
		return;

	rel = table_open(relid, NoLock);
	indexes = RelationGetIndexList(rel);
	foreach(lc, indexes)
	{
		HeapTuple	tuple = SearchSysCache1(INDEXRELID,
											ObjectIdGetDatum(lfirst_oid(lc)));
		Form_pg_index form;
		Oid			am;

		if (!HeapTupleIsValid(tuple))
			elog(ERROR, "cache lookup failed for index %u", lfirst_oid(lc));
		form = (Form_pg_index) GETSTRUCT(tuple);
		am = CnapIndexMethod(form->indexrelid);
		found |= form->indisvalid && form->indkey.values[0] == attno &&
			(am == BTREE_AM_OID || am == HASH_AM_OID) &&
			heap_attisnull(tuple, Anum_pg_index_indpred, NULL);
		ReleaseSysCache(tuple);
	}
	list_free(indexes);
	table_close(rel, NoLock);

	if (!found)
		ereport(NOTICE,
				(errmsg("no index of \"%s\" leads with column \"%s\"",
						get_rel_name(relid), column),
				 errhint("CREATE INDEX CONCURRENTLY ON %s (%s);",
						 qualified_name(relid), quote_identifier(column))));
}

/* Drops the policies of ours. */
static void
drop_policies(Oid relid, const Protection *protection)
{
	ListCell   *lc;

	foreach(lc, protection->own)
		execute(psprintf("DROP POLICY %s ON %s", quote_identifier(lfirst(lc)),
						 qualified_name(relid)));
}

/*
 * Creates the policy for one command.  The arguments have exactly the types of
 * our checks, so that no overload which somebody has put beside these is taken.
 */
static void
create_policy(Oid relid, const Checks *checks, int command, bool permissive,
			  const char *column, CnapPermission permission)
{
	StringInfoData check;
	StringInfoData sql;

	initStringInfo(&check);
	if (permission == CNAP_ACCESS)
		appendStringInfo(&check, "(%s.cnap_can_access(%s))", checks->schema,
						 quote_identifier(column));
	else
		appendStringInfo(&check, "(%s.cnap_has_permission(%s, '%s'::cnap.permission))",
						 checks->schema, quote_identifier(column),
						 CnapPermissionName(permission));

	initStringInfo(&sql);
	appendStringInfo(&sql, "CREATE POLICY %s ON %s AS %s FOR %s TO PUBLIC",
					 policy_name(command, permissive), qualified_name(relid),
					 permissive ? "PERMISSIVE" : "RESTRICTIVE", commands[command].name);
	if (commands[command].tests_old)
		appendStringInfo(&sql, " USING %s", check.data);
	if (commands[command].tests_new)
		appendStringInfo(&sql, " WITH CHECK %s", check.data);
	execute(sql.data);
}

/* Protects one table, in place of whatever protection of ours it has. */
static void
protect_table(Oid relid, const Checks *checks, const char *column, CnapPermission write)
{
	Protection	former;

	read_protection(relid, checks, &former);
	drop_policies(relid, &former);
	for (int i = 0; i < NCOMMANDS; i++)
	{
		CnapPermission permission = commands[i].writes ? write : CNAP_ACCESS;

		create_policy(relid, checks, i, false, column, permission);
		if (!former.others_permissive)
			create_policy(relid, checks, i, true, column, permission);
	}
	execute(psprintf("ALTER TABLE %s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
					 qualified_name(relid)));
	advise_index(relid, column);
}

/* cnap_protect(relation, workspace_column, write_permission) -> void */
Datum
cnap_protect(PG_FUNCTION_ARGS)
{
	Oid			relid = DatumGetObjectId(CnapRequiredArg(fcinfo, 0, "relation"));
	char	   *column = NameStr(*DatumGetName(CnapRequiredArg(fcinfo, 1, "workspace_column")));
	Datum		write = CnapRequiredArg(fcinfo, 2, "write_permission");
	Checks		checks;
	List	   *tables;
	ListCell   *lc;

	find_checks(fcinfo, &checks);
	tables = lock_tables(relid);
	foreach(lc, tables)
		check_column(lfirst_oid(lc), column);

	SPI_connect();
	foreach(lc, tables)
		protect_table(lfirst_oid(lc), &checks, column,
					  CnapPermissionFromOid(DatumGetObjectId(write)));
	SPI_finish();
	PG_RETURN_VOID();
}

/*
 * cnap_unprotect(relation) -> void
 *
 * Row-level security stays on where the table has policies of its own.
 */
Datum
cnap_unprotect(PG_FUNCTION_ARGS)
{
	Oid			relid = DatumGetObjectId(CnapRequiredArg(fcinfo, 0, "relation"));
	Checks		checks;
	List	   *tables;
	ListCell   *lc;

	find_checks(fcinfo, &checks);
	tables = lock_tables(relid);

	SPI_connect();
	foreach(lc, tables)
	{
		Protection	former;

		read_protection(lfirst_oid(lc), &checks, &former);
		if (former.own == NIL)
			continue;
		drop_policies(lfirst_oid(lc), &former);
		if (!former.others)
			execute(psprintf("ALTER TABLE %s DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY",
							 qualified_name(lfirst_oid(lc))));
	}
	SPI_finish();
	PG_RETURN_VOID();
}

/* Whether row-level security is enabled on a table, and forced on its owner. */
static bool
is_forced(Oid relid)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	bool		forced = false;

	if (HeapTupleIsValid(tuple))
	{
		Form_pg_class form = (Form_pg_class) GETSTRUCT(tuple);

		forced = form->relrowsecurity && form->relforcerowsecurity;
		ReleaseSysCache(tuple);
	}
	return forced;
}

/* Whether a table and all that inherit from it are protected completely. */
static bool
is_enforced(Oid relid, const Checks *checks)
{
	List	   *tables = find_all_inheritors(relid, NoLock, NULL);
	ListCell   *lc;

	foreach(lc, tables)
	{
		Protection	protection;
		CnapPermission write;

		read_protection(lfirst_oid(lc), checks, &protection);
		if (!is_complete(&protection, &write) || !is_forced(lfirst_oid(lc)))
			return false;
	}
	return true;
}

/* Adds a table to the result of cnap_protected_tables(). */
static void
return_protection(ReturnSetInfo *rsinfo, Oid relid, const Checks *checks,
				  const Protection *protection)
{
	char	   *column = get_attname(relid, protection->column, true);
	CnapPermission write;
	Datum		values[4];
	bool		nulls[4] = {false};

	if (column == NULL)
		return;					/* dropped in the meantime */
	values[0] = ObjectIdGetDatum(relid);
	values[1] = DirectFunctionCall1(namein,
									CStringGetDatum(column));
	nulls[2] = !is_complete(protection, &write);
	values[2] = ObjectIdGetDatum(CnapPermissionToOid(write));
	values[3] = BoolGetDatum(is_enforced(relid, checks));
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

/*
 * cnap_protected_tables()
 *	 -> setof (relation, workspace_column, write_permission, enforced)
 *
 * Every table with a policy of ours.  The policies come in the order of their
 * tables.
 */
Datum
cnap_protected_tables(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Checks		checks;
	Relation	rel;
	SysScanDesc scan;
	HeapTuple	tuple;
	Oid			last = InvalidOid;
	List	   *tables = NIL;
	ListCell   *lc;

	InitMaterializedSRF(fcinfo, 0);
	find_checks(fcinfo, &checks);

	rel = table_open(PolicyRelationId, AccessShareLock);
	scan = systable_beginscan(rel, PolicyPolrelidPolnameIndexId, true, NULL, 0, NULL);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Oid			relid = ((Form_pg_policy) GETSTRUCT(tuple))->polrelid;

		if (relid != last)
			tables = lappend_oid(tables, relid);
		last = relid;
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);

	foreach(lc, tables)
	{
		Protection	protection;

		read_protection(lfirst_oid(lc), &checks, &protection);
		if (protection.tests_column)
			return_protection(rsinfo, lfirst_oid(lc), &checks, &protection);
	}
	return (Datum) 0;
}

/*
 * cnap.policies(checks regnamespace)
 *	 -> setof (relation, policy, command, permissive, own, workspace_column,
 *			   permission)
 *
 * Every policy of the database, as it is recognized; "checks" is the schema of
 * the public functions.  "own" are those that cnap_protect() would replace.
 * The last two are null for what is not in the shape of ours.
 */
Datum
cnap_policies(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	char	   *schema = get_namespace_name(PG_GETARG_OID(0));
	Checks		checks;
	Relation	rel;
	SysScanDesc scan;
	HeapTuple	tuple;
	MemoryContext row_context;
	MemoryContext former;

	if (schema == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_SCHEMA),
				 errmsg("schema with OID %u does not exist", PG_GETARG_OID(0))));
	InitMaterializedSRF(fcinfo, 0);
	find_checks_in(schema, &checks);
	row_context = AllocSetContextCreate(CurrentMemoryContext, "cnap_org policy",
										ALLOCSET_DEFAULT_SIZES);

	rel = table_open(PolicyRelationId, AccessShareLock);
	scan = systable_beginscan(rel, InvalidOid, false, NULL, 0, NULL);
	former = MemoryContextSwitchTo(row_context);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_policy form = (Form_pg_policy) GETSTRUCT(tuple);
		OwnPolicy	policy;
		bool		in_shape = recognize_policy(&checks, tuple, RelationGetDescr(rel), &policy);
		Datum		values[7];
		bool		nulls[7] = {false};

		values[0] = ObjectIdGetDatum(form->polrelid);
		values[1] = NameGetDatum(&form->polname);
		values[2] = CharGetDatum(form->polcmd);
		values[3] = BoolGetDatum(form->polpermissive);
		values[4] = BoolGetDatum(in_shape || is_own_name(NameStr(form->polname)));
		nulls[5] = nulls[6] = !in_shape;
		if (in_shape)
		{
			values[5] = Int16GetDatum(policy.column);
			values[6] = ObjectIdGetDatum(CnapPermissionToOid(policy.permission));
		}
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
		MemoryContextReset(row_context);
	}
	MemoryContextSwitchTo(former);
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return (Datum) 0;
}
