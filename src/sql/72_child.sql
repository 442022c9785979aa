/*
 * Protection of tables that reach their workspace through a parent.
 */
CREATE FUNCTION cnap.visible_support(internal) RETURNS internal
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'cnap_visible_support';
COMMENT ON FUNCTION cnap.visible_support(internal) IS
'planner support for cnap.parent_visible(): index condition and selectivity';

CREATE FUNCTION cnap.never() RETURNS boolean
LANGUAGE C STABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'cnap_never';
COMMENT ON FUNCTION cnap.never() IS
'false, unknown to the planner: keeps it from evaluating what only an index condition needs';

/*
 * Its answers differ, but the choice that depends on them has the same result either
 * way.  A volatile function in a condition would keep the planner from good plans.
 */
CREATE FUNCTION cnap.at_first(calls integer) RETURNS boolean
LANGUAGE C STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'cnap_at_first';
COMMENT ON FUNCTION cnap.at_first(integer) IS
'true for so many calls while a query is executed, then false: how long parents are searched one by one';

CREATE FUNCTION cnap.parent_visible(visible boolean) RETURNS boolean
LANGUAGE C IMMUTABLE PARALLEL SAFE SUPPORT cnap.visible_support
AS 'MODULE_PATHNAME', 'cnap_parent_visible';
COMMENT ON FUNCTION cnap.parent_visible(boolean) IS
'in the policies of cnap_protect_child(): visible, which is the search for the parent; false for null';

CREATE FUNCTION cnap.parent_visible(visible boolean, VARIADIC keys "any") RETURNS boolean
LANGUAGE C IMMUTABLE PARALLEL SAFE SUPPORT cnap.visible_support
AS 'MODULE_PATHNAME', 'cnap_parent_visible';
COMMENT ON FUNCTION cnap.parent_visible(boolean, "any") IS
'likewise; keys are a column and its values in all visible parents, which the planner can use as an index condition';

/*
 * PUBLIC can execute this, so that owners of tables can create triggers with
 * it; it reads the parent as the owner of the table.
 */
CREATE FUNCTION cnap.fill_workspace() RETURNS trigger
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cnap_fill_workspace';
COMMENT ON FUNCTION cnap.fill_workspace() IS
'trigger of cnap_protect_child(): sets the last of its columns to the workspace of the parent that the others refer to';

CREATE FUNCTION @extschema@.cnap_protect_child(
	relation regclass, parent_column name, workspace_column name DEFAULT NULL) RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cnap_protect_child';
COMMENT ON FUNCTION @extschema@.cnap_protect_child(regclass, name, name) IS
'protects a table by row-level security that follows the foreign key of a column: a row is visible if the row that it refers to is, and writing requires the parent''s write_permission as well. With a workspace_column, added if there is none, that column is kept equal to the parents'' workspaces, and protects the table, with the parent''s permissions. For the table''s owner; with a workspace_column, for the parent''s. Errors: 0A000, 22023, 25001, 42501, 42702, 42703, 42804, 42809, 42P01, 42P17, 55000';
