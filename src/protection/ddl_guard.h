/*-------------------------------------------------------------------------
 *
 * ddl_guard.h
 *	  Refuses DDL that would leave a protected table less protected.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_DDL_GUARD_H
#define CNAP_DDL_GUARD_H

/* Are such commands refused in this session? */
extern bool CnapGuards(void);

/* Define the setting, and register the callbacks. */
extern void CnapGuardInit(void);

#endif							/* CNAP_DDL_GUARD_H */
