/*-------------------------------------------------------------------------
 *
 * identity.h
 *	  Who is asking.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_IDENTITY_H
#define CNAP_IDENTITY_H

/* Who acts: a user, or the system where user is a null pointer. */
typedef struct CnapActor
{
	text	   *user;			/* palloc'd in the caller's context */
	Oid			role;			/* database role that called */
} CnapActor;

extern void CnapIdentityInit(void);

/*
 * The id of the current user, or a null pointer where there is none.  The
 * string belongs to the setting, and is good until the next command.
 */
extern const char *CnapCurrentUser(void);

/*
 * Fills in who acts.  Raises 28000 (invalid_authorization_specification)
 * where that is neither a user nor the system.
 */
extern void CnapGetActor(CnapActor *actor);

/* The same, for what only a user can ask: the system is refused as well. */
extern void CnapGetUser(CnapActor *actor);

#endif							/* CNAP_IDENTITY_H */
