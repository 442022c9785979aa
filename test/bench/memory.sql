-- memory.sql: the memory of the cache, as reported by itself and by PostgreSQL
--
-- This is sampled while the cache holds at most 100 thousand decisions.
--
-- Variable: variant, "same" (1 thousand users, 100 workspaces each), "other" (pairs that have
-- little in common) or "bounded" (the same pairs with a cache of 1 MB; its greatest size).

SELECT FROM cnap_cache_stats();
SELECT set_config('cnap.cache_size', greatest(min_val::int,
	least(max_val::int, CASE :'variant' WHEN 'bounded' THEN 1024 ELSE 65536 END))::text, false) AS size
FROM pg_settings WHERE name = 'cnap.cache_size' \gset

CREATE TEMP TABLE asked AS
SELECT n, user_id, workspace_id FROM bench.pair WHERE :'variant' <> 'same' AND n <= 100000
UNION ALL
SELECT (k.n - 1) * 100 + w, k.user_id, bench.workspace(w)
FROM bench.known k, generate_series(1, 100) w WHERE :'variant' = 'same';
CREATE TEMP TABLE seen (bytes bigint, entries bigint, context bigint);
ANALYZE asked;

DO $$
BEGIN
	FOR part IN 0 .. 19 LOOP
		PERFORM cnap_can_access(user_id, workspace_id)
		FROM asked WHERE n BETWEEN part * 5000 + 1 AND part * 5000 + 5000;
		INSERT INTO seen SELECT bytes, entries,
			(SELECT sum(total_bytes) FROM pg_backend_memory_contexts WHERE name ILIKE 'cnap%')
		FROM cnap_cache_stats();
	END LOOP;
END
$$;

SELECT :'variant', max(bytes) FROM seen WHERE entries <= 100000
UNION ALL
SELECT :'variant' || '_context', max(context) FROM seen WHERE entries <= 100000 HAVING max(context) IS NOT NULL
UNION ALL
SELECT :'variant' || '_entries', max(entries) FROM seen WHERE entries <= 100000
UNION ALL
SELECT 'bound', pg_size_bytes(current_setting('cnap.cache_size')) WHERE :'variant' = 'bounded';
