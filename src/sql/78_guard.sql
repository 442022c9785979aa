/*
 * Protected tables prevent DROP EXTENSION, even with CASCADE.
 */
CREATE FUNCTION cnap.guard() RETURNS event_trigger
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cnap_guard';
COMMENT ON FUNCTION cnap.guard() IS
'event trigger: refuses to drop the extension while policies use its functions';
REVOKE ALL ON FUNCTION cnap.guard() FROM PUBLIC;

CREATE EVENT TRIGGER cnap_guard ON ddl_command_start
	WHEN TAG IN ('DROP EXTENSION', 'DROP SCHEMA', 'DROP OWNED')
	EXECUTE FUNCTION cnap.guard();
COMMENT ON EVENT TRIGGER cnap_guard IS
'refuses to drop the extension cnap_org while it protects tables';
