/*-------------------------------------------------------------------------
 *
 * policy_text.c
 *	  Recognizing the policies that protect the application's tables.
 *
 * The catalogs are the only record of what is protected.  A policy counts as
 * protection if it has our shape: it is for a single command and for PUBLIC,
 * and its expressions are one of our tests:
 *
 *		cnap_can_access(column)
 *		cnap_has_permission(column, 'permission')
 *		cnap.parent_visible(EXISTS (SELECT FROM parent
 *									WHERE parent.key = table.key
 *									AND <test of the parent>), ...)
 *
 * where the test of the parent is present for writing, if a permission other
 * than 'access' is required for that or for reading; otherwise the parent's own
 * policies are relied on.  The policies for changing and deleting rows may test
 * the column twice, for the permission to write and for that to read.
 *
 * So a table, column or policy is still recognized after it has been renamed, a
 * dump contains everything, and a policy changed by hand no longer counts as
 * protection.  Policies with our shape or one of our names are ours to replace
 * and to drop.  One that names a permission that does not exist raises an error
 * for every row, so it opens nothing, but protects nothing in an orderly way
 * either: it has our shape, and the protection is not complete.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/pg_policy.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "nodes/parsenodes.h"
#include "nodes/readfuncs.h"
#include "parser/parse_coerce.h"
#include "parser/parse_func.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "core/definitions.h"
#include "core/own_catalog.h"
#include "core/relation.h"
#include "protection/keeper.h"
#include "protection/policy_text.h"

const CnapCommand CnapCommands[CNAP_COMMANDS] = {
	{ACL_SELECT_CHR, "select", false, true, false},
	{ACL_INSERT_CHR, "insert", true, false, true},
	{ACL_UPDATE_CHR, "update", true, true, true},
	{ACL_DELETE_CHR, "delete", true, true, false},
};

static bool recognize_test(const CnapChecks *checks, Node *node, CnapTest *test,
						   CnapDemand *demand);

/* ---- recognizing policies ---- */

static Oid
find_function(const char *schema, const char *name, int nargs, const Oid *types)
{
	return LookupFuncName(list_make2(makeString(pstrdup(schema)),
									 makeString(pstrdup(name))),
						  nargs, types, false);
}

/* Find the check functions; the schema is that of the public functions. */
void
CnapFindChecksIn(const char *schema, CnapChecks *checks)
{
	Oid			uuid[] = {UUIDOID, TEXTOID};
	Oid			boolean[] = {BOOLOID, ANYOID};

	memset(checks, 0, sizeof(*checks));
	checks->schema = quote_identifier(schema);
	checks->can_access = find_function(schema, "cnap_can_access", 1, uuid);
	checks->has_permission = find_function(schema, "cnap_has_permission", 2, uuid);
	checks->parent_visible = find_function("cnap", "parent_visible", 1, boolean);
	checks->parent_visible_keys = find_function("cnap", "parent_visible", 2, boolean);
}

/*
 * Find the check functions, in the schema of the public function being
 * executed.
 */
void
CnapFindChecks(FunctionCallInfo fcinfo, CnapChecks *checks)
{
	CnapFindChecksIn(get_namespace_name(get_func_namespace(fcinfo->flinfo->fn_oid)),
					 checks);
}

/*
 * Find the check functions in a schema given by its OID.
 */
void
CnapFindChecksBySchema(Oid schema, CnapChecks *checks)
{
	char	   *name = get_namespace_name(schema);

	if (name == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_SCHEMA),
				 errmsg("schema with OID %u does not exist", schema)));
	CnapFindChecksIn(name, checks);
}

/*
 * The column that a node refers to; 0 if it is not a plain column reference.
 */
static AttrNumber
column_of(Node *node, Index levels)
{
	Var		   *var = (Var *) node;

	return IsA(var, Var) && var->varlevelsup == levels && var->varattno > 0 ?
		var->varattno : 0;
}

/*
 * Is a function call an implicit conversion?  Others may map different values
 * to the same one.
 */
static bool
is_implicit_conversion(const FuncExpr *call)
{
	Oid			function;

	return list_length(call->args) == 1 &&
		find_coercion_pathway(call->funcresulttype, exprType(linitial(call->args)),
							  COERCION_IMPLICIT, &function) == COERCION_PATH_FUNC &&
		function == call->funcid;
}

/*
 * Strip the conversions that a comparison of two keys may have added to a
 * node.
 */
static Node *
strip_conversions(Node *node)
{
	for (;;)
	{
		if (IsA(node, RelabelType))
			node = (Node *) ((RelabelType *) node)->arg;
		else if (IsA(node, CollateExpr))
			node = (Node *) ((CollateExpr *) node)->arg;
		else if (IsA(node, FuncExpr) && is_implicit_conversion((FuncExpr *) node))
			node = linitial(((FuncExpr *) node)->args);
		else
			return node;
	}
}

/*
 * Recognize the comparison of a row with its parent: the equality of two of
 * their columns.
 */
static bool
recognize_key(Node *node, CnapLink *link)
{
	OpExpr	   *comparison = (OpExpr *) node;
	AttrNumber	parent;
	AttrNumber	child;

	if (!IsA(comparison, OpExpr) || list_length(comparison->args) != 2 ||
		link->nkeys == INDEX_MAX_KEYS ||
		get_mergejoin_opfamilies(comparison->opno) == NIL)
		return false;
	parent = column_of(strip_conversions(linitial(comparison->args)), 0);
	child = column_of(strip_conversions(lsecond(comparison->args)), 1);
	if (parent == 0 || child == 0)
		return false;
	link->parent_keys[link->nkeys] = parent;
	link->child_keys[link->nkeys] = child;
	link->operators[link->nkeys++] = comparison->opno;
	return true;
}

/* Is a clause OFFSET '0', which has no effect on the result (expression.c)? */
static bool
is_zero(Node *clause)
{
	return IsA(clause, Const) && ((Const *) clause)->consttype == INT8OID &&
		!((Const *) clause)->constisnull &&
		DatumGetInt64(((Const *) clause)->constvalue) == 0;
}

/* Does a query do nothing but search for rows of a single table? */
static bool
is_plain_lookup(const Query *query)
{
	return query->commandType == CMD_SELECT &&
		list_length(query->rtable) == 1 &&
		linitial_node(RangeTblEntry, query->rtable)->rtekind == RTE_RELATION &&
		linitial_node(RangeTblEntry, query->rtable)->tablesample == NULL &&
		!query->hasAggs && !query->hasTargetSRFs && query->cteList == NIL &&
		query->groupClause == NIL && query->groupingSets == NIL &&
		query->havingQual == NULL && query->limitCount == NULL &&
		(query->limitOffset == NULL || is_zero(query->limitOffset)) &&
		query->setOperations == NULL &&
		query->jointree->quals != NULL;
}

/* Recognize the search for a row's parent. */
static bool
recognize_parent(const CnapChecks *checks, Node *node, CnapTest *test, CnapDemand *demand)
{
	SubLink    *exists = (SubLink *) node;
	Query	   *query;
	List	   *conditions;
	ListCell   *lc;

	if (!IsA(exists, SubLink) || exists->subLinkType != EXISTS_SUBLINK)
		return false;
	query = castNode(Query, exists->subselect);
	if (!is_plain_lookup(query))
		return false;
	test->link.parent = linitial_node(RangeTblEntry, query->rtable)->relid;

	demand->is_bare = true;
	conditions = make_ands_implicit((Expr *) query->jointree->quals);
	foreach(lc, conditions)
	{
		CnapTest	of_parent;

		if (recognize_key(lfirst(lc), &test->link))
			continue;
		memset(&of_parent, 0, sizeof(of_parent));
		if (!demand->is_bare || !recognize_test(checks, lfirst(lc), &of_parent, demand))
			return false;
		demand->is_bare = false;
	}
	return test->link.nkeys > 0;
}

/* Recognize one of our tests; *test and *demand must be zeroed. */
static bool
recognize_test(const CnapChecks *checks, Node *node, CnapTest *test, CnapDemand *demand)
{
	FuncExpr   *call = (FuncExpr *) node;

	check_stack_depth();
	demand->permission = CNAP_ACCESS;
	if (!IsA(call, FuncExpr) || call->args == NIL)
		return false;
	if (call->funcid == checks->parent_visible || call->funcid == checks->parent_visible_keys)
		return recognize_parent(checks, linitial(call->args), test, demand);

	test->column = column_of(linitial(call->args), 0);
	if (test->column == 0)
		return false;
	if (call->funcid == checks->has_permission)
	{
		Const	   *constant = lsecond(call->args);

		if (!IsA(constant, Const) || constant->constisnull)
			return false;
		if (!CnapFindPermission(DatumGetTextPP(constant->constvalue), &demand->permission))
		{
			demand->permission = CNAP_PERMISSION_UNDEFINED;
			demand->undefined = TextDatumGetCString(constant->constvalue);
		}
		return true;
	}
	return call->funcid == checks->can_access;
}

/*
 * Recognize two tests of the same column: for a permission, and for the one to
 * see the row.
 */
static bool
recognize_both(const CnapChecks *checks, Node *node, CnapTest *test, CnapDemand *demand)
{
	List	   *args;
	CnapTest	of_visible;
	CnapDemand	visible;

	if (!is_andclause(node))
		return recognize_test(checks, node, test, demand);
	args = ((BoolExpr *) node)->args;
	memset(&of_visible, 0, sizeof(of_visible));
	memset(&visible, 0, sizeof(visible));
	if (list_length(args) != 2 ||
		!recognize_test(checks, linitial(args), test, demand) || test->column == 0 ||
		!recognize_test(checks, lsecond(args), &of_visible, &visible) ||
		of_visible.column != test->column)
		return false;
	demand->visible = visible.permission;
	if (demand->undefined == NULL)
		demand->undefined = visible.undefined;
	return true;
}

/*
 * Likewise for an expression in the catalog.  Expression trees are large, so
 * this uses a temporary memory context.
 */
static bool
recognize_expression(const CnapChecks *checks, Datum expression, CnapTest *test,
					 CnapDemand *demand)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "cnap_org expression",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext former = MemoryContextSwitchTo(context);
	bool		recognized;

	memset(test, 0, sizeof(*test));
	memset(demand, 0, sizeof(*demand));
	recognized = recognize_both(checks, stringToNode(TextDatumGetCString(expression)),
								test, demand);
	MemoryContextSwitchTo(former);
	if (demand->undefined != NULL)
		demand->undefined = pstrdup(demand->undefined);
	MemoryContextDelete(context);
	return recognized;
}

/* Do two tests check the same column, or the same parent by the same key? */
bool
CnapIsSameWay(const CnapTest *a, const CnapTest *b)
{
	return a->column == b->column && CnapIsSameLink(&a->link, &b->link);
}

/* Is a policy for PUBLIC, rather than for certain roles? */
static bool
is_for_public(HeapTuple tuple, TupleDesc desc)
{
	bool		isnull;
	ArrayType  *roles = DatumGetArrayTypeP(heap_getattr(tuple, Anum_pg_policy_polroles,
														desc, &isnull));

	return ARR_DIMS(roles)[0] == 1 && ((Oid *) ARR_DATA_PTR(roles))[0] == InvalidOid;
}

/* The name of one of our policies. */
char *
CnapPolicyName(int command, bool permissive)
{
	return psprintf("cnap_%s_%s", CnapCommands[command].name,
					permissive ? "permissive" : "restrictive");
}

/* Is this one of the names of our policies? */
bool
CnapIsPolicyName(const char *name)
{
	for (int i = 0; i < CNAP_COMMANDS; i++)
	{
		if (strcmp(name, CnapPolicyName(i, false)) == 0 ||
			strcmp(name, CnapPolicyName(i, true)) == 0)
			return true;
	}
	return false;
}

/* Does a policy have the shape of ours? */
bool
CnapRecognizePolicy(const CnapChecks *checks, HeapTuple tuple, TupleDesc desc,
					CnapPolicy *policy)
{
	Form_pg_policy form = (Form_pg_policy) GETSTRUCT(tuple);
	bool		qual_null;
	bool		check_null;
	Datum		qual = heap_getattr(tuple, Anum_pg_policy_polqual, desc, &qual_null);
	Datum		check = heap_getattr(tuple, Anum_pg_policy_polwithcheck, desc, &check_null);
	CnapTest	of_new;
	CnapDemand	for_new;

	for (int i = 0; i < CNAP_COMMANDS; i++)
	{
		if (CnapCommands[i].code != form->polcmd)
			continue;
		if (CnapCommands[i].tests_old == qual_null ||
			CnapCommands[i].tests_new == check_null || !is_for_public(tuple, desc))
			return false;

		policy->command = i;
		policy->permissive = form->polpermissive;
		if (!recognize_expression(checks, qual_null ? check : qual,
								  &policy->test, &policy->demand))
			return false;
		return qual_null || check_null ||
			(recognize_expression(checks, check, &of_new, &for_new) &&
			 CnapIsSameWay(&of_new, &policy->test) &&
			 for_new.permission == policy->demand.permission &&
			 for_new.is_bare == policy->demand.is_bare);
	}
	return false;
}

/* A copy of a policy's pg_policy tuple; NULL if it has been dropped. */
HeapTuple
CnapCopyPolicy(Relation rel, Oid policy)
{
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, Anum_pg_policy_oid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(policy));
	scan = systable_beginscan(rel, PolicyOidIndexId, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		tuple = heap_copytuple(tuple);
	systable_endscan(scan);
	return tuple;
}
