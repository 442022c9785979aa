/*-------------------------------------------------------------------------
 *
 * identity.h
 *	  Who is asking.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_IDENTITY_H
#define CNAP_IDENTITY_H

#include "utils/uuid.h"

/* Who acts: a user, or the system where user is a null pointer. */
typedef struct CnapActor
{
	text	   *user;			/* palloc'd in the caller's context */
	Oid			role;			/* database role that called */
} CnapActor;

extern void CnapIdentityInit(void);

/* Something that the current user depends on has changed. */
extern void CnapIdentityChanged(void);

/*
 * The id of the current user, or a null pointer where there is none.  The
 * string is good until the next command.  Whoever keeps what it found out
 * about the current user learns of another one through CnapCurrentUserChanged()
 * (cache.h), provided that it calls this again where CnapIdentityIsFixed is
 * false.
 */
extern const char *CnapCurrentUser(void);
extern bool CnapIdentityIsFixed;

/*
 * Whether the session is signed in by an access token, which says who the
 * current user is as long as it is valid, and that there is none after that.
 */
extern bool CnapSignedInByToken(void);

/* Makes an access token say so, until the end of the transaction or session. */
extern void CnapSignIn(const pg_uuid_t *token_id, bool is_local);

/*
 * Raises 28000 (invalid_authorization_specification) for a token, with the
 * same message whatever is wrong with it.
 */
extern void CnapInvalidToken(void) pg_attribute_noreturn();

/*
 * Fills in who acts.  Raises 28000 (invalid_authorization_specification)
 * where that is neither a user nor the system.
 */
extern void CnapGetActor(CnapActor *actor);

/* The same, for what only a user can ask: the system is refused as well. */
extern void CnapGetUser(CnapActor *actor);

#endif							/* CNAP_IDENTITY_H */
