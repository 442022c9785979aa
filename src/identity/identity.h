/*-------------------------------------------------------------------------
 *
 * identity.h
 *	  Who the current user is.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_IDENTITY_H
#define CNAP_IDENTITY_H

#include "utils/uuid.h"

#include "core/compat.h"

/* Who acts: a user, or the system if user is NULL. */
typedef struct CnapActor
{
	text	   *user;			/* palloc'd in the caller's context */
	Oid			role;			/* the calling database role */
} CnapActor;

extern void CnapIdentityInit(void);

/* To be called when something that determines the current user has changed. */
extern void CnapIdentityChanged(void);

/*
 * The id of the current user, or NULL if there is none.  The string is valid
 * until the next command.  A cache of data about the current user is notified
 * of changes by CnapCurrentUserChanged() (cache.h), provided that this
 * function is called again whenever CnapIdentityIsFixed is false.
 */
extern const char *CnapCurrentUser(void);
extern bool CnapIdentityIsFixed;

/*
 * Is the session signed in by an access token?  If so, the token determines
 * the current user as long as it is valid, and after that there is none.
 */
extern bool CnapSignedInByToken(void);

/* Sign in by an access token, until the end of the transaction or session. */
extern void CnapSignIn(const pg_uuid_t *token_id, bool is_local);

/*
 * Raise 28000 (invalid_authorization_specification) for a token, with a
 * message that does not depend on what is wrong with it.
 */
pg_noreturn extern void CnapInvalidToken(void);

/*
 * Fill in who acts.  Raises 28000 (invalid_authorization_specification) if
 * that is neither a user nor the system.
 */
extern void CnapGetActor(CnapActor *actor);

/*
 * Likewise, for functions that only a user can call: raises 28000 for the
 * system as well.
 */
extern void CnapGetUser(CnapActor *actor);

#endif							/* CNAP_IDENTITY_H */
