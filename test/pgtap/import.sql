/*
 * Importing organizations, workspaces and members: what is refused, that the list of
 * problems is what the constraints say, that it is all or nothing, and what is left
 * in the audit log.
 */
BEGIN;
\ir include/setup.sql
\ir include/consent.sql

SELECT no_plan();

-- ids: the rule is fixed, since other tables are filled by it

SELECT is(cnap_uuid(id), expected::uuid, 'the id for number ' || id)
FROM (VALUES (1, '00000000-0000-8000-8000-000000000001'), (42, '00000000-0000-8000-8000-00000000002a'), (0, '00000000-0000-8000-8000-000000000000'),
	(281474976710655, '00000000-0000-8000-8000-ffffffffffff'), (281474976710656, '00000001-0000-8000-8000-000000000000'),
	(9223372036854775807, '00007fff-0000-8000-8000-ffffffffffff'), (-1, '0000ffff-0000-8000-8000-ffffffffffff')) t (id, expected);
SELECT is(cnap_uuid(id), expected::uuid, format('the id for the text "%s"', id))
FROM (VALUES ('42', '00000000-0000-8000-8000-00000000002a'), ('-1', '0000ffff-0000-8000-8000-ffffffffffff'), ('0', '00000000-0000-8000-8000-000000000000'),
	('-9223372036854775808', '00008000-0000-8000-8000-000000000000'),
	('4f1c1dad-a924-4653-9a98-109853e84f8a', '4f1c1dad-a924-4653-9a98-109853e84f8a'),
	('4F1C1DADA92446539A98109853E84F8A', '4f1c1dad-a924-4653-9a98-109853e84f8a'),
	('{4f1c1dad-a9244653-9a98109853e84f8a}', '4f1c1dad-a924-4653-9a98-109853e84f8a')) t (id, expected);
SELECT is(cnap_uuid(id), overlay(overlay(left(encode(sha256(convert_to(id, 'UTF8')), 'hex'), 32) PLACING '8' FROM 13 FOR 1)
		PLACING to_hex(get_byte(sha256(convert_to(id, 'UTF8')), 8) >> 4 & 3 | 8) FROM 17 FOR 1)::uuid,
	format('the id for the text "%s" is made of its SHA-256', id))
FROM unnest(ARRAY['', ' ', 'acme', 'Acme', 'ä', '042', '+42', '-0', '-', '9223372036854775808', '-9223372036854775809', '1e3', '4f1c1dad-a924-4653-9a98-109853e84f8', '4f1c1dad--a924-4653-9a98-109853e84f8a', '{4f1c1dad-a924-4653-9a98-109853e84f8a', '4f1c1dad-a924-4653-9a98-109853e84f8a-', '-4f1c1dad-a924-4653-9a98-109853e84f8a', '4f-1c1dad-a924-4653-9a98-109853e84f8a']) id;
SELECT is(array_agg(cnap_uuid(n) ORDER BY n), array_agg(cnap_uuid(n) ORDER BY cnap_uuid(n)), 'numbers keep their order')
FROM unnest('{0,1,15,16,255,65536,281474976710656,9223372036854775807}'::bigint[]) n;

-- the problems of rows, each by itself

CREATE FUNCTION test.problems(kind text, rows text, skip boolean DEFAULT false) RETURNS text
LANGUAGE sql AS $$
	SELECT coalesce(string_agg(concat_ws(' ', n, problem), '; ' ORDER BY n, problem), 'none')
	FROM cnap_check_import(kind, test.expand(rows)::jsonb, skip)
$$;

/* A row that is good, and another one that differs in some members. */
CREATE TABLE test.good (kind text PRIMARY KEY, good jsonb);
INSERT INTO test.good VALUES
	('organizations', '{"id": 7, "name": "Seven", "owner_id": "sven"}'),
	('organization_members', jsonb_build_object('organization_id', test.id('vendor'), 'user_id', 'nina')),
	('workspaces', '{"id": 7, "name": "Seven", "owner_id": "sven"}'),
	('workspace_members', jsonb_build_object('workspace_id', test.id('ws'), 'user_id', 'nina'));

CREATE FUNCTION test.attempt_import(kind text, rows jsonb) RETURNS test.outcome
LANGUAGE sql AS $$
	SELECT test.attempt('none', NULL, format('SELECT cnap_import(%L, %L)', kind, rows))
$$;

CREATE TABLE test.bad (kind text, what text, difference jsonb, problem text);
INSERT INTO test.bad
	SELECT kind, what, difference, problem
	FROM (VALUES
		('organizations', 'nothing', '{}'::jsonb, NULL),
		('organizations', 'everything', '{"slug": "seven", "logo": "https://seven.example/", "management_email": "a@seven.example", "customer_id": "c-7",
			"accepts": "links", "metadata": {"a": 1}, "created_by": "sven", "created_at": "2020-02-29T12:00:00+00:00"}', NULL),
		('organizations', 'nulls', '{"slug": null, "logo": null, "management_email": null, "customer_id": null, "accepts": null, "metadata": null,
			"created_by": null, "created_at": null}', NULL),
		('organizations', 'empty', '{"slug": "", "logo": "", "management_email": "", "customer_id": "", "accepts": "", "created_by": "", "created_at": ""}', NULL),
		('organizations', 'no id', '{"id": null}', 'id is required'), ('organizations', 'empty id', '{"id": ""}', 'id is required'),
		('organizations', 'an id that is none', '{"id": true}', 'id is required'), ('organizations', 'an id of objects', '{"id": {"a": 1}}', 'id is required'),
		('organizations', 'no name', '{"name": null}', 'name is required'), ('organizations', 'empty name', '{"name": ""}', 'name is required'),
		('organizations', 'blank name', '{"name": " "}', 'invalid name'), ('organizations', 'a name that nobody sees', '{"name": "Sev\u200ben"}', 'invalid name'),
		('organizations', 'no owner', '{"owner_id": null}', 'owner_id is required'), ('organizations', 'blank owner', '{"owner_id": " "}', 'invalid owner_id'),
		('organizations', 'slug', '{"slug": "Seven"}', 'invalid slug'), ('organizations', 'slug that is taken', '{"slug": "vendor"}', 'slug is that of an organization that exists'),
		('organizations', 'logo', '{"logo": "http://seven.example"}', 'invalid logo'),
		('organizations', 'address', '{"management_email": "nobody"}', 'invalid management_email'),
		('organizations', 'customer_id', '{"customer_id": " "}', 'invalid customer_id'), ('organizations', 'accepts', '{"accepts": "nobody"}', 'invalid accepts'),
		('organizations', 'metadata', '{"metadata": []}', 'invalid metadata'), ('organizations', 'creator', '{"created_by": " x"}', 'invalid created_by'),
		('organizations', 'month', '{"created_at": "2020-13-01"}', 'created_at is not a moment'), ('organizations', 'day', '{"created_at": "2019-02-29"}', 'created_at is not a moment'),
		('organizations', 'year', '{"created_at": "300000-01-01"}', 'created_at is not a moment'),
		('organizations', 'no time', '{"created_at": "yes"}', 'created_at is not a moment'), ('organizations', 'never', '{"created_at": "infinity"}', 'created_at is not a moment'),
		('organizations', 'a number for a moment', '{"created_at": 1600000000}', 'created_at is not a moment'),
		('organizations', 'a column too much', '{"title": "Seven"}', '"title" is no column to import'),
		('organization_members', 'nothing', '{}', NULL), ('organization_members', 'everything', '{"role": "admin", "added_by": "olga", "created_at": "2020-02-29"}', NULL),
		('organization_members', 'nowhere', '{"organization_id": 8}', 'the organization does not exist'),
		('organization_members', 'no organization', '{"organization_id": null}', 'organization_id is required'),
		('organization_members', 'no user', '{"user_id": null}', 'user_id is required'), ('organization_members', 'blank user', '{"user_id": " "}', 'invalid user_id'),
		('organization_members', 'role', '{"role": "editor"}', 'role "editor" does not exist'), ('organization_members', 'role of workspaces', '{"role": "own_role"}', 'role "own_role" does not exist'),
		('organization_members', 'a member with another role', '{"user_id": "mia", "role": "admin"}', 'is a member already, as member'),
		('organization_members', 'adder', '{"added_by": " "}', 'invalid added_by'), ('organization_members', 'moment', '{"created_at": "x"}', 'created_at is not a moment'),
		('organization_members', 'a column too much', '{"id": 7}', '"id" is no column to import'),
		('workspaces', 'nothing', '{}', NULL),
		('workspaces', 'no id', '{"id": null}', 'id is required'), ('workspaces', 'no name', '{"name": null}', 'name is required'), ('workspaces', 'name', '{"name": "\n"}', 'invalid name'),
		('workspaces', 'no owner', '{"owner_id": ""}', 'owner_id is required'), ('workspaces', 'owner', '{"owner_id": "x "}', 'invalid owner_id'),
		('workspaces', 'manager', '{"managed_by": 8}', 'the managing organization does not exist'),
		('workspaces', 'terms alone', '{"managed_role": "admin"}', 'terms of management without managed_by'),
		('workspaces', 'another term alone', '{"managed_access": "all"}', 'terms of management without managed_by'),
		('workspaces', 'address', '{"billing_email": "x"}', 'invalid billing_email'), ('workspaces', 'customer_id', '{"customer_id": " "}', 'invalid customer_id'),
		('workspaces', 'metadata', '{"metadata": 1}', 'invalid metadata'), ('workspaces', 'moments', '{"created_at": "x"}', 'created_at is not a moment'),
		('workspaces', 'a column too much', '{"slug": "seven"}', '"slug" is no column to import'),
		('workspace_members', 'nothing', '{}', NULL), ('workspace_members', 'everything', '{"role": "own_role", "added_by": "wanda", "created_at": "2020-02-29"}', NULL),
		('workspace_members', 'nowhere', '{"workspace_id": "acme"}', 'the workspace does not exist'),
		('workspace_members', 'no workspace', '{"workspace_id": null}', 'workspace_id is required'),
		('workspace_members', 'no user', '{"user_id": ""}', 'user_id is required'), ('workspace_members', 'user', '{"user_id": " x"}', 'invalid user_id'),
		('workspace_members', 'role', '{"role": "editor"}', 'role "editor" does not exist'),
		('workspace_members', 'another owner', '{"role": "owner"}', 'the workspace has another owner; import this one as admin'),
		('workspace_members', 'a member with another role', '{"user_id": "dave", "role": "admin"}', 'is a member already, as member'),
		('workspace_members', 'a column too much', '{"role_id": 7}', '"role_id" is no column to import')) t (kind, what, difference, problem)
	UNION ALL
	SELECT 'workspaces', what, jsonb_build_object('managed_by', test.id('vendor')) || difference, problem
	FROM (VALUES ('managed', '{}'::jsonb, NULL), ('managed by a role', '{"managed_role": "own_role", "managed_until": "2999-01-01", "managed_since": "2020-01-01"}', NULL),
		('some of the managers', '{"managed_access": "activated"}', NULL), ('access', '{"managed_access": "some"}', 'invalid managed_access'),
		('role', '{"managed_role": "owner"}', 'a manager cannot be owner'), ('unknown role', '{"managed_role": "editor"}', 'a manager cannot be editor'),
		('end', '{"managed_until": "soon"}', 'managed_until is not a moment'), ('begin', '{"managed_since": "once"}', 'managed_since is not a moment')) t (what, difference, problem);

SELECT is(test.problems(kind, jsonb_build_array(good || difference)::text), coalesce('1 ' || problem, 'none'),
	format('%s with %s: the problems', kind, what))
FROM test.bad JOIN test.good USING (kind) ORDER BY kind, what;
SELECT is(test.line(o.state, o.message, o.changed), CASE WHEN problem IS NULL THEN test.line('00000', NULL, true)
		ELSE test.line('22023', '1 of 1 rows cannot be imported', false) END,
	format('%s with %s: the import', kind, what))
FROM test.bad JOIN test.good USING (kind), LATERAL test.attempt_import(kind, jsonb_build_array(good || difference)) o
ORDER BY kind, what;

-- what rows are to each other, and to what exists

SELECT is(test.problems(kind, rows, skip), expected, format('%s %s', kind, rows))
FROM (VALUES
	('organizations', '[]', false, 'none'),
	('organizations', '[1, "a", null, []]', false, '1 is no object; 2 is no object; 3 is no object; 4 is no object'),
	('organizations', '[{"id": 7, "name": "a", "owner_id": "x"}, {"id": "7", "name": "b", "owner_id": "x"}]', false, '1 has the id of another row; 2 has the id of another row'),
	('organizations', '[{"id": 7, "name": "a", "owner_id": "x", "slug": "s"}, {"id": 8, "name": "b", "owner_id": "x", "slug": "s"}]', false,
		'1 slug is that of another row; 2 slug is that of another row'),
	('organizations', '[{"name": "a"}, {"name": "b"}]', false, '1 id is required; 1 owner_id is required; 2 id is required; 2 owner_id is required'),
	('workspaces', '[{"id": 7, "name": "a", "owner_id": "x"}, {"id": 7, "name": "b", "owner_id": "x"}, {"id": 8, "name": "b", "owner_id": "x"}]', false,
		'1 has the id of another row; 2 has the id of another row')) t (kind, rows, skip, expected);
SELECT is(test.problems(kind, replace(jsonb_build_array(row)::text, '"', '"'), skip), expected, format('%s that exist, %s', kind, CASE WHEN skip THEN 'skipped' ELSE 'refused' END))
FROM (VALUES
	('organizations', jsonb_build_object('id', test.id('vendor'), 'name', 'x', 'owner_id', 'y'), false, '1 exists already'),
	('organizations', jsonb_build_object('id', test.id('vendor'), 'name', 'x', 'owner_id', 'y'), true, 'none'),
	('workspaces', jsonb_build_object('id', test.id('ws'), 'name', 'x', 'owner_id', 'y'), false, '1 exists already'),
	('workspaces', jsonb_build_object('id', test.id('ws'), 'name', 'x', 'owner_id', 'y'), true, 'none'),
	('organization_members', jsonb_build_object('organization_id', test.id('vendor'), 'user_id', 'mia'), false, 'none'),
	('organization_members', jsonb_build_object('organization_id', test.id('vendor'), 'user_id', 'mia', 'role', 'owner'), true, 'none'),
	('workspace_members', jsonb_build_object('workspace_id', test.id('ws'), 'user_id', 'dave'), false, 'none'),
	('workspace_members', jsonb_build_object('workspace_id', test.id('ws'), 'user_id', 'wanda', 'role', 'owner'), false, 'none'),
	('workspace_members', jsonb_build_object('workspace_id', test.id('ws'), 'user_id', 'dave', 'role', 'admin'), true, 'none')) t (kind, row, skip, expected);

-- nobody is demoted or replaced by a row about somebody who is there

SELECT is(test.told(test.try_after(ARRAY[
		format('system: SELECT cnap_import(''organization_members'', ''[{"organization_id": "%s", "user_id": "olga", "role": "member"}]'', skip_existing => true)', test.id('vendor')),
		format('system: SELECT cnap_import(''workspace_members'', ''[{"workspace_id": "%s", "user_id": "wanda", "role": "member"}, {"workspace_id": "%1$s", "user_id": "dora", "role": "member"}]'', skip_existing => true)', test.id('ws')),
		format('system: SELECT cnap_import(''workspaces'', ''[{"id": "%s", "name": "Mine", "owner_id": "eve"}]'', skip_existing => true)', test.id('ws'))],
	'none', NULL, $$SELECT concat_ws(' ', (SELECT role FROM cnap.organization_member WHERE organization_id = {vendor} AND user_id = 'olga'),
		(SELECT role FROM cnap.workspace_member WHERE workspace_id = {ws} AND user_id = 'dora'),
		(SELECT count(*) FROM cnap.workspace_member WHERE workspace_id = {ws} AND user_id = 'wanda'),
		(SELECT owner_id || name FROM cnap.workspace WHERE id = {ws}))$$)),
	'00000 owner admin 0 wandaManaged', 'what exists stays as it is');

-- all or nothing, and the first ten problems

SELECT is(test.line(o.state, o.message, o.changed), test.line('22023', '1 of 3 rows cannot be imported', false), 'one bad row keeps all from being imported')
FROM test.attempt_import('organizations', '[{"id": 7, "name": "a", "owner_id": "x"}, {"id": 8, "name": "", "owner_id": "x"}, {"id": 9, "name": "c", "owner_id": "x"}]') o;
CREATE FUNCTION test.detail(kind text, rows jsonb) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	detail text;
BEGIN
	PERFORM cnap_import(kind, rows);
	RETURN 'imported';
EXCEPTION WHEN invalid_parameter_value THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
	RETURN detail;
END
$$;
SELECT is(test.detail('workspace_members', (SELECT jsonb_agg(jsonb_build_object('workspace_id', i, 'user_id', 'u')) FROM generate_series(1, 12) i)),
	(SELECT string_agg(format('Row %s (%1$s, u): the workspace does not exist.', i), ' ' ORDER BY i) FROM generate_series(1, 10) i),
	'the detail has the first ten problems');

-- what is imported, and what the audit log says

CREATE FUNCTION test.imported(audit boolean) RETURNS SETOF text
LANGUAGE plpgsql AS $$
DECLARE
	counts bigint[];
BEGIN
	counts := ARRAY[
		cnap_import('organizations', '[{"id": 7, "name": "Seven", "owner_id": "sven", "slug": "seven", "created_at": "2020-01-01T00:00:00Z"},
			{"id": 8, "name": "Eight", "owner_id": "ada"}]', audit),
		cnap_import('organization_members', '[{"organization_id": 7, "user_id": "sven", "role": "owner"},
			{"organization_id": 7, "user_id": "nina", "role": "owner", "added_by": "sven", "created_at": "2020-01-02T00:00:00Z"}]', audit),
		cnap_import('workspaces', '[{"id": 70, "name": "Seventy", "owner_id": "carl", "managed_by": 7, "managed_role": "member",
			"managed_since": "2020-01-03T00:00:00Z", "created_at": "2020-01-03T00:00:00Z"}]', audit),
		cnap_import('workspace_members', '[{"workspace_id": 70, "user_id": "carl", "role": "owner"}, {"workspace_id": "70", "user_id": "dan", "role": "own_role"}]', audit),
		cnap_import('workspaces', NULL, audit)];
	RETURN NEXT counts::text;
	RETURN QUERY SELECT concat_ws(' ', right(id::text, 2), name, slug, accepts, metadata, date(created_at) = '2020-01-01')
		FROM cnap.organization WHERE id IN (cnap_uuid(7), cnap_uuid(8)) ORDER BY id;
	RETURN QUERY SELECT concat_ws(' ', right(organization_id::text, 2), user_id, role, added_by)
		FROM cnap.organization_member WHERE organization_id IN (cnap_uuid(7), cnap_uuid(8)) ORDER BY organization_id, user_id;
	RETURN QUERY SELECT concat_ws(' ', name, owner_id, right(managed_by::text, 2), managed_role, date(managed_since AT TIME ZONE 'UTC'), date(created_at AT TIME ZONE 'UTC'))
		FROM cnap.workspace WHERE id = cnap_uuid(70);
	RETURN QUERY SELECT concat_ws(' ', user_id, role) FROM cnap.workspace_member WHERE workspace_id = cnap_uuid(70);
	RETURN QUERY SELECT concat_ws(' ', action, right(coalesce(organization_id, workspace_id)::text, 2), subject, path, detail)
		FROM cnap.audit_log WHERE path = 'by its privileges' AND action <> 'role.trust' ORDER BY action, organization_id, subject;
	RETURN QUERY SELECT concat_ws(' ', u, cnap_workspace_role(u, cnap_uuid(70))) FROM unnest(ARRAY['carl', 'dan', 'nina', 'sven', 'ada']) u;
	RAISE SQLSTATE 'UNDO0';
EXCEPTION WHEN SQLSTATE 'UNDO0' THEN
	NULL;
END
$$;
SELECT results_eq('SELECT test.imported(true)', ARRAY['{2,1,1,1,0}',
		'07 Seven seven anyone {} t', '08 Eight anyone {} f',
		'07 nina owner sven', '07 sven owner', '08 ada owner',
		'Seventy carl 07 member 2020-01-03 2020-01-03', 'dan own_role',
		'management.grant 07 by its privileges {"role": "member"}',
		'organization.create 07 by its privileges {"name": "Seven"}', 'organization.create 08 by its privileges {"name": "Eight"}',
		'organization.import by its privileges {"rows": 2}',
		'organization_member.add 07 nina by its privileges {"role": "owner"}', 'organization_member.add 07 sven by its privileges {"role": "owner"}',
		'organization_member.add 08 ada by its privileges {"role": "owner"}',
		'organization_member.import by its privileges {"rows": 1}',
		'workspace.create 46 carl by its privileges {"name": "Seventy"}', 'workspace.import by its privileges {"rows": 1}',
		'workspace_member.add 46 dan by its privileges {"role": "own_role"}', 'workspace_member.import by its privileges {"rows": 1}',
		'carl owner', 'dan own_role', 'nina member', 'sven member', 'ada'],
	'an import, with an entry for each row however old it is');
SELECT results_eq('SELECT test.imported(false)', ARRAY['{2,1,1,1,0}',
		'07 Seven seven anyone {} t', '08 Eight anyone {} f',
		'07 nina owner sven', '07 sven owner', '08 ada owner',
		'Seventy carl 07 member 2020-01-03 2020-01-03', 'dan own_role',
		'organization.import by its privileges {"rows": 2}', 'organization_member.import by its privileges {"rows": 1}',
		'workspace.import by its privileges {"rows": 1}', 'workspace_member.import by its privileges {"rows": 1}',
		'carl owner', 'dan own_role', 'nina member', 'sven member', 'ada'],
	'an import with an entry for all rows together');
-- an act ends with its statement: what is restored later leaves no entries, as ever
SELECT is(test.told(test.try_after(ARRAY['system: SELECT cnap_import(''organizations'', ''[{"id": 7, "name": "Seven", "owner_id": "sven"}]'')',
		'system: INSERT INTO cnap.organization (name, created_at) VALUES (''Restored'', ''2020-01-01'')'],
	'none', NULL, 'SELECT count(*) FROM cnap.audit_log WHERE detail ->> ''name'' = ''Restored''')), '00000 0', 'a restored row leaves no entry after an import');

-- by whom

GRANT EXECUTE ON FUNCTION cnap_import(text, jsonb, boolean, boolean), cnap_check_import(text, jsonb, boolean) TO cnap_test_app;
SELECT is(test.line(o.state, o.message, o.changed), expected, statement || ' as ' || db_role)
FROM (VALUES
		('cnap_test_visitor', 'SELECT cnap_import(''workspaces'', ''[]'')', test.line('42501', 'permission denied for function cnap_import', false)),
		('cnap_test_app', 'SELECT cnap_import(''workspaces'', ''[]'')', test.line('42501', 'must be owner of the extension to import rows', false)),
		('cnap_test_app', 'SELECT cnap_check_import(''workspaces'', ''[]'')', test.line('42501', 'must be owner of the extension to import rows', false)),
		('none', 'SELECT cnap_import(''people'', ''[]'')', test.line('22023', 'invalid kind', false)),
		('none', 'SELECT cnap_import(''workspaces'', ''{}'')', test.line('22023', 'invalid rows', false)),
		('none', 'SELECT cnap_import(''workspaces'', ''1'')', test.line('22023', 'invalid rows', false))) t (db_role, statement, expected),
	LATERAL test.attempt(db_role, NULL, statement) o;

SELECT finish();
ROLLBACK;
