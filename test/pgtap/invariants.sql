/*
 * The rules that apply to every writer: constraints and triggers, tested with
 * direct statements of the extension's owner.
 */
BEGIN;
\ir include/setup.sql

SELECT no_plan();

/* A direct statement, as the extension's owner and without a current user. */
CREATE FUNCTION test.direct(statement text) RETURNS text
LANGUAGE sql AS $$
	SELECT test.line(o.state, o.message, o.changed) FROM test.attempt('none', NULL, statement) o
$$;

CREATE FUNCTION test.violates("table" text, "constraint" text) RETURNS text IMMUTABLE
RETURN test.line('23514', format('new row for relation "%s" violates check constraint "%s"', $1, $2), false);

/*
 * Formats.  Each column is written by INSERT and by UPDATE; the value is an SQL
 * expression.
 */
CREATE TABLE test.format_case ("table" text, "column" text, "constraint" text, good text[], bad text[]);
INSERT INTO test.format_case VALUES
	('organization', 'name', 'organization_name_format',
		ARRAY['''x''', 'repeat(''ä'', 255)', ''' x ''', '''عَرَبِيّ 日本 🚀'''],
		ARRAY['''''', ''' ''', 'E''\t\n''', 'repeat(''x'', 256)', 'E''\u00a0\u3000\u2800''', 'E''Acme\nInc''', 'E''Acme\x1b[2J''',
			'E''Acme\u0085''', 'E''Ac\u200bme''', 'E''Ac\u00adme''', 'E''Acme \u202egpj.exe''', 'E''\u2066Acme''', 'E''Acme\ufeff''', 'E''Acme\U000e0041''']),
	('workspace', 'name', 'workspace_name_format',
		ARRAY['''x''', 'repeat(''ä'', 255)', ''' x ''', '''عَرَبِيّ 日本 🚀'''],
		ARRAY['''''', ''' ''', 'E''\t\n''', 'repeat(''x'', 256)', 'E''\u00a0\u3000\u2800''', 'E''Acme\nInc''', 'E''Acme\x1b[2J''',
			'E''Acme\u0085''', 'E''Ac\u200bme''', 'E''Ac\u00adme''', 'E''Acme \u202egpj.exe''', 'E''\u2066Acme''', 'E''Acme\ufeff''', 'E''Acme\U000e0041''']),
	('organization', 'slug', 'organization_slug_format',
		ARRAY['null', '''x''', '''0''', '''a-b--c''', 'repeat(''x'', 63)'],
		ARRAY['''''', ''' ''', '''-a''', '''a-''', '''-''', '''A''', '''a.b''', '''ä''', '''a b''', 'E''a\n''', 'repeat(''x'', 64)']),
	('organization', 'logo', 'organization_logo_format',
		ARRAY['null', '''https://x''', '''https://x/a?b=c#d''', '''https://a-b.c_d.example:8443?@''', '''https://[2001:db8::1]:443/''', '''https://x/@y:z''', 'rpad(''https://x/'', 2048, ''x'')'],
		ARRAY['''''', '''https://''', '''http://x/''', '''HTTPS://x/''', '''//x/''', '''https:///x''', '''https://x/ y''',
			'''https://x/"''', '''https://x/<''', 'E''https://x/\n''', 'rpad(''https://x/'', 2049, ''x'')',
			'''https://acme.example@evil.example/''', '''https://acme.example:x@evil.example/''', '''https://a%40b/''', '''https://x;y/''',
			'''https://.x/''', '''https://[::1/''', '''https://[x]/''', '''https://x:a/''', '''https://аcme.example/''', '''https://x/ä''', 'E''https://x\u200b/''', 'E''https://x/\u202e''', 'E''https://x/\x1b''']),
	('organization', 'management_email', 'organization_management_email_format',
		ARRAY['null', '''a@b''', '''a.b+c@d.example''', 'repeat(''x'', 252) || ''@x'''],
		ARRAY['''''', '''a''', '''@b''', '''a@''', '''a@b@c''', '''a b@c''', '''a@b,c@d''', '''<a@b>''', 'E''a@b\r\nBcc: c@d''', 'E''a@b\u200b''', 'E''\u202ea@b''', 'repeat(''x'', 253) || ''@x''']),
	('workspace', 'billing_email', 'workspace_billing_email_format',
		ARRAY['null', '''a@b''', 'repeat(''x'', 252) || ''@x'''],
		ARRAY['''''', '''a''', '''@b''', '''a@b@c''', 'E''a@b\n''', 'repeat(''x'', 253) || ''@x''']),
	('organization', 'customer_id', 'organization_customer_id_format',
		ARRAY['null', '''cus_1''', 'repeat(''x'', 255)'], ARRAY['''''', ''' ''', 'E''cus_1\n''', 'repeat(''x'', 256)']),
	('workspace', 'customer_id', 'workspace_customer_id_format',
		ARRAY['null', '''cus_1''', 'repeat(''x'', 255)'], ARRAY['''''', ''' ''', 'E''cus_1\n''', 'repeat(''x'', 256)']),
	('organization', 'accepts', 'organization_accepts_known',
		ARRAY['''anyone''', '''links'''], ARRAY['''''', '''Links''', '''nobody''', 'repeat(''x'', 1000000)']),
	('organization', 'metadata', 'organization_metadata_format',
		ARRAY['''{}''', '''{"a": [1]}''', 'jsonb_build_object(''a'', repeat(''x'', 65527))', 'jsonb_build_object(''a'', array_fill(1, ARRAY[21843]))'],
		ARRAY['''[]''', '''null''', '''"a"''', '''1''', '''true''', 'jsonb_build_object(''a'', repeat(''x'', 65528))',
			'jsonb_build_object(''a'', array_fill(1, ARRAY[21844]))', 'jsonb_build_object(''a'', repeat(''x'', 2000000))', '''{"a": 1e100000}''']),
	('workspace', 'metadata', 'workspace_metadata_format',
		ARRAY['''{}''', '''{"a": [1]}''', 'jsonb_build_object(''a'', repeat(''x'', 65527))', 'jsonb_build_object(''a'', array_fill(1, ARRAY[21843]))'],
		ARRAY['''[]''', '''null''', '''"a"''', '''1''', '''true''', 'jsonb_build_object(''a'', repeat(''x'', 65528))',
			'jsonb_build_object(''a'', array_fill(1, ARRAY[21844]))', 'jsonb_build_object(''a'', repeat(''x'', 2000000))', '''{"a": 1e100000}''']);

/* An INSERT and an UPDATE that bring a value into a column. */
CREATE FUNCTION test.writes("table" text, "column" text, value text) RETURNS SETOF text STABLE
BEGIN ATOMIC
	SELECT format('UPDATE cnap.%s SET %s = %s WHERE id = {%s}', $1, $2, $3,
		CASE $1 WHEN 'workspace' THEN 'free' ELSE 'rival' END)
	UNION ALL
	SELECT format('INSERT INTO cnap.%s (%s) VALUES (%s)', $1,
		concat_ws(', ', CASE WHEN $2 <> 'name' THEN 'name' END, CASE WHEN $1 = 'workspace' THEN 'owner_id' END, $2),
		concat_ws(', ', CASE WHEN $2 <> 'name' THEN '''New''' END, CASE WHEN $1 = 'workspace' THEN '''nina''' END, $3));
END;

SELECT is(left(test.direct(statement), 5), '00000', statement)
FROM test.format_case c, unnest(c.good) value, test.writes(c."table", c."column", value) statement;
SELECT is(test.direct(statement), test.violates(c."table", c."constraint"), statement)
FROM test.format_case c, unnest(c.bad) value, test.writes(c."table", c."column", value) statement;

-- user ids, in every column that contains one

CREATE TABLE test.user_column AS
	SELECT c.relname, a.attname, format('UPDATE %s SET %I = %%s', c.oid::regclass, a.attname) AS statement
	FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
	WHERE a.atttypid = 'cnap.user_id'::regtype AND c.relnamespace = 'cnap'::regnamespace AND c.relkind = 'r';
SELECT set_eq('SELECT relname::text, attname::text FROM test.user_column', $$ VALUES
	('organization', 'created_by'), ('organization_member', 'user_id'), ('organization_member', 'added_by'),
	('workspace', 'owner_id'), ('workspace_member', 'user_id'), ('workspace_member', 'added_by'),
	('access_token', 'user_id'), ('role_user', 'user_id'), ('install_link', 'created_by'),
	('assignment', 'user_id'), ('assignment', 'assigned_by'),
	('invitation', 'inviter'), ('invitation', 'outcome_by'), ('invitation', 'user_id'), ('audit_log', 'actor'), ('audit_log', 'subject')
	$$, 'the columns that hold user ids have the domain');
INSERT INTO cnap.role_user (role, user_id) VALUES ('cnap_test_visitor', 'wanda');
INSERT INTO cnap.workspace (id, name, owner_id, managed_by, managed_access) VALUES (test.id('token'), 'Assigned', 'greta', test.id('vendor'), 'assigned');
INSERT INTO cnap.assignment (workspace_id, user_id) VALUES (test.id('token'), 'mia');
SELECT is(test.direct(format(statement, value)),
	test.line('23514', 'value for domain cnap.user_id violates check constraint "user_id_format"', false),
	format(statement, value))
FROM test.user_column,
	unnest(ARRAY['''''', ''' ''', ''' x''', '''x ''', 'E''x\n''', 'repeat(''x'', 256)', 'repeat(''ä'', 128)', 'E''gina\u00a0''', 'E''\u3000gina''',
		'E''gina\u200b''', 'E''\ufeffgina''', 'E''gina\u2028''', 'E''\u2800''']) value;
DELETE FROM cnap.workspace WHERE id = test.id('token');
SELECT is(test.direct(format('UPDATE cnap.workspace SET owner_id = %s WHERE id = {free}', value)),
	test.line('00000', NULL, true), 'owner_id = ' || value)
FROM unnest(ARRAY['''x''', 'repeat(''x'', 255)', '''auth0|a b''', '''WANDA''', 'repeat(''ä'', 127) || ''x''', 'E''gina\u00a0x''', '''日本''']) value;

-- the size of every column that holds text, but of two tables that the extension fills from the
-- catalogs, and superusers about findings

SELECT is_empty($$
	SELECT c.relname, a.attname
	FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
	WHERE a.atttypid IN ('text'::regtype, 'varchar'::regtype, 'jsonb'::regtype, 'json'::regtype, 'bytea'::regtype)
		AND a.attnum > 0 AND c.relnamespace = 'cnap'::regnamespace AND c.relkind = 'r'
		AND a.attgenerated = '' AND c.relname NOT IN ('made', 'accepted_finding')
		AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype = 'c' AND a.attnum = ANY (k.conkey))
	$$, 'each has a constraint');

-- keys, roles, and the columns of the management

SELECT is(test.direct(statement), expected, regexp_replace(statement, '\s+', ' ', 'g'))
FROM (VALUES
	('INSERT INTO cnap.organization (name, slug) VALUES (''New'', ''vendor'')',
		test.line('23505', 'duplicate key value violates unique constraint "organization_slug_key"', false)),
	('INSERT INTO cnap.organization_member (organization_id, user_id) VALUES ({vendor}, ''mia'')',
		test.line('23505', 'duplicate key value violates unique constraint "organization_member_pkey"', false)),
	('INSERT INTO cnap.organization_member (organization_id, user_id) VALUES ({vendor}, ''Mia'')',
		test.line('00000', NULL, true)),
	('INSERT INTO cnap.organization_member (organization_id, user_id) VALUES ({ws}, ''mia'')',
		test.line('23503', 'insert or update on table "organization_member" violates foreign key constraint "organization_member_organization_id_fkey"', false)),
	('INSERT INTO cnap.workspace_member (workspace_id, user_id) VALUES ({vendor}, ''mia'')',
		test.line('23503', 'insert or update on table "workspace_member" violates foreign key constraint "workspace_member_workspace_id_fkey"', false)),
	('INSERT INTO cnap.workspace (name, owner_id, managed_by) VALUES (''New'', ''nina'', {ws})',
		test.line('23503', 'insert or update on table "workspace" violates foreign key constraint "workspace_managed_by_fkey"', false)),
	('INSERT INTO cnap.workspace_member (workspace_id, user_id, role) VALUES ({ws}, ''nina'', ''owner'')',
		test.violates('workspace_member', 'workspace_member_role_not_owner')),
	('UPDATE cnap.workspace_member SET role = ''owner''',
		test.violates('workspace_member', 'workspace_member_role_not_owner')),
	('UPDATE cnap.workspace SET managed_role = ''owner'' WHERE id = {ws}',
		test.violates('workspace', 'workspace_managed_role_cap')),
	('UPDATE cnap.workspace SET owner_id = NULL WHERE id = {ws}',
		test.line('23502', 'null value in column "owner_id" of relation "workspace" violates not-null constraint', false)),
	('UPDATE cnap.organization SET id = gen_random_uuid() WHERE id = {rival}',
		test.line('23001', 'column "id" of "organization" cannot change', false)),
	('UPDATE cnap.workspace SET id = gen_random_uuid() WHERE id = {foreign}',
		test.line('23001', 'column "id" of "workspace" cannot change', false)),
	('UPDATE cnap.organization_member SET organization_id = {rival} WHERE user_id = ''mia''',
		test.line('23001', 'column "organization_id" of "organization_member" cannot change', false)),
	('UPDATE cnap.organization_member SET user_id = ''nina'' WHERE user_id = ''mia''',
		test.line('23001', 'column "user_id" of "organization_member" cannot change', false)),
	('UPDATE cnap.workspace_member SET workspace_id = {foreign} WHERE user_id = ''dave'' AND workspace_id = {ws}',
		test.line('23001', 'column "workspace_id" of "workspace_member" cannot change', false)),
	('UPDATE cnap.workspace_member SET user_id = ''nina'' WHERE user_id = ''dave''',
		test.line('23001', 'column "user_id" of "workspace_member" cannot change', false)),
	('UPDATE cnap.organization_member SET organization_id = organization_id, user_id = user_id',
		test.line('00000', NULL, false)),
	('INSERT INTO cnap.organization_member (organization_id, user_id) VALUES ({vendor}, ''mia'')
		ON CONFLICT (organization_id, user_id) DO UPDATE SET user_id = ''nina''',
		test.line('23001', 'column "user_id" of "organization_member" cannot change', false)),
	('UPDATE cnap.workspace SET managed_by = {rival} WHERE id = {ws}',
		test.line('23001', 'workspace is already managed', false)),
	('UPDATE cnap.workspace SET managed_by = {rival} WHERE id = {ended}', test.line('00000', NULL, true))
) t (statement, expected);

/* The management of a workspace after a direct statement, which is undone. */
CREATE FUNCTION test.management_after(statement text, workspace text) RETURNS text
LANGUAGE sql AS $$
	SELECT coalesce(o.message, o.result)
	FROM test.attempt('none', NULL, format('SELECT test.do(%L, %L)', test.expand(statement), workspace)) o
$$;
CREATE FUNCTION test.do(statement text, workspace text) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE statement;
	RETURN (SELECT concat_ws(' ', (SELECT name FROM test.named n WHERE n.id = w.managed_by), w.managed_role,
			CASE WHEN w.managed_until IS NOT NULL THEN 'until' END,
			CASE WHEN w.managed_since = now() THEN 'since now' WHEN w.managed_since IS NOT NULL THEN 'since then' END)
		FROM cnap.workspace w WHERE w.id = test.id(workspace));
END
$$;

SELECT is(test.management_after(statement, workspace), expected, statement)
FROM (VALUES
	('ws', 'SELECT', 'vendor admin since then'),
	('free', 'UPDATE cnap.workspace SET managed_by = {rival} WHERE id = {free}', 'rival admin since now'),
	('free', 'UPDATE cnap.workspace SET managed_by = {rival}, managed_role = ''member'' WHERE id = {free}', 'rival member since now'),
	('free', 'UPDATE cnap.workspace SET managed_role = ''member'', managed_until = ''2999-01-01'', managed_since = now() WHERE id = {free}', ''),
	('ws', 'UPDATE cnap.workspace SET managed_by = NULL WHERE id = {ws}', ''),
	('ws', 'UPDATE cnap.workspace SET managed_role = NULL WHERE id = {ws}', 'vendor admin since then'),
	('ws', 'UPDATE cnap.workspace SET managed_until = ''2999-01-01'' WHERE id = {ws}', 'vendor admin until since then'),
	('ws', 'DELETE FROM cnap.organization WHERE id = {vendor}', ''),
	('ws', 'TRUNCATE cnap.workspace_member', 'vendor admin since then'),
	('ended', 'UPDATE cnap.workspace SET managed_by = {rival}, managed_until = NULL WHERE id = {ended}', 'rival admin since now'),
	('ended', 'UPDATE cnap.workspace SET managed_until = ''2999-01-01'' WHERE id = {ended}', 'vendor admin until since now')
) t (workspace, statement, expected);
SELECT is(test.direct('UPDATE cnap.workspace SET managed_since = NULL WHERE id = {ws}'),
	test.violates('workspace', 'workspace_management_whole'), 'a management has a beginning');

-- updated_at

/* How many rows of a table a direct statement dates now. */
CREATE FUNCTION test.touched(statement text, relation text) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
	touched bigint;
BEGIN
	EXECUTE format('ALTER TABLE cnap.%I DISABLE TRIGGER before_write', relation);
	EXECUTE format('UPDATE cnap.%I SET updated_at = now() - interval ''1 d''', relation);
	EXECUTE format('ALTER TABLE cnap.%I ENABLE TRIGGER before_write', relation);
	EXECUTE statement;
	EXECUTE format('SELECT count(*) FROM cnap.%I WHERE updated_at = now()', relation) INTO touched;
	RETURN touched;
END
$$;

SELECT is((test.attempt('none', NULL, format('SELECT test.touched(%L, %L)', test.expand(statement), relation))).result,
	expected, statement)
FROM (VALUES
	('organization', 'UPDATE cnap.organization SET name = ''New'' WHERE id = {rival}', '1'),
	('organization', 'UPDATE cnap.organization SET name = name', '0'),
	('organization_member', 'UPDATE cnap.organization_member SET role = ''admin'' WHERE user_id = ''mia''', '1'),
	('organization_member', 'UPDATE cnap.organization_member SET role = role', '0'),
	('workspace', 'UPDATE cnap.workspace SET managed_by = NULL WHERE id = {ws}', '1'),
	('workspace', 'UPDATE cnap.workspace SET name = name', '0'),
	('workspace_member', 'UPDATE cnap.workspace_member SET role = ''admin'' WHERE user_id = ''dave''', '4'),
	('workspace_member', 'UPDATE cnap.workspace_member SET role = role', '0')
) t (relation, statement, expected);

-- COPY

SELECT is(test.direct(format('COPY cnap.%s FROM PROGRAM %L WITH (DELIMITER '','')', target, 'echo ' || replace(test.expand(line), '''', ''))),
	expected, format('COPY cnap.%s: %s', target, line))
FROM (VALUES
	('organization (name, slug)', 'New,new', test.line('00000', NULL, true)),
	('organization (name, slug)', ',new', test.violates('organization', 'organization_name_format')),
	('organization (name, slug)', 'New,NEW', test.violates('organization', 'organization_slug_format')),
	('organization (name, slug)', 'New,vendor',
		test.line('23505', 'duplicate key value violates unique constraint "organization_slug_key"', false)),
	('organization (name, logo)', 'New,http://x/', test.violates('organization', 'organization_logo_format')),
	('organization (name, metadata)', 'New,[]', test.violates('organization', 'organization_metadata_format')),
	('workspace (name, owner_id)', 'New,nina', test.line('00000', NULL, true)),
	('workspace (name, owner_id)', 'New,',
		test.line('23514', 'value for domain cnap.user_id violates check constraint "user_id_format"', false)),
	('workspace (name, owner_id, managed_by)', 'New,nina,{vendor}', test.line('00000', NULL, true)),
	('workspace_member (workspace_id, user_id, role)', '{ws},nina,admin', test.line('00000', NULL, true)),
	('workspace_member (workspace_id, user_id, role)', '{ws},nina,owner',
		test.violates('workspace_member', 'workspace_member_role_not_owner')),
	('organization_member (organization_id, user_id)', '{unknown},nina',
		test.line('23503', 'insert or update on table "organization_member" violates foreign key constraint "organization_member_organization_id_fkey"', false))
) t (target, line, expected);

-- the last owner

CREATE FUNCTION test.last_owner(organization text) RETURNS text STABLE
RETURN test.line('23001', format('organization "%s" would lose its last owner', test.id(organization)), false);

SELECT is(test.direct(statement), expected, regexp_replace(statement, '\s+', ' ', 'g'))
FROM (VALUES
	('DELETE FROM cnap.organization_member WHERE user_id = ''rita''', test.last_owner('rival')),
	('UPDATE cnap.organization_member SET role = ''admin'' WHERE user_id = ''rita''', test.last_owner('rival')),
	('UPDATE cnap.organization_member SET role = ''member'' WHERE organization_id = {vendor}', test.last_owner('vendor')),
	('DELETE FROM cnap.organization_member WHERE organization_id = {vendor}', test.last_owner('vendor')),
	('DELETE FROM cnap.organization_member WHERE organization_id = {vendor} AND role = ''owner''', test.last_owner('vendor')),
	('DELETE FROM cnap.organization_member WHERE user_id = ''olga''', test.line('00000', NULL, true)),
	('UPDATE cnap.organization_member SET role = ''owner'' WHERE user_id = ''rita''', test.line('00000', NULL, false)),
	-- ownership handed over in one statement, whichever row comes first
	('UPDATE cnap.organization_member SET role = CASE user_id WHEN ''mia'' THEN ''owner'' ELSE ''member'' END::text
		WHERE organization_id = {vendor}', test.line('00000', NULL, true)),
	('UPDATE cnap.organization_member SET role = CASE user_id WHEN ''adam'' THEN ''owner'' ELSE ''member'' END::text
		WHERE organization_id = {vendor}', test.line('00000', NULL, true)),
	('WITH gone AS (DELETE FROM cnap.organization_member WHERE user_id = ''rita'')
		INSERT INTO cnap.organization_member (organization_id, user_id, role) VALUES ({rival}, ''robin'', ''owner'')',
		test.line('00000', NULL, true)),
	('MERGE INTO cnap.organization_member m USING (VALUES (''rita'')) v (who) ON m.user_id = v.who
		WHEN MATCHED THEN DELETE', test.last_owner('rival')),
	('MERGE INTO cnap.organization_member m USING (VALUES (''rita'')) v (who) ON m.user_id = v.who
		WHEN MATCHED THEN UPDATE SET role = ''admin''', test.last_owner('rival')),
	-- the rule does not apply once the organization is deleted
	('DELETE FROM cnap.organization WHERE id = {rival}', test.line('00000', NULL, true)),
	('DELETE FROM cnap.organization', test.line('00000', NULL, true)),
	('TRUNCATE cnap.organization_member',
		test.line('23001', 'organizations would lose their last owners', false)),
	('TRUNCATE cnap.organization CASCADE', test.line('00000', NULL, true)),
	('TRUNCATE cnap.organization, cnap.organization_member, cnap.workspace, cnap.workspace_member, cnap.install_link, cnap.redemption, cnap.invitation',
		test.line('00000', NULL, true)),
	-- triggers that fire in between do not defeat it
	('SET CONSTRAINTS ALL DEFERRED; DELETE FROM cnap.organization_member WHERE user_id = ''rita''', test.last_owner('rival'))
) t (statement, expected);

-- Each of many owners who are removed at once must not search through the rows of all others.

CREATE FUNCTION test.index_entries_read(statement text) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
	index_oid CONSTANT oid := 'cnap.organization_member_pkey'::regclass;
	before CONSTANT bigint := pg_stat_get_xact_tuples_returned(index_oid);
BEGIN
	EXECUTE statement;
	RETURN pg_stat_get_xact_tuples_returned(index_oid) - before;
END
$$;

INSERT INTO cnap.organization_member (organization_id, user_id, role)
SELECT test.id('rival'), '0 ' || n, 'owner' FROM generate_series(1, 200) n;
SELECT cmp_ok(test.index_entries_read(statement), '<', 200::bigint * 10, statement)
FROM (VALUES
	('UPDATE cnap.organization_member SET role = ''admin'' WHERE user_id LIKE ''0 %'''),
	('UPDATE cnap.organization_member SET role = ''owner'' WHERE user_id LIKE ''0 %'''),
	('DELETE FROM cnap.organization_member WHERE user_id LIKE ''0 %''')
) t (statement);

-- the same rules apply to a role that has been granted the whole schema

GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON ALL TABLES IN SCHEMA cnap TO cnap_test_visitor;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA cnap TO cnap_test_visitor;
SELECT is(test.line(o.state, o.message, o.changed), expected, statement || ' by a role with all privileges')
FROM (VALUES
	('DELETE FROM cnap.organization_member WHERE user_id = ''rita''', test.last_owner('rival')),
	('TRUNCATE cnap.organization_member',
		test.line('23001', 'organizations would lose their last owners', false)),
	('UPDATE cnap.workspace SET managed_by = {rival} WHERE id = {ws}',
		test.line('23001', 'workspace is already managed', false)),
	('UPDATE cnap.organization_member SET user_id = ''nina'' WHERE user_id = ''mia''',
		test.line('23001', 'column "user_id" of "organization_member" cannot change', false)),
	('UPDATE cnap.organization SET name = ''New'' WHERE id = {rival}', test.line('00000', NULL, true)),
	('UPDATE cnap.organization SET slug = ''-'' WHERE id = {rival}',
		test.violates('organization', 'organization_slug_format'))
) t (statement, expected),
	LATERAL test.attempt('cnap_test_visitor', NULL, statement) o;

SELECT finish();
ROLLBACK;
