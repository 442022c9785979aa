-- cliffs.sql: users with 200, 300, 3,000 and 30,000 workspaces
--
-- "thin-N" sees 500 of a million rows, "thick-N" a tenth of all rows. The rows are spread evenly over the
-- primary key.
-- Variables: rows, workspaces.

DROP TABLE IF EXISTS app.cliff;
DELETE FROM bench.granted WHERE user_id ~ '^thi(n|ck)-';
SET session_replication_role = replica;
DELETE FROM cnap.workspace WHERE name = 'cliff';

CREATE TEMP TABLE kind AS
SELECT kind, n, kind || '-' || n AS user_id, (row_number() OVER (PARTITION BY kind ORDER BY n) - 1)::int AS place
FROM unnest('{thin,thick}'::text[]) kind, unnest('{200,300,3000,30000}'::int[]) n;
INSERT INTO cnap.workspace (id, name, owner_id, created_at)
SELECT md5(user_id || ' ' || w)::uuid, 'cliff', user_id, '2024-01-01' FROM kind, generate_series(1, n) w;
RESET session_replication_role;
INSERT INTO bench.granted
SELECT user_id, array_agg(md5(user_id || ' ' || w)::uuid) FROM kind, generate_series(1, n) w GROUP BY user_id;

CREATE TABLE app.cliff AS
SELECT id, coalesce(
		(SELECT md5(user_id || ' ' || 1 + bench.pick(id, 14, n))::uuid FROM kind
			WHERE kind = 'thin' AND place = id % 2000 OR kind = 'thick' AND place = id % 10 - 5),
		bench.workspace(12141 + bench.pick(id, 5, least(:workspaces, 1000000) - 12140))) AS workspace_id,
	timestamptz '2024-01-01 00:00+00' + id * interval '1 second' AS created_at, 'title ' || id AS title
FROM generate_series(1, :rows) id;
ALTER TABLE app.cliff ADD PRIMARY KEY (id), ALTER workspace_id SET NOT NULL;
CREATE INDEX ON app.cliff (workspace_id);
CREATE INDEX ON app.cliff (created_at);
SELECT cnap_protect('app.cliff');

VACUUM (ANALYZE) app.cliff, cnap.workspace;
