/*-------------------------------------------------------------------------
 *
 * invalidation.h
 *	  One relation cache callback for all that need one.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_INVALIDATION_H
#define CNAP_INVALIDATION_H

/* Called with a relation, or with InvalidOid for all of them. */
typedef void (*CnapRelationCallback) (Oid relid);

extern void CnapOnInvalidation(CnapRelationCallback callback);

#endif							/* CNAP_INVALIDATION_H */
