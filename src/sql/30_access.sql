/*
 * The access checks, and the current user.
 *
 * Functions about the current user can be executed by PUBLIC; those about any
 * user, by roles that cnap_trust() was called for.  They are not leakproof,
 * because their execution time depends on the arguments.
 */
CREATE FUNCTION @extschema@.cnap_current_user() RETURNS text
LANGUAGE C STABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'cnap_current_user';
COMMENT ON FUNCTION @extschema@.cnap_current_user() IS
'the id of the user on whose behalf statements are executed; null if there is none';

CREATE FUNCTION cnap.check_support(internal) RETURNS internal
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'cnap_check_support';
COMMENT ON FUNCTION cnap.check_support(internal) IS
'planner support for the checks: index condition, selectivity and cost';

CREATE FUNCTION @extschema@.cnap_can_access(workspace uuid) RETURNS boolean
LANGUAGE C STABLE PARALLEL SAFE COST 2 SUPPORT cnap.check_support
AS 'MODULE_PATHNAME', 'cnap_can_access';
COMMENT ON FUNCTION @extschema@.cnap_can_access(uuid) IS
'whether the current user has access to the workspace, by any way in; false without a current user, for null and for an unknown workspace';

CREATE FUNCTION @extschema@.cnap_can_access(user_id text, workspace uuid) RETURNS boolean
LANGUAGE C STABLE PARALLEL SAFE COST 2 SUPPORT cnap.check_support
AS 'MODULE_PATHNAME', 'cnap_can_access_user';
COMMENT ON FUNCTION @extschema@.cnap_can_access(text, uuid) IS
'whether the user has access to the workspace, by any way in; false for null, for an invalid user id and for an unknown workspace';

CREATE FUNCTION @extschema@.cnap_can_access(user_id uuid, workspace uuid) RETURNS boolean
LANGUAGE C STABLE PARALLEL SAFE COST 2 SUPPORT cnap.check_support
AS 'MODULE_PATHNAME', 'cnap_can_access_uuid';
COMMENT ON FUNCTION @extschema@.cnap_can_access(uuid, uuid) IS
'whether the user, whose id is the text form of a uuid, has access to the workspace; false for null and for an unknown workspace';

CREATE FUNCTION @extschema@.cnap_has_permission(workspace uuid, permission text) RETURNS boolean
LANGUAGE C STABLE PARALLEL SAFE COST 2 SUPPORT cnap.check_support
AS 'MODULE_PATHNAME', 'cnap_has_permission';
COMMENT ON FUNCTION @extschema@.cnap_has_permission(uuid, text) IS
'whether any of the current user''s ways into the workspace gives the permission; false without a current user, for null and for an unknown workspace. Errors: 22023 for a permission that does not exist';

CREATE FUNCTION @extschema@.cnap_has_permission(user_id text, workspace uuid, permission text) RETURNS boolean
LANGUAGE C STABLE PARALLEL SAFE COST 2 SUPPORT cnap.check_support
AS 'MODULE_PATHNAME', 'cnap_has_permission_user';
COMMENT ON FUNCTION @extschema@.cnap_has_permission(text, uuid, text) IS
'whether any of the user''s ways into the workspace gives the permission; false for null, for an invalid user id and for an unknown workspace. Errors: 22023 for a permission that does not exist';

CREATE FUNCTION @extschema@.cnap_has_permission(user_id uuid, workspace uuid, permission text) RETURNS boolean
LANGUAGE C STABLE PARALLEL SAFE COST 2 SUPPORT cnap.check_support
AS 'MODULE_PATHNAME', 'cnap_has_permission_uuid';
COMMENT ON FUNCTION @extschema@.cnap_has_permission(uuid, uuid, text) IS
'whether any of the ways into the workspace of the user, whose id is the text form of a uuid, gives the permission; false for null and for an unknown workspace. Errors: 22023 for a permission that does not exist';

CREATE FUNCTION @extschema@.cnap_workspace_role(workspace uuid) RETURNS text
LANGUAGE C STABLE PARALLEL SAFE COST 5
AS 'MODULE_PATHNAME', 'cnap_workspace_role';
COMMENT ON FUNCTION @extschema@.cnap_workspace_role(uuid) IS
'the current user''s highest role in the workspace, by any way in; null if there is none';

CREATE FUNCTION @extschema@.cnap_workspace_role(user_id text, workspace uuid) RETURNS text
LANGUAGE C STABLE PARALLEL SAFE COST 5
AS 'MODULE_PATHNAME', 'cnap_workspace_role_user';
COMMENT ON FUNCTION @extschema@.cnap_workspace_role(text, uuid) IS
'the user''s highest role in the workspace, by any way in; null if there is none';

/*
 * Only the leader of parallel workers executes these: in a parallel index scan
 * with workspace_id = ANY (cnap_accessible_workspaces()), the processes would
 * share a position in arrays that differ if the set changes meanwhile.
 */
CREATE FUNCTION @extschema@.cnap_accessible_workspaces() RETURNS uuid[]
LANGUAGE C STABLE PARALLEL RESTRICTED COST 100
AS 'MODULE_PATHNAME', 'cnap_accessible_workspaces';
COMMENT ON FUNCTION @extschema@.cnap_accessible_workspaces() IS
'the ids of all workspaces that the current user has access to, sorted; empty without a current user';

CREATE FUNCTION @extschema@.cnap_accessible_workspaces(user_id text) RETURNS uuid[]
LANGUAGE C STABLE PARALLEL RESTRICTED COST 100
AS 'MODULE_PATHNAME', 'cnap_accessible_workspaces_user';
COMMENT ON FUNCTION @extschema@.cnap_accessible_workspaces(text) IS
'the ids of all workspaces that the user has access to, sorted; empty for null and for an invalid user id';

/*
 * Planner support puts this into an index condition in place of a check.  It
 * is declared volatile to keep the planner from calling it for estimates,
 * since that would cost each element for each index.  It is executed once per
 * scan.
 */
CREATE FUNCTION cnap.reachable(permission text) RETURNS uuid[]
LANGUAGE C VOLATILE STRICT PARALLEL SAFE COST 100
AS 'MODULE_PATHNAME', 'cnap_reachable';
COMMENT ON FUNCTION cnap.reachable(text) IS
'the ids of all workspaces on which the current user has the permission, sorted; empty without a current user';

CREATE FUNCTION cnap.reachable(user_id text, permission text) RETURNS uuid[]
LANGUAGE C VOLATILE STRICT PARALLEL SAFE COST 100
AS 'MODULE_PATHNAME', 'cnap_reachable_user';
COMMENT ON FUNCTION cnap.reachable(text, text) IS
'the ids of all workspaces on which the user has the permission, sorted';

CREATE FUNCTION cnap.reachable(user_id uuid, permission text) RETURNS uuid[]
LANGUAGE C VOLATILE STRICT PARALLEL SAFE COST 100
AS 'MODULE_PATHNAME', 'cnap_reachable_uuid';
COMMENT ON FUNCTION cnap.reachable(uuid, text) IS
'the ids of all workspaces on which the user, whose id is the text form of a uuid, has the permission, sorted';

CREATE FUNCTION @extschema@.cnap_explain_access(user_id text, workspace uuid)
RETURNS TABLE (path text, role text, granted boolean, until timestamptz, reason text)
LANGUAGE C STABLE PARALLEL SAFE COST 100 ROWS 3
AS 'MODULE_PATHNAME', 'cnap_explain_access';
COMMENT ON FUNCTION @extschema@.cnap_explain_access(text, uuid) IS
'each way into the workspace (owner, member, organization), whether the user has it, with which role and until when, and why or why not; one row with path "none" for an unknown workspace. Errors: 22023 for an invalid user id and for null';

CREATE FUNCTION @extschema@.cnap_cache_stats()
RETURNS TABLE (hits bigint, misses bigint, loads bigint, flushes bigint, entries bigint,
	bytes bigint)
LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 1
AS 'MODULE_PATHNAME', 'cnap_cache_stats';
COMMENT ON FUNCTION @extschema@.cnap_cache_stats() IS
'statistics of this session''s cache of access decisions: checks answered from it (hits) and by lookups (misses), attempts to load a user''s whole set (loads), invalidations and overflows (flushes); the decisions (entries) and the memory (bytes) that it holds now';

CREATE FUNCTION @extschema@.cnap_server_stats()
RETURNS TABLE (checks bigint, denials bigint, without_user bigint, lookups bigint, loads bigint, flushes bigint,
	since timestamptz)
LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 1
AS 'MODULE_PATHNAME', 'cnap_server_stats';
COMMENT ON FUNCTION @extschema@.cnap_server_stats() IS
'what all sessions of the server have asked, in all databases, since it was started; no row unless cnap_org is in shared_preload_libraries';

CREATE FUNCTION cnap.change_trust(role regrole, trusted boolean) RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cnap_change_trust';
COMMENT ON FUNCTION cnap.change_trust(regrole, boolean) IS
'what cnap_trust() and cnap_distrust() do on each node of a cluster of Citus';

CREATE FUNCTION @extschema@.cnap_trust(role regrole) RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cnap_trust';
COMMENT ON FUNCTION @extschema@.cnap_trust(regrole) IS
'grants a role everything that an application server needs: to set cnap.user_id, to ask about any user, and to reference workspaces and organizations in foreign keys; in a cluster of Citus on all nodes. For superusers. Errors: 22023 for a role that bypasses row-level security and for null, 42704 for a role that does not exist';

CREATE FUNCTION @extschema@.cnap_distrust(role regrole) RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cnap_distrust';
COMMENT ON FUNCTION @extschema@.cnap_distrust(regrole) IS
'revokes from a role everything that cnap_trust() granted, and resets the identity that ALTER ROLE gives it at login, in all databases; existing foreign keys stay; in a cluster of Citus on all nodes. A warning tells if the role can still set cnap.user_id, or a node was not reached. For superusers. Errors: 22023 for null, 42704 for a role that does not exist';
