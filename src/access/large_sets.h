/*-------------------------------------------------------------------------
 *
 * large_sets.h
 *	  Index scans for users with many workspaces and few rows.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_LARGE_SETS_H
#define CNAP_LARGE_SETS_H

extern void CnapLargeSetsInit(void);

#endif							/* CNAP_LARGE_SETS_H */
