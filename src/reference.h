/*-------------------------------------------------------------------------
 *
 * reference.h
 *	  Refuses foreign keys to our tables whose columns have another type.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_REFERENCE_H
#define CNAP_REFERENCE_H

/* Install the hook. */
extern void CnapReferenceInit(void);

#endif							/* CNAP_REFERENCE_H */
