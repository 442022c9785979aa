-- queries.sql: what applications ask, with conditions that row-level security adds or that a query has
--
-- {x} in a query stands for the condition on the table with the alias x. Written without row-level
-- security it is x.workspace_id = ANY (literal).

DROP TABLE IF EXISTS app.event_time, app.event_workspace, bench.query;

-- The rows of app.item, with an index of each kind for the newest ones
CREATE TABLE app.event_time AS SELECT * FROM app.item ORDER BY id;
CREATE TABLE app.event_workspace AS SELECT * FROM app.item ORDER BY id;
SELECT format('ALTER TABLE app.event_%s ADD PRIMARY KEY (id), ALTER workspace_id SET NOT NULL', kind)
FROM unnest('{time,workspace}'::text[]) kind \gexec
CREATE INDEX ON app.event_time (created_at);
CREATE INDEX ON app.event_time (workspace_id);
CREATE INDEX ON app.event_workspace (workspace_id, created_at);
SELECT cnap_protect('app.event_time'), cnap_protect('app.event_workspace');
CREATE VIEW app.event_view WITH (security_invoker) AS SELECT * FROM app.event_time;

CREATE TABLE bench.query (name text PRIMARY KEY, query text NOT NULL);
INSERT INTO bench.query VALUES
	('newest_time', 'SELECT sum(id) FROM (SELECT id FROM app.event_time e WHERE {e} ORDER BY created_at DESC LIMIT 50) p'),
	('page20_time', 'SELECT sum(id) FROM (SELECT id FROM app.event_time e WHERE {e} ORDER BY created_at DESC LIMIT 50 OFFSET 950) p'),
	('newest_workspace', 'SELECT sum(id) FROM (SELECT id FROM app.event_workspace e WHERE {e} ORDER BY created_at DESC LIMIT 50) p'),
	('page20_workspace', 'SELECT sum(id) FROM (SELECT id FROM app.event_workspace e WHERE {e} ORDER BY created_at DESC LIMIT 50 OFFSET 950) p'),
	('after', 'SELECT sum(id) FROM (SELECT id FROM app.event_time e WHERE {e} AND created_at < ''2024-01-06'' ORDER BY created_at DESC LIMIT 50) p'),
	('sum', 'SELECT sum(state) FROM app.event_time e WHERE {e}'),
	('per_workspace', 'SELECT sum(n) FROM (SELECT workspace_id, count(*) AS n FROM app.event_time e WHERE {e} GROUP BY 1) g'),
	('per_state', 'SELECT string_agg(n::text, '','' ORDER BY state) FROM (SELECT state, count(*) AS n FROM app.event_time e WHERE {e} GROUP BY 1) g'),
	('having', 'SELECT count(*) FROM (SELECT workspace_id FROM app.event_time e WHERE {e} GROUP BY 1 HAVING max(state) > 5) g'),
	('distinct', 'SELECT count(*) FROM (SELECT DISTINCT workspace_id FROM app.event_time e WHERE {e}) d'),
	('latest_each', 'SELECT sum(id) FROM (SELECT DISTINCT ON (workspace_id) id FROM app.event_workspace e WHERE {e} ORDER BY workspace_id, created_at DESC) d'),
	('window', 'SELECT sum(id) FROM (SELECT id, row_number() OVER (PARTITION BY workspace_id ORDER BY created_at DESC) AS r FROM app.event_workspace e WHERE {e}) w WHERE r <= 2'),
	('running', 'SELECT max(s) FROM (SELECT sum(state) OVER (ORDER BY id) AS s FROM app.event_time e WHERE {e}) w'),
	('filter', 'SELECT count(*) FROM app.event_time e WHERE {e} AND state = 3'),
	('search', 'SELECT count(*) FROM app.event_time e WHERE {e} AND title LIKE ''%77%'''),
	('range', 'SELECT count(*) FROM app.event_time e WHERE {e} AND created_at BETWEEN ''2024-01-02'' AND ''2024-01-03'''),
	('oldest', 'SELECT min(created_at) FROM app.event_workspace e WHERE {e}'),
	('view', 'SELECT sum(id) FROM (SELECT id FROM app.event_view e WHERE {e} ORDER BY created_at DESC LIMIT 50) p'),
	('join_two', 'SELECT count(*) FROM app.event_time e JOIN app.folder f ON f.id = e.id WHERE {e} AND {f}'),
	('join_page', 'SELECT sum(id) FROM (SELECT e.id FROM app.event_time e JOIN app.folder f ON f.id = e.id WHERE {e} AND {f} ORDER BY e.id LIMIT 50) p'),
	('join_left', 'SELECT count(f.id) FROM app.event_time e LEFT JOIN app.folder f ON f.id = e.id AND {f} WHERE {e} AND e.id <= 200000'),
	('join_three', 'SELECT count(*) FROM app.note_own n JOIN app.folder f ON f.id = n.folder_id JOIN app.event_time e ON e.id = f.id WHERE {n} AND {f} AND {e}'),
	('join_workspace', 'SELECT count(*) FROM app.folder f JOIN app.event_workspace e ON e.workspace_id = f.workspace_id WHERE {f} AND {e} AND f.id <= 10000'),
	('exists', 'SELECT count(*) FROM app.folder f WHERE {f} AND EXISTS (SELECT FROM app.note_own n WHERE n.folder_id = f.id AND {n})'),
	('not_exists', 'SELECT count(*) FROM app.folder f WHERE {f} AND NOT EXISTS (SELECT FROM app.note_own n WHERE n.folder_id = f.id AND {n})'),
	('in', 'SELECT count(*) FROM app.event_time e WHERE {e} AND id IN (SELECT id FROM app.folder f WHERE {f})'),
	('lateral', 'SELECT sum(m.id) FROM (SELECT * FROM app.folder f WHERE {f} ORDER BY id LIMIT 20) f, LATERAL (SELECT n.id FROM app.note_column n WHERE n.folder_id = f.id AND {n} ORDER BY n.id LIMIT 3) m'),
	('child', 'SELECT count(*) FROM app.note_column n JOIN app.folder f ON f.id = n.folder_id WHERE {n} AND {f}'),
	('union', 'SELECT sum(id) FROM (SELECT id FROM app.event_time e WHERE {e} AND state = 1 UNION SELECT id FROM app.event_workspace w WHERE {w} AND state = 2) u'),
	('with', 'WITH mine AS MATERIALIZED (SELECT id, state FROM app.event_time e WHERE {e}) SELECT count(*) FROM mine WHERE state = 4');

-- The text of a query, with literals for a user who is named, or for row-level security
CREATE OR REPLACE FUNCTION bench.written(name text, literals_of text) RETURNS text
LANGUAGE sql STABLE
RETURN (SELECT regexp_replace(query, '\{(\w+)\}', coalesce(
		(SELECT format('\1.workspace_id = ANY (%L)', workspaces) FROM bench.granted WHERE user_id = literals_of),
		'true'), 'g')
	FROM bench.query q WHERE q.name = written.name);

GRANT SELECT ON bench.query TO bench_app;
VACUUM (ANALYZE) app.event_time, app.event_workspace;
