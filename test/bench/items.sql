-- items.sql: the application's table
--
-- Half of the rows belong to "half", a tenth to "big", a tenth to "huge" if it exists, and of a
-- million about 360 to each of "few" and 500 to "thin", spread evenly over the primary key.
-- Variables: rows, workspaces, huge.

DROP SCHEMA IF EXISTS app CASCADE;
CREATE SCHEMA app;

CREATE TABLE app.item (
	id bigint NOT NULL,
	workspace_id uuid NOT NULL,
	created_at timestamptz NOT NULL,
	state int NOT NULL,
	title text NOT NULL
);
INSERT INTO app.item
SELECT id, bench.workspace(CASE
		WHEN id % 2000 = 8 THEN 2000001 + bench.pick(id, 5, 10000)
		WHEN id % 10 = 0 THEN 1 + bench.pick(id, 5, 10000)
		WHEN id % 2 = 1 THEN 10001 + bench.pick(id, 5, 2000)
		WHEN id % 10 = 2 AND id / 10 % 14 = 0
			THEN 12001 + id / 10 / 14 % 20 * 7 + bench.pick(id, 5, 7)
		WHEN id % 10 = 4 AND :huge THEN 1000001 + bench.pick(id, 5, 1000000)
		ELSE 12141 + bench.pick(id, 5, least(:workspaces, 1000000) - 12140)
	END), timestamptz '2024-01-01 00:00+00' + id * interval '1 second', id % 7, 'item number ' || id
FROM generate_series(1, :rows) id;
ALTER TABLE app.item ADD PRIMARY KEY (id);
CREATE INDEX ON app.item (workspace_id);

VACUUM (ANALYZE) app.item;
