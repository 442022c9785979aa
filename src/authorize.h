/*-------------------------------------------------------------------------
 *
 * authorize.h
 *	  The decision that stands at the start of each public function.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_AUTHORIZE_H
#define CNAP_AUTHORIZE_H

#include "audit.h"

/* The path of what the system does. */
#define CNAP_AS_SYSTEM "as the system"

/* Whether the object's row is locked against other changes of it. */
typedef enum CnapLock
{
	CNAP_READ,
	CNAP_CHANGE
} CnapLock;

/*
 * Each fills in the act, or raises 28000 without a current user, 42704 where
 * the object does not exist or the actor may not know of it, 42501 where the
 * actor's role is too low.  The system may do everything.
 */
extern void CnapAuthorizeOrganization(const pg_uuid_t *id, CnapOrganizationAct what,
									  CnapLock lock, CnapAct *act);
extern void CnapAuthorizeWorkspace(const pg_uuid_t *id, CnapPermission permission,
								   CnapLock lock, CnapAct *act);
extern void CnapAuthorizeRevocation(const pg_uuid_t *workspace, CnapAct *act);

/*
 * Whoever creates something owns it, unless the system names somebody else.
 * Returns the owner; argno is an argument that may be null.
 */
extern text *CnapAuthorizeCreation(FunctionCallInfo fcinfo, int argno, CnapAct *act);

/*
 * The act of a role whose right to it is that of executing the function, with or
 * without a current user.
 */
extern void CnapActByPrivilege(CnapAct *act);

/*
 * Return the rows of a query about one object, whose parameters are the
 * function's arguments, the object first, to an actor who may see them.
 */
extern Datum CnapOrganizationRows(FunctionCallInfo fcinfo, CnapOrganizationAct what,
								  CnapStatement *query);
extern Datum CnapWorkspaceRows(FunctionCallInfo fcinfo, CnapPermission permission,
							   CnapStatement *query);

/*
 * Returns the rows of a query about the current user, whose only parameter that
 * is.  Raises 28000 without one, also for the system.
 */
extern Datum CnapCurrentUserRows(FunctionCallInfo fcinfo, CnapStatement *query);

/* Whether the actor may know of it at all. */
extern bool CnapSeesOrganization(const CnapActor *actor, const pg_uuid_t *id);
extern bool CnapSeesWorkspace(const CnapActor *actor, const pg_uuid_t *id);

/*
 * Locks the object's row against other changes, if there is one.  Raises 40001
 * (serialization_failure) where the transaction's snapshot does not have it.
 */
extern void CnapHoldOrganization(const pg_uuid_t *id);
extern void CnapHoldWorkspace(const pg_uuid_t *id);

/* Locks an organization's row against other changes; false: there is none. */
extern bool CnapLockOrganization(const pg_uuid_t *id);

/* Keeps an organization from being deleted; false: there is none. */
extern bool CnapKeepOrganization(const pg_uuid_t *id);

/* Raise 42704 (undefined_object). */
extern void CnapNoOrganization(const pg_uuid_t *id);
extern void CnapNoWorkspace(const pg_uuid_t *id);

/* Raises 55000 (object_not_in_prerequisite_state) for a token, a link ... */
extern void CnapEndedAlready(const char *what);

#endif							/* CNAP_AUTHORIZE_H */
