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
#include "utils/hsearch.h"
#include "utils/relcache.h"
#include "utils/snapshot.h"

#include "core/permission.h"
#include "protection/foreign_key.h"

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
	bool		altered;		/* one with a name of ours has not our shape */
	List	   *others;			/* names of the other policies */
	bool		others_permissive;
	bool		others_show;	/* one of them permits reading */
	bool		agrees;			/* all of ours test the same column or parent */
	CnapTest	test;			/* that column or parent */
	bool		restricted[CNAP_COMMANDS];	/* has restrictive policy of ours */
	CnapPermission permission[CNAP_COMMANDS];	/* required by that policy */
	bool		permitted[CNAP_COMMANDS];	/* has permissive policy of ours */
	CnapPermission permitted_for[CNAP_COMMANDS];	/* required by that policy */
} CnapProtection;

extern void CnapFindChecks(FunctionCallInfo fcinfo, CnapChecks *checks);
extern void CnapFindChecksIn(const char *schema, CnapChecks *checks);
extern char *CnapPolicyName(int command, bool permissive);
extern bool CnapIsPolicyName(const char *name);
extern bool CnapRecognizePolicy(const CnapChecks *checks, HeapTuple tuple, TupleDesc desc,
								CnapPolicy *policy);
extern void CnapKeepProtections(CnapChecks *checks);
extern void CnapReadProtectionAsOf(Oid relid, const CnapChecks *checks, Snapshot snapshot,
								   CnapProtection *protection);
extern void CnapReadProtection(Oid relid, const CnapChecks *checks,
							   CnapProtection *protection);
extern bool CnapIsComplete(const CnapProtection *protection, CnapPermission *write);
extern bool CnapIsDenied(const CnapProtection *protection, int command);
extern CnapPermission CnapFormerPermission(const CnapProtection *former,
										   CnapPermission otherwise);
extern Oid	CnapParentOf(Oid relid, const CnapProtection *protection);
extern bool CnapIsSameWay(const CnapTest *a, const CnapTest *b);
extern HeapTuple CnapCopyPolicy(Relation rel, Oid policy);
extern List *CnapProtectedChildren(Oid parent, const CnapChecks *checks);

#endif							/* CNAP_POLICY_TEXT_H */
