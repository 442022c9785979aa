-- questions.sql: the checks and queries of the measures
--
-- Variables: users, workspaces.

DROP TABLE IF EXISTS bench.granted, bench.pair, bench.known, bench.warm;

-- The literal of the query written by hand, for each kind of user
CREATE TABLE bench.granted AS
SELECT u.user_id, array_agg(a.id ORDER BY a.id) AS workspaces
FROM (VALUES ('few-1'), ('big'), ('half'), ('thin')) AS u (user_id)
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

-- 120 thousand pairs, each only once: half of them allowed, alternately as the owner, a direct
-- member and a member of the managing organization; the others are random
CREATE TABLE bench.pair AS
WITH candidate AS (
	SELECT DISTINCT ON (user_id, workspace_id) n, user_id, workspace_id
	FROM (
		SELECT n, w.id AS workspace_id, CASE
			WHEN n % 12 = 0 THEN w.owner_id
			WHEN n % 12 < 4 THEN (
				SELECT user_id FROM alt.workspace_member m WHERE m.workspace_id = w.id
				ORDER BY user_id OFFSET bench.pick(n, 9, 4) LIMIT 1)
			WHEN n % 12 < 6 THEN (
				SELECT user_id FROM alt.organization_member o WHERE o.organization_id = w.managed_by
				ORDER BY user_id OFFSET bench.pick(n, 9, 15) LIMIT 1)
			ELSE bench.user_id(bench.pick(n, 7, :users))
		END AS user_id
		FROM generate_series(1, 220000) n
		JOIN alt.workspace w ON w.id = bench.workspace(CASE
			WHEN n % 12 IN (4, 5) THEN 12141 + bench.pick(n, 8, least(:workspaces, 1000000) - 12160) / 2 * 2
			ELSE 1 + bench.pick(n, 8, :workspaces)
		END)
	) proposed
	WHERE user_id LIKE 'auth0|%'
	ORDER BY user_id, workspace_id
), answered AS (
	SELECT c.*,
		EXISTS (SELECT FROM alt.workspace w WHERE w.id = c.workspace_id AND w.owner_id = c.user_id)
		OR EXISTS (SELECT FROM alt.workspace_member m
			WHERE m.workspace_id = c.workspace_id AND m.user_id = c.user_id)
		OR EXISTS (SELECT FROM alt.workspace w
			JOIN alt.organization_member o ON o.organization_id = w.managed_by
			WHERE w.id = c.workspace_id AND o.user_id = c.user_id
				AND (w.managed_until IS NULL OR w.managed_until > now())) AS allowed
	FROM candidate c
), placed AS (
	SELECT *, row_number() OVER (PARTITION BY allowed ORDER BY bench.pick(n, 6, 1000000), n) AS place
	FROM answered
)
SELECT row_number() OVER (ORDER BY place, allowed)::int AS n, user_id, workspace_id, allowed
FROM placed
WHERE place <= 60000;
ALTER TABLE bench.pair ADD PRIMARY KEY (n);

-- A thousand users with one pair each, half of them denials
CREATE TABLE bench.known AS
SELECT row_number() OVER (ORDER BY place, allowed)::int AS n, user_id, workspace_id, allowed
FROM (
	SELECT *, row_number() OVER (PARTITION BY allowed ORDER BY n) AS place
	FROM (SELECT DISTINCT ON (user_id) * FROM bench.pair WHERE n <= 20000 ORDER BY user_id, n) users
) places
WHERE place <= 500;

-- repeated checks of the same pairs, for loops in the server
CREATE TABLE bench.warm AS
SELECT user_id, workspace_id, allowed FROM generate_series(1, 20) turn, bench.known ORDER BY turn, n;

VACUUM (ANALYZE) bench.granted, bench.pair, bench.known, bench.warm;
