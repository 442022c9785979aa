-- alternatives.sql: policies that people write for the same model today, each on a table of its
-- own
--
-- They read copies of the access tables with the same relevant columns, indexes and collation, and
-- take the user from a custom setting.

CREATE OR REPLACE FUNCTION alt.check_a(who text, workspace uuid) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE AS $$
	SELECT EXISTS (SELECT FROM alt.workspace w WHERE w.id = workspace AND w.owner_id = who)
		OR EXISTS (SELECT FROM alt.workspace_member m
			WHERE m.workspace_id = workspace AND m.user_id = who)
		OR EXISTS (SELECT FROM alt.workspace w
			JOIN alt.organization_member o ON o.organization_id = w.managed_by
			WHERE w.id = workspace AND o.user_id = who
				AND (w.managed_until IS NULL OR w.managed_until > now()))
$$;

-- likewise as SECURITY DEFINER
DO $$
BEGIN
	EXECUTE replace(pg_get_functiondef('alt.check_a'::regproc), 'alt.check_a', 'alt.check_b');
	ALTER FUNCTION alt.check_b SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
END
$$;

CREATE OR REPLACE FUNCTION alt.check_c(who text, workspace uuid) RETURNS boolean
LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
BEGIN
	IF EXISTS (SELECT FROM alt.workspace w WHERE w.id = workspace AND w.owner_id = who) THEN
		RETURN true;
	END IF;
	IF EXISTS (SELECT FROM alt.workspace_member m
			WHERE m.workspace_id = workspace AND m.user_id = who) THEN
		RETURN true;
	END IF;
	RETURN EXISTS (SELECT FROM alt.workspace w
		JOIN alt.organization_member o ON o.organization_id = w.managed_by
		WHERE w.id = workspace AND o.user_id = who
			AND (w.managed_until IS NULL OR w.managed_until > now()));
END
$$;

CREATE OR REPLACE FUNCTION alt.my_workspaces() RETURNS SETOF uuid
LANGUAGE sql STABLE PARALLEL SAFE AS $$
	SELECT w.id FROM alt.workspace w WHERE w.owner_id = current_setting('bench.user_id')
	UNION ALL
	SELECT m.workspace_id FROM alt.workspace_member m
	WHERE m.user_id = current_setting('bench.user_id')
	UNION ALL
	SELECT w.id
	FROM alt.workspace w JOIN alt.organization_member o ON o.organization_id = w.managed_by
	WHERE o.user_id = current_setting('bench.user_id')
		AND (w.managed_until IS NULL OR w.managed_until > now())
$$;

DROP TABLE IF EXISTS bench.policy;
CREATE TABLE bench.policy (variant text PRIMARY KEY, expression text NOT NULL);
INSERT INTO bench.policy VALUES
	('trivial', 'bench.trivial(workspace_id)'),
	('a', $$alt.check_a(current_setting('bench.user_id'), workspace_id)$$),
	('b', $$alt.check_b(current_setting('bench.user_id'), workspace_id)$$),
	('c', $$alt.check_c(current_setting('bench.user_id'), workspace_id)$$),
	('d', $$EXISTS (SELECT FROM alt.workspace w
			WHERE w.id = workspace_id AND w.owner_id = current_setting('bench.user_id'))
		OR EXISTS (SELECT FROM alt.workspace_member m
			WHERE m.workspace_id = item.workspace_id AND m.user_id = current_setting('bench.user_id'))
		OR EXISTS (SELECT FROM alt.workspace w
			JOIN alt.organization_member o ON o.organization_id = w.managed_by
			WHERE w.id = workspace_id AND o.user_id = current_setting('bench.user_id')
				AND (w.managed_until IS NULL OR w.managed_until > now()))$$),
	('e', $$workspace_id IN (
		SELECT w.id FROM alt.workspace w WHERE w.owner_id = current_setting('bench.user_id')
		UNION ALL
		SELECT m.workspace_id FROM alt.workspace_member m
		WHERE m.user_id = current_setting('bench.user_id')
		UNION ALL
		SELECT w.id
		FROM alt.workspace w JOIN alt.organization_member o ON o.organization_id = w.managed_by
		WHERE o.user_id = current_setting('bench.user_id')
			AND (w.managed_until IS NULL OR w.managed_until > now()))$$),
	('f', 'workspace_id = ANY (ARRAY(SELECT alt.my_workspaces()))');
