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
} CnapTest;

/* What one of our policies requires of the current user. */
typedef struct CnapDemand
{
	CnapPermission permission;
	CnapPermission visible;		/* besides, to see the row; or CNAP_ACCESS */
	bool		is_bare;		/* nothing but that the parent is visible */
	char	   *undefined;		/* name of a permission that does not exist */
} CnapDemand;

/* A policy with the shape of ours. */
typedef struct CnapPolicy
{
	int			command;		/* index into CnapCommands */
	bool		permissive;
	CnapTest	test;
	CnapDemand	demand;
} CnapPolicy;

extern void CnapFindChecks(FunctionCallInfo fcinfo, CnapChecks *checks);
extern void CnapFindChecksBySchema(Oid schema, CnapChecks *checks);
extern void CnapFindChecksIn(const char *schema, CnapChecks *checks);
extern char *CnapPolicyName(int command, bool permissive);
extern bool CnapIsPolicyName(const char *name);
extern bool CnapRecognizePolicy(const CnapChecks *checks, HeapTuple tuple, TupleDesc desc,
								CnapPolicy *policy);
extern bool CnapIsSameWay(const CnapTest *a, const CnapTest *b);
extern HeapTuple CnapCopyPolicy(Relation rel, Oid policy);

#endif							/* CNAP_POLICY_TEXT_H */
