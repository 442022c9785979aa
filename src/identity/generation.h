/*-------------------------------------------------------------------------
 *
 * generation.h
 *	  Counts the changes of what determines the current user.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_GENERATION_H
#define CNAP_GENERATION_H

/*
 * Incremented whenever the current user may have become another one: each
 * source of the identity does so when its setting is assigned to, and when it
 * notices that what it rests on has changed.  Whoever keeps something about the
 * current user keeps the number as well, and compares.  It is never 0.
 */
extern uint64 CnapIdentityGeneration;

/*
 * Called at each such change, with the user who may be the current one now: NULL
 * if that is not known yet, and empty if it is nobody; and with the serial number
 * of the limits, 0 if there are none.  It must neither access catalogs nor fail,
 * because settings are assigned to at any time.
 */
typedef void (*CnapIdentityHookType) (const char *user, uint64 limits);
extern CnapIdentityHookType CnapIdentityHook;

/* To be called by the sources. */
extern void CnapIdentityChanged(const char *user, uint64 limits);

#endif							/* CNAP_GENERATION_H */
