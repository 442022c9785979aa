/*-------------------------------------------------------------------------
 *
 * session_token.h
 *	  The access token that a session is signed in by.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_SESSION_TOKEN_H
#define CNAP_SESSION_TOKEN_H

#include "utils/uuid.h"

#include "core/compat.h"
#include "identity/token_limits.h"

extern void CnapSessionTokenInit(void);

/*
 * Is the session signed in by an access token?  If so, the token determines
 * the current user as long as it is valid, and after that there is none.
 */
extern bool CnapSignedInByToken(void);

/*
 * The user whom the session's token signs in, or NULL if there is no token, or
 * it is revoked, has expired, or does not exist.  The string is valid until
 * the next call.
 */
extern const char *CnapTokenUser(void);

/*
 * The limits of that user's rights, as of the last call of CnapTokenUser(); NULL
 * if there is no token, or it has none.
 */
extern const CnapLimits *CnapTokenLimits(void);

/* Sign in by an access token, until the end of the transaction or session. */
extern void CnapSignIn(const pg_uuid_t *token_id, bool is_local);

/*
 * Raise 28000 (invalid_authorization_specification) for a token, with a
 * message that does not depend on what is wrong with it.
 */
pg_noreturn extern void CnapInvalidToken(void);

#endif							/* CNAP_SESSION_TOKEN_H */
