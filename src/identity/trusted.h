/*-------------------------------------------------------------------------
 *
 * trusted.h
 *	  Which database roles are trusted to say who the current user is.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_TRUSTED_H
#define CNAP_TRUSTED_H

#include "fmgr.h"

/* The parameter whose SET privilege makes a role a trusted one. */
#define CNAP_USER_ID_SETTING "cnap.user_id"

extern void CnapTrustedInit(void);

/* Is the role trusted, by its own or another role's privilege? */
extern bool CnapIsTrusted(Oid role);

/*
 * Raise 42501 (insufficient_privilege) unless the current role is trusted.  For
 * functions about any user: EXECUTE alone, which somebody may have granted by
 * mistake or by default privileges, does not open them.
 */
extern void CnapRequireTrust(FunctionCallInfo fcinfo);

#endif							/* CNAP_TRUSTED_H */
