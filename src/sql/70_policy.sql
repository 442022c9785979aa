/*
 * Protection of the application's tables.
 *
 * The DDL commands are executed as the caller, who must own the tables.
 */
CREATE FUNCTION @extschema@.cnap_protect(
	relation regclass, workspace_column name DEFAULT NULL, write_permission text DEFAULT NULL,
	read_permission text DEFAULT NULL)
RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cnap_protect';
COMMENT ON FUNCTION @extschema@.cnap_protect(regclass, name, text, text) IS
'protects a table by row-level security: reading a row and writing one require the permissions, on the workspace in its column; writing for the old row and the new one, and to change or delete a row, one must be able to read it. Partitions and inheritance children are protected as well. Null means workspace_id and access, or in a second call what is there; a NOTICE tells if a permission changes. For the table''s owner. Errors: 22023, 42501, 42703, 42804 for a column that is not a uuid, 42809, 42P01';

CREATE FUNCTION @extschema@.cnap_unprotect(relation regclass) RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cnap_unprotect';
COMMENT ON FUNCTION @extschema@.cnap_unprotect(regclass) IS
'drops the policies of cnap_protect() or cnap_protect_child() from a table, and restores row-level security as it was, but leaves it enabled for policies that were created since. A WARNING tells if nothing permits reading any more. For the table''s owner. Errors: 22023, 2BP01 while other tables are protected through it, 42501, 42809, 42P01';

CREATE FUNCTION @extschema@.cnap_protected_tables()
RETURNS TABLE (relation regclass, workspace_column name, write_permission text,
	read_permission text, enforced boolean, parent regclass, parent_columns name[])
LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 50
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cnap_protected_tables';
COMMENT ON FUNCTION @extschema@.cnap_protected_tables() IS
'the tables with policies of cnap_protect() and cnap_protect_child(), read from the catalogs: those of the latter have a parent and the columns that refer to it in place of a workspace_column; enforced: every command has its restrictive policy, and row-level security is enabled and forced, in the table and in all tables that its rows are reached through or depend on, with the same permissions and the same test';
