/*-------------------------------------------------------------------------
 *
 * users.h
 *	  The hash table of the users whom a session's cache knows.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_USERS_H
#define CNAP_USERS_H

#include "access/known_user.h"

typedef struct CnapUsers CnapUsers;

/*
 * Create an empty table in a context; its users are allocated in the other one.  All of
 * it is freed together with the contexts.
 */
extern CnapUsers *CnapUsersCreate(MemoryContext context, MemoryContext user_context);

/* The number of users, which have the numbers from 0 on. */
extern uint32 CnapUsersCount(const CnapUsers *users);

/* The user with that id, or NULL. */
extern struct CnapUser *CnapUsersFind(CnapUsers *users, const char *id, int len);

/* The number of bytes that one more user may take. */
extern Size CnapUsersGrowth(const CnapUsers *users);

/*
 * Add a user, who must not be there and whose id must be valid.  Apart from the id and
 * the number, all fields are 0.  After an error, the table must not be used again.
 */
extern struct CnapUser *CnapUsersInsert(CnapUsers *users, const char *id, int len);

/* All users by their numbers, in an array that is allocated in the caller's context. */
extern struct CnapUser **CnapUsersByNumber(CnapUsers *users);

#endif							/* CNAP_USERS_H */
