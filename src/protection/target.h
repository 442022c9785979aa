/*-------------------------------------------------------------------------
 *
 * target.h
 *	  The tables that are to be protected or unprotected.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_TARGET_H
#define CNAP_TARGET_H

#include <limits.h>

#include "protection/protection.h"

/* The level of tables that are not protected, and will not be. */
#define CNAP_NO_LEVEL INT_MAX

/* A table and what is to be done with it. */
typedef struct CnapTarget
{
	Oid			relid;
	char	   *name;			/* qualified */
	const char *column;			/* that holds the workspace, if known */
	int			level;			/* number of keys to the workspace column */
	CnapTest	test;			/* how it is protected, or will be */
	bool		has_workspace;	/* has or gets a workspace column that others
								 * can follow */
	char	   *statement;		/* NULL if there is nothing to do */
	char	   *reason;
	bool		is_blocked;		/* nothing can be done, for this reason */
	bool		is_nullable;	/* a key on the way to the workspace can be
								 * null */
	List	   *ways;			/* of plan.c, for each foreign key */
} CnapTarget;

/* What the caller asked for. */
typedef struct CnapRequest
{
	CnapChecks	checks;
	Oid			schema;
	List	   *columns;		/* names of workspace columns, the first that
								 * a table has counts */
	List	   *left_out;		/* tables that stay as they are */
	CnapRequired required;
	bool		read_given;		/* rather than the default */
	bool		write_given;
	const char *child_column;	/* NULL if children get no column */
	bool		by_anybody;		/* not only by the caller */
} CnapRequest;

/* A table of which nothing is known yet. */
extern CnapTarget *CnapMakeTarget(Oid relid);

/*
 * The tables of a schema, or of all for InvalidOid, in the order of their names.
 */
extern List *CnapFindTargets(Oid schema);

/* Compare two of them by their levels, then by their names. */
extern int	CnapCompareTargets(const ListCell *a, const ListCell *b);

/*
 * Count the parents above a table, and tell whether they and the table are all
 * protected.
 */
extern int	CnapCountParents(Oid relid, const CnapChecks *checks, bool *all_protected);

/*
 * Lock a table and those that inherit from it, and return those that can have
 * policies.
 */
extern List *CnapLockTables(Oid relid, bool protect);
extern AttrNumber CnapRequireColumn(Oid relid, const char *column);
extern void CnapCheckColumn(Oid relid, const char *column);

/*
 * The reason why nobody, or not the caller, can protect or unprotect a table;
 * NULL if none.
 */
extern char *CnapFindObstacle(Oid relid, bool protect, bool by_caller);

#endif							/* CNAP_TARGET_H */
