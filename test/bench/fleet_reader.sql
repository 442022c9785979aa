--
-- fleet_reader.sql: what test/bench/fleet asks a follower by subscription, and a standby
--
-- When has each of what bench.revoke() revokes been denied here?
CREATE FUNCTION bench.watch(count int) RETURNS TABLE (n int, at timestamptz) LANGUAGE plpgsql
AS $$
BEGIN
	FOR n IN 1 .. count LOOP
		WHILE cnap_can_access('d' || n, bench.id('workspace', 1)) LOOP
			PERFORM pg_sleep(0.0002);
		END LOOP;
		watch.n := n;
		at := clock_timestamp();
		RETURN NEXT;
	END LOOP;
END
$$;

-- The private memory of this session, in kB
CREATE FUNCTION bench.memory() RETURNS bigint LANGUAGE sql
RETURN (SELECT sum(m[1]::bigint) FROM regexp_matches(pg_read_file('/proc/self/smaps_rollup'), 'Private_Dirty: +(\d+) kB', 'g') m);
