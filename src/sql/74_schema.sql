/*
 * Protection of all tables of a schema.
 *
 * The planned statements are executed as the caller.
 */
CREATE FUNCTION @extschema@.cnap_protect_schema(
	schema name, execute boolean DEFAULT false, workspace_columns name[] DEFAULT '{workspace_id}',
	write_permission text DEFAULT NULL, read_permission text DEFAULT NULL,
	child_column name DEFAULT NULL, leave_out regclass[] DEFAULT '{}')
RETURNS TABLE (relation regclass, protection text, columns name[], parent regclass, statement text,
	reason text)
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000 ROWS 50
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cnap_protect_schema';
COMMENT ON FUNCTION @extschema@.cnap_protect_schema(name, boolean, name[], text, text, name, regclass[]) IS
'the plan for protecting the tables of a schema, parents first: protection is column (by the first of the workspace_columns), parent (by the shortest path of foreign keys without nulls; with a child_column, by a column of that name, where possible) or none; statement does it, and is null if there is nothing to do; what is protected keeps its permissions, and tables to leave_out stay as they are; null means access; reason says why, or what to consider. Executes all statements if execute is true. For the tables'' owner. Errors: 22023, 3F000 for an unknown schema, and what the statements raise';

CREATE FUNCTION @extschema@.cnap_unprotect_schema(schema name, execute boolean DEFAULT false)
RETURNS TABLE (relation regclass, statement text, reason text)
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000 ROWS 50
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cnap_unprotect_schema';
COMMENT ON FUNCTION @extschema@.cnap_unprotect_schema(name, boolean) IS
'the plan for removing the protection from all tables of a schema, children first: a row for each that is protected, with the statement that does it, or the reason why the caller cannot. Executes all statements if execute is true. For the tables'' owner. Errors: 22023 for null, 2BP01 while tables of other schemas are protected through these, 3F000 for an unknown schema';
