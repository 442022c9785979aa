/*
 * What a user sees: cnap_visible_rows() counts what the statements of that role and user
 * get to see and write, refuses roles that the caller cannot become, and executes
 * nobody's code with more rights than the role's.  cnap_compare_protection() says what a
 * plan changes, and changes nothing.
 */
BEGIN;
\ir include/setup.sql
\ir include/consent.sql

SELECT no_plan();

CREATE TABLE test.document (id int PRIMARY KEY, workspace_id uuid NOT NULL REFERENCES cnap.workspace, title text);
CREATE TABLE test.page (id int PRIMARY KEY, document_id int NOT NULL REFERENCES test.document ON DELETE CASCADE);
CREATE TABLE test.country (id int);
INSERT INTO test.document SELECT i, test.id((ARRAY['ws', 'capped', 'free', 'foreign'])[i % 4 + 1]), 't' || i FROM generate_series(1, 40) i;
INSERT INTO test.page SELECT i, i % 40 + 1 FROM generate_series(1, 80) i;
INSERT INTO test.country VALUES (1), (2);
GRANT SELECT, INSERT, UPDATE, DELETE ON test.document, test.page TO cnap_test_app;
GRANT SELECT ON test.country, test.document TO cnap_test_visitor;
SELECT cnap_protect('test.document', write_permission => 'administer'), cnap_protect_child('test.page', 'document_id');

CREATE FUNCTION test.sees(who text, role regrole, schema name DEFAULT NULL) RETURNS text
LANGUAGE sql AS $$
	SELECT coalesce(string_agg(concat_ws(' ', relation, coalesce(visible::text, '-'), coalesce(insertable_workspaces::text, '-'),
		coalesce(updatable::text, '-'), coalesce(deletable::text, '-'), note), '; ' ORDER BY relation::text COLLATE "C"), 'nothing')
	FROM cnap_visible_rows(who, role, schema)
$$;

-- for all users, what it says is what statements do

/* The same numbers, by statements of that role and user that are undone. */
CREATE FUNCTION test.does(who text, db_role text, relation regclass) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	numbers bigint[] := '{}';
	n bigint;
	statement text;
BEGIN
	PERFORM test.become(db_role, who);
	FOREACH statement IN ARRAY ARRAY['SELECT FROM %s', 'UPDATE %s SET id = id', 'DELETE FROM %s'] LOOP
		BEGIN
			EXECUTE format(statement, relation);
			GET DIAGNOSTICS n = ROW_COUNT;
			numbers := numbers || n;
			RAISE SQLSTATE 'UNDO0';
		EXCEPTION WHEN SQLSTATE 'UNDO0' THEN
			NULL;
		WHEN insufficient_privilege THEN
			numbers := numbers || 0::bigint;
		END;
	END LOOP;
	PERFORM test.become('none', NULL);
	RETURN numbers::text;
END
$$;
SELECT is((SELECT array[visible, updatable, deletable]::text FROM cnap_visible_rows(who, 'cnap_test_app') WHERE relation = t),
	test.does(who, 'cnap_test_app', t), format('%s and %s', who, t))
FROM unnest(ARRAY['wanda', 'dora', 'dave', 'olga', 'mia', 'fred', 'nina']) who, unnest('{test.document,test.page}'::regclass[]) t
ORDER BY who, t;

SELECT is(test.sees('wanda', 'cnap_test_app'), 'test.document 30 4 30 30; test.page 60 4 60 60', 'the owner of three workspaces, and of one in which the management has ended');
SELECT is(test.sees('dave', 'cnap_test_app'), 'test.document 30 0 0 0; test.page 60 0 0 0', 'a member does not administer');
SELECT is(test.sees('mia', 'cnap_test_app'), 'test.document 20 1 10 10; test.page 40 1 20 20', 'a manager of two workspaces, capped in one');
SELECT is(test.sees('nina', 'cnap_test_app'), 'test.document 0 0 0 0; test.page 0 0 0 0', 'a stranger');
SELECT is(test.sees('wanda', 'cnap_test_visitor'), 'test.document 30 0 0 0; test.page - 0 - - no privilege to read it', 'a role that may read one of the tables');
SELECT matches(test.sees('nina', 'cnap_test_app', 'test'), 'test.country - 0 - - no privilege to read it', 'a schema: without a privilege');
SELECT matches(test.sees('nina', 'cnap_test_visitor', 'test'), 'test.country 2 0 0 0 not protected', 'a schema: a table that is not protected');
CREATE ROLE cnap_test_bypass BYPASSRLS;
GRANT USAGE ON SCHEMA test TO cnap_test_bypass;
GRANT SELECT, DELETE ON test.document TO cnap_test_bypass;
SELECT matches(test.sees('nina', 'cnap_test_bypass'), '^test.document 40 0 0 40 row-level security does not apply to role "cnap_test_bypass"', 'who bypasses policies sees all, and is told why');
SELECT is(test.sees('nina', 'cnap_test_app', 'nowhere'), 'nothing', 'a schema that does not exist');

-- policies of the table's own, for some roles

CREATE POLICY titles ON test.document AS RESTRICTIVE FOR UPDATE TO cnap_test_app USING (title <> 't2' AND id > 0);
CREATE POLICY none ON test.document AS RESTRICTIVE FOR DELETE TO cnap_test_visitor USING (false);
SELECT is(test.sees('wanda', 'cnap_test_app'), 'test.document 30 4 29 30; test.page 60 4 60 60', 'a policy of the table''s own for that role');
SELECT is((SELECT array[visible, updatable, deletable]::text FROM cnap_visible_rows('wanda', 'cnap_test_app') WHERE relation = 'test.document'::regclass),
	test.does('wanda', 'cnap_test_app', 'test.document'), 'it is what statements do');
DROP POLICY titles ON test.document;
DROP POLICY none ON test.document;

-- what fails is said about the table, and the others are counted

CREATE FUNCTION test.nobodys(int) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RETURN true; END';
REVOKE EXECUTE ON FUNCTION test.nobodys FROM PUBLIC;
CREATE POLICY calls ON test.document AS RESTRICTIVE FOR UPDATE USING (test.nobodys(id));
SELECT is(test.sees('wanda', 'cnap_test_app'), 'test.document - - - - permission denied for function nobodys; test.page 60 4 60 60', 'a policy that fails');
DROP POLICY calls ON test.document;

-- the role's rights are all that a policy's function has, and what it did is undone

CREATE TABLE test.trace (what text);
GRANT INSERT ON test.trace TO cnap_test_visitor;
CREATE FUNCTION test.spy(int) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO test.trace VALUES (current_user);
	PERFORM set_config('role', 'none', true);
	RETURN true;
EXCEPTION WHEN insufficient_privilege THEN
	RAISE EXCEPTION 'as %, %', current_user, SQLERRM;
END
$$;
CREATE POLICY spies ON test.document AS RESTRICTIVE FOR SELECT TO cnap_test_visitor USING (test.spy(id));
SELECT matches(test.sees('wanda', 'cnap_test_visitor'), '^test.document - - - - as cnap_test_visitor, cannot set parameter "role" within security-restricted operation',
	'a function of a policy has only the rights of the role, and no way back');
CREATE OR REPLACE FUNCTION test.spy(int) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO test.trace VALUES (current_user);
	RETURN current_user = 'cnap_test_visitor';
END
$$;
SELECT matches(test.sees('wanda', 'cnap_test_visitor'), '^test.document 30 0 0 0', 'it is executed as the role');
SELECT is_empty('SELECT * FROM test.trace', 'what it wrote is undone');
DROP POLICY spies ON test.document;

-- as whom: the session goes on as it was

SELECT is(test.told(o), expected, format('%s as %s', statement, db_role))
FROM (VALUES
	('cnap_test_app', 'SELECT count(*) FROM cnap_visible_rows(''dave'') WHERE cnap_current_user() = ''wanda''', '00000 2'),
	('none', format('SELECT * FROM cnap_visible_rows(''dave'', %L)', current_role), format('22023 role "%s" is a superuser, to whom policies do not apply', current_role)),
	('none', 'SELECT * FROM cnap_visible_rows(''dave'')', format('22023 role "%s" is a superuser, to whom policies do not apply', current_role)),
	('cnap_test_app', 'SELECT relation FROM cnap_visible_rows(''dave'')', '00000 test.document'),
	('cnap_test_app', 'SELECT * FROM cnap_visible_rows(''dave'', ''cnap_test_visitor'')', '42501 permission denied to set role "cnap_test_visitor"'),
	('cnap_test_app', format('SELECT * FROM cnap_visible_rows(''dave'', %L)', current_role), format('42501 permission denied to set role "%s"', current_role)),
	('cnap_test_visitor', 'SELECT * FROM cnap_visible_rows(''dave'')', '42501 permission denied for function cnap_visible_rows')) t (db_role, statement, expected),
	LATERAL test.attempt(db_role, 'wanda', statement) o;

-- before and after

CREATE SCHEMA shop;
GRANT USAGE ON SCHEMA shop TO cnap_test_app;
CREATE TABLE shop.project (id int PRIMARY KEY, workspace_id uuid NOT NULL, hidden boolean NOT NULL DEFAULT false);
CREATE TABLE shop.task (id int PRIMARY KEY, project_id int NOT NULL REFERENCES shop.project);
CREATE TABLE shop.country (id int PRIMARY KEY);
INSERT INTO shop.project SELECT i, test.id((ARRAY['ws', 'free'])[i % 2 + 1]), i <= 2 FROM generate_series(1, 10) i;
INSERT INTO shop.task SELECT i, i % 10 + 1 FROM generate_series(1, 20) i;
INSERT INTO shop.country VALUES (1);
GRANT SELECT ON ALL TABLES IN SCHEMA shop TO cnap_test_app;
-- a policy from before
ALTER TABLE shop.project ENABLE ROW LEVEL SECURITY;
CREATE POLICY old ON shop.project USING (NOT hidden);

CREATE FUNCTION test.compared(child_column name) RETURNS text
LANGUAGE sql AS $$
	SELECT string_agg(concat_ws(' ', relation, user_id, before, after, note), '; ' ORDER BY user_id, relation::text COLLATE "C")
	FROM cnap_compare_protection('shop', ARRAY['wanda', 'olga'], 'cnap_test_app', child_column => $1)
$$;
CREATE FUNCTION test.catalogs() RETURNS text
LANGUAGE sql AS $$
	SELECT md5(string_agg(t.r, ' ' ORDER BY t.r)) FROM (
		SELECT p::text FROM pg_policy p UNION ALL SELECT c::text FROM pg_class c WHERE relnamespace = 'shop'::regnamespace
		UNION ALL SELECT a::text FROM pg_attribute a WHERE attrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'shop'::regnamespace)
		UNION ALL SELECT tgname::text FROM pg_trigger) t (r)
$$;
CREATE TABLE test.former AS SELECT test.catalogs() AS catalogs;
SELECT is(test.compared(child_column),
	'shop.country olga 1 1 not protected; shop.project olga 8 4; shop.task olga 20 ' || CASE WHEN child_column IS NULL THEN '8' ELSE '10' END
	|| '; shop.country wanda 1 1 not protected; shop.project wanda 8 8; shop.task wanda 20 ' || CASE WHEN child_column IS NULL THEN '16' ELSE '20' END,
	'rows before and after, children by ' || CASE WHEN child_column IS NULL THEN 'policy' ELSE 'column' END)
FROM (VALUES (NULL::name), ('workspace_id')) t (child_column);
SELECT is(test.catalogs(), (SELECT catalogs FROM test.former), 'nothing has changed');
SELECT is(test.told(o), expected, statement)
FROM (VALUES
	('cnap_test_app', 'SELECT count(*) FROM cnap_compare_protection(''shop'', ARRAY[''wanda'']) WHERE before <> after', '00000 0'),
	('cnap_test_visitor', 'SELECT * FROM cnap_compare_protection(''shop'', ARRAY[''wanda''])', '42501 permission denied for function cnap_compare_protection'),
	('cnap_test_app', 'SELECT * FROM cnap_compare_protection(''shop'', ARRAY[''wanda''], ''cnap_test_visitor'')', '42501 permission denied to set role "cnap_test_visitor"'),
	('none', 'SELECT * FROM cnap_compare_protection(''nowhere'', ARRAY[''wanda''], ''cnap_test_app'')', '3F000 schema "nowhere" does not exist'),
	('none', 'SELECT * FROM cnap_compare_protection(''shop'', ARRAY[NULL]::text[])', '22023 users must not contain nulls'),
	('none', 'SELECT * FROM cnap_compare_protection(''shop'', ARRAY['' ''])', '22023 invalid users'),
	('none', 'SELECT * FROM cnap_compare_protection(''shop'', ARRAY[''wanda''], ''cnap_test_app'', write_permission => ''no'')', '22023 permission "no" does not exist')) t (db_role, statement, expected),
	LATERAL test.attempt(db_role, NULL, statement) o;

SELECT finish();
ROLLBACK;
