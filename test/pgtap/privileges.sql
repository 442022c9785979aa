/*
 * What database roles are allowed to do: who can execute which public functions, and that nobody
 * can access the tables or the internal functions.
 */
BEGIN;
\ir include/setup.sql
\ir include/functions.sql

CREATE FUNCTION test.call(function test.function) RETURNS text STABLE
RETURN coalesce(test.named_call(function.signature, true), 'SELECT * FROM ' || function.signature);

SELECT no_plan();

-- every public function, by a role without privileges, and by a trusted one

SELECT is(test.line(o.state, o.message, NULL),
	CASE WHEN f.open_to = 'everybody' OR f.open_to = 'trusted' AND db_role = 'cnap_test_app'
		THEN test.line('00000', NULL, NULL)
		ELSE test.line('42501', 'permission denied for function ' || split_part(f.signature, '(', 1), NULL)
	END, format('%s by %s', f.signature, db_role))
FROM test.function f, unnest(ARRAY['cnap_test_app', 'cnap_test_visitor']) db_role,
	LATERAL test.attempt(db_role, f.actor, test.call(f)) o
WHERE (f.signature !~ 'protect(_child)?\(' OR db_role = 'cnap_test_app')
	AND f.signature <> 'cnap_position()'	-- is refused in a transaction like this one
ORDER BY f.signature, db_role;
SELECT is(test.line(o.state, o.message, NULL), test.line('42501', 'must be owner of table '
		|| CASE WHEN f.signature ~ 'child' THEN 'entry' ELSE 'document' END, NULL),
	format('%s of another role''s table', f.signature))
FROM test.function f,
	LATERAL test.attempt('cnap_test_visitor', f.actor, test.call(f)) o
WHERE f.signature ~ 'protect(_child)?\('
ORDER BY f.signature;

-- EXECUTE on cnap_trust() granted by mistake lets nobody grant what they could not grant otherwise
GRANT EXECUTE ON FUNCTION cnap_trust(regrole) TO cnap_test_visitor;
SELECT is(test.line(o.state, o.message, o.changed),
	test.line('42501', 'must be superuser to change whom the database trusts', false),
	'cnap_trust() by a role that may execute it, but is not a superuser')
FROM test.attempt('cnap_test_visitor', 'wanda', 'SELECT cnap_trust(''cnap_test_visitor'')') o;
REVOKE EXECUTE ON FUNCTION cnap_trust(regrole) FROM cnap_test_visitor;

-- without a current user: the checks return false, listings are empty or refused, everything else
-- is refused

SELECT is(o.state || coalesce(' ' || nullif(coalesce(o.message, o.result), ''), ''),
	CASE
		WHEN f.signature ~ '_can_access|_has_permission' THEN '00000 false'
		WHEN f.signature ~ 'protected_tables' THEN '00000 test.folder'
		WHEN f.signature = 'cnap_uuid(bigint)' THEN '00000 ' || cnap_uuid(42)
		WHEN f.signature = 'cnap_uuid(text)' THEN '00000 ' || cnap_uuid('acme')
		WHEN f.signature ~ 'cnap_roles' THEN '00000 member'
		WHEN f.signature ~ '_current_user|cnap_workspace_role|protect|_wait' THEN '00000'
		WHEN f.signature ~ '_accessible_workspaces' THEN '00000 {}'
		WHEN f.signature ~ '_authenticate' THEN '00000 wanda'
		ELSE '28000 no current user'
	END, f.signature || ' without a current user')
FROM test.function f,
	LATERAL test.attempt('cnap_test_app', NULL, test.call(f)) o
WHERE f.open_to = 'everybody' AND f.signature NOT IN ('cnap_accepted_findings()', 'cnap_cache_stats()', 'cnap_lint()',
	'cnap_position()')
ORDER BY f.signature;

-- tables, views, sequences, internal functions

SELECT is(test.line(o.state, NULL, o.changed), test.line('42501', NULL, false),
	format('%s by %s', statement, db_role))
FROM unnest(ARRAY['cnap_test_app', 'cnap_test_visitor']) db_role,
	(SELECT format('SELECT FROM %s', oid::regclass) AS statement
		FROM pg_class
		WHERE relnamespace = 'cnap'::regnamespace AND relkind IN ('r', 'v')
	UNION ALL
		SELECT format(statement, oid::regclass)
		FROM pg_class, unnest(ARRAY['DELETE FROM %s', 'INSERT INTO %s SELECT FROM generate_series(1, 0)', 'TRUNCATE %s CASCADE', 'LOCK TABLE %s', 'ALTER TABLE %s DISABLE TRIGGER ALL', 'DROP TABLE %s',
			'CREATE TRIGGER mine AFTER INSERT ON %s FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()']) statement
		WHERE relnamespace = 'cnap'::regnamespace AND relkind = 'r'
	UNION ALL
		SELECT unnest(ARRAY['SELECT nextval(''cnap.audit_log_id_seq'')', 'SELECT setval(''cnap.audit_log_id_seq'', 1)',
			'SELECT last_value FROM cnap.audit_log_id_seq', 'CREATE TABLE cnap.mine ()',
			'UPDATE cnap.workspace SET owner_id = ''nina''',
			'UPDATE cnap.audit_log SET actor = ''nina'''])
	) statements,
	LATERAL test.attempt(db_role, 'wanda', statement) o
ORDER BY statement, db_role;

SELECT set_eq($$
	SELECT p.oid::regprocedure::text, db_role
	FROM pg_proc p, unnest(ARRAY['cnap_test_app', 'cnap_test_visitor']) db_role
	WHERE p.pronamespace = 'cnap'::regnamespace
		AND p.oid::regprocedure::text !~ '^cnap\.(protection(s|_reasons|_plan)\(|published_tables\(|is_|lint_|policies\(|privileges\()'
		AND has_function_privilege(db_role, p.oid, 'EXECUTE')
	$$, $$ VALUES ('cnap.at_first(integer)', 'cnap_test_app'), ('cnap.at_first(integer)', 'cnap_test_visitor'),
		('cnap.fill_workspace()', 'cnap_test_app'), ('cnap.fill_workspace()', 'cnap_test_visitor'),
		('cnap.never()', 'cnap_test_app'), ('cnap.never()', 'cnap_test_visitor'),
		('cnap.parent_visible(boolean)', 'cnap_test_app'),
		('cnap.parent_visible(boolean)', 'cnap_test_visitor'),
		('cnap.parent_visible(boolean,"any")', 'cnap_test_app'),
		('cnap.parent_visible(boolean,"any")', 'cnap_test_visitor'),
		('cnap.reachable(text)', 'cnap_test_app'),
		('cnap.reachable(text)', 'cnap_test_visitor'),
		('cnap.reachable(text,text)', 'cnap_test_app'),
		('cnap.reachable(uuid,text)', 'cnap_test_app'),
		('cnap.row_condition(oid,oid,"char")', 'cnap_test_app'), ('cnap.row_counts(name,oid)', 'cnap_test_app')
	$$, 'besides those that check values or read the catalogs, users can execute only the internal functions that triggers, policies and index conditions call');
SELECT is_empty($$
	SELECT p.oid::regprocedure FROM pg_proc p, test.public_function f
	WHERE p.oid = f.oid AND p.prosecdef
	$$, 'no public function is SECURITY DEFINER');

-- the identity

SELECT is(test.line(o.state, o.message, NULL), expected, format('%s by %s', statement, db_role))
FROM (VALUES
	('cnap_test_visitor', 'SET LOCAL cnap.user_id = ''wanda''',
		test.line('42501', 'permission denied to set parameter "cnap.user_id"', NULL)),
	('cnap_test_visitor', 'SET LOCAL cnap.user_id = ''''',
		test.line('42501', 'permission denied to set parameter "cnap.user_id"', NULL)),
	('cnap_test_visitor', 'SELECT set_config(''cnap.user_id'', ''wanda'', true)',
		test.line('42501', 'permission denied to set parameter "cnap.user_id"', NULL)),
	('cnap_test_visitor', 'ALTER ROLE cnap_test_visitor SET cnap.user_id = ''wanda''',
		test.line('42501', 'permission denied to set parameter "cnap.user_id"', NULL)),
	('cnap_test_visitor', 'SET LOCAL cnap.notify = off',
		test.line('42501', 'permission denied to set parameter "cnap.notify"', NULL)),
	('cnap_test_app', 'SET LOCAL cnap.notify = off',
		test.line('42501', 'permission denied to set parameter "cnap.notify"', NULL)),
	('cnap_test_app', 'SET LOCAL cnap.user_id = ''wanda''', test.line('00000', NULL, NULL)),
	('cnap_test_app', 'SET LOCAL cnap.user_id = '' wanda''',
		test.line('22023', 'invalid value for parameter "cnap.user_id": " wanda"', NULL)),
	('cnap_test_app', format('SET LOCAL cnap.user_id = %L', repeat('x', 256)),
		test.line('22023', format('invalid value for parameter "cnap.user_id": "%s"', repeat('x', 256)), NULL)),
	('cnap_test_app', format('SET LOCAL cnap.user_id = %L', repeat('x', 255)), test.line('00000', NULL, NULL))
	) t (db_role, statement, expected),
	LATERAL test.attempt(db_role, NULL, statement) o;

-- cnap_distrust() revokes everything that was granted

SELECT is(has_parameter_privilege('cnap_test_app', 'cnap.user_id', 'SET')
	AND has_table_privilege('cnap_test_app', 'cnap.workspace', 'REFERENCES')
	AND has_table_privilege('cnap_test_app', 'cnap.organization', 'REFERENCES'), true,
	'a trusted role may set the identity, and reference workspaces and organizations');
SELECT is(test.line(o.state, o.message, NULL), test.line('00000', NULL, NULL), 'a foreign key of a trusted role')
FROM test.attempt('cnap_test_app', NULL, 'CREATE TABLE test.mine (workspace_id uuid REFERENCES cnap.workspace (id))') o;
SELECT is(test.line(o.state, o.message, NULL), test.line('42501', 'permission denied for table workspace', NULL),
	'a foreign key of another role')
FROM test.attempt('cnap_test_visitor', NULL, 'CREATE TABLE test.mine (workspace_id uuid REFERENCES cnap.workspace (id))') o;

SELECT lives_ok('SELECT cnap_trust(''cnap_test_app'')', 'trusting a role twice does no harm');
SELECT lives_ok('SELECT cnap_distrust(''cnap_test_app'')', 'cnap_distrust()');
SELECT lives_ok('SELECT cnap_distrust(''cnap_test_app'')', 'distrusting a role twice does no harm');
SELECT is_empty($$
	SELECT f.oid::regprocedure
	FROM test.public_function f JOIN test.function t ON t.signature = f.oid::regprocedure::text
	WHERE has_function_privilege('cnap_test_app', f.oid, 'EXECUTE') <> (t.open_to = 'everybody')
	$$, 'a distrusted role has what everybody has');
SELECT is(has_parameter_privilege('cnap_test_app', 'cnap.user_id', 'SET')
	OR has_any_column_privilege('cnap_test_app', 'cnap.workspace', 'REFERENCES')
	OR has_any_column_privilege('cnap_test_app', 'cnap.organization', 'REFERENCES'), false,
	'a distrusted role sets no identity, and references nothing');

SELECT finish();
ROLLBACK;
