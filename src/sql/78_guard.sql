/*
 * Protected tables prevent DROP EXTENSION, even with CASCADE.  The trigger has no
 * list of commands, because the library has to be loaded before any that can
 * create a foreign key, and is enabled ALWAYS, because the owner's rights are at
 * stake in every session_replication_role.
 */
CREATE FUNCTION cnap.guard() RETURNS event_trigger
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cnap_guard';
COMMENT ON FUNCTION cnap.guard() IS
'event trigger: refuses to drop the extension while policies use its functions, and loads the library, which refuses foreign keys to its tables with columns of other types';

CREATE EVENT TRIGGER cnap_guard ON ddl_command_start
	EXECUTE FUNCTION cnap.guard();
ALTER EVENT TRIGGER cnap_guard ENABLE ALWAYS;
COMMENT ON EVENT TRIGGER cnap_guard IS
'refuses to drop the extension cnap_org while it protects tables, and unsafe foreign keys to its tables';
