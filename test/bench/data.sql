-- data.sql: the data of one scale, always the same
--
-- The access data is made in the schema alt, for the alternatives, and copied from there into the
-- tables of the extension by load.sql. It is stored in the order of the primary keys, which is a
-- random one. Variables: users, organizations, workspaces, rows, huge
-- (whether there is a user "huge").
--
-- Everything follows from numbers. The workspaces are
--        1 ..     10000   managed by the organization 1, whose member is "big"
--    10001 ..     12000   owned by "half"
--    12001 ..     12140   seven for each of "few-1" to "few-20": one owned, three as a direct
--                         member, three managed by an organization of theirs
--  1000001 ..   2000000   managed by the organization 2, whose member is "huge" (where it exists)
-- and the rest, of which every other is managed by one of the organizations from 23 on. Each
-- workspace has four direct members, each user belongs to two organizations. Of the
-- application's rows, half belongs to "half", a tenth to "big", and about 360 of a million to
-- each of "few", spread evenly over the primary key.

CREATE SCHEMA alt;
CREATE SCHEMA app;
CREATE SCHEMA bench;

-- An even pseudo-random number from 0 to below - 1
CREATE FUNCTION bench.pick(n bigint, seed int, below bigint) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (hashint8extended(n, seed) & 9223372036854775807) % below;

CREATE FUNCTION bench.workspace(n bigint) RETURNS uuid
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN md5('workspace ' || n)::uuid;

CREATE FUNCTION bench.organization(n bigint) RETURNS uuid
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN md5('organization ' || n)::uuid;

CREATE FUNCTION bench.user_id(n bigint) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN 'auth0|' || (n + 1);

CREATE TABLE alt.organization AS
SELECT bench.organization(n) AS id
FROM generate_series(1, :organizations) n
ORDER BY id;

CREATE TABLE alt.organization_member AS
SELECT bench.organization(n) AS organization_id, user_id COLLATE "C" AS user_id
FROM (
	VALUES (1, 'big'), (1, 'owner'), (2, 'huge')
	UNION ALL
	SELECT 2 + k, 'few-' || k FROM generate_series(1, 20) k
	UNION ALL
	SELECT o, bench.user_id(u) FROM (
		SELECT u, 23 + o AS o FROM (
			SELECT u, bench.pick(u, 1, :organizations - 22) AS o FROM generate_series(0, :users - 1) u
		) first_one
		UNION ALL
		SELECT u, 23 + (bench.pick(u, 1, :organizations - 22) + 1 + u % (:organizations - 23))
				% (:organizations - 22)
		FROM generate_series(0, :users - 1) u
	) ordinary
) AS members (n, user_id)
ORDER BY organization_id, user_id;

CREATE TABLE alt.workspace AS
SELECT bench.workspace(n) AS id,
	(CASE
		WHEN n BETWEEN 10001 AND 12000 THEN 'half'
		WHEN n BETWEEN 12001 AND 12140 AND few = 0 THEN 'few-' || 1 + (n - 12001) / 7
		ELSE bench.user_id(bench.pick(n, 2, :users))
	END) COLLATE "C" AS owner_id,
	bench.organization(manager) AS managed_by,
	CASE
		WHEN manager IS NULL THEN NULL
		WHEN n <= 12140 AND n % 100 = 0 THEN timestamptz '2099-01-01 00:00+00'
		WHEN n BETWEEN 12141 AND 1000000 AND n % 20 = 1 THEN '2020-01-01 00:00+00'
	END AS managed_until
FROM (
	SELECT n, few, CASE
		WHEN n <= 10000 THEN 1
		WHEN n BETWEEN 12001 AND 12140 THEN CASE WHEN few >= 4 THEN 3 + (n - 12001) / 7 END
		WHEN n > 1000000 AND :huge THEN 2
		WHEN n > 12140 AND n % 2 = 1 THEN 23 + bench.pick(n, 3, :organizations - 22)
	END AS manager
	FROM (SELECT n, (n - 12001) % 7 AS few FROM generate_series(1, :workspaces) n) numbers
) managers
ORDER BY id;

CREATE TABLE alt.workspace_member AS
SELECT bench.workspace(n) AS workspace_id, (CASE
		WHEN n BETWEEN 12001 AND 12140 AND k = 0 AND (n - 12001) % 7 BETWEEN 1 AND 3
		THEN 'few-' || 1 + (n - 12001) / 7
		ELSE bench.user_id((bench.pick(n, 4, :users) + k * (:users / 5 + 1)) % :users)
	END) COLLATE "C" AS user_id
FROM generate_series(1, :workspaces) n, generate_series(0, 3) k
ORDER BY workspace_id, user_id;

ALTER TABLE alt.organization ADD PRIMARY KEY (id);
ALTER TABLE alt.organization_member ADD PRIMARY KEY (organization_id, user_id);
ALTER TABLE alt.workspace ADD PRIMARY KEY (id);
ALTER TABLE alt.workspace_member ADD PRIMARY KEY (workspace_id, user_id);
CREATE INDEX ON alt.organization_member (user_id, organization_id);
CREATE INDEX ON alt.workspace (owner_id);
CREATE INDEX ON alt.workspace (managed_by);
CREATE INDEX ON alt.workspace_member (user_id, workspace_id);

-- ---- the application's table ----

CREATE TABLE app.item (
	id bigint NOT NULL,
	workspace_id uuid NOT NULL,
	created_at timestamptz NOT NULL,
	state int NOT NULL,
	title text NOT NULL
);
INSERT INTO app.item
SELECT id, bench.workspace(CASE
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

-- ---- what the measures ask for ----

ANALYZE;

-- The literal of the query written by hand, for each kind of user
CREATE TABLE bench.granted AS
SELECT u.user_id, array_agg(a.id ORDER BY a.id) AS workspaces
FROM (VALUES ('few-1'), ('big'), ('half')) AS u (user_id)
CROSS JOIN LATERAL (
	SELECT id FROM alt.workspace WHERE owner_id = u.user_id
	UNION
	SELECT workspace_id FROM alt.workspace_member m WHERE m.user_id = u.user_id
	UNION
	SELECT w.id
	FROM alt.workspace w JOIN alt.organization_member o ON o.organization_id = w.managed_by
	WHERE o.user_id = u.user_id AND (w.managed_until IS NULL OR w.managed_until > now())
) a
GROUP BY u.user_id;

-- 250 thousand pairs, each only once: by turns owner, direct member, member of the managing
-- organization, and three of nobody's, for which only chance could give access
CREATE TABLE bench.pair AS
SELECT row_number() OVER (ORDER BY bench.pick(p.n, 6, 1000000), p.n)::int AS n,
	p.user_id, p.workspace_id,
	EXISTS (SELECT FROM alt.workspace w WHERE w.id = p.workspace_id AND w.owner_id = p.user_id)
	OR EXISTS (SELECT FROM alt.workspace_member m
		WHERE m.workspace_id = p.workspace_id AND m.user_id = p.user_id)
	OR EXISTS (SELECT FROM alt.workspace w
		JOIN alt.organization_member o ON o.organization_id = w.managed_by
		WHERE w.id = p.workspace_id AND o.user_id = p.user_id
			AND (w.managed_until IS NULL OR w.managed_until > now())) AS allowed
FROM (
	SELECT DISTINCT ON (user_id, workspace_id) n, user_id, workspace_id
	FROM (
		SELECT n, w.id AS workspace_id, CASE n % 6
			WHEN 0 THEN w.owner_id
			WHEN 1 THEN (SELECT user_id FROM alt.workspace_member m
				WHERE m.workspace_id = w.id LIMIT 1)
			WHEN 2 THEN (SELECT user_id FROM alt.organization_member o
				WHERE o.organization_id = w.managed_by LIMIT 1)
			ELSE bench.user_id(bench.pick(n, 7, :users))
		END AS user_id
		FROM generate_series(1, 300000) n
		JOIN alt.workspace w ON w.id = bench.workspace(CASE n % 6
			WHEN 2 THEN 12141 + bench.pick(n, 8, least(:workspaces, 1000000) - 12160) / 2 * 2
			ELSE 1 + bench.pick(n, 8, :workspaces)
		END)
	) candidates
	WHERE user_id LIKE 'auth0|%'
	ORDER BY user_id, workspace_id
) p;
DELETE FROM bench.pair WHERE n > 250000;
ALTER TABLE bench.pair ADD PRIMARY KEY (n);

-- A thousand users with one pair each, half of them denials
CREATE TABLE bench.known AS
SELECT row_number() OVER (ORDER BY n)::int AS n, user_id, workspace_id, allowed
FROM (
	SELECT *, row_number() OVER (PARTITION BY allowed ORDER BY n) AS place
	FROM (SELECT DISTINCT ON (user_id) * FROM bench.pair WHERE n <= 20000 ORDER BY user_id, n) users
) places
WHERE place <= 500;

-- the same again and again, for loops in the server
CREATE TABLE bench.warm AS
SELECT user_id, workspace_id, allowed FROM generate_series(1, 20) turn, bench.known ORDER BY turn, n;
