/*
 * Protected tables prevent DROP EXTENSION, even with CASCADE.  The commands that
 * can create foreign keys are those before which the library has to be loaded.
 */
CREATE FUNCTION cnap.guard() RETURNS event_trigger
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cnap_guard';
COMMENT ON FUNCTION cnap.guard() IS
'event trigger: refuses to drop the extension while policies use its functions, and loads the library, which refuses foreign keys to its tables with columns of other types';
REVOKE ALL ON FUNCTION cnap.guard() FROM PUBLIC;

CREATE EVENT TRIGGER cnap_guard ON ddl_command_start
	WHEN TAG IN ('DROP EXTENSION', 'DROP SCHEMA', 'DROP OWNED', 'CREATE TABLE', 'ALTER TABLE', 'CREATE SCHEMA')
	EXECUTE FUNCTION cnap.guard();
COMMENT ON EVENT TRIGGER cnap_guard IS
'refuses to drop the extension cnap_org while it protects tables, and unsafe foreign keys to its tables';
