-- access.sql: the access data of one scale, reproducible
--
-- It is created in the schema alt, for the alternatives, and copied from there into the tables of
-- the extension by load.sql. It is stored in the order of the primary keys, which are random.
-- Variables: users, organizations, workspaces, huge (whether there is a user "huge").
--
-- Everything follows from numbers. The workspaces are
--        1 ..     10000   managed by the organization 1, whose member is "big"
--    10001 ..     12000   owned by "half"
--    12001 ..     12140   seven for each of "few-1" to "few-20": one owned, three as a direct
--                         member, three managed by an organization of theirs
--  1000001 ..   2000000   managed by the organization 2, whose member is "huge" (where it exists)
--  2000001 ..   2010000   managed by the organization 0, whose member is "thin"
-- and the rest, of which every other is managed by one of the organizations from 23 on. Each
-- workspace has four direct members, each user belongs to two organizations.

CREATE SCHEMA alt;
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
FROM generate_series(0, :organizations) n
ORDER BY id;

CREATE TABLE alt.organization_member AS
SELECT bench.organization(n) AS organization_id, user_id COLLATE "C" AS user_id
FROM (
	VALUES (0, 'thin'), (1, 'big'), (1, 'owner'), (2, 'huge')
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
		WHEN n > 2000000 THEN 0
		WHEN n > 1000000 AND :huge THEN 2
		WHEN n > 12140 AND n % 2 = 1 THEN 23 + bench.pick(n, 3, :organizations - 22)
	END AS manager
	FROM (SELECT n, (n - 12001) % 7 AS few
		FROM (SELECT generate_series(1, :workspaces) UNION ALL SELECT generate_series(2000001, 2010000)) n (n)) numbers
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

ANALYZE;
