/*
 * Triggers: where another database keeps the access data, only replication
 * writes it here.  They do not fire for replication's apply, except for those
 * that tell the sessions about the beat, or those who follow this database that
 * it proves nothing.
 */
CREATE FUNCTION cnap.beat_before_write() RETURNS trigger
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'cnap_beat_before_write';
COMMENT ON FUNCTION cnap.beat_before_write() IS
'lets cnap_beat() alone change the beat, and marks one that is restored from a dump';

CREATE FUNCTION cnap.mark_unproven_beat() RETURNS trigger
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'cnap_mark_unproven_beat';
COMMENT ON FUNCTION cnap.mark_unproven_beat() IS
'marks a beat that arrives while a table is being copied, for the databases that follow this one';

CREATE FUNCTION cnap.signal_beat() RETURNS trigger
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'cnap_signal_beat';
COMMENT ON FUNCTION cnap.signal_beat() IS
'tells every session to find out anew which database keeps the access data';

CREATE FUNCTION cnap.refuse_local_write() RETURNS trigger
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'cnap_refuse_local_write';
COMMENT ON FUNCTION cnap.refuse_local_write() IS
'refuses to write where another database keeps the access data';

CREATE FUNCTION cnap.refuse_published_truncate() RETURNS trigger
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cnap_refuse_published_truncate';
COMMENT ON FUNCTION cnap.refuse_published_truncate() IS
'refuses TRUNCATE of a published table, which could stop the followers'' replication';

CREATE TRIGGER before_write BEFORE INSERT OR UPDATE OR DELETE ON cnap.beat
	FOR EACH ROW EXECUTE FUNCTION cnap.beat_before_write();
CREATE TRIGGER before_truncate BEFORE TRUNCATE ON cnap.beat
	FOR EACH STATEMENT EXECUTE FUNCTION cnap.beat_before_write();
CREATE TRIGGER mark_unproven BEFORE INSERT OR UPDATE ON cnap.beat
	FOR EACH ROW EXECUTE FUNCTION cnap.mark_unproven_beat();
CREATE TRIGGER signal_row AFTER INSERT OR DELETE ON cnap.beat
	FOR EACH ROW EXECUTE FUNCTION cnap.signal_beat();
CREATE TRIGGER signal_update AFTER UPDATE ON cnap.beat
	FOR EACH ROW WHEN ((OLD.origin, OLD.restored) IS DISTINCT FROM (NEW.origin, NEW.restored))
	EXECUTE FUNCTION cnap.signal_beat();
CREATE TRIGGER signal_truncate AFTER TRUNCATE ON cnap.beat
	FOR EACH STATEMENT EXECUTE FUNCTION cnap.signal_beat();
ALTER TABLE cnap.beat
	ENABLE REPLICA TRIGGER mark_unproven,
	ENABLE ALWAYS TRIGGER signal_row,
	ENABLE ALWAYS TRIGGER signal_update,
	ENABLE ALWAYS TRIGGER signal_truncate;

CREATE FUNCTION cnap.published_tables() RETURNS text[]
LANGUAGE C STABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'cnap_published_tables';
COMMENT ON FUNCTION cnap.published_tables() IS
'the tables of the schema cnap that followers receive';

-- Invitations and links are not published, but lead to changes of what is.  The beat has its
-- own trigger.
DO $$
DECLARE
	name text;
BEGIN
	FOREACH name IN ARRAY array_remove(cnap.published_tables(), 'beat') || ARRAY['invitation', 'install_link'] LOOP
		EXECUTE format('CREATE TRIGGER a_refuse_local_write'
			' BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON cnap.%I'
			' FOR EACH STATEMENT EXECUTE FUNCTION cnap.refuse_local_write()', name);
	END LOOP;
	FOREACH name IN ARRAY cnap.published_tables() LOOP
		EXECUTE format('CREATE TRIGGER a_refuse_published BEFORE TRUNCATE ON cnap.%I'
			' FOR EACH STATEMENT EXECUTE FUNCTION cnap.refuse_published_truncate()', name);
	END LOOP;
END
$$;
