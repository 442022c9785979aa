-- beside.sql: tables with a permissive policy of the application's own, alone and beside ours, and one whose
-- second column decides its first
--
-- The policy shows the rows of one of 2,800 authors, which the session names: number 1 has rows of "half"
-- alone, 2 of "few-1", and 10 of "big". The policy "fallback" hides the comparison from the planner a little.
-- An application has 900 rows, all in one workspace.
-- Variables: rows, workspaces.

SELECT format('DROP TABLE IF EXISTS app.authored_%s_%s', policy, kind)
FROM unnest('{plain,fallback}'::text[]) policy, unnest('{alone,both}'::text[]) kind \gexec
SELECT format('CREATE TABLE app.authored_%s_%s AS SELECT *, (id %% 2800)::int AS author_id FROM app.item ORDER BY id',
	policy, kind)
FROM unnest('{plain,fallback}'::text[]) policy, unnest('{alone,both}'::text[]) kind \gexec
SELECT format('ALTER TABLE app.authored_%1$s_%2$s ADD PRIMARY KEY (id), ALTER workspace_id SET NOT NULL,
		ENABLE ROW LEVEL SECURITY;
	CREATE INDEX ON app.authored_%1$s_%2$s (workspace_id);
	CREATE INDEX ON app.authored_%1$s_%2$s (author_id);
	CREATE POLICY author ON app.authored_%1$s_%2$s USING (author_id = %3$s)', policy, kind,
	CASE policy WHEN 'plain' THEN '(SELECT current_setting(''app.author'')::int)'
		ELSE 'COALESCE((SELECT current_setting(''app.author'')::int), 0)' END)
FROM unnest('{plain,fallback}'::text[]) policy, unnest('{alone,both}'::text[]) kind \gexec
SELECT cnap_protect('app.authored_plain_both'), cnap_protect('app.authored_fallback_both');

DROP TABLE IF EXISTS app.application_row;
CREATE TABLE app.application_row AS
SELECT id, id / 900 AS application_id,
	bench.workspace(CASE WHEN id / 900 = 500 THEN 12001 ELSE 1 + bench.pick(id / 900, 15, 20000) END) AS workspace_id
FROM generate_series(1, :rows) id;
ALTER TABLE app.application_row ADD PRIMARY KEY (id), ALTER workspace_id SET NOT NULL;
CREATE INDEX ON app.application_row (workspace_id);
CREATE INDEX ON app.application_row (application_id);
SELECT cnap_protect('app.application_row');

-- The factor by which the planner's estimate for a query is wrong, times 1,000
CREATE OR REPLACE FUNCTION bench.misestimate(query text) RETURNS float8
LANGUAGE plpgsql AS $$
DECLARE
	plan json;
	rows float8;
BEGIN
	EXECUTE 'EXPLAIN (FORMAT json) ' || query INTO plan;
	EXECUTE format('SELECT count(*) FROM (%s) q', query) INTO rows;
	rows := greatest(rows, 1) / greatest((plan -> 0 -> 'Plan' ->> 'Plan Rows')::float8, 1);
	RETURN 1000 * greatest(rows, 1 / rows);
END
$$;

SELECT format('VACUUM (ANALYZE) app.authored_%s_%s', policy, kind)
FROM unnest('{plain,fallback}'::text[]) policy, unnest('{alone,both}'::text[]) kind \gexec
VACUUM (ANALYZE) app.application_row;
