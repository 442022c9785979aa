/*-------------------------------------------------------------------------
 *
 * relation.h
 *	  What the catalogs say about a relation, whoever it belongs to.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_RELATION_H
#define CNAP_RELATION_H

#include "access/attnum.h"
#include "nodes/pg_list.h"
#include "utils/array.h"
#include "utils/snapshot.h"

extern char *CnapQualifiedName(Oid relid);
extern Oid	CnapRelationOwner(Oid relid);
extern ArrayType *CnapColumnNames(Oid relid, const AttrNumber *columns, int ncolumns);
extern bool CnapIsNotNull(Oid relid, AttrNumber column);

/* The access method of any index. */
extern Oid	CnapIndexMethod(Oid index);
extern bool CnapHasIndex(Oid relid, AttrNumber column);
extern bool CnapIsUnique(Oid relid, const AttrNumber *columns, int ncolumns, bool exactly);

extern List *CnapInheritedFrom(Oid relid, Snapshot snapshot);
extern List *CnapAncestorsAsOf(Oid relid, Snapshot snapshot);
extern List *CnapAncestors(Oid relid);
extern List *CnapDependents(Oid relid, Oid class);

#endif							/* CNAP_RELATION_H */
