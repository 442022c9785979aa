/*-------------------------------------------------------------------------
 *
 * checks.c
 *	  The access check: which users reach which workspaces, and how.
 *
 * The functions here make no decisions of their own.  They ask the cache for
 * the user's ways into the workspace, and permission.c for what those ways
 * allow.
 *
 * Only trusted roles may ask about any user.
 *
 * The functions that return boolean are not strict, but return false for null
 * arguments: null would satisfy a CHECK constraint, and would be overlooked by
 * "IF NOT ... THEN RAISE" and by an application that tests for false.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "access/cache.h"
#include "access/reach.h"
#include "core/arguments.h"
#include "core/compat.h"
#include "core/definitions.h"
#include "core/freshness.h"
#include "core/own_catalog.h"
#include "core/permission.h"
#include "core/rows.h"
#include "core/table_scan.h"
#include "identity/identity.h"
#include "identity/trusted.h"

PG_FUNCTION_INFO_V1(cnap_can_access);
PG_FUNCTION_INFO_V1(cnap_can_access_user);
PG_FUNCTION_INFO_V1(cnap_can_access_uuid);
PG_FUNCTION_INFO_V1(cnap_has_permission);
PG_FUNCTION_INFO_V1(cnap_has_permission_user);
PG_FUNCTION_INFO_V1(cnap_has_permission_uuid);
PG_FUNCTION_INFO_V1(cnap_workspace_role);
PG_FUNCTION_INFO_V1(cnap_workspace_role_user);
PG_FUNCTION_INFO_V1(cnap_accessible_workspaces);
PG_FUNCTION_INFO_V1(cnap_accessible_workspaces_user);
PG_FUNCTION_INFO_V1(cnap_reachable);
PG_FUNCTION_INFO_V1(cnap_reachable_user);
PG_FUNCTION_INFO_V1(cnap_reachable_uuid);
PG_FUNCTION_INFO_V1(cnap_explain_access);

/* How to get the user that a function is about; NULL if there is none. */
typedef CnapUser *(*UserGetter) (FunctionCallInfo fcinfo);

static CnapUser *
asking_user(FunctionCallInfo fcinfo)
{
	return CnapGetCurrentCachedUser();
}

/* The user named by the first argument, of type text */
static CnapUser *
text_user(FunctionCallInfo fcinfo)
{
	text	   *id;

	if (PG_ARGISNULL(0))
		return NULL;
	id = PG_GETARG_TEXT_PP(0);
	return CnapGetCachedUser(VARDATA_ANY(id), VARSIZE_ANY_EXHDR(id));
}

/* Likewise for a uuid, which stands for the user id that is its text form. */
static CnapUser *
uuid_user(FunctionCallInfo fcinfo)
{
	char	   *id;

	if (PG_ARGISNULL(0))
		return NULL;
	id = CnapUuidString(PG_GETARG_UUID_P(0));
	return CnapGetCachedUser(id, strlen(id));
}

/* Does the user have access to the workspace in argument argno? */
static Datum
can_access(FunctionCallInfo fcinfo, CnapUser *user, int argno)
{
	if (user == NULL || PG_ARGISNULL(argno))
		PG_RETURN_BOOL(false);
	PG_RETURN_BOOL(CnapAllows(user, PG_GETARG_UUID_P(argno), CNAP_ACCESS));
}

/*
 * Likewise for the permission in the argument that follows the workspace.  A
 * permission that is not defined is an error whoever is asking.  If definitions
 * change meanwhile, its number may be that of another one, so we begin again.
 */
static pg_attribute_always_inline Datum
has_permission(FunctionCallInfo fcinfo, UserGetter get_user, int argno)
{
	uint64		version;
	bool		allowed;

	if (PG_ARGISNULL(argno + 1))
		PG_RETURN_BOOL(false);
	do
	{
		CnapPermission permission = CnapNamedPermission(PG_GETARG_TEXT_PP(argno + 1));
		CnapUser   *user;

		version = CnapDefinitionsVersion();
		user = get_user(fcinfo);
		allowed = user != NULL && !PG_ARGISNULL(argno) &&
			CnapAllows(user, PG_GETARG_UUID_P(argno), permission);
	} while (unlikely(version != CnapDefinitionsVersion()));
	PG_RETURN_BOOL(allowed);
}

static Datum
workspace_role(FunctionCallInfo fcinfo, CnapUser *user, int argno)
{
	CnapRole	role;

	if (user == NULL || PG_ARGISNULL(argno))
		PG_RETURN_NULL();
	role = CnapUserRole(user, PG_GETARG_UUID_P(argno));
	if (role == CNAP_ROLE_NONE)
		PG_RETURN_NULL();
	PG_RETURN_DATUM(CnapRoleToDatum(role));
}

/*
 * Returns an array of the workspaces in which the user has the permission.
 */
static Datum
reachable(CnapUser *user, CnapPermission permission)
{
	pg_uuid_t  *workspaces;
	Datum	   *elements;
	int			count;

	if (user == NULL)
		PG_RETURN_ARRAYTYPE_P(construct_empty_array(UUIDOID));
	workspaces = CnapReachable(user, permission, &count);
	elements = MemoryContextAllocHuge(CurrentMemoryContext,
									  Max(count, 1) * sizeof(Datum));
	for (int i = 0; i < count; i++)
		elements[i] = UUIDPGetDatum(&workspaces[i]);
	PG_RETURN_ARRAYTYPE_P(construct_array(elements, count, UUIDOID, UUID_LEN,
										  false, TYPALIGN_CHAR));
}

/* Likewise for the permission in an argument, as above. */
static Datum
reachable_with(FunctionCallInfo fcinfo, UserGetter get_user, int argno)
{
	uint64		version;
	Datum		result;

	do
	{
		CnapPermission permission = CnapNamedPermission(PG_GETARG_TEXT_PP(argno));

		version = CnapDefinitionsVersion();
		result = reachable(get_user(fcinfo), permission);
	} while (version != CnapDefinitionsVersion());
	return result;
}

/*
 * cnap_can_access(workspace) -> boolean, for the current user
 *
 * This is the function that row-level security policies call.
 */
Datum
cnap_can_access(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(!PG_ARGISNULL(0) &&
				   CnapAllowsCurrentUser(PG_GETARG_UUID_P(0), CNAP_ACCESS));
}

/* cnap_can_access(user_id text, workspace) -> boolean */
Datum
cnap_can_access_user(PG_FUNCTION_ARGS)
{
	CnapRequireTrust(fcinfo);
	return can_access(fcinfo, text_user(fcinfo), 1);
}

/* cnap_can_access(user_id uuid, workspace) -> boolean */
Datum
cnap_can_access_uuid(PG_FUNCTION_ARGS)
{
	CnapRequireTrust(fcinfo);
	return can_access(fcinfo, uuid_user(fcinfo), 1);
}

/*
 * cnap_has_permission(workspace, permission) -> boolean, for the current user
 */
Datum
cnap_has_permission(PG_FUNCTION_ARGS)
{
	return has_permission(fcinfo, asking_user, 0);
}

/* cnap_has_permission(user_id text, workspace, permission) -> boolean */
Datum
cnap_has_permission_user(PG_FUNCTION_ARGS)
{
	CnapRequireTrust(fcinfo);
	return has_permission(fcinfo, text_user, 1);
}

/* cnap_has_permission(user_id uuid, workspace, permission) -> boolean */
Datum
cnap_has_permission_uuid(PG_FUNCTION_ARGS)
{
	CnapRequireTrust(fcinfo);
	return has_permission(fcinfo, uuid_user, 1);
}

/* cnap_workspace_role(workspace) -> text or null, for the current user */
Datum
cnap_workspace_role(PG_FUNCTION_ARGS)
{
	return workspace_role(fcinfo, CnapGetCurrentCachedUser(), 0);
}

/* cnap_workspace_role(user_id text, workspace) -> text or null */
Datum
cnap_workspace_role_user(PG_FUNCTION_ARGS)
{
	CnapRequireTrust(fcinfo);
	return workspace_role(fcinfo, text_user(fcinfo), 1);
}

/* cnap_accessible_workspaces() -> uuid[], for the current user */
Datum
cnap_accessible_workspaces(PG_FUNCTION_ARGS)
{
	return reachable(CnapGetCurrentCachedUser(), CNAP_ACCESS);
}

/* cnap_accessible_workspaces(user_id text) -> uuid[] */
Datum
cnap_accessible_workspaces_user(PG_FUNCTION_ARGS)
{
	CnapRequireTrust(fcinfo);
	return reachable(text_user(fcinfo), CNAP_ACCESS);
}

/*
 * cnap.reachable(permission) -> uuid[], for the current user
 *
 * Used in the index condition for cnap_has_permission(workspace, permission).
 */
Datum
cnap_reachable(PG_FUNCTION_ARGS)
{
	return reachable_with(fcinfo, asking_user, 0);
}

/* cnap.reachable(user_id text, permission) -> uuid[] */
Datum
cnap_reachable_user(PG_FUNCTION_ARGS)
{
	CnapRequireTrust(fcinfo);
	return reachable_with(fcinfo, text_user, 1);
}

/* cnap.reachable(user_id uuid, permission) -> uuid[] */
Datum
cnap_reachable_uuid(PG_FUNCTION_ARGS)
{
	CnapRequireTrust(fcinfo);
	return reachable_with(fcinfo, uuid_user, 1);
}

/* What cnap_explain_access() explains. */
typedef struct Explanation
{
	ReturnSetInfo *rsinfo;
	bool		within_limits;	/* of the token that signed the user in */
	const char *limits;			/* what these mean here, added to reasons */
} Explanation;

/* What the limits of a token mean for a workspace. */
static const char *
explain_limits(const CnapLimits *limits, const pg_uuid_t *workspace)
{
	StringInfoData names;

	if (!CnapLimitsInclude(limits, workspace))
		return "; but the access token is limited to other workspaces";
	if (limits->permissions == CNAP_ALL_PERMISSIONS)
		return "";

	initStringInfo(&names);
	for (int i = 0; i <= CNAP_LAST_PERMISSION; i++)
	{
		if ((limits->permissions & CnapPermissionBit(i)) && CnapPermissionName(i) != NULL)
			appendStringInfo(&names, "%s%s", names.len > 0 ? ", " : "", CnapPermissionName(i));
	}
	return psprintf("; but the access token is limited to the permissions: %s",
					names.len > 0 ? names.data : "none");
}

/* Add one row to the result of cnap_explain_access(). */
static void
explain_row(const Explanation *explanation, const char *path, CnapRole role,
			bool granted, TimestampTz until, const char *reason)
{
	ReturnSetInfo *rsinfo = explanation->rsinfo;
	Datum		values[5];
	bool		nulls[5] = {false};

	values[0] = CStringGetTextDatum(path);
	nulls[1] = role == CNAP_ROLE_NONE;
	if (!nulls[1])
		values[1] = CnapRoleToDatum(role);
	values[2] = BoolGetDatum(granted && explanation->within_limits);
	nulls[3] = until == DT_NOEND;
	values[3] = TimestampTzGetDatum(until);
	values[4] = CStringGetTextDatum(psprintf("%s%s", reason,
											 granted ? explanation->limits : ""));
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

/* Why a member of the managing organization, whose grant holds, is let in or not. */
static const char *
explain_manager(const CnapManagement *management, CnapManagers managers)
{
	bool		activated = managers == CNAP_MANAGERS_ACTIVATED;

	if (managers == CNAP_MANAGERS_ALL)
		return "which manages the workspace";
	if (!management->counts)
		return activated ? "which manages the workspace, but has not activated that with cnap_activate_management()" :
			"which manages the workspace, but is not assigned to it: its owners and admins can do that with cnap_assign_manager()";
	if (management->let_in)
		return activated ? "which manages the workspace, and has activated that" :
			"which manages the workspace, and is assigned to it";
	return activated ? "which manages the workspace, but the activation with cnap_activate_management() has ended" :
		"which manages the workspace, but the assignment to it has ended: its owners and admins can renew it with cnap_assign_manager()";
}

/* Add the row of cnap_explain_access() about the managing organization. */
static void
explain_management(const Explanation *explanation, Snapshot snapshot, const pg_uuid_t *id,
				   const CnapWorkspace *workspace, text *user)
{
	CnapManagement management;
	char	   *organization;
	char	   *reason;

	if (!workspace->managed)
	{
		explain_row(explanation, "organization", CNAP_ROLE_NONE, false, DT_NOEND,
					"no organization manages the workspace");
		return;
	}

	organization = CnapUuidString(&workspace->managed_by);
	management = CnapFindManagementAsOf(snapshot, id, workspace, user);
	if (management.role == CNAP_ROLE_NONE)
		reason = psprintf("the user is not a member of organization %s, which was granted management of the workspace",
						  organization);
	else if (!CnapManagedNow(workspace))
		reason = psprintf("the user has role %s in organization %s, whose management of the workspace has ended",
						  CnapRoleName(management.role), organization);
	else
		reason = psprintf("the user has role %s in organization %s, %s",
						  CnapRoleName(management.role), organization,
						  explain_manager(&management, workspace->terms.managers));
	explain_row(explanation, "organization",
				management.let_in ? workspace->managed_role : CNAP_ROLE_NONE,
				management.let_in, management.until, reason);
}

/*
 * cnap_explain_access(user_id text, workspace)
 *	 -> setof (path, role, granted, until, reason)
 *
 * Returns one row for each kind of way into a workspace, saying whether the
 * user has it and why, or a single row if the workspace does not exist.
 */
Datum
cnap_explain_access(PG_FUNCTION_ARGS)
{
	Explanation explanation;
	text	   *user;
	CnapUser   *cached;
	const pg_uuid_t *id;
	Snapshot	snapshot;
	CnapWorkspace workspace;

	CnapRequireTrust(fcinfo);
	explanation.rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	explanation.within_limits = true;
	explanation.limits = "";
	user = CnapRequiredUserId(fcinfo, 0, "user_id");
	id = CnapRequiredUuid(fcinfo, 1, "workspace");
	CnapRequireFreshData();
	cached = CnapGetCachedUser(VARDATA_ANY(user), VARSIZE_ANY_EXHDR(user));
	if (cached != NULL && CnapUserLimits(cached) != NULL)
	{
		explanation.within_limits = CnapLimitsAllow(CnapUserLimits(cached), id, CNAP_ACCESS);
		explanation.limits = explain_limits(CnapUserLimits(cached), id);
	}
	InitMaterializedSRF(fcinfo, 0);
	snapshot = CnapFreshSnapshot();
	if (CnapFindWorkspaceAsOf(snapshot, id, &workspace))
	{
		bool		owner = CnapTextEqual(workspace.owner, user);
		CnapRole	role = CnapMemberRoleAsOf(snapshot, CNAP_WORKSPACE_MEMBER, id, user);

		explain_row(&explanation, "owner", owner ? CNAP_ROLE_OWNER : CNAP_ROLE_NONE,
					owner, DT_NOEND,
					owner ? "the user owns the workspace" :
					"the user does not own the workspace");
		explain_row(&explanation, "member", role, role != CNAP_ROLE_NONE, DT_NOEND,
					role != CNAP_ROLE_NONE ? "the user is a direct member" :
					"the user is not a direct member");
		explain_management(&explanation, snapshot, id, &workspace, user);
	}
	else
		explain_row(&explanation, "none", CNAP_ROLE_NONE, false, DT_NOEND,
					"the workspace does not exist");
	UnregisterSnapshot(snapshot);
	return (Datum) 0;
}
