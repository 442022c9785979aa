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
'protects a table by row-level security that follows the foreign key of a column: a row is visible if the row that it refers to is, and writing requires the parent''s write_permission as well. With a workspace_column, which is added if it does not exist, that column is filled with the parents'' workspaces, kept equal to them, and protects the table. For the table''s owner, who with a workspace_column must own the parent as well. Errors: 0A000 for a column in a table with inheritance children, and for one that would follow a generated column or belongs to a partition key, 22023 for null and for a column that cannot be filled, 25001 if a column cannot be filled in the isolation level, 42501, 42702 for a column of several foreign keys, 42703 for a missing column, 42804 for a workspace_column that is not a uuid, 42809 for a relation that is not a table, 42P17 for a table that is its own parent, 55000 for a column without a foreign key to a protected table, in the table or in an inheritance child, and for a parent whose workspace can be null';
