/*-------------------------------------------------------------------------
 *
 * claims.h
 *	  The current user as a gateway's claims say it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_CLAIMS_H
#define CNAP_CLAIMS_H

extern void CnapClaimsInit(void);

/*
 * The user that the claims name, or a null pointer where they name none, are
 * malformed, or where claims are not turned on; the argument says whether they
 * are.  The string is good until the next call.
 */
extern const char *CnapClaimsUser(bool *turned_on);

/* Whether CnapClaimsUser() has just seen claims, whatever they said. */
extern bool CnapClaimsGiven(void);

#endif							/* CNAP_CLAIMS_H */
