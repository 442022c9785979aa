/*-------------------------------------------------------------------------
 *
 * authorize.h
 *	  Authorization checks at the start of the public functions.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_AUTHORIZE_H
#define CNAP_AUTHORIZE_H

#include "change/audit_log.h"
#include "change/precedence.h"
#include "core/compat.h"

/* The path of acts of the system. */
#define CNAP_AS_SYSTEM "as the system"

/*
 * Should the object's row be locked against other changes?  Whoever ends access
 * does not wait for the open transactions of lower ranks (precedence.h).  If the
 * object is going to be deleted, it must be locked against references as well:
 * somebody who has inserted a reference and wants to change the object would
 * otherwise wait for us, and we for them.
 */
typedef enum CnapLock
{
	CNAP_READ,
	CNAP_CHANGE,
	CNAP_END,					/* a change that ends somebody's access */
	CNAP_REMOVE
} CnapLock;

/*
 * Each of these fills in the act, or raises 28000 if there is no current user,
 * 42704 if the object does not exist or the actor cannot see it, 42501 if the
 * actor's role is too low or their token too limited.  The system is allowed to do
 * everything.
 */
extern void CnapAuthorizeOrganization(const pg_uuid_t *id, CnapOrganizationAct what,
									  CnapLock lock, CnapAct *act);
extern void CnapAuthorizeWorkspace(const pg_uuid_t *id, CnapPermission permission,
								   CnapLock lock, CnapAct *act);

/*
 * Likewise for the managers of a workspace: what members of the managing
 * organization do about who of them gets in, whether they do themselves or not.  A
 * CNAP_CHANGE locks the workspace's row, a CNAP_END does not: it must not wait for
 * a manager.  Raises 55000 (object_not_in_prerequisite_state) to the system if the
 * workspace is not managed.
 */
extern void CnapAuthorizeManager(const pg_uuid_t *workspace, CnapOrganizationAct what,
								 CnapLock lock, CnapAct *act);

/*
 * Likewise for ending what lets a single manager in, which is up to those as well who
 * may revoke the management as a whole.
 */
extern void CnapAuthorizeUnassignment(const pg_uuid_t *workspace, CnapOrganizationAct what,
									  CnapAct *act);
extern void CnapAuthorizeRevocation(const pg_uuid_t *workspace, CnapAct *act);

/*
 * Raise 42501 unless an act in a workspace includes the permission, besides that for
 * which it was authorized.
 */
extern void CnapRequireOfAct(const CnapAct *act, CnapPermission permission);

/*
 * Raise 42501 unless a role in an organization allows something.  The message names
 * the lowest role that would suffice: "admin role required" or "owner role required".
 */
extern void CnapRequireOrganizationAct(CnapRole role, CnapOrganizationAct what);

/*
 * The creator of an object owns it, unless the system names another user.
 * Returns the owner; argument argno may be null.
 */
extern text *CnapAuthorizeCreation(FunctionCallInfo fcinfo, int argno, CnapAct *act);

/*
 * Fills in the act of a role that needs no right other than EXECUTE on the
 * function, with or without a current user.
 */
extern void CnapActByPrivilege(CnapAct *act);

/*
 * Check that the actor is allowed to read from an object, and return the rows
 * of a query about it.  The query's parameters are the function's arguments,
 * of which the first is the object.
 */
extern Datum CnapOrganizationRows(FunctionCallInfo fcinfo, CnapOrganizationAct what,
								  CnapStatement *query);
extern Datum CnapWorkspaceRows(FunctionCallInfo fcinfo, CnapPermission permission,
							   CnapStatement *query);

/*
 * Returns the rows of a query about the current user, who is its only
 * parameter.  Raises 28000 if there is none, even for the system.
 */
extern Datum CnapCurrentUserRows(FunctionCallInfo fcinfo, CnapStatement *query);

/* Is the actor allowed to see the object at all? */
extern bool CnapSeesOrganization(const CnapActor *actor, const pg_uuid_t *id);
extern bool CnapSeesWorkspace(const CnapActor *actor, const pg_uuid_t *id);

/*
 * Lock the object's row against other changes, if it exists, on behalf of somebody
 * who has no right but a token.  Raise 40001 (serialization_failure) if the
 * transaction's snapshot does not see it.
 */
extern void CnapHoldOrganization(const pg_uuid_t *id);
extern void CnapHoldWorkspace(const pg_uuid_t *id);

/*
 * Say that all workspaces that an organization manages are about to be locked, because it is
 * deleted, by a single lock for all of them.  Whoever ends access in one of them waits
 * for us from here on, so whom we wait for in these must have ended by then.
 */
extern void CnapEnterDeletion(const pg_uuid_t *organization, const CnapAct *act);

/* End the open transactions of lower ranks that have locked the workspace. */
extern void CnapEndChanges(const pg_uuid_t *workspace, CnapRank rank);

/* Lock an organization's row against other changes; false if there is none. */
extern bool CnapLockOrganization(const pg_uuid_t *id);

/*
 * Keep an organization from being deleted; false if there is none.  Raises
 * 40001 (serialization_failure) if the transaction's snapshot does not see it.
 */
extern bool CnapKeepOrganization(const pg_uuid_t *id, const CnapAct *act);

/* Raise 42704 (undefined_object). */
pg_noreturn extern void CnapNoOrganization(const pg_uuid_t *id);
pg_noreturn extern void CnapNoWorkspace(const pg_uuid_t *id);

/*
 * Raise 55000 (object_not_in_prerequisite_state) for a token, link or
 * invitation.
 */
pg_noreturn extern void CnapEndedAlready(const char *what);

#endif							/* CNAP_AUTHORIZE_H */
