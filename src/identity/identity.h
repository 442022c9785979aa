/*-------------------------------------------------------------------------
 *
 * identity.h
 *	  Who the current user is.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_IDENTITY_H
#define CNAP_IDENTITY_H

#include "core/compat.h"
#include "identity/token_limits.h"

/* Who acts: a user, or the system if user is NULL. */
typedef struct CnapActor
{
	text	   *user;			/* palloc'd in the caller's context */
	Oid			role;			/* the calling database role */
	const CnapLimits *limits;	/* of the user's rights; NULL if there are
								 * none */
} CnapActor;

extern void CnapIdentityInit(void);

/*
 * What the answer to the question for the current user rests on.  While that is the
 * same, whoever keeps the user need not ask again.
 */
typedef enum CnapIdentityBasis
{
	CNAP_BY_STATEMENT,			/* CnapIdentityGeneration (generation.h) */
	CNAP_BY_SESSION,			/* that, the session's role, and
								 * CnapCurrentEpoch.total before the question */
	CNAP_BY_NOTHING				/* nothing that could be compared: ask again */
} CnapIdentityBasis;

/*
 * Is this code of another role, for which there is no current user?  Only in a
 * security-restricted operation.
 */
extern bool CnapIsUnasked(void);

/*
 * The id of the current user, or NULL if there is none.  The string is valid
 * until the next command.
 */
extern const char *CnapFindCurrentUser(CnapIdentityBasis *basis);

/* Likewise, for who keeps nothing about the user. */
extern const char *CnapCurrentUser(void);

/* The value of cnap.user_id, or NULL if there is none that counts. */
extern const char *CnapStatedUser(void);

/*
 * The limits of the current user's rights, as of the last call of one of these;
 * NULL if there are none.  They stay in place, but are those of another token
 * once the current user has become another one.
 */
extern const CnapLimits *CnapCurrentLimits(void);

/*
 * Raise 55000 (object_not_in_prerequisite_state) if cnap.user_id says who the
 * current user is, so that nobody can sign in by a token.
 */
extern void CnapRefuseTwoUsers(void);

/*
 * Fill in who acts.  Raises 28000 (invalid_authorization_specification) if
 * that is neither a user nor the system, and 42501 (insufficient_privilege) if
 * the session is signed in by a limited token.
 */
extern void CnapGetActor(CnapActor *actor);

/*
 * Likewise, but whoever calls this applies the limits.  It is for what a limited
 * token can be good for: rights in workspaces.
 */
extern void CnapGetLimitedActor(CnapActor *actor);

/*
 * Like CnapGetActor(), for functions that only a user can call: raises 28000 for
 * the system as well.
 */
extern void CnapGetUser(CnapActor *actor);

/* Raise 42501 because of the limits of a token. */
pg_noreturn extern void CnapTokenIsLimited(void);

/* Likewise, if a limited token has signed in. */
extern void CnapRefuseLimitedToken(void);

#endif							/* CNAP_IDENTITY_H */
