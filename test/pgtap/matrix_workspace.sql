/*
 * Who is allowed to do what with a workspace: every cell of the matrix, with
 * every function that it applies to.
 *
 * The expected results are computed from the matrix as written out here and in
 * include/, and from nothing else; the application's own roles and permissions are part of it.  Users with several ways in are tested in ways.sql.
 */
BEGIN;
\ir include/setup.sql
\ir include/workspace_matrix.sql
\ir include/own_roles.sql

/*
 * The persons.  Way is the column of the matrix, null for none; place is the
 * workspace that the person tries, and role_in_manager the role in the
 * organization that manages it now.
 */
INSERT INTO test.named VALUES
	('operated', '00000000-0000-4000-8000-0000000000b6'), ('kept', '00000000-0000-4000-8000-0000000000b7');
INSERT INTO cnap.workspace (id, name, owner_id, managed_by, managed_role)
	SELECT test.id(name), name, 'wanda', test.id('vendor'), role
	FROM (VALUES ('operated', 'operator'), ('kept', 'keeper')) managed (name, role);
INSERT INTO cnap.workspace_member (workspace_id, user_id, role)
	SELECT test.id(w), person, role
	FROM unnest(ARRAY['operated', 'kept']) w,
		(VALUES ('dirk', 'admin'), ('dina', 'member')) member (person, role)
	UNION ALL
	SELECT test.id('ws'), 'the ' || role, role FROM test.own_role;

CREATE TABLE test.person (
	person text PRIMARY KEY,
	way text,
	role_in_manager text,
	place text NOT NULL,
	db_role text NOT NULL,
	user_id text
);
INSERT INTO test.person VALUES
	('owner', 'owner', NULL, 'ws', 'cnap_test_app', 'wanda'),
	('direct admin', 'admin', NULL, 'ws', 'cnap_test_app', 'dora'),
	('direct member', 'member', NULL, 'ws', 'cnap_test_app', 'dave'),
	('manager, owner there', 'manager', 'owner', 'ws', 'cnap_test_app', 'olga'),
	('manager, admin there', 'manager', 'admin', 'ws', 'cnap_test_app', 'adam'),
	('manager, member there', 'manager', 'member', 'ws', 'cnap_test_app', 'mia'),
	('capped manager, owner there', 'capped', 'owner', 'capped', 'cnap_test_app', 'olga'),
	('capped manager, admin there', 'capped', 'admin', 'capped', 'cnap_test_app', 'adam'),
	('capped manager, member there', 'capped', 'member', 'capped', 'cnap_test_app', 'mia'),
	('managing operator, owner there', 'managing operator', 'owner', 'operated', 'cnap_test_app', 'olga'),
	('managing operator, member there', 'managing operator', 'member', 'operated', 'cnap_test_app', 'mia'),
	('managing keeper, member there', 'managing keeper', 'member', 'kept', 'cnap_test_app', 'mia'),
	('former manager, owner there', NULL, NULL, 'ended', 'cnap_test_app', 'olga'),
	('former manager, member there', NULL, NULL, 'ended', 'cnap_test_app', 'mia'),
	('manager of another workspace', NULL, NULL, 'free', 'cnap_test_app', 'olga'),
	('owner of another workspace', NULL, NULL, 'ws', 'cnap_test_app', 'fred'),
	('stranger', NULL, NULL, 'ws', 'cnap_test_app', 'nina'),
	('nobody', NULL, NULL, 'ws', 'cnap_test_app', NULL),
	('owner with another database role', 'owner', NULL, 'ws', 'cnap_test_visitor', 'wanda'),
	('direct admin with another database role', 'admin', NULL, 'ws', 'cnap_test_visitor', 'dora'),
	('manager with another database role', 'manager', 'admin', 'ws', 'cnap_test_visitor', 'adam'),
	('nobody with another database role', NULL, NULL, 'ws', 'cnap_test_visitor', NULL),
	('manager with a superuser role', 'manager', 'member', 'ws', 'none', 'mia'),
	('system', 'system', NULL, 'ws', 'none', NULL);
INSERT INTO test.person SELECT 'direct ' || role, role, NULL, 'ws', 'cnap_test_app', 'the ' || role FROM test.own_role;

/*
 * The calls.  {place} is the person's workspace, {me} the user.  Of the pseudo
 * permissions, 'release' is what revokes a management, 'leave' ends a direct
 * membership, 'anybody' takes nothing but a current user, and 'system' is for
 * the system alone.
 */
CREATE TABLE test.call (permission text NOT NULL, statement text PRIMARY KEY, writes boolean NOT NULL);
INSERT INTO test.call VALUES
	('access', 'SELECT count(*) FROM cnap_workspace_members({place})', false),
	('access', 'SELECT count(*) FROM cnap_workspace({place})', false),
	('administer', 'SELECT cnap_update_workspace({place}, ''Renamed'')', true),
	('administer', 'SELECT cnap_update_workspace({place}, metadata => ''{"region": "eu"}'')', true),
	('administer', 'SELECT cnap_update_workspace({place})', false),
	('manage_members', 'SELECT cnap_add_workspace_member({place}, ''nora'')', true),
	('manage_members', 'SELECT cnap_add_workspace_member({place}, ''nora'', ''member'')', true),
	('manage_members', 'SELECT cnap_remove_workspace_member({place}, ''dina'')', true),
	('manage_members', 'SELECT cnap_invite_to_workspace({place})', true),
	('manage_members', 'SELECT count(*) FROM cnap_workspace_invitations({place})', false),
	('manage_roles', 'SELECT cnap_invite_to_workspace({place}, ''admin'')', true),
	('manage_members', 'SELECT count(*) FROM cnap_workspace_audit({place})', false),
	('manage_members', 'SELECT count(*) FROM cnap_workspace_audit({place}, 1000000, 5)', false),
	('manage_roles', 'SELECT cnap_add_workspace_member({place}, ''nora'', ''admin'')', true),
	('manage_roles', 'SELECT cnap_remove_workspace_member({place}, ''dirk'')', true),
	('manage_roles', 'SELECT cnap_set_workspace_role({place}, ''dina'', ''admin'')', true),
	('manage_roles', 'SELECT cnap_set_workspace_role({place}, ''dina'', ''member'')', false),
	('manage_roles', 'SELECT cnap_set_workspace_role({place}, ''dirk'', ''member'')', true),
	('manage_delegation', 'SELECT count(*) FROM cnap_preview_revocation({place})', false),
	('manage_delegation', 'SELECT cnap_grant_management({place}, {vendor}, ''admin'', now() + interval ''1 day'')', true),
	('manage_delegation', 'SELECT cnap_grant_management({place}, {vendor}, ''member'', now() + interval ''1 day'')', true),
	('release', 'SELECT cnap_revoke_management({place})', true),
	('billing', 'SELECT count(*) FROM cnap_workspace_billing({place})', false),
	('billing', 'SELECT cnap_set_workspace_billing({place}, billing_email => ''new@customer.example'')', true),
	('billing', 'SELECT cnap_set_workspace_billing({place}, customer_id => ''c-1'')', true),
	('billing', 'SELECT cnap_set_workspace_billing({place})', false),
	('transfer', 'SELECT cnap_transfer_workspace({place}, ''dina'')', true),
	('transfer', 'SELECT cnap_transfer_workspace({place}, ''dirk'')', true),
	('delete', 'SELECT cnap_delete_workspace({place})', true),
	('leave', 'SELECT cnap_leave_workspace({place})', true),
	('anybody', 'SELECT cnap_create_workspace(''New'', {me})', true),
	('anybody', 'SELECT count(*) FROM cnap_workspaces()', false),
	('system', 'SELECT cnap_create_workspace(''New'', ''nora'')', true);

-- The error names the lowest role that has the permission by a way other than
-- management.
CREATE FUNCTION test.missing_role(permission text) RETURNS text STABLE
RETURN (SELECT CASE WHEN m.admin THEN 'admin' ELSE 'owner' END || ' role required'
	FROM test.matrix m WHERE m.permission = $1);

CREATE FUNCTION test.expected(call test.call, person test.person) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
	hidden text := test.line('42704', format('workspace "%s" does not exist', test.id(person.place)), false);
	is_system boolean := coalesce(person.way = 'system', false);
	takes_person boolean := call.permission = 'leave' OR call.statement ~ 'cnap_workspaces\(';
BEGIN
	IF person.user_id IS NULL AND (NOT is_system OR takes_person) THEN
		RETURN test.line('28000', 'no current user', false);
	ELSIF call.permission = 'anybody' OR is_system THEN
		RETURN test.line('00000', NULL, call.writes);
	ELSIF call.permission = 'system' THEN
		RETURN test.line('42501', 'only the system can name another owner', false);
	ELSIF person.way IS NULL THEN
		RETURN hidden;
	ELSIF call.permission = 'leave' THEN
		RETURN CASE
			WHEN person.way = 'owner' THEN
				test.line('23001', format('user "%s" is the owner of the workspace', person.user_id), false)
			WHEN person.role_in_manager IS NOT NULL THEN
				test.line('42704', format('user "%s" is not a member of the workspace', person.user_id), false)
			ELSE test.line('00000', NULL, true)
		END;
	ELSIF call.permission = 'release' THEN
		RETURN CASE
			WHEN person.way = 'owner' OR person.role_in_manager IN ('owner', 'admin') THEN
				test.line('00000', NULL, true)
			WHEN person.role_in_manager = 'member' THEN
				test.line('42501', 'admin role required', false)
			ELSE test.line('42501', 'owner role required', false)
		END;
	ELSIF test.allows(person.way, call.permission) THEN
		RETURN test.line('00000', NULL, call.writes);
	ELSE
		RETURN test.line('42501', test.missing_role(call.permission), false);
	END IF;
END
$$;

CREATE FUNCTION test.statement(call test.call, person test.person) RETURNS text STABLE
RETURN replace(replace(call.statement, '{place}', '{' || person.place || '}'),
	'{me}', quote_literal(coalesce(person.user_id, 'wanda')));

SELECT no_plan();

SELECT is(test.line(o.state, o.message, o.changed), test.expected(c, p),
	p.person || ': ' || c.statement)
FROM test.call c, test.person p,
	LATERAL test.attempt(p.db_role, p.user_id, test.statement(c, p)) o
ORDER BY c.permission, c.statement, p.person;

SELECT is_empty($$
	SELECT f.oid::regprocedure
	FROM test.public_function f
	WHERE f.name ~ 'workspace|management|revocation'
		AND f.name NOT IN ('cnap_accessible_workspaces', 'cnap_workspace_role', 'cnap_organization_workspaces',
			'cnap_activate_management')	-- in managers.sql
		AND NOT EXISTS (SELECT FROM test.call c WHERE c.statement ~ (f.name || '\('))
	$$, 'every public function that acts on workspaces is called by everybody');

-- the checks, for each user

SELECT is(o.result, coalesce(test.permissions(p.way), ''),
	p.person || ': permissions by cnap_has_permission(workspace, permission)')
FROM test.person p,
	LATERAL test.attempt(p.db_role, p.user_id, format($$
		SELECT coalesce(string_agg(permission::text, ' ' ORDER BY permission), '')
		FROM (SELECT DISTINCT r.permission FROM cnap_roles() r) defined
		WHERE cnap_has_permission({%s}, permission)$$, p.place)) o
WHERE p.way IS DISTINCT FROM 'system';
SELECT is(o.result, coalesce(test.permissions(p.way), ''),
	p.person || ': permissions by cnap_has_permission(user_id, workspace, permission)')
FROM test.person p,
	LATERAL test.attempt('cnap_test_app', 'auditor', format($$
		SELECT coalesce(string_agg(permission::text, ' ' ORDER BY permission), '')
		FROM (SELECT DISTINCT r.permission FROM cnap_roles() r) defined
		WHERE cnap_has_permission(%L, {%s}, permission)$$, p.user_id, p.place)) o
WHERE p.way IS DISTINCT FROM 'system';
SELECT is(o.result, format('%s %s %s %s', p.way IS NOT NULL, p.way IS NOT NULL,
		test.own_role_of(p.way), test.own_role_of(p.way)),
	p.person || ': cnap_can_access(), cnap_accessible_workspaces(), cnap_workspace_role() and cnap_workspaces()')
FROM test.person p,
	LATERAL test.attempt(p.db_role, p.user_id, format($$
		SELECT format('%%s %%s %%s %%s', cnap_can_access({%1$s}),
			{%1$s} = ANY (cnap_accessible_workspaces()), cnap_workspace_role({%1$s}),
			(SELECT w.role FROM cnap_workspaces() w WHERE w.id = {%1$s}))$$, p.place)) o
WHERE p.way IS DISTINCT FROM 'system' AND p.user_id IS NOT NULL;
SELECT is(o.result, 'f f f {}', p.person || ': every check is false')
FROM test.person p,
	LATERAL test.attempt(p.db_role, NULL, $$
		SELECT format('%s %s %s %s', cnap_can_access({ws}), cnap_has_permission({ws}, 'access'),
			cnap_workspace_role({ws}) IS NOT NULL, cnap_accessible_workspaces())$$) o
WHERE p.user_id IS NULL;

-- details beyond the cells

SELECT is(test.line(o.state, o.message, o.changed), expected, statement || ' by ' || coalesce(who, 'the system'))
FROM (VALUES
		('wanda', 'SELECT cnap_add_workspace_member({ws}, ''dave'')',
			test.line('23505', 'user "dave" is already a member of the workspace', false)),
		('wanda', 'SELECT cnap_add_workspace_member({ws}, ''wanda'', ''admin'')',
			test.line('23505', 'user "wanda" is already a member of the workspace', false)),
		('wanda', 'SELECT cnap_add_workspace_member({ws}, ''olga'')', test.line('00000', NULL, true)),
		('wanda', 'SELECT cnap_add_workspace_member({ws}, ''nora'', ''owner'')',
			test.line('22023', 'invalid role', false)),
		('wanda', 'SELECT cnap_set_workspace_role({ws}, ''dave'', ''owner'')',
			test.line('22023', 'invalid role', false)),
		('wanda', 'SELECT cnap_set_workspace_role({ws}, ''nora'', ''admin'')',
			test.line('42704', 'user "nora" is not a member of the workspace', false)),
		('wanda', 'SELECT cnap_set_workspace_role({ws}, ''olga'', ''member'')',
			test.line('42704', 'user "olga" is not a member of the workspace', false)),
		('wanda', 'SELECT cnap_set_workspace_role({ws}, ''wanda'', ''member'')',
			test.line('23001', 'user "wanda" is the owner of the workspace', false)),
		('wanda', 'SELECT cnap_remove_workspace_member({ws}, ''wanda'')',
			test.line('23001', 'user "wanda" is the owner of the workspace', false)),
		('dora', 'SELECT cnap_remove_workspace_member({ws}, ''wanda'')',
			test.line('23001', 'user "wanda" is the owner of the workspace', false)),
		('wanda', 'SELECT cnap_remove_workspace_member({ws}, ''olga'')',
			test.line('42704', 'user "olga" is not a member of the workspace', false)),
		('dave', 'SELECT cnap_remove_workspace_member({ws}, ''nora'')',
			test.line('42501', 'admin role required', false)),
		('mia', 'SELECT cnap_remove_workspace_member({ws}, ''nora'')',
			test.line('42501', 'admin role required', false)),
		('dave', 'SELECT cnap_remove_workspace_member({ws}, ''wanda'')',
			test.line('42501', 'admin role required', false)),
		('dora', 'SELECT cnap_remove_workspace_member({ws}, ''dora'')',
			test.line('42501', 'owner role required', false)),
		('dora', 'SELECT cnap_set_workspace_role({ws}, ''dora'', ''member'')',
			test.line('42501', 'owner role required', false)),
		('wanda', 'SELECT cnap_transfer_workspace({ws}, ''nora'')',
			test.line('42704', 'user "nora" is not a member of the workspace', false)),
		('wanda', 'SELECT cnap_transfer_workspace({ws}, ''olga'')',
			test.line('42704', 'user "olga" is not a member of the workspace', false)),
		('wanda', 'SELECT cnap_transfer_workspace({ws}, ''wanda'')',
			test.line('42704', 'user "wanda" is not a member of the workspace', false)),
		('wanda', 'SELECT cnap_grant_management({ws}, {rival})',
			test.line('23001', 'workspace is already managed', false)),
		(NULL, 'SELECT cnap_grant_management({ws}, {rival})',
			test.line('23001', 'workspace is already managed', false)),
		('wanda', 'SELECT cnap_grant_management({ws}, {vendor})',
			test.line('23001', 'workspace is already managed', false)),
		('wanda', 'SELECT cnap_grant_management({ws}, {vendor}, ''owner'')',
			test.line('22023', 'invalid role', false)),
		('wanda', 'SELECT cnap_grant_management({free}, {unknown})',
			test.line('42704', format('organization "%s" does not exist', test.id('unknown')), false)),
		('wanda', 'SELECT cnap_grant_management({free}, {rival})', test.line('00000', NULL, true)),
		('wanda', 'SELECT cnap_grant_management({ended}, {rival})', test.line('00000', NULL, true)),
		('wanda', 'SELECT cnap_grant_management({ended}, {vendor})', test.line('00000', NULL, true)),
		('wanda', 'SELECT cnap_revoke_management({ended})', test.line('00000', NULL, true)),
		('wanda', 'SELECT cnap_revoke_management({free})',
			test.line('55000', 'workspace is not managed', false)),
		('dora', 'SELECT cnap_revoke_management({free})',
			test.line('42501', 'owner role required', false)),
		('olga', 'SELECT cnap_grant_management({free}, {vendor})',
			test.line('42704', format('workspace "%s" does not exist', test.id('free')), false)),
		(NULL, 'SELECT cnap_create_workspace(''New'')',
			test.line('22023', 'owner is required', false))
	) t (who, statement, expected),
	LATERAL test.attempt(CASE WHEN who IS NULL THEN 'none' ELSE 'cnap_test_app' END, who, statement) o;

-- listings

SELECT is((test.attempt('cnap_test_app', who,
	'SELECT string_agg(concat_ws('' '', name, section, role, via, organization), '', '') FROM cnap_workspaces()')).result,
	expected, 'cnap_workspaces() for ' || who)
FROM (VALUES
	('fred', 'Foreign own owner owner'),
	('dave', 'Capped shared member member, Ended shared member member, Free shared member member, Managed shared member member'),
	('mia', format('Capped shared member organization %1$s, Managed shared admin organization %1$s, kept shared keeper organization %1$s, operated shared operator organization %1$s', test.id('vendor'))),
	('wanda', 'Capped own owner owner, Ended own owner owner, Free own owner owner, Managed own owner owner, kept own owner owner, operated own owner owner'),
	('rita', NULL)) t (who, expected);
SELECT is((test.attempt('cnap_test_app', 'dave',
	'SELECT string_agg(concat_ws('' '', user_id, role, via, organization), '', '') FROM cnap_workspace_members({capped})')).result,
	replace('adam member organization V, anna member organization V, dave member member, '
		'dina member member, dirk admin member, dora admin member, max member organization V, '
		'mia member organization V, olga member organization V, oscar member organization V, '
		'wanda owner owner', 'V', test.id('vendor')::text),
	'cnap_workspace_members() lists everyone with access, managers among them');
SELECT is((test.attempt('cnap_test_app', 'dave',
	'SELECT string_agg(user_id, '' '') FROM cnap_workspace_members({ended})')).result,
	'dave dina dirk dora wanda', 'former managers are not listed');

-- the settings

SELECT is((test.attempt('cnap_test_app', 'dave', $$
		SELECT set_config('cnap.user_id', 'dora', true);
		SELECT cnap_update_workspace({ws}, metadata => '{"icon": "star"}');
		SELECT set_config('cnap.user_id', 'dave', true);
		SELECT concat_ws(' ', id = {ws}, name, owner_id, managed_by = {vendor}, managed_role, metadata, updated_at >= created_at)
		FROM cnap_workspace({ws})$$)).result,
	't Managed wanda t admin {"icon": "star"} t', 'a member sees the settings, and who manages the workspace');

-- who is billed

UPDATE cnap.workspace SET customer_id = 'cus_' || name WHERE id IN (test.id('ws'), test.id('ended'));
SELECT is((test.attempt('cnap_test_app', 'wanda', format(
		'SELECT string_agg(concat_ws('' '', coalesce(billing_email, ''-''), coalesce(customer_id, ''-'')), '', '') FROM cnap_workspace_billing({%s})', place))).result,
	expected, 'cnap_workspace_billing() of ' || place)
FROM (VALUES ('ws', 'pay@customer.example cus_Managed'), ('ended', '- cus_Ended'), ('free', '- -')) t (place, expected);
SELECT is((test.attempt('cnap_test_app', 'wanda', $$
		SELECT cnap_set_workspace_billing({ws}, ''), cnap_transfer_workspace({ws}, 'dora');
		SELECT set_config('cnap.user_id', 'dora', true);
		SELECT concat_ws(' ', coalesce(billing_email, '-'), customer_id) FROM cnap_workspace_billing({ws})$$)).result,
	'- cus_Managed', 'the next owner reads what the former one has left');

SELECT finish();
ROLLBACK;
