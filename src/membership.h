/*-------------------------------------------------------------------------
 *
 * membership.h
 *	  The two kinds of membership: of an organization, and of a workspace.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_MEMBERSHIP_H
#define CNAP_MEMBERSHIP_H

#include "authorize.h"

typedef struct CnapMembership
{
	const char *name;			/* also of the SQL functions' first argument */
	CnapRole	highest;		/* role that a member can have */
	CnapRole	(*role_of) (const pg_uuid_t *id, text *user);

	/* Whether the actor may know that there is such an object. */
	bool		(*sees) (const CnapActor *actor, const pg_uuid_t *id);

	/* Locks the object, and raises the errors of authorize.h for who does not. */
	void		(*authorize) (const pg_uuid_t *id, CnapAct *act);

	/* Refuses those who may not add, invite or remove somebody with that role. */
	void		(*require_on_role) (const CnapAct *act, CnapRole role);

	/* Whether a user may. */
	bool		(*allows_on_role) (const pg_uuid_t *id, text *user, CnapRole role);

	/* Locks the object, for those who need no right on it. */
	void		(*hold) (const pg_uuid_t *id);

	CnapStatement add;
	CnapStatement set_role;
	CnapStatement remove;
} CnapMembership;

extern CnapMembership CnapOrganizationMembership;
extern CnapMembership CnapWorkspaceMembership;

/* Adds a member.  Raises 23505 (unique_violation) for who is one already. */
extern void CnapAddMember(const CnapAct *act, CnapMembership *kind,
						  const pg_uuid_t *id, text *user, CnapRole role,
						  text *added_by);

#endif							/* CNAP_MEMBERSHIP_H */
