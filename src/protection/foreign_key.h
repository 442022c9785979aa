/*-------------------------------------------------------------------------
 *
 * foreign_key.h
 *	  Foreign keys, as the way from a row to its parent.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_FOREIGN_KEY_H
#define CNAP_FOREIGN_KEY_H

#include "access/attnum.h"
#include "lib/stringinfo.h"
#include "nodes/pg_list.h"
#include "utils/snapshot.h"

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

extern char *CnapColumnReference(const char *alias, Oid relid, AttrNumber column);
extern char *CnapParentSource(Oid parent, const char *alias);
extern void CnapAppendKeys(StringInfo sql, const CnapLink *link, Oid child,
						   const char *child_alias, const char *alias);
extern bool CnapIsDerivedKey(Oid constraint);
extern bool CnapHasKey(const CnapLink *link, AttrNumber column);
extern List *CnapForeignKeysAsOf(Oid relid, Snapshot snapshot);
extern List *CnapAllForeignKeys(Oid relid);
extern bool CnapIsSameLink(const CnapLink *a, const CnapLink *b);
extern bool CnapIsNullableLink(Oid relid, const CnapLink *link);

#endif							/* CNAP_FOREIGN_KEY_H */
