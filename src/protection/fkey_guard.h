/*-------------------------------------------------------------------------
 *
 * fkey_guard.h
 *	  Refuses foreign keys to our tables whose columns have another type.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_FKEY_GUARD_H
#define CNAP_FKEY_GUARD_H

/* Install the hook. */
extern void CnapReferenceInit(void);

#endif							/* CNAP_FKEY_GUARD_H */
