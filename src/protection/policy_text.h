/*-------------------------------------------------------------------------
 *
 * policy_text.h
 *	  The policies that protect the application's tables.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_POLICY_TEXT_H
#define CNAP_POLICY_TEXT_H

#include "access/htup.h"
#include "access/tupdesc.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "nodes/pg_list.h"
#include "utils/array.h"
#include "utils/hsearch.h"
#include "utils/relcache.h"

#include "core/permission.h"

/* The functions used in policies. */
typedef struct CnapChecks
{
	const char *schema;			/* of the public functions, quoted */
	Oid			can_access;
	Oid			has_permission;
	Oid			parent_visible; /* check of the parent */
	Oid			parent_visible_keys;	/* likewise, with keys for an index */
	HTAB	   *known;			/* cached protections; NULL if not kept */
} CnapChecks;

/* A command that policies are for. */
typedef struct CnapCommand
{
	char		code;			/* pg_policy.polcmd */
	const char *name;
	bool		writes;
	bool		tests_old;		/* USING */
	bool		tests_new;		/* WITH CHECK */
} CnapCommand;

#define CNAP_COMMANDS 4

extern const CnapCommand CnapCommands[CNAP_COMMANDS];

/* The way from a row to its parent, as in a foreign key. */
typedef struct CnapLink
{
	Oid			parent;			/* InvalidOid if there is none */
	int			nkeys;
	AttrNumber	child_keys[INDEX_MAX_KEYS];
	AttrNumber	parent_keys[INDEX_MAX_KEYS];
	Oid			operators[INDEX_MAX_KEYS];	/* parent's column = child's */
	Oid			constraint;		/* the foreign key, if from one */
	bool		is_valid;		/* which holds for all rows */
} CnapLink;

/* What keeps a table's workspace column equal to its parent's (kept_column.c). */
typedef struct CnapKeeper
{
	char	   *trigger;		/* its name */
	bool		is_clone;		/* cloned from a partitioned table */
	AttrNumber	column;			/* 0 if the foreign key is missing */
	AttrNumber	parent_column;
	CnapLink	link;			/* without these columns */
	Oid			constraint;		/* the foreign key with these columns */
} CnapKeeper;

/*
 * What one of our policies tests: a column of the table, or the row's parent.
 */
typedef struct CnapTest
{
	AttrNumber	column;			/* 0 if the parent is tested */
	CnapLink	link;
	CnapPermission permission;
} CnapTest;

/* A policy with the shape of ours. */
typedef struct CnapPolicy
{
	int			command;		/* index into CnapCommands */
	bool		permissive;
	CnapTest	test;
} CnapPolicy;

/* What the policies of one table amount to. */
typedef struct CnapProtection
{
	List	   *own;			/* names of our policies */
	bool		is_protected;	/* any of them has our shape */
	bool		others;			/* there are other policies */
	bool		others_permissive;
	bool		agrees;			/* all of ours test the same column or parent */
	CnapTest	test;			/* that column or parent */
	bool		restricted[CNAP_COMMANDS];	/* has restrictive policy of ours */
	CnapPermission permission[CNAP_COMMANDS];	/* required by that policy */
} CnapProtection;

extern void CnapFindChecks(FunctionCallInfo fcinfo, CnapChecks *checks);
extern void CnapFindChecksIn(const char *schema, CnapChecks *checks);
extern char *CnapPolicyName(int command, bool permissive);
extern bool CnapIsPolicyName(const char *name);
extern bool CnapRecognizePolicy(const CnapChecks *checks, HeapTuple tuple, TupleDesc desc,
								CnapPolicy *policy);
extern void CnapKeepProtections(CnapChecks *checks);
extern void CnapReadProtection(Oid relid, const CnapChecks *checks,
							   CnapProtection *protection);
extern bool CnapIsComplete(const CnapProtection *protection, CnapPermission *write);
extern Oid	CnapParentOf(Oid relid, const CnapProtection *protection);
extern bool CnapIsUnique(Oid relid, const AttrNumber *columns, int ncolumns, bool exactly);
extern bool CnapIsSameLink(const CnapLink *a, const CnapLink *b);
extern bool CnapIsSameWay(const CnapTest *a, const CnapTest *b);
extern List *CnapDependents(Oid relid, Oid class);
extern HeapTuple CnapCopyPolicy(Relation rel, Oid policy);
extern List *CnapProtectedChildren(Oid parent, const CnapChecks *checks);

/* protect.c: creating policies. */
extern char *CnapQualifiedName(Oid relid);
extern void CnapExecuteUtility(const char *sql);
extern List *CnapLockTables(Oid relid, bool protect);
extern AttrNumber CnapRequireColumn(Oid relid, const char *column);
extern void CnapCheckColumn(Oid relid, const char *column);
extern Oid	CnapRelationOwner(Oid relid);
extern bool CnapHasIndex(Oid relid, AttrNumber column);
extern char *CnapColumnCheck(const CnapChecks *checks, const char *column,
							 CnapPermission permission);
extern void CnapProtectTables(List *tables, const CnapChecks *checks,
							  const CnapTest *test);
extern CnapPermission CnapFormerPermission(const CnapProtection *former,
										   CnapPermission otherwise);
extern bool CnapHasRemains(Oid relid, const CnapProtection *protection);

/* verify.c: whether a protection is enforced. */
extern List *CnapAncestors(Oid relid);
extern bool CnapIsEnforced(Oid relid, const CnapChecks *checks);
extern bool CnapIsIntact(Oid relid, const CnapChecks *checks);

/* target.c: the relations of a schema. */
extern List *CnapRelationsOf(Oid schema);
extern char *CnapFindObstacle(Oid relid, bool protect);

/* child.c: tables that reach their workspace through a parent. */
extern List *CnapAllForeignKeys(Oid relid);
extern List *CnapForeignKeys(Oid relid);
extern Oid	CnapHeirWithoutKey(Oid relid, const CnapLink *link);
extern bool CnapHasKey(const CnapLink *link, AttrNumber column);
extern bool CnapIsDerivedKey(Oid constraint);
extern bool CnapIsNotNull(Oid relid, AttrNumber column);
extern bool CnapIsNullableLink(Oid relid, const CnapLink *link);
extern char *CnapParentSource(Oid parent, const char *alias);
extern void CnapAppendKeys(StringInfo sql, const CnapLink *link, Oid child,
						   const char *child_alias, const char *alias);
extern char *CnapParentCheck(Oid relid, const CnapChecks *checks, const CnapLink *link,
							 CnapPermission permission, bool with_keys);

/* listing.c: listings. */
extern ArrayType *CnapColumnNames(Oid relid, const AttrNumber *columns, int ncolumns);

/* kept_column.c: workspace columns that follow the parent's. */
extern bool CnapIsOwnConstraint(Oid constraint);
extern bool CnapFindKeeper(Oid relid, CnapKeeper *keeper);
extern List *CnapKeptChildren(Oid parent);
extern void CnapDropKeeper(Oid relid);
extern const char *CnapFindColumnObstacle(Oid relid, const CnapLink *link,
										  const char *column);
extern AttrNumber CnapKeepColumn(List *tables, const CnapLink *link,
								 AttrNumber parent_column, const char *column);

#endif							/* CNAP_POLICY_TEXT_H */
