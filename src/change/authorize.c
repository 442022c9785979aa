/*-------------------------------------------------------------------------
 *
 * authorize.c
 *	  Authorization checks at the start of the public functions.
 *
 * Everything is read with fresh snapshots (table_scan.c).  A function that changes
 * something first locks the row of the organization or workspace, and decides
 * after that: so the changes to one organization, and to one workspace, are
 * serialized, and none is decided on data that another one is changing.  The
 * actor is also checked before the lock is taken, so that a user who cannot
 * even see an object cannot hold a lock on it, and to know by which rank the
 * lock is taken (precedence.c).
 *
 * A nonexistent object and one that the actor is not allowed to see raise the
 * same error.
 *
 * A session that a limited token has signed in has nothing but rights in
 * workspaces, as far as the limits include them: so of these functions only
 * CnapAuthorizeWorkspace() and CnapAuthorizeRevocation() let it pass.  What is
 * beyond the limits is refused before anything is looked up, so the error tells
 * nothing but what the token is.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "access/ways.h"
#include "change/authorize.h"
#include "core/arguments.h"
#include "core/definitions.h"
#include "core/rows.h"

void
CnapNoOrganization(const pg_uuid_t *id)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("organization \"%s\" does not exist", CnapUuidString(id))));
}

void
CnapNoWorkspace(const pg_uuid_t *id)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("workspace \"%s\" does not exist", CnapUuidString(id))));
}

/*
 * Somebody can be admin of the organization that manages a workspace, or of another
 * one, and yet be told that this takes an admin: so the detail says what the role is
 * that they have here.
 */
static void
require_permission(CnapWays ways, CnapPermission permission)
{
	CnapRole	direct = CnapDirectRoleOf(ways);

	if (CnapWaysAllow(ways, permission))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("%s role required", CnapRoleName(CnapRoleWith(permission))),
			 direct != CNAP_ROLE_NONE ?
			 errdetail("The role of the current user in the workspace is \"%s\", which lacks the permission \"%s\".",
					   CnapRoleName(direct), CnapPermissionName(permission)) :
			 errdetail("The current user is no member of the workspace, but manages it with the role \"%s\", which lacks the permission \"%s\".",
					   CnapRoleName(CnapManagedRoleOf(ways)), CnapPermissionName(permission))));
}

void
CnapRequireOrganizationAct(CnapRole role, CnapOrganizationAct what)
{
	if (!CnapOrganizationAllows(role, what))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("%s role required", CnapRoleName(CnapOrganizationRoleFor(what))),
				 errdetail("The role of the current user in this organization is \"%s\".",
						   CnapRoleName(role))));
}

void
CnapEndedAlready(const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("%s has ended already", what)));
}

/*
 * Lock the row of an object, and return whether there is one.  In REPEATABLE
 * READ and above, the statement may not see a row that the preceding check has
 * seen.
 */
static bool
lock_row(CnapStatement *statement, const pg_uuid_t *id)
{
	Datum		value = UUIDPGetDatum(id);

	return CnapExecute(statement, &value, NULL) > 0;
}

/*
 * Likewise; a row that the transaction's snapshot does not see is an error.
 */
static void
hold_row(CnapStatement *statement, const pg_uuid_t *id)
{
	if (!lock_row(statement, id) && IsolationUsesXactSnapshot())
		CnapSerializationFailure();
}

bool
CnapLockOrganization(const pg_uuid_t *id)
{
	static CnapStatement lock = {
		"SELECT FROM cnap.organization WHERE id = $1 FOR NO KEY UPDATE",
		1, {UUIDOID}
	};

	return lock_row(&lock, id);
}

/* The rank, about what belongs to others, of whoever acts. */
static CnapRank
outsider_rank(const CnapAct *act)
{
	return act->actor.user == NULL ? CNAP_RANK_SYSTEM : CNAP_RANK_OUTSIDER;
}

bool
CnapKeepOrganization(const pg_uuid_t *id, const CnapAct *act)
{
	static CnapStatement lock = {
		"SELECT FROM cnap.organization WHERE id = $1 FOR KEY SHARE",
		1, {UUIDOID}
	};

	CnapEnter(CNAP_HELD_REFERENCE, id, outsider_rank(act));
	if (lock_row(&lock, id))
		return true;
	if (IsolationUsesXactSnapshot() && CnapOrganizationExists(id))
		CnapSerializationFailure();
	return false;
}

/*
 * The rank, about what belongs to others, of somebody who has a rank about
 * something else.
 */
static CnapRank
foreign_rank(CnapRank rank)
{
	return rank == CNAP_RANK_SYSTEM ? rank : CNAP_RANK_OUTSIDER;
}

/* Enter, and lock the row of an organization. */
static void
hold_organization(const pg_uuid_t *id, CnapLock lock, CnapRank rank)
{
	static CnapStatement removal = {
		"SELECT FROM cnap.organization WHERE id = $1 FOR UPDATE",
		1, {UUIDOID}
	};

	if (lock == CNAP_END)
		CnapEnterFirst(CNAP_HELD_ORGANIZATION, id, rank);
	else
		CnapEnter(CNAP_HELD_ORGANIZATION, id, rank);
	if (lock == CNAP_REMOVE)
	{
		CnapEndLower(CNAP_HELD_ORGANIZATION, id, rank);
		CnapEndLower(CNAP_HELD_REFERENCE, id, rank);
		hold_row(&removal, id);
	}
	else if (!CnapLockOrganization(id) && IsolationUsesXactSnapshot())
		CnapSerializationFailure();
}

void
CnapEnterDeletion(const pg_uuid_t *organization, const CnapAct *act)
{
	CnapEnter(CNAP_HELD_DELETION, organization, outsider_rank(act));
}

void
CnapEndChanges(const pg_uuid_t *workspace, CnapRank rank)
{
	CnapWorkspace row;

	CnapEndLower(CNAP_HELD_WORKSPACE, workspace, rank);
	if (CnapFindWorkspace(workspace, &row) && row.managed)
		CnapEndLower(CNAP_HELD_DELETION, &row.managed_by, rank);
}

/* Enter, and lock the row of a workspace. */
static void
hold_workspace(const pg_uuid_t *id, CnapLock lock, CnapRank rank)
{
	static CnapStatement change = {
		"SELECT FROM cnap.workspace WHERE id = $1 FOR NO KEY UPDATE",
		1, {UUIDOID}
	};
	static CnapStatement removal = {
		"SELECT FROM cnap.workspace WHERE id = $1 FOR UPDATE",
		1, {UUIDOID}
	};

	if (lock == CNAP_END)
		CnapEnterFirst(CNAP_HELD_WORKSPACE, id, rank);
	else
		CnapEnter(CNAP_HELD_WORKSPACE, id, rank);
	if (lock != CNAP_CHANGE)
		CnapEndChanges(id, rank);
	hold_row(lock == CNAP_REMOVE ? &removal : &change, id);
}

void
CnapHoldOrganization(const pg_uuid_t *id)
{
	hold_organization(id, CNAP_CHANGE, CNAP_RANK_OUTSIDER);
}

void
CnapHoldWorkspace(const pg_uuid_t *id)
{
	hold_workspace(id, CNAP_CHANGE, CNAP_RANK_OUTSIDER);
}

bool
CnapSeesOrganization(const CnapActor *actor, const pg_uuid_t *id)
{
	return actor->user == NULL ||
		CnapOrganizationAllows(CnapOrganizationRole(id, actor->user),
							   CNAP_ORGANIZATION_SEE);
}

bool
CnapSeesWorkspace(const CnapActor *actor, const pg_uuid_t *id)
{
	return actor->user == NULL ||
		CnapWaysAllow(CnapFindAccess(actor->user, id, NULL).ways, CNAP_ACCESS);
}

static void
check_organization(const pg_uuid_t *id, CnapOrganizationAct what, CnapAct *act)
{
	if (act->actor.user == NULL)
	{
		if (!CnapOrganizationExists(id))
			CnapNoOrganization(id);
		act->role = CNAP_ROLE_OWNER;
		act->path = CNAP_AS_SYSTEM;
		return;
	}
	act->role = CnapOrganizationRole(id, act->actor.user);
	if (!CnapOrganizationAllows(act->role, CNAP_ORGANIZATION_SEE))
		CnapNoOrganization(id);
	CnapRequireOrganizationAct(act->role, what);
	act->path = psprintf("as %s of the organization", CnapRoleName(act->role));
}

/* The rank of somebody who can see an organization. */
static CnapRank
organization_rank(const CnapAct *act)
{
	if (act->actor.user == NULL)
		return CNAP_RANK_SYSTEM;
	if (CnapOrganizationAllows(act->role, CNAP_ORGANIZATION_DELETE))
		return CNAP_RANK_OWNER;
	if (CnapOrganizationAllows(act->role, CNAP_ORGANIZATION_MANAGE_MEMBERS))
		return CNAP_RANK_ADMIN;
	return CNAP_RANK_MEMBER;
}

void
CnapAuthorizeOrganization(const pg_uuid_t *id, CnapOrganizationAct what,
						  CnapLock lock, CnapAct *act)
{
	memset(act, 0, sizeof(*act));
	CnapGetActor(&act->actor);
	check_organization(id, what, act);
	if (lock == CNAP_READ)
		return;
	hold_organization(id, lock, organization_rank(act));
	check_organization(id, what, act);
}

/*
 * Record that the actor acts through the organization that manages the
 * workspace.
 */
static void
act_as_manager(const pg_uuid_t *manager, CnapRole role, CnapAct *act)
{
	act->as_manager = true;
	act->manager = *manager;
	act->path = psprintf("as %s of organization %s, which manages the workspace",
						 CnapRoleName(role), CnapUuidString(manager));
}

/* Does an act in a workspace include the permission, too? */
static bool
act_allows(const CnapAct *act, CnapPermission permission)
{
	return CnapWaysAllow(act->ways, permission) &&
		(act->actor.limits == NULL ||
		 CnapLimitsAllow(act->actor.limits, act->workspace, permission));
}

void
CnapRequireOfAct(const CnapAct *act, CnapPermission permission)
{
	if (act->actor.limits != NULL &&
		!CnapLimitsAllow(act->actor.limits, act->workspace, permission))
		CnapTokenIsLimited();
	require_permission(act->ways, permission);
}

/*
 * Find the actor's current ways into a workspace, using one snapshot.  The
 * system has those of the owner.  Somebody without any is told that there is no such
 * workspace; except, if that is asked for, for members of the managing organization
 * whom it does not let in, since they see it in the organization's list.
 */
static CnapAccess
find_access(const pg_uuid_t *id, CnapAct *act, bool or_is_member)
{
	CnapAccess	access = {0};
	CnapWorkspace workspace;

	if (act->actor.limits != NULL && !CnapLimitsAllow(act->actor.limits, id, CNAP_ACCESS))
		CnapTokenIsLimited();
	if (act->actor.user != NULL)
		access = CnapFindAccess(act->actor.user, id, NULL);
	else if (CnapFindWorkspace(id, &workspace))
	{
		CnapRefreshDefinitions();
		access.ways = CNAP_WAY_OWNER;
	}
	if (!CnapWaysAllow(access.ways, CNAP_ACCESS) &&
		!(or_is_member && CnapOrganizationAllows(access.manager_role, CNAP_ORGANIZATION_SEE)))
		CnapNoWorkspace(id);
	act->ways = access.ways;
	return access;
}

/* This is done again behind the lock, where the actor may have another way in. */
static void
check_workspace(const pg_uuid_t *id, CnapPermission permission, CnapAct *act)
{
	CnapAccess	access;
	CnapWays	direct;

	act->as_manager = false;
	if (act->actor.limits != NULL && !CnapLimitsAllow(act->actor.limits, id, permission))
		CnapTokenIsLimited();
	access = find_access(id, act, false);
	direct = act->ways & CNAP_DIRECT_WAY;
	require_permission(act->ways, permission);

	/* The path names the highest of the actor's own ways that allow it. */
	if (act->actor.user == NULL)
		act->path = CNAP_AS_SYSTEM;
	else if (CnapWaysAllow(direct, permission))
		act->path = psprintf("as %s of the workspace",
							 CnapRoleName(CnapDirectRoleOf(direct)));
	else
		act_as_manager(&access.manager, access.manager_role, act);
}

/*
 * The rank of somebody who can see a workspace.  Managers are outsiders, whatever
 * their role in the managing organization.
 */
static CnapRank
workspace_rank(const CnapAct *act)
{
	if (act->actor.user == NULL)
		return CNAP_RANK_SYSTEM;
	if (act_allows(act, CNAP_MANAGE_DELEGATION))
		return CNAP_RANK_OWNER;
	if (act_allows(act, CNAP_MANAGE_MEMBERS))
		return CNAP_RANK_ADMIN;
	return act->ways & CNAP_DIRECT_WAY ? CNAP_RANK_MEMBER : CNAP_RANK_OUTSIDER;
}

void
CnapAuthorizeWorkspace(const pg_uuid_t *id, CnapPermission permission,
					   CnapLock lock, CnapAct *act)
{
	memset(act, 0, sizeof(*act));
	CnapGetLimitedActor(&act->actor);
	act->workspace = id;
	check_workspace(id, permission, act);
	if (lock == CNAP_READ)
		return;
	hold_workspace(id, lock, workspace_rank(act));
	check_workspace(id, permission, act);
}

/*
 * A user with manage_delegation can revoke the delegation; owners and admins
 * of the managing organization can release the workspace, unless they have only
 * signed in by a limited token.
 */
static void
check_revocation(const pg_uuid_t *id, CnapAct *act)
{
	CnapAccess	access = find_access(id, act, true);

	if (!CnapWaysAllow(act->ways, CNAP_MANAGE_DELEGATION) && act->actor.limits == NULL &&
		access.manager_role != CNAP_ROLE_NONE)
	{
		CnapRequireOrganizationAct(access.manager_role, CNAP_ORGANIZATION_RELEASE);
		act_as_manager(&access.manager, access.manager_role, act);
	}
	else
		check_workspace(id, CNAP_MANAGE_DELEGATION, act);
}

void
CnapAuthorizeRevocation(const pg_uuid_t *workspace, CnapAct *act)
{
	memset(act, 0, sizeof(*act));
	CnapGetLimitedActor(&act->actor);
	act->workspace = workspace;
	check_revocation(workspace, act);
	hold_workspace(workspace, CNAP_END, workspace_rank(act));
	check_revocation(workspace, act);
}

/*
 * Owners and direct members of the workspace see it, but what they may do depends on
 * their role in the managing organization as anybody else's.
 */
static void
check_manager(const pg_uuid_t *id, CnapOrganizationAct what, CnapAct *act)
{
	CnapWorkspace workspace = {0};
	bool		exists = CnapFindWorkspace(id, &workspace);
	bool		managed = exists && CnapManagedNow(&workspace);

	if (act->actor.user == NULL)
	{
		if (!exists)
			CnapNoWorkspace(id);
		if (!managed)
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("workspace is not managed")));
		act->role = CNAP_ROLE_OWNER;
		act->path = CNAP_AS_SYSTEM;
		return;
	}

	act->role = managed ? CnapOrganizationRole(&workspace.managed_by, act->actor.user) :
		CNAP_ROLE_NONE;
	if (!CnapOrganizationAllows(act->role, CNAP_ORGANIZATION_SEE))
	{
		if (!CnapSeesWorkspace(&act->actor, id))
			CnapNoWorkspace(id);
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("only members of the managing organization can do that")));
	}
	CnapRequireOrganizationAct(act->role, what);
	act_as_manager(&workspace.managed_by, act->role, act);
}

void
CnapAuthorizeManager(const pg_uuid_t *workspace, CnapOrganizationAct what,
					 CnapLock lock, CnapAct *act)
{
	CnapRank	rank;

	memset(act, 0, sizeof(*act));
	CnapGetActor(&act->actor);
	act->workspace = workspace;
	check_manager(workspace, what, act);
	rank = organization_rank(act);
	if (lock == CNAP_END)
	{
		CnapEnterFirst(CNAP_HELD_ASSIGNMENTS, workspace, rank);
		CnapEnter(CNAP_HELD_WORKSPACE, workspace, foreign_rank(rank));
	}
	else
	{
		CnapEnter(CNAP_HELD_ASSIGNMENTS, workspace, rank);
		hold_workspace(workspace, lock, foreign_rank(rank));
	}
	check_manager(workspace, what, act);
}

void
CnapAuthorizeUnassignment(const pg_uuid_t *workspace, CnapOrganizationAct what, CnapAct *act)
{
	CnapActor	actor;
	CnapAccess	access = {0};

	CnapGetActor(&actor);
	if (actor.user != NULL)
		access = CnapFindAccess(actor.user, workspace, NULL);
	if (actor.user == NULL || (access.manager_role != CNAP_ROLE_NONE &&
							   !CnapWaysAllow(access.ways, CNAP_MANAGE_DELEGATION)))
		CnapAuthorizeManager(workspace, what, CNAP_END, act);
	else
		CnapAuthorizeWorkspace(workspace, CNAP_MANAGE_DELEGATION, CNAP_END, act);
}

text *
CnapAuthorizeCreation(FunctionCallInfo fcinfo, int argno, CnapAct *act)
{
	text	   *owner;

	memset(act, 0, sizeof(*act));
	CnapGetActor(&act->actor);
	if (act->actor.user == NULL)
	{
		act->path = CNAP_AS_SYSTEM;
		return CnapRequiredUserId(fcinfo, argno, "owner");
	}

	act->path = "as its creator";
	if (PG_ARGISNULL(argno))
		return act->actor.user;
	owner = CnapRequiredUserId(fcinfo, argno, "owner");
	if (!CnapTextEqual(owner, act->actor.user))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("only the system can name another owner"),
				 errdetail("The system is a superuser without a current user.")));
	return owner;
}

void
CnapActByPrivilege(CnapAct *act)
{
	const char *user;

	CnapRefuseLimitedToken();
	user = CnapCurrentUser();
	memset(act, 0, sizeof(*act));
	act->actor.user = user != NULL ? cstring_to_text(user) : NULL;
	act->actor.role = GetUserId();
	act->path = "by its privileges";
}

Datum
CnapOrganizationRows(FunctionCallInfo fcinfo, CnapOrganizationAct what,
					 CnapStatement *query)
{
	CnapAct		act;
	Datum		values[CNAP_MAX_PARAMS];
	char		nulls[CNAP_MAX_PARAMS];

	CnapAuthorizeOrganization(CnapRequiredUuid(fcinfo, 0, "organization"),
							  what, CNAP_READ, &act);
	CnapArguments(fcinfo, query->nparams, values, nulls);
	return CnapReturnRows(fcinfo, query, values, nulls);
}

Datum
CnapWorkspaceRows(FunctionCallInfo fcinfo, CnapPermission permission,
				  CnapStatement *query)
{
	CnapAct		act;
	Datum		values[CNAP_MAX_PARAMS];
	char		nulls[CNAP_MAX_PARAMS];

	CnapAuthorizeWorkspace(CnapRequiredUuid(fcinfo, 0, "workspace"),
						   permission, CNAP_READ, &act);
	CnapArguments(fcinfo, query->nparams, values, nulls);
	return CnapReturnRows(fcinfo, query, values, nulls);
}

Datum
CnapCurrentUserRows(FunctionCallInfo fcinfo, CnapStatement *query)
{
	CnapActor	actor;
	Datum		user;

	CnapGetUser(&actor);
	user = PointerGetDatum(actor.user);
	return CnapReturnRows(fcinfo, query, &user, NULL);
}
