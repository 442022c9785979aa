/*-------------------------------------------------------------------------
 *
 * estimates.h
 *	  What is known about a check at planning.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_ESTIMATES_H
#define CNAP_ESTIMATES_H

#include "nodes/pathnodes.h"

#include "access/cache.h"

/* The largest set that is read at planning for any query. */
#define CNAP_SMALL_SET 256

/* The largest fraction of a table for which the index condition is offered. */
#define CNAP_MAX_INDEXED_FRACTION 0.2

/*
 * For a query that would otherwise scan the whole table, planning may read one
 * row about the user's set per this many rows of the table.
 */
#define CNAP_MIN_ROWS_PER_READ 32

/* A call of one of the checks. */
typedef struct CnapCheck
{
	Oid			function;
	Node	   *user;			/* NULL means the current user */
	Node	   *workspace;
	int			workspace_arg;	/* its argument number */
	Node	   *permission;		/* NULL means 'access' */
} CnapCheck;

/* What is known about a check at planning. */
typedef struct CnapKnown
{
	bool		is_known;		/* are user and permission known? */
	CnapUser   *user;			/* NULL if there is no user */
	CnapPermission permission;
	int			set_size;		/* -1 if unknown but above CNAP_SMALL_SET */
} CnapKnown;

/*
 * Split the arguments.  The variants of the checks differ in their number and
 * types.
 */
extern bool CnapParseCheck(Oid function, List *args, CnapCheck *check);

/* The relation whose column the check is about; NULL if it is not about one, or there is no root. */
extern RelOptInfo *CnapCheckedRelation(PlannerInfo *root, const CnapCheck *check);

/* Find out what can be known about a check at low cost. */
extern void CnapKnowCheck(PlannerInfo *root, const CnapCheck *check, CnapKnown *known);

/* Estimate the fraction of a relation's rows that a check accepts. */
extern double CnapEstimateFraction(PlannerInfo *root, const CnapCheck *check,
								   const CnapKnown *known, int varrelid);

#endif							/* CNAP_ESTIMATES_H */
