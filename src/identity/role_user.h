/*-------------------------------------------------------------------------
 *
 * role_user.h
 *	  The user whom a superuser has recorded for a database role.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_ROLE_USER_H
#define CNAP_ROLE_USER_H

/*
 * The user of the role that the session belongs to, or NULL if there is none.
 * The string is valid until the next call.
 */
extern const char *CnapRoleUser(void);

/*
 * Is the answer good for more than that call: until the session gets another role, or
 * anything is announced?
 */
extern bool CnapRoleUserIsKept(void);

#endif							/* CNAP_ROLE_USER_H */
