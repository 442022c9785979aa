/*-------------------------------------------------------------------------
 *
 * claims.h
 *	  The current user according to a gateway's claims.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_CLAIMS_H
#define CNAP_CLAIMS_H

extern void CnapClaimsInit(void);

/* Can the current user change with a setting that is not ours? */
extern bool CnapClaimsAreTurnedOn(void);

/*
 * The user that the claims name, or NULL if they name none, are malformed, or
 * are not turned on.  The string is valid until the next call.
 */
extern const char *CnapClaimsUser(void);

/* Did the last call of CnapClaimsUser() see any claims, valid or not? */
extern bool CnapClaimsGiven(void);

#endif							/* CNAP_CLAIMS_H */
