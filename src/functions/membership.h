/*-------------------------------------------------------------------------
 *
 * membership.h
 *	  The two kinds of membership: of an organization, and of a workspace.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CNAP_MEMBERSHIP_H
#define CNAP_MEMBERSHIP_H

#include "change/authorize.h"
#include "core/definitions.h"

typedef struct CnapMembership
{
	const char *name;			/* also names the functions' first argument */
	CnapRoleKind roles;			/* that a member can have */
	CnapRole	(*role_of) (const pg_uuid_t *id, text *user);

	/* Is the actor allowed to see the object? */
	bool		(*sees) (const CnapActor *actor, const pg_uuid_t *id);

	/* Lock the object, or raise the errors of authorize.h. */
	void		(*authorize) (const pg_uuid_t *id, CnapLock lock, CnapAct *act);

	/* Check the right to add, invite or remove somebody with that role. */
	void		(*require_on_role) (const CnapAct *act, CnapRole role);

	/* Does a user have that right? */
	bool		(*allows_on_role) (const pg_uuid_t *id, text *user, CnapRole role);

	/* Lock the object for somebody who has no right but a token. */
	void		(*hold) (const pg_uuid_t *id);

	CnapStatement add;
	CnapStatement set_role;
	CnapStatement remove;
} CnapMembership;

extern CnapMembership CnapOrganizationMembership;
extern CnapMembership CnapWorkspaceMembership;

/*
 * Add a member.  Raises 23505 (unique_violation) if the user already is one.
 */
extern void CnapAddMember(const CnapAct *act, CnapMembership *kind,
						  const pg_uuid_t *id, text *user, CnapRole role,
						  text *added_by);

#endif							/* CNAP_MEMBERSHIP_H */
