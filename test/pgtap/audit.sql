/*
 * The audit log: every change leaves exactly the entries that it should, with
 * the actor and the path; readers see only the entries that concern them; and
 * nobody can rewrite it.
 */
BEGIN;
\ir include/setup.sql

SELECT no_plan();

/* Ids of the fixture by their names, other ids as "new". */
CREATE FUNCTION test.name_of(id uuid) RETURNS text STABLE
RETURN CASE WHEN id IS NOT NULL THEN coalesce((SELECT n.name FROM test.named n WHERE n.id = $1), 'new') END;

CREATE FUNCTION test.legible(entry cnap.audit_log) RETURNS text STABLE
RETURN concat_ws(' | ', entry.action, coalesce(entry.actor, '-'),
	CASE WHEN entry.database_role = session_user THEN 'superuser' ELSE entry.database_role END,
	coalesce(test.name_of(entry.organization_id), '-'), coalesce(test.name_of(entry.workspace_id), '-'),
	coalesce(entry.subject, '-'), replace(entry.path, test.id('vendor')::text, 'VENDOR'), entry.detail);

/* The entries that a statement leaves, as lines; what it did is undone. */
CREATE FUNCTION test.trail(db_role text, who text, statement text) RETURNS SETOF text
LANGUAGE plpgsql AS $$
DECLARE
	last bigint := (SELECT max(id) FROM cnap.audit_log);
	lines text[];
BEGIN
	statement := test.expand(statement);
	BEGIN
		PERFORM test.become(db_role, who);
		EXECUTE statement;
		PERFORM set_config('role', 'none', true);
		lines := ARRAY(SELECT test.legible(a) FROM cnap.audit_log a WHERE a.id > last ORDER BY a.id);
		RAISE SQLSTATE 'UNDO0';
	EXCEPTION WHEN SQLSTATE 'UNDO0' THEN
		NULL;
	END;
	RETURN QUERY SELECT line FROM unnest(lines) WITH ORDINALITY l (line, n) ORDER BY n;
END
$$;

/* {app} stands for the trusted role. */
CREATE FUNCTION test.leaves(db_role text, who text, statement text, VARIADIC lines text[]) RETURNS text
LANGUAGE sql AS $$
	SELECT results_eq(format('SELECT * FROM test.trail(%L, %L, %L)', db_role, who, statement),
		(SELECT array_agg(replace(line, '{app}', 'cnap_test_app')) FROM unnest(lines) line),
		regexp_replace(statement, '\s+', ' ', 'g') || ' by ' || coalesce(who, 'nobody') || ' as ' || db_role)
$$;

CREATE FUNCTION test.leaves_nothing(db_role text, who text, statement text) RETURNS text
RETURN test.leaves(db_role, who, statement, VARIADIC '{}');

-- organizations

SELECT test.leaves('cnap_test_app', 'nina', 'SELECT cnap_create_organization(''New'')',
	'organization.create | nina | {app} | new | - | - | as its creator | {"name": "New"}',
	'organization_member.add | nina | {app} | new | - | nina | as its creator | {"role": "owner"}');
SELECT test.leaves('none', NULL, 'SELECT cnap_create_organization(''New "1"'', owner => ''nina'')',
	'organization.create | - | superuser | new | - | - | as the system | {"name": "New \"1\""}',
	'organization_member.add | - | superuser | new | - | nina | as the system | {"role": "owner"}');
SELECT test.leaves('cnap_test_app', 'adam', 'SELECT cnap_update_organization({vendor}, ''New'', logo => '''')',
	'organization.update | adam | {app} | vendor | - | - | as admin of the organization | {"changed": ["name", "logo"]}');
SELECT test.leaves('cnap_test_app', 'olga',
	'SELECT cnap_update_organization({vendor}, slug => ''new'', management_email => '''', metadata => ''{}'')',
	'organization.update | olga | {app} | vendor | - | - | as owner of the organization | {"changed": ["slug", "management_email", "metadata"]}');
SELECT test.leaves_nothing('cnap_test_app', 'olga', 'SELECT cnap_update_organization({vendor}, ''Vendor'')');
SELECT test.leaves('cnap_test_app', 'adam', 'SELECT cnap_add_organization_member({vendor}, ''nina'')',
	'organization_member.add | adam | {app} | vendor | - | nina | as admin of the organization | {"role": "member"}');
SELECT test.leaves('cnap_test_visitor', 'olga', 'SELECT cnap_add_organization_member({vendor}, ''nina'', ''owner'')',
	'organization_member.add | olga | cnap_test_visitor | vendor | - | nina | as owner of the organization | {"role": "owner"}');
SELECT test.leaves('cnap_test_app', 'olga', 'SELECT cnap_set_organization_role({vendor}, ''mia'', ''admin'')',
	'organization_member.role | olga | {app} | vendor | - | mia | as owner of the organization | {"was": "member", "role": "admin"}');
SELECT test.leaves_nothing('cnap_test_app', 'olga', 'SELECT cnap_set_organization_role({vendor}, ''mia'', ''member'')');
SELECT test.leaves('cnap_test_app', 'adam', 'SELECT cnap_remove_organization_member({vendor}, ''mia'')',
	'organization_member.remove | adam | {app} | vendor | - | mia | as admin of the organization | {"role": "member"}');
SELECT test.leaves('cnap_test_app', 'mia', 'SELECT cnap_leave_organization({vendor})',
	'organization_member.remove | mia | {app} | vendor | - | mia | as member of the organization | {"role": "member"}');
SELECT test.leaves('cnap_test_app', 'rita', 'SELECT cnap_delete_organization({rival})',
	'organization.delete | rita | {app} | rival | - | - | as owner of the organization | {"name": "Rival"}');
SELECT set_eq($$SELECT * FROM test.trail('cnap_test_app', 'olga', 'SELECT cnap_delete_organization({vendor})')$$, $$ VALUES
	('organization.delete | olga | cnap_test_app | vendor | - | - | as owner of the organization | {"name": "Vendor"}'),
	('management.revoke | olga | cnap_test_app | vendor | ws | - | as owner of the organization | {"role": "admin"}'),
	('management.revoke | olga | cnap_test_app | vendor | capped | - | as owner of the organization | {"role": "member"}')
	$$ || format($$, ('management.revoke | olga | cnap_test_app | vendor | ended | - | as owner of the organization | ' || %L) $$,
		jsonb_build_object('role', 'admin', 'until', (SELECT managed_until FROM cnap.workspace WHERE id = test.id('ended')))::text),
	'a deleted organization: each workspace that it managed has its entry');

-- workspaces, by their own users

SELECT test.leaves('cnap_test_app', 'nina', 'SELECT cnap_create_workspace(''New'')',
	'workspace.create | nina | {app} | - | new | nina | as its creator | {"name": "New"}');
SELECT test.leaves('none', NULL, 'SELECT cnap_create_workspace(''New'', ''nina'')',
	'workspace.create | - | superuser | - | new | nina | as the system | {"name": "New"}');
SELECT test.leaves('cnap_test_app', 'dora', 'SELECT cnap_update_workspace({ws}, ''New'', ''{"a": 1}'')',
	'workspace.update | dora | {app} | - | ws | - | as admin of the workspace | {"changed": ["name", "metadata"]}');
SELECT test.leaves('cnap_test_app', 'wanda', 'SELECT cnap_set_workspace_billing({ws}, '''', ''c-1'')',
	'workspace.billing | wanda | {app} | - | ws | - | as owner of the workspace | {"changed": ["billing_email", "customer_id"]}');
SELECT test.leaves_nothing('cnap_test_app', 'wanda', 'SELECT cnap_set_workspace_billing({ws})');
SELECT test.leaves('cnap_test_app', 'dora', 'SELECT cnap_add_workspace_member({ws}, ''nina'')',
	'workspace_member.add | dora | {app} | - | ws | nina | as admin of the workspace | {"role": "member"}');
SELECT test.leaves('cnap_test_app', 'wanda', 'SELECT cnap_set_workspace_role({ws}, ''dora'', ''member'')',
	'workspace_member.role | wanda | {app} | - | ws | dora | as owner of the workspace | {"was": "admin", "role": "member"}');
SELECT test.leaves('cnap_test_app', 'wanda', 'SELECT cnap_remove_workspace_member({ws}, ''dora'')',
	'workspace_member.remove | wanda | {app} | - | ws | dora | as owner of the workspace | {"role": "admin"}');
SELECT test.leaves('cnap_test_app', 'dave', 'SELECT cnap_leave_workspace({ws})',
	'workspace_member.remove | dave | {app} | - | ws | dave | as member of the workspace | {"role": "member"}');
SELECT test.leaves('cnap_test_app', 'wanda', 'SELECT cnap_transfer_workspace({ws}, ''dave'')',
	'workspace_member.remove | wanda | {app} | - | ws | dave | as owner of the workspace | {"role": "member"}',
	'workspace.transfer | wanda | {app} | - | ws | dave | as owner of the workspace | {"from": "wanda"}',
	'workspace_member.add | wanda | {app} | - | ws | wanda | as owner of the workspace | {"role": "admin"}');
SELECT test.leaves('cnap_test_app', 'wanda', 'SELECT cnap_delete_workspace({free})',
	'workspace.delete | wanda | {app} | - | free | wanda | as owner of the workspace | {"name": "Free"}');
SELECT test.leaves('cnap_test_app', 'wanda', 'SELECT cnap_delete_workspace({ws})',
	'workspace.delete | wanda | {app} | vendor | ws | wanda | as owner of the workspace | {"name": "Managed"}');
SELECT test.leaves('cnap_test_app', 'wanda', 'SELECT cnap_delete_workspace({ended})',
	'workspace.delete | wanda | {app} | - | ended | wanda | as owner of the workspace | {"name": "Ended"}');

-- management

SELECT test.leaves('cnap_test_app', 'wanda', 'SELECT cnap_grant_management({free}, {vendor})',
	'management.grant | wanda | {app} | vendor | free | - | as owner of the workspace | {"role": "admin"}');
SELECT test.leaves('cnap_test_app', 'wanda',
	'SET LOCAL TimeZone = ''UTC''; SELECT cnap_grant_management({free}, {rival}, ''member'', ''2999-01-01 00:00+00'')',
	'management.grant | wanda | {app} | rival | free | - | as owner of the workspace | {"role": "member", "until": "2999-01-01T00:00:00+00:00"}');
SELECT test.leaves('cnap_test_app', 'wanda', 'SELECT cnap_grant_management({ws}, {vendor}, ''member'')',
	'management.change | wanda | {app} | vendor | ws | - | as owner of the workspace | {"role": "member"}');
SELECT test.leaves('cnap_test_app', 'wanda', 'SELECT cnap_grant_management({ended}, {rival})',
	'management.grant | wanda | {app} | rival | ended | - | as owner of the workspace | {"role": "admin"}');
SELECT test.leaves('cnap_test_app', 'wanda', 'SELECT cnap_grant_management({ended}, {vendor})',
	'management.grant | wanda | {app} | vendor | ended | - | as owner of the workspace | {"role": "admin"}');
SELECT test.leaves('cnap_test_app', 'wanda', 'SELECT cnap_revoke_management({ws})',
	'management.revoke | wanda | {app} | vendor | ws | - | as owner of the workspace | {"role": "admin"}');
SELECT test.leaves('cnap_test_app', 'adam', 'SELECT cnap_revoke_management({capped})',
	'management.revoke | adam | {app} | vendor | capped | - | as admin of organization VENDOR, which manages the workspace | {"role": "member"}');
SELECT test.leaves('none', NULL, 'SELECT cnap_revoke_management({ws})',
	'management.revoke | - | superuser | vendor | ws | - | as the system | {"role": "admin"}');

-- acts of managers are recorded with their path, and for their organization as
-- well

SELECT test.leaves('cnap_test_app', who, 'SELECT cnap_update_workspace({ws}, ''New'')',
	format('workspace.update | %s | {app} | vendor | ws | - | as %s of organization VENDOR, which manages the workspace | {"changed": ["name"]}', who, role))
FROM (VALUES ('olga', 'owner'), ('adam', 'admin'), ('mia', 'member')) t (who, role);
SELECT test.leaves('none', 'mia', 'SELECT cnap_update_workspace({ws}, ''New'')',
	'workspace.update | mia | superuser | vendor | ws | - | as member of organization VENDOR, which manages the workspace | {"changed": ["name"]}');

-- direct statements

SELECT test.leaves('none', NULL, 'UPDATE cnap.workspace SET owner_id = ''nina'', name = ''New'', customer_id = ''c'', managed_by = NULL WHERE id = {ws}',
	'workspace.transfer | - | superuser | - | ws | nina | by a direct statement | {"from": "wanda"}',
	'workspace.billing | - | superuser | - | ws | - | by a direct statement | {"changed": ["customer_id"]}',
	'workspace.update | - | superuser | - | ws | - | by a direct statement | {"changed": ["name"]}',
	'management.revoke | - | superuser | vendor | ws | - | by a direct statement | {"role": "admin"}');
SELECT test.leaves('none', 'olga', 'INSERT INTO cnap.workspace_member (workspace_id, user_id) VALUES ({foreign}, ''olga'')',
	'workspace_member.add | olga | superuser | - | foreign | olga | by a direct statement | {"role": "member"}');
-- also after a function whose statement has failed
SELECT test.leaves('none', NULL, $$
	DO $do$ BEGIN PERFORM cnap_remove_organization_member({rival}, 'rita'); EXCEPTION WHEN restrict_violation THEN NULL; END $do$;
	SET LOCAL cnap.user_id = 'zoe';
	UPDATE cnap.workspace SET name = 'New' WHERE id = {ws}$$,
	'workspace.update | zoe | superuser | - | ws | - | by a direct statement | {"changed": ["name"]}');
SELECT test.leaves_nothing('none', NULL, 'UPDATE cnap.workspace SET name = name; UPDATE cnap.organization_member SET added_by = ''nina''');

-- the terms of tokens, links and invitations, which only direct statements
-- change, alone or along with what the functions do

SELECT test.leaves('none', 'olga', 'UPDATE cnap.access_token SET user_id = ''eve'' WHERE id = {token}',
	'access_token.update | olga | superuser | - | - | eve | by a direct statement | {"id": "00000000-0000-4000-8000-0000000000c1", "name": "Script", "changed": ["user_id"]}');
SELECT test.leaves('none', NULL, 'UPDATE cnap.install_link SET max_uses = 5, duration = NULL WHERE id = {link}',
	'install_link.update | - | superuser | vendor | - | - | by a direct statement | {"id": "00000000-0000-4000-8000-0000000000d1", "role": "admin", "changed": ["max_uses"]}');
SELECT test.leaves('none', NULL, 'UPDATE cnap.invitation SET role = ''owner'', inviter = NULL WHERE id = {invitation}',
	'invitation.update | - | superuser | vendor | - | - | by a direct statement | {"id": "00000000-0000-4000-8000-0000000000e1", "role": "owner", "changed": ["role", "inviter"]}');
SELECT test.leaves('none', NULL, 'UPDATE cnap.invitation SET role = ''member'' WHERE id = {workspace_invitation}',
	'invitation.update | - | superuser | - | ws | - | by a direct statement | {"id": "00000000-0000-4000-8000-0000000000e3", "role": "member", "changed": ["role"]}');

CREATE FUNCTION test.actions("table" text, name text, VARIADIC set_lists text[]) RETURNS text
LANGUAGE sql AS $$
	SELECT coalesce(string_agg(split_part(line, ' ', 1) || coalesce(substring(line, ' \[.*\]'), ''), ', ' ORDER BY n), 'nothing')
	FROM test.trail('none', NULL, (SELECT string_agg(format('UPDATE cnap.%I SET %s WHERE id = {%s}', $1, set_list, $2), ';')
		FROM unnest(set_lists) set_list)) WITH ORDINALITY t (line, n)
$$;
SELECT is(test.actions("table", name, VARIADIC set_lists), expected, format('UPDATE %s SET %s', "table", array_to_string(set_lists, '; SET ')))
FROM (VALUES
	('access_token', 'token', ARRAY['id = gen_random_uuid()'], 'access_token.update ["id"]'),
	('access_token', 'token', ARRAY['name = ''New'', token_hash = sha256(''new''), expires_at = now()'],
		'access_token.update ["name", "token_hash", "expires_at"]'),
	('access_token', 'token', ARRAY['revoked_at = now()', 'revoked_at = NULL'], 'access_token.revoke, access_token.update ["revoked_at"]'),
	('access_token', 'token', ARRAY['revoked_at = now(), expires_at = now()'], 'access_token.revoke, access_token.update ["expires_at"]'),
	('access_token', 'token', ARRAY['name = name, created_at = ''2020-01-01'''], 'nothing'),
	('install_link', 'link', ARRAY['id = gen_random_uuid(), organization_id = {rival}'], 'install_link.update ["id", "organization_id"]'),
	('install_link', 'link', ARRAY['label = ''New'', token_hash = sha256(''new''), role = ''member'', duration = ''1 d'', expires_at = now()'],
		'install_link.update ["label", "token_hash", "role", "duration", "expires_at"]'),
	('install_link', 'link', ARRAY['uses = 1', 'uses = 0'], 'install_link.update ["uses"], install_link.update ["uses"]'),
	('install_link', 'link', ARRAY['revoked_at = now()', 'revoked_at = NULL'], 'install_link.revoke, install_link.update ["revoked_at"]'),
	('install_link', 'link', ARRAY['uses = 1, revoked_at = now(), max_uses = 1'],
		'install_link.revoke, install_link.update ["max_uses", "uses"]'),
	('install_link', 'link', ARRAY['managers = ''activated'', activation = ''1 hour''', 'activation = ''2 hours'''],
		'install_link.update ["managers", "activation"], install_link.update ["activation"]'),
	('install_link', 'link', ARRAY['created_by = ''nina'', created_at = ''2020-01-01'''], 'nothing'),
	('invitation', 'invitation', ARRAY['id = gen_random_uuid(), organization_id = {rival}, expires_at = now() + ''1 d'''],
		'invitation.update ["id", "organization_id", "expires_at"]'),
	('invitation', 'invitation', ARRAY['organization_id = NULL, workspace_id = {ws}'], 'invitation.update ["organization_id", "workspace_id"]'),
	('invitation', 'invitation', ARRAY['token_hash = sha256(''new''), expires_at = now() + ''1 d'', inviter = NULL, role = ''admin'''],
		'invitation.resend, invitation.update ["role"]'),
	('invitation', 'invitation', ARRAY['outcome = ''declined'', outcome_at = now()', 'outcome = ''accepted''', 'outcome = NULL, outcome_at = NULL'],
		'invitation.decline, invitation.update ["outcome"], invitation.update ["outcome"]'),
	('invitation', 'invitation', ARRAY['outcome = ''revoked'', outcome_at = now(), inviter = NULL, token_hash = sha256(''new'')'],
		'invitation.revoke, invitation.update ["token_hash"]'),
	('invitation', 'invitation', ARRAY['outcome = ''revoked'', outcome_at = now()', 'inviter = NULL'], 'invitation.revoke'),
	('invitation', 'invitation', ARRAY['user_id = ''nina''', 'outcome = ''revoked'', outcome_at = now(), user_id = NULL'],
		'invitation.update ["user_id"], invitation.revoke'),
	('invitation', 'invitation', ARRAY['email = ''a@b.example'', created_at = ''2020-01-01'''], 'nothing')
) t ("table", name, set_lists, expected);

-- TRUNCATE, also of the log itself

SELECT test.leaves('none', 'olga', 'TRUNCATE cnap.workspace_member',
	'workspace_member.truncate | olga | superuser | - | - | - | by a direct statement | {}');
SELECT set_eq($$SELECT * FROM test.trail('none', NULL, 'TRUNCATE cnap.organization, cnap.access_token CASCADE')$$,
	$$SELECT name || '.truncate | - | superuser | - | - | - | by a direct statement | {}'
	FROM unnest(ARRAY['organization', 'organization_member', 'workspace', 'workspace_member', 'access_token', 'install_link', 'redemption', 'invitation']) name$$,
	'TRUNCATE with CASCADE: an entry for each table');
SELECT test.leaves('none', NULL, 'TRUNCATE cnap.audit_log, cnap.workspace_member',
	'audit_log.truncate | - | superuser | - | - | - | by a direct statement | {}',
	'workspace_member.truncate | - | superuser | - | - | - | by a direct statement | {}');
GRANT TRUNCATE ON cnap.workspace_member TO cnap_test_visitor;
GRANT USAGE ON SCHEMA cnap TO cnap_test_visitor;
SELECT test.leaves('cnap_test_visitor', NULL, 'TRUNCATE cnap.workspace_member',
	'workspace_member.truncate | - | cnap_test_visitor | - | - | - | by a direct statement | {}');
REVOKE TRUNCATE ON cnap.workspace_member FROM cnap_test_visitor;
REVOKE USAGE ON SCHEMA cnap FROM cnap_test_visitor;

-- restored rows come with their audit entries

SELECT test.leaves_nothing('none', NULL, $$
	INSERT INTO cnap.organization (id, name, created_at) VALUES ('00000000-0000-4000-8000-0000000000c1', 'Old', '2020-01-01');
	INSERT INTO cnap.organization_member (organization_id, user_id, role, created_at)
		VALUES ('00000000-0000-4000-8000-0000000000c1', 'nina', 'owner', '2020-01-01');
	INSERT INTO cnap.workspace (id, name, owner_id, managed_by, created_at)
		VALUES ('00000000-0000-4000-8000-0000000000c2', 'Old', 'nina', '00000000-0000-4000-8000-0000000000c1', '2020-01-01');
	INSERT INTO cnap.workspace_member (workspace_id, user_id, created_at)
		VALUES ('00000000-0000-4000-8000-0000000000c2', 'dave', '2020-01-01')
	$$);

-- trust

SELECT test.leaves('none', NULL, 'SELECT cnap_trust(''cnap_test_visitor'')',
	'role.trust | - | superuser | - | - | - | by its privileges | {"role": "cnap_test_visitor"}');
SELECT test.leaves('none', 'olga', 'SELECT cnap_distrust(''cnap_test_visitor'')',
	'role.distrust | olga | superuser | - | - | - | by its privileges | {"role": "cnap_test_visitor"}');

-- what is rolled back leaves nothing

SELECT test.leaves_nothing('cnap_test_app', 'wanda', $$
	DO 'BEGIN PERFORM cnap_update_workspace(''00000000-0000-4000-8000-0000000000b1'', ''New''); RAISE division_by_zero;
		EXCEPTION WHEN division_by_zero THEN NULL; END'
	$$);

/*
 * Who reads what.  The rest of the file works on the entries of these changes:
 * of the vendor in its customer's workspace, of the customer there and in one
 * that the vendor goes on managing, and of others.
 */
DELETE FROM cnap.audit_log;
SET LOCAL ROLE cnap_test_app;
SET LOCAL cnap.user_id = 'adam';
SELECT cnap_update_workspace('00000000-0000-4000-8000-0000000000b1', 'By a manager') \g /dev/null
SELECT cnap_add_organization_member('00000000-0000-4000-8000-0000000000a1', 'nina') \g /dev/null
SET LOCAL cnap.user_id = 'wanda';
SELECT cnap_update_workspace('00000000-0000-4000-8000-0000000000b1', 'By its owner') \g /dev/null
SELECT cnap_add_workspace_member('00000000-0000-4000-8000-0000000000b1', 'walter') \g /dev/null
SELECT cnap_grant_management('00000000-0000-4000-8000-0000000000b4', '00000000-0000-4000-8000-0000000000a2') \g /dev/null
SELECT cnap_revoke_management('00000000-0000-4000-8000-0000000000b1') \g /dev/null
SELECT cnap_update_workspace('00000000-0000-4000-8000-0000000000b1', 'After the revocation') \g /dev/null
SELECT cnap_add_workspace_member('00000000-0000-4000-8000-0000000000b2', 'walter') \g /dev/null
SET LOCAL cnap.user_id = 'fred';
SELECT cnap_update_workspace('00000000-0000-4000-8000-0000000000b5', 'Somebody else''s') \g /dev/null
RESET ROLE;
RESET cnap.user_id;

CREATE FUNCTION test.listing(who text, call text) RETURNS text
LANGUAGE sql AS $$
	SELECT coalesce(o.message, o.result)
	FROM test.attempt('cnap_test_app', who,
		format('SELECT string_agg(concat_ws('' '', action, actor, subject), '', '') FROM %s', call)) o
$$;

SELECT is(test.listing('adam', 'cnap_organization_audit({vendor})'),
	'management.revoke wanda, organization_member.add adam nina, workspace.update adam',
	'the managers see what they did and what came to an end, and nothing of what the customer did');
SELECT is(test.listing('wanda', 'cnap_workspace_audit({ws})'),
	'workspace.update wanda, management.revoke wanda, workspace_member.add wanda walter, workspace.update wanda, workspace.update adam',
	'the customer sees what everybody did in the workspace, the newest first');
SELECT is(test.listing('rita', 'cnap_organization_audit({rival})'), 'management.grant wanda',
	'another vendor sees its own');
SELECT is(test.listing('fred', 'cnap_workspace_audit({foreign})'), 'workspace.update fred',
	'another customer sees its own');
SELECT is(test.listing(who, call), expected, format('%s for %s', call, who))
FROM (VALUES
	('adam', 'cnap_workspace_audit({ws})', format('workspace "%s" does not exist', test.id('ws'))),
	('adam', 'cnap_workspace_audit({foreign})', format('workspace "%s" does not exist', test.id('foreign'))),
	('adam', 'cnap_organization_audit({rival})', format('organization "%s" does not exist', test.id('rival'))),
	('rita', 'cnap_workspace_audit({free})', 'admin role required'),
	('rita', 'cnap_organization_audit({vendor})', format('organization "%s" does not exist', test.id('vendor'))),
	('wanda', 'cnap_organization_audit({vendor})', format('organization "%s" does not exist', test.id('vendor'))),
	('mia', 'cnap_organization_audit({vendor})', 'admin role required'),
	('dave', 'cnap_workspace_audit({ws})', 'admin role required'),
	('walter', 'cnap_workspace_audit({ws})', 'admin role required')
) t (who, call, expected);
SELECT is((test.attempt('cnap_test_app', 'wanda', $$
	SELECT concat_ws(' ', actor, database_role, action, organization_id, path, detail,
		occurred_at > now() AND occurred_at < clock_timestamp(), id IS NOT NULL)
	FROM cnap_workspace_audit({ws}) WHERE actor = 'adam'$$)).result,
	format('adam cnap_test_app workspace.update %1$s as admin of organization %1$s, which manages the workspace {"changed": ["name"]} t t', test.id('vendor')),
	'an entry as the customer sees it, with the time of the act rather than of its transaction');

-- keyset paging: the pages make up the whole, without gaps and without
-- repetitions

CREATE FUNCTION test.pages(listing text, who text, page_size integer) RETURNS SETOF bigint
LANGUAGE plpgsql AS $$
DECLARE
	page bigint[];
	before bigint;
BEGIN
	PERFORM test.become('cnap_test_app', who);
	LOOP
		EXECUTE format('SELECT array_agg(id) FROM %s', listing) INTO page USING before, page_size;
		EXIT WHEN page IS NULL;
		ASSERT cardinality(page) <= page_size AND (before IS NULL OR page[1] < before);
		RETURN QUERY SELECT unnest(page);
		before := page[cardinality(page)];
	END LOOP;
	PERFORM set_config('role', 'none', true);
END
$$;
SELECT results_eq(format('SELECT * FROM test.pages(%L, %L, %s)', listing, who, page_size),
	format('SELECT id FROM cnap.audit_log WHERE %s ORDER BY id DESC', restriction),
	format('%s in pages of %s', split_part(listing, '(', 1), page_size))
FROM (VALUES
	(format('cnap_workspace_audit(%L, $1, $2)', test.id('ws')), 'wanda', format('workspace_id = %L', test.id('ws'))),
	(format('cnap_organization_audit(%L, $1, $2)', test.id('vendor')), 'adam', format('organization_id = %L', test.id('vendor')))
) t (listing, who, restriction), unnest(ARRAY[1, 2, 3, 100]) page_size;

-- a function that is executed in its owner's name does not hide who called it

CREATE FUNCTION test.rename() RETURNS void LANGUAGE sql SECURITY DEFINER
AS $$ UPDATE cnap.workspace SET name = 'New' WHERE id = test.id('ws') $$;
SELECT test.leaves('cnap_test_app', 'wanda', 'SELECT test.rename()',
	'workspace.update | wanda | {app} | - | ws | - | by a direct statement | {"changed": ["name"]}');

-- nobody can rewrite it

GRANT SELECT, UPDATE, DELETE, TRUNCATE ON cnap.audit_log TO cnap_test_app;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA cnap TO cnap_test_app;
SELECT is(test.line(o.state, o.message, o.changed), test.line('42501', 'the audit log is append-only', false),
	statement || ' by a role with the privilege')
FROM unnest(ARRAY['UPDATE cnap.audit_log SET actor = ''nina''', 'DELETE FROM cnap.audit_log', 'TRUNCATE cnap.audit_log']) statement,
	LATERAL test.attempt('cnap_test_app', 'wanda', statement) o;
SELECT is(test.line(o.state, o.message, o.changed), test.line('00000', NULL, true), statement || ' by the owner, who may prune it')
FROM unnest(ARRAY['DELETE FROM cnap.audit_log WHERE actor = ''adam''', 'TRUNCATE cnap.audit_log']) statement,
	LATERAL test.attempt('none', NULL, statement) o;

-- its constraints, of which this transaction has used those that it began with

ALTER TABLE cnap.audit_log ADD CONSTRAINT no_deletion CHECK (action <> 'workspace.delete');
SELECT throws_ok(format('DELETE FROM cnap.workspace WHERE id = %L', test.id('ws')), '23514',
	'new row for relation "audit_log" violates check constraint "no_deletion"', 'a constraint added meanwhile holds');
ALTER TABLE cnap.audit_log DROP CONSTRAINT no_deletion,
	ADD CONSTRAINT no_transfer CHECK (action <> 'workspace.transfer');
SELECT throws_ok(format('UPDATE cnap.workspace SET owner_id = ''nina'' WHERE id = %L', test.id('ws')), '23514',
	'new row for relation "audit_log" violates check constraint "no_transfer"', 'and one in place of another');
SELECT lives_ok(format('DELETE FROM cnap.workspace WHERE id = %L', test.id('ws')), 'one that was dropped does not');

SELECT finish();
ROLLBACK;
