/*-------------------------------------------------------------------------
 *
 * rename_guard.h
 *	  Refuses to rename what the extension finds by its name.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_RENAME_GUARD_H
#define CNAP_RENAME_GUARD_H

/* Install the hook. */
extern void CnapRenameGuardInit(void);

#endif							/* CNAP_RENAME_GUARD_H */
