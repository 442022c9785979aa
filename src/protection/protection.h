/*-------------------------------------------------------------------------
 *
 * protection.h
 *	  What the policies of a table amount to.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_PROTECTION_H
#define CNAP_PROTECTION_H

#include "protection/policy_text.h"

/* The permissions that a table requires. */
typedef struct CnapRequired
{
	CnapPermission read;
	CnapPermission write;
} CnapRequired;

/* What the policies of one table amount to. */
typedef struct CnapProtection
{
	List	   *own;			/* names of our policies */
	bool		is_protected;	/* any of them has our shape */
	List	   *altered;		/* those of them that have not our shape */
	List	   *others;			/* names of the other policies */
	bool		others_permissive;
	bool		others_show;	/* one of them permits reading */
	bool		agrees;			/* all of ours test the same column or parent */
	CnapTest	test;			/* that column or parent; if they do not
								 * agree, of most of them */
	bool		restricted[CNAP_COMMANDS];	/* has restrictive policy of ours */
	CnapDemand	restriction[CNAP_COMMANDS]; /* what that policy requires */
	bool		permitted[CNAP_COMMANDS];	/* has permissive policy of ours */
	CnapDemand	permission[CNAP_COMMANDS];	/* what that policy requires */
	List	   *undefined;		/* names of permissions that do not exist */
	CnapPermission read;		/* required for reading, by the table at the
								 * top if rows are seen with their parents;
								 * CNAP_PERMISSION_UNDEFINED if unknown */
} CnapProtection;

extern void CnapKeepProtections(CnapChecks *checks);
extern void CnapReadProtectionAsOf(Oid relid, const CnapChecks *checks, Snapshot snapshot,
								   CnapProtection *protection);
extern void CnapReadProtection(Oid relid, const CnapChecks *checks,
							   CnapProtection *protection);
extern CnapPermission CnapVisibleBesides(int command, const CnapRequired *required);
extern bool CnapIsBareTest(int command, const CnapRequired *required);
extern bool CnapIsConsistent(const CnapProtection *protection, CnapRequired *required);
extern bool CnapIsComplete(const CnapProtection *protection, CnapRequired *required);
extern bool CnapIsDenied(const CnapProtection *protection, int command);
extern void CnapFormerRequired(const CnapProtection *former, const CnapRequired *otherwise,
							   CnapRequired *required);
extern bool CnapIsSameRequired(const CnapRequired *a, const CnapRequired *b);
extern Oid	CnapParentOf(Oid relid, const CnapProtection *protection);
extern List *CnapProtectedChildren(Oid parent, const CnapChecks *checks);
extern List *CnapTablesWithPolicies(Snapshot snapshot);

#endif							/* CNAP_PROTECTION_H */
