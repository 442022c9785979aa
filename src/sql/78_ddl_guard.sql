/*
 * Nothing opens by accident: a command that would leave a protected table less
 * protected is refused, and a new partition of one is protected with it.  The
 * triggers have no list of commands, and are enabled ALWAYS.
 */
CREATE FUNCTION cnap.ddl_guard() RETURNS event_trigger
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cnap_ddl_guard';
COMMENT ON FUNCTION cnap.ddl_guard() IS
'event trigger: refuses commands that would leave a protected table less protected, and protects tables that come to inherit from one';

CREATE EVENT TRIGGER cnap_ddl_start ON ddl_command_start
	EXECUTE FUNCTION cnap.ddl_guard();
ALTER EVENT TRIGGER cnap_ddl_start ENABLE ALWAYS;
COMMENT ON EVENT TRIGGER cnap_ddl_start IS
'notes the start of a command that may concern protected tables';

CREATE EVENT TRIGGER cnap_ddl_end ON ddl_command_end
	EXECUTE FUNCTION cnap.ddl_guard();
ALTER EVENT TRIGGER cnap_ddl_end ENABLE ALWAYS;
COMMENT ON EVENT TRIGGER cnap_ddl_end IS
'refuses a command that would leave a protected table less protected';
