-- least.sql: a user "tenth" with a thousand workspaces, and two access tokens, one of which is limited to
-- them

DROP TABLE IF EXISTS bench.token, bench.asked, bench.asked_often;
DELETE FROM cnap.access_token WHERE user_id = 'tenth';
INSERT INTO cnap.workspace_member (workspace_id, user_id, role, created_at)
SELECT bench.workspace(n), 'tenth', 'member', '2024-01-01' FROM generate_series(1, 1000) n
ON CONFLICT DO NOTHING;

SET cnap.user_id = 'tenth';
CREATE TABLE bench.token AS
SELECT 'whole' AS name, cnap_create_access_token('whole') AS token
UNION ALL
SELECT 'limited', cnap_create_access_token('limited',
	workspaces => (SELECT array_agg(bench.workspace(n)) FROM generate_series(1, 1000) n));
RESET cnap.user_id;

-- what it asks about, half of which are denials
CREATE TABLE bench.asked AS
SELECT bench.workspace(n) AS workspace_id FROM generate_series(1, 2000) n ORDER BY 1;
CREATE TABLE bench.asked_often AS
SELECT workspace_id FROM generate_series(1, 10) turn, bench.asked ORDER BY turn, workspace_id;

VACUUM (ANALYZE) cnap.workspace_member, bench.token, bench.asked, bench.asked_often;
