/*-------------------------------------------------------------------------
 *
 * bypass.h
 *	  Telling superusers that policies do not apply to them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_BYPASS_H
#define CNAP_BYPASS_H

extern void CnapBypassInit(void);

#endif							/* CNAP_BYPASS_H */
