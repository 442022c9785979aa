/*
 * Lists in pages: put together, they are the whole list, and stay so whatever comes and
 * goes between two of them.
 */
BEGIN;
\ir include/setup.sql
\ir include/functions.sql

SELECT no_plan();

-- "rolf" is in many workspaces, whose names are often the same, by ways that overlap
INSERT INTO cnap.organization_member (organization_id, user_id, role) VALUES (test.id('rival'), 'rolf', 'admin');
INSERT INTO cnap.workspace (id, name, owner_id, managed_by, managed_role, managed_since, managed_access, managed_activation, managed_until)
SELECT md5('page ' || n)::uuid, (ARRAY['same', 'Same', 'sämä', 'a b', 'ab', 'zz'])[1 + n % 6],
	CASE WHEN n % 5 = 0 THEN 'rolf' ELSE 'wanda' END, managed_by, CASE WHEN managed_by IS NOT NULL THEN (ARRAY['member', 'admin'])[1 + n % 2] END,
	CASE WHEN managed_by IS NOT NULL THEN now() END, access, CASE access WHEN 'activated' THEN interval '1 hour' END,
	CASE WHEN n % 20 = 7 THEN now() - interval '1 s' WHEN managed_by IS NOT NULL AND n % 3 = 0 THEN timestamptz '2999-12-31' END
FROM generate_series(1, 80) n,
	LATERAL (SELECT CASE WHEN n % 4 > 0 THEN test.id('rival') END, CASE WHEN n % 4 > 0 THEN (ARRAY['all', 'assigned', 'activated'])[n % 4] END) m (managed_by, access);
INSERT INTO cnap.workspace_member (workspace_id, user_id, role)
SELECT md5('page ' || n)::uuid, 'rolf', (ARRAY['member', 'admin'])[1 + n % 2] FROM generate_series(1, 80) n WHERE n % 3 = 0 AND n % 5 > 0;
INSERT INTO cnap.assignment (workspace_id, user_id, until, reason)
SELECT w.id, 'rolf', CASE w.managed_access WHEN 'activated' THEN timestamptz '2998-12-31' END, CASE w.managed_access WHEN 'activated' THEN 'ticket' END
FROM generate_series(1, 80, 2) n JOIN cnap.workspace w ON w.id = md5('page ' || n)::uuid
WHERE w.managed_access <> 'all' AND (w.managed_until IS NULL OR w.managed_until > now());

-- many users, whose ids are sorted by their bytes, in the workspaces of the tests, by one way or several
INSERT INTO cnap.organization_member (organization_id, user_id, role)
SELECT test.id('vendor'), u || n, CASE WHEN n % 7 = 0 THEN 'admin' ELSE 'member' END
FROM unnest(ARRAY['a', 'B', 'ä', 'b c', '~']) u, generate_series(1, 6) n;
INSERT INTO cnap.workspace_member (workspace_id, user_id, role)
SELECT test.id(w), u || n, CASE WHEN n % 2 = 0 THEN 'admin' ELSE 'member' END
FROM unnest(ARRAY['ws', 'capped', 'ended', 'free', 'assigned', 'activated']) w, unnest(ARRAY['a', 'B', 'c', '_']) u, generate_series(2, 7, 2) n;
INSERT INTO cnap.workspace_member (workspace_id, user_id, role) SELECT test.id('ws'), 'olga', 'member';
INSERT INTO cnap.assignment (workspace_id, user_id) SELECT test.id('assigned'), u || 3 FROM unnest(ARRAY['a', 'B', '~']) u;
INSERT INTO cnap.assignment (workspace_id, user_id, until, reason)
SELECT test.id('activated'), u || n, '2998-12-31', 'ticket' FROM unnest(ARRAY['a', 'B', '~']) u, generate_series(2, 3) n;
-- some of what lets people in has ended, with its rows left as they are
SET LOCAL session_replication_role = replica;
UPDATE cnap.assignment SET until = now() - interval '1 s' WHERE user_id = 'a2';
UPDATE cnap.assignment SET management_id = gen_random_uuid() WHERE user_id = 'B2';
UPDATE cnap.assignment SET membership_id = gen_random_uuid() WHERE user_id IN ('B3', '~2');
SET LOCAL session_replication_role = origin;

/*
 * The rows of a list in pages of max_rows, as the current user sees them.  The list is a
 * call that ends within its arguments, key the column that names the row after which the
 * next page begins.  A user's rows are on one page.
 */
CREATE FUNCTION test.pages(who text, list text, key text, max_rows integer, meanwhile text DEFAULT NULL)
RETURNS TABLE (page integer, "row" text, key_of_row text)
LANGUAGE plpgsql AS $$
DECLARE
	after text;
	rows text[];
	keys text[];
	seen text[] := '{}';
BEGIN
	list := test.expand(list);
	page := 0;
	LOOP
		PERFORM test.become('cnap_test_app', who);
		EXECUTE format('SELECT array_agg(l::text), array_agg(l.%I::text) FROM %s after => %L, max_rows => %L) l',
			key, list, after, max_rows) INTO rows, keys;
		PERFORM set_config('role', 'none', true);
		EXIT WHEN rows IS NULL;
		IF seen && keys OR cardinality(ARRAY(SELECT DISTINCT unnest(keys))) > max_rows THEN
			RAISE EXCEPTION 'page % of % repeats something or is too long: %', page, list, keys;
		END IF;
		seen := seen || keys;
		page := page + 1;
		RETURN QUERY SELECT page, t.* FROM unnest(rows, keys) t;
		after := keys[cardinality(keys)];
		EXIT WHEN max_rows IS NULL;
		IF meanwhile IS NOT NULL THEN
			EXECUTE format(test.expand(meanwhile), after);
		END IF;
	END LOOP;
END
$$;

/* Likewise, put together, and undone. */
CREATE FUNCTION test.paged(who text, list text, key text, max_rows integer, meanwhile text DEFAULT NULL) RETURNS text[]
LANGUAGE plpgsql AS $$
DECLARE
	result text[];
BEGIN
	BEGIN
		result := ARRAY(SELECT key_of_row FROM test.pages(who, list, key, max_rows, meanwhile));
		RAISE SQLSTATE 'UNDO0';
	EXCEPTION
		WHEN SQLSTATE 'UNDO0' THEN
			RETURN result;
	END;
END
$$;

CREATE TABLE test.list (who text, list text, key text);
INSERT INTO test.list VALUES
	('rolf', 'cnap_workspaces(', 'id'), ('wanda', 'cnap_workspaces(', 'id'), ('olga', 'cnap_workspaces(', 'id'),
	('rolf', 'cnap_organization_workspaces({rival}, ', 'id'), ('olga', 'cnap_organization_workspaces({vendor}, ', 'id'),
	('olga', 'cnap_organization_members({vendor}, ', 'user_id');
INSERT INTO test.list
SELECT w.owner_id, format('cnap_workspace_members({%s}, ', n.name), 'user_id' FROM test.named n JOIN cnap.workspace w USING (id) WHERE n.name <> 'foreign';

SELECT is(ARRAY(SELECT "row" FROM test.pages(who, list, key, max_rows)), ARRAY(SELECT "row" FROM test.pages(who, list, key, NULL)),
	format('%s: %s in pages of %s', who, list, max_rows))
FROM test.list, unnest(ARRAY[1, 2, 3, 7, 50, 1000]) max_rows;

-- the lists are not trivial
SELECT cmp_ok((SELECT count(*) FROM test.pages(who, list, key, NULL))::integer, '>', 8, format('%s: %s is long', who, list))
FROM test.list WHERE who <> 'olga' OR key = 'user_id';
SELECT ok(EXISTS (SELECT FROM test.pages('wanda', 'cnap_workspace_members({ws}, ', 'user_id', 3) GROUP BY page HAVING count(*) > 3),
	'somebody''s second way is on the page of the first');

-- the orders

CREATE FUNCTION test.seen(who text, query text) RETURNS text
LANGUAGE sql AS $$ SELECT concat_ws(' ', o.state, o.message, o.result) FROM test.attempt('cnap_test_app', who, query) o $$;
SELECT is(test.seen(who, format('SELECT array_agg(id) FROM cnap_workspaces()')),
	test.seen(who, 'SELECT array_agg(id ORDER BY section, name, id) FROM cnap_workspaces()'), who || ': by section, name and id')
FROM unnest(ARRAY['rolf', 'wanda']) who;
SELECT is(test.seen('rolf', 'SELECT array_agg(id) FROM cnap_organization_workspaces({rival})'),
	test.seen('rolf', 'SELECT array_agg(id ORDER BY name, id) FROM cnap_organization_workspaces({rival})'), 'by name and id');
SELECT is(test.seen('olga', 'SELECT array_agg(user_id) FROM cnap_organization_members({vendor})'),
	test.seen('olga', 'SELECT array_agg(user_id ORDER BY user_id COLLATE "C") FROM cnap_organization_members({vendor})'), 'by user_id');
SELECT is(test.seen('wanda', 'SELECT array_agg(user_id || via) FROM cnap_workspace_members({ws})'),
	test.seen('wanda', 'SELECT array_agg(user_id || via ORDER BY user_id COLLATE "C", via) FROM cnap_workspace_members({ws})'), 'by user_id and way');

-- The members of a workspace are those whom way_in lists, and those who could activate its management.
SELECT results_eq(format('SELECT user_id, role, via, organization, since, until FROM cnap.list_workspace_members(%L, NULL, NULL) WHERE active', id),
	format('SELECT user_id::text, role, via, organization_id, since, until FROM cnap.way_in WHERE workspace_id = %L ORDER BY user_id, via', id), 'way_in: ' || id)
FROM (SELECT id FROM cnap.workspace) w;
SELECT results_eq(format('SELECT user_id, role, until FROM cnap.list_workspace_members(%L, NULL, NULL) WHERE NOT active', id),
	format($$
		SELECT m.user_id::text, w.managed_role, w.managed_until FROM cnap.workspace w JOIN cnap.organization_member m ON m.organization_id = w.managed_by
		WHERE w.id = %L AND w.managed_access = 'activated' AND (w.managed_until IS NULL OR w.managed_until > now())
			AND NOT EXISTS (SELECT FROM cnap.way_in i WHERE i.workspace_id = w.id AND i.user_id = m.user_id AND i.via = 'organization')
		ORDER BY m.user_id
		$$, id), 'those who could: ' || id)
FROM (SELECT id FROM cnap.workspace) w;
SELECT ok(bool_or(active) AND bool_or(NOT active), 'there are both')
FROM cnap.list_workspace_members(test.id('activated'), NULL, NULL) WHERE via = 'organization';

-- what goes between two pages is not missed, and nothing else is

SELECT is(test.paged('wanda', 'cnap_workspace_members({free}, ', 'user_id', 2, 'DELETE FROM cnap.workspace_member WHERE workspace_id = {free} AND user_id = %L'),
	test.paged('wanda', 'cnap_workspace_members({free}, ', 'user_id', NULL), 'each last member of a page leaves');
SELECT is(test.paged('olga', 'cnap_organization_members({vendor}, ', 'user_id', 2, 'DELETE FROM cnap.organization_member WHERE organization_id = {vendor} AND user_id = %L AND role <> ''owner'''),
	test.paged('olga', 'cnap_organization_members({vendor}, ', 'user_id', NULL), 'likewise of an organization');
SELECT is(test.paged('rolf', 'cnap_workspaces(', 'id', 3, format($$
		DELETE FROM cnap.workspace WHERE id <> %%L AND id = ANY (%L::uuid[])$$, (test.paged('rolf', 'cnap_workspaces(', 'id', NULL))[1:2])),
	test.paged('rolf', 'cnap_workspaces(', 'id', NULL), 'workspaces of the first page are deleted');

-- a page begins where the workspace is that it is to follow, even if that has moved
SELECT is(test.paged('olga', 'cnap_organization_workspaces({vendor}, ', 'id', 2, 'UPDATE cnap.workspace SET name = ''zzz'' WHERE id = %L'),
	(test.paged('olga', 'cnap_organization_workspaces({vendor}, ', 'id', NULL))[1:2], 'the last workspace of a page is renamed');
SELECT is(test.paged('wanda', 'cnap_workspaces(', 'id', 2, $$
	UPDATE cnap.workspace SET owner_id = 'zoe' WHERE id = %1$L;
	INSERT INTO cnap.workspace_member (workspace_id, user_id, role) VALUES (%1$L, 'wanda', 'admin')$$),
	(test.paged('wanda', 'cnap_workspaces(', 'id', NULL))[1:2], 'the last workspace of a page is given away');

-- refusals

SELECT is(test.seen(who, 'SELECT count(*) FROM ' || list), expected, format('%s: %s', who, list))
FROM (VALUES
	('rolf', 'cnap_workspaces(after => {unknown})', 'unknown'), ('rolf', 'cnap_workspaces(after => {free})', 'free'),
	('olga', 'cnap_workspaces(after => {ended})', 'ended'), ('mia', 'cnap_workspaces(after => {activated})', 'activated'),
	('olga', 'cnap_workspaces(after => {foreign}, max_rows => 1)', 'foreign'),
	('olga', 'cnap_organization_workspaces({vendor}, after => {ended})', 'ended'), ('olga', 'cnap_organization_workspaces({vendor}, {free}, 1)', 'free'),
	('olga', 'cnap_organization_workspaces({vendor}, {unknown}, 1)', 'unknown')) t (who, list, name),
	LATERAL (SELECT format('42704 workspace "%s" does not exist', test.id(name))) e (expected);
SELECT is(test.seen('wanda', format('SELECT count(*) FROM %s', list)), expected, list)
FROM (VALUES
	('cnap_workspaces(max_rows => 0)', '22023 max_rows must be positive'), ('cnap_workspaces(max_rows => -1)', '22023 max_rows must be positive'),
	('cnap_workspace_members({ws}, max_rows => 0)', '22023 max_rows must be positive'), ('cnap_workspace_members({ws}, '''')', '22023 invalid after'),
	('cnap_workspace_members(NULL, ''a'', 1)', '22023 workspace is required'), ('cnap_organization_members(NULL)', '22023 organization is required'),
	('cnap_organization_workspaces(NULL)', '22023 organization is required'),
	('cnap_workspace_members({foreign}, ''a'', 1)', format('42704 workspace "%s" does not exist', test.id('foreign'))),
	('cnap_organization_members({vendor}, ''a'', 1)', format('42704 organization "%s" does not exist', test.id('vendor'))),
	('cnap_organization_workspaces({vendor}, {ws}, 1)', format('42704 organization "%s" does not exist', test.id('vendor'))),
	('cnap_workspace_members({ws}, ''ü'', 1)', '00000 0'), ('cnap_workspace_members({ws}, ''ola'', 1)', '00000 2')) t (list, expected);
SELECT is(o.state || ' ' || o.message, '28000 no current user', 'a page of nobody''s workspaces')
FROM test.attempt('none', NULL, 'SELECT count(*) FROM cnap_workspaces({ws}, 1)') o;
SELECT is(o.state || ' ' || o.result, '00000 1', 'pages for the system: ' || list)
FROM unnest(ARRAY['cnap_workspace_members({ws}, ''b'', 1)', 'cnap_organization_members({vendor}, ''b'', 1)', 'cnap_organization_workspaces({vendor}, {assigned}, 1)']) list,
	LATERAL test.attempt('none', NULL, 'SELECT count(*) FROM ' || list) o;

SELECT finish();
ROLLBACK;
