/*-------------------------------------------------------------------------
 *
 * identity.h
 *	  Who the current user is.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_IDENTITY_H
#define CNAP_IDENTITY_H

/* Who acts: a user, or the system if user is NULL. */
typedef struct CnapActor
{
	text	   *user;			/* palloc'd in the caller's context */
	Oid			role;			/* the calling database role */
} CnapActor;

extern void CnapIdentityInit(void);

/*
 * The id of the current user, or NULL if there is none.  The string is valid
 * until the next command.  *is_fixed says whether that cannot change without a
 * change of CnapIdentityGeneration (generation.h), so that the latter need only
 * be compared.  If not, the function has to be called again, and the user it
 * returns compared.
 */
extern const char *CnapFindCurrentUser(bool *is_fixed);

/* Likewise, for who keeps nothing about the user. */
extern const char *CnapCurrentUser(void);

/*
 * Raise 55000 (object_not_in_prerequisite_state) if cnap.user_id says who the
 * current user is, so that nobody can sign in by a token.
 */
extern void CnapRefuseTwoUsers(void);

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
