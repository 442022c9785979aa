/*
 * Who is allowed to do what with an organization: every cell of the matrix,
 * with every function that it applies to.
 *
 * The expected results are computed from the matrix as written out here, and
 * from nothing else.
 */
BEGIN;
\ir include/setup.sql

CREATE TABLE test.matrix (act text PRIMARY KEY, owner boolean, admin boolean, member boolean);
INSERT INTO test.matrix VALUES
	--                 owner admin member
	('see',			   true, true, true),
	('leave',		   true, true, true),
	('update',		   true, true, false),
	('manage members', true, true, false),
	('manage links',   true, true, false),
	('release',		   true, true, false),
	('read audit',	   true, true, false),
	('manage roles',   true, false, false),
	('delete',		   true, false, false),
	-- not about one organization
	('anybody',		   true, true, true),
	('system',		   false, false, false);

/*
 * The persons.  Right is the column of the matrix, null for somebody who is not
 * a member; the system may do everything but what takes a person.
 */
CREATE TABLE test.person (person text PRIMARY KEY, "right" text, db_role text, user_id text);
INSERT INTO test.person VALUES
	('owner', 'owner', 'cnap_test_app', 'olga'),
	('admin', 'admin', 'cnap_test_app', 'adam'),
	('member', 'member', 'cnap_test_app', 'mia'),
	('owner of another organization', NULL, 'cnap_test_app', 'rita'),
	('stranger', NULL, 'cnap_test_app', 'nobody''s friend'),
	('nobody', NULL, 'cnap_test_app', NULL),
	('owner with another database role', 'owner', 'cnap_test_visitor', 'olga'),
	('admin with another database role', 'admin', 'cnap_test_visitor', 'adam'),
	('nobody with another database role', NULL, 'cnap_test_visitor', NULL),
	('member with a superuser role', 'member', 'none', 'mia'),
	('system', 'system', 'none', NULL);

/* The calls.  {me} is the user; object is what a person who may not see it is told about. */
CREATE TABLE test.call (
	act text NOT NULL REFERENCES test.matrix,
	statement text PRIMARY KEY,
	writes boolean NOT NULL DEFAULT true,
	personal boolean NOT NULL DEFAULT false,
	object text NOT NULL DEFAULT 'organization "{vendor}"'
);
INSERT INTO test.call (act, statement, writes) VALUES
	('see', 'SELECT count(*) FROM cnap_organization({vendor})', false),
	('see', 'SELECT count(*) FROM cnap_organization_members({vendor})', false),
	('see', 'SELECT count(*) FROM cnap_organization_workspaces({vendor})', false),
	('update', 'SELECT cnap_update_organization({vendor}, name => ''Renamed'')', true),
	('update', 'SELECT cnap_update_organization({vendor}, slug => ''renamed'')', true),
	('update', 'SELECT cnap_update_organization({vendor}, slug => '''')', true),
	('update', 'SELECT cnap_update_organization({vendor}, logo => ''https://vendor.example/new.png'')', true),
	('update', 'SELECT cnap_update_organization({vendor}, logo => '''')', true),
	('update', 'SELECT cnap_update_organization({vendor}, management_email => ''new@vendor.example'')', true),
	('update', 'SELECT cnap_update_organization({vendor}, management_email => '''')', true),
	('update', 'SELECT cnap_update_organization({vendor}, metadata => ''{"plan": "free"}'')', true),
	('update', 'SELECT cnap_update_organization({vendor}, metadata => ''{}'')', true),
	('update', 'SELECT cnap_update_organization({vendor}, accepts => ''links'')', true),
	('update', 'SELECT cnap_update_organization({vendor})', false),
	('manage members', 'SELECT cnap_add_organization_member({vendor}, ''nina'')', true),
	('manage members', 'SELECT cnap_add_organization_member({vendor}, ''nina'', ''member'')', true),
	('manage members', 'SELECT cnap_remove_organization_member({vendor}, ''max'')', true),
	('manage members', 'SELECT cnap_invite_to_organization({vendor})', true),
	('manage members', 'SELECT count(*) FROM cnap_invitations({vendor})', false),
	('manage roles', 'SELECT cnap_invite_to_organization({vendor}, ''admin'')', true),
	('manage roles', 'SELECT cnap_invite_to_organization({vendor}, ''owner'')', true),
	('manage links', 'SELECT cnap_create_install_link({vendor})', true),
	('manage links', 'SELECT count(*) FROM cnap_install_links({vendor})', false),
	('read audit', 'SELECT count(*) FROM cnap_organization_audit({vendor})', false),
	('read audit', 'SELECT count(*) FROM cnap_organization_audit({vendor}, 1000000, 5)', false),
	('manage roles', 'SELECT cnap_add_organization_member({vendor}, ''nina'', ''admin'')', true),
	('manage roles', 'SELECT cnap_add_organization_member({vendor}, ''nina'', ''owner'')', true),
	('manage roles', 'SELECT cnap_remove_organization_member({vendor}, ''anna'')', true),
	('manage roles', 'SELECT cnap_remove_organization_member({vendor}, ''oscar'')', true),
	('manage roles', 'SELECT cnap_set_organization_role({vendor}, ''max'', ''member'')', false),
	('manage roles', 'SELECT cnap_set_organization_role({vendor}, ''max'', ''admin'')', true),
	('manage roles', 'SELECT cnap_set_organization_role({vendor}, ''max'', ''owner'')', true),
	('manage roles', 'SELECT cnap_set_organization_role({vendor}, ''anna'', ''member'')', true),
	('manage roles', 'SELECT cnap_set_organization_role({vendor}, ''anna'', ''owner'')', true),
	('manage roles', 'SELECT cnap_set_organization_role({vendor}, ''oscar'', ''member'')', true),
	('manage roles', 'SELECT cnap_set_organization_role({vendor}, ''oscar'', ''admin'')', true),
	('delete', 'SELECT cnap_delete_organization({vendor})', true),
	('anybody', 'SELECT cnap_create_organization(''New'', owner => {me})', true),
	('system', 'SELECT cnap_create_organization(''New'', owner => ''nina'')', true),
	('system', 'SELECT cnap_create_organization(''New'', ''new'', ''https://new.example/'', ''a@new.example'', ''olga2'')', true);
INSERT INTO test.call (act, statement, writes, object) VALUES
	('manage members', 'SELECT cnap_revoke_invitation({invitation})', true, 'invitation "{invitation}"'),
	('manage members', 'SELECT cnap_resend_invitation({invitation})', true, 'invitation "{invitation}"'),
	('manage links', 'SELECT cnap_revoke_install_link({link})', true, 'install link "{link}"'),
	('release', 'SELECT cnap_revoke_management({ws})', true, 'workspace "{ws}"'),
	('release', 'SELECT cnap_revoke_management({capped})', true, 'workspace "{capped}"');
-- what the system cannot do, because it is no user
INSERT INTO test.call (act, statement, writes, personal) VALUES
	('leave', 'SELECT cnap_leave_organization({vendor})', true, true),
	('anybody', 'SELECT count(*) FROM cnap_organizations()', false, true);

CREATE FUNCTION test.expected(call test.call, person test.person) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
	row test.matrix;
	allowed boolean;
BEGIN
	SELECT m.* INTO STRICT row FROM test.matrix m WHERE m.act = call.act;
	IF person.user_id IS NULL AND (person."right" IS NULL OR call.personal) THEN
		RETURN test.line('28000', 'no current user', false);
	END IF;
	allowed := CASE person."right"
		WHEN 'system' THEN true
		WHEN 'owner' THEN row.owner
		WHEN 'admin' THEN row.admin
		WHEN 'member' THEN row.member
		ELSE call.act = 'anybody'
	END;
	IF allowed THEN
		RETURN test.line('00000', NULL, call.writes);
	ELSIF call.act = 'system' THEN
		RETURN test.line('42501', 'only the system can name another owner', false);
	ELSIF person."right" IS NULL THEN
		RETURN test.line('42704', replace(test.expand(call.object), '''', '') || ' does not exist', false);
	ELSE
		RETURN test.line('42501', CASE WHEN row.admin THEN 'admin' ELSE 'owner' END || ' role required', false);
	END IF;
END
$$;

/* The statement as that person gives it; the system names itself as little as it can. */
CREATE FUNCTION test.statement(call test.call, person test.person) RETURNS text IMMUTABLE
RETURN replace(call.statement, '{me}', quote_literal(coalesce(person.user_id, 'olga')));

SELECT plan((SELECT count(*) FROM test.call)::int * (SELECT count(*) FROM test.person)::int + 24);

SELECT is(test.line(o.state, o.message, o.changed), test.expected(c, p),
	p.person || ': ' || c.statement)
FROM test.call c, test.person p,
	LATERAL test.attempt(p.db_role, p.user_id, test.statement(c, p)) o
ORDER BY c.act, c.statement, p.person;

SELECT is_empty($$
	SELECT f.oid::regprocedure
	FROM test.public_function f
	WHERE (f.name LIKE '%organization%' OR f.name = 'cnap_revoke_management')
		AND NOT EXISTS (SELECT FROM test.call c WHERE c.statement ~ (f.name || '\('))
	$$, 'every public function about organizations is called by everybody');

-- what users see

SELECT results_eq($$
	SELECT p.person, o.result
	FROM test.person p,
		LATERAL test.attempt(p.db_role, p.user_id,
			'SELECT string_agg(format(''%s %s'', name, role), '', '') FROM cnap_organizations()') o
	WHERE p.db_role = 'cnap_test_app' AND p.user_id IS NOT NULL
	ORDER BY p.person COLLATE "C"
	$$, $$ VALUES
	('admin', 'Vendor admin'), ('member', 'Vendor member'), ('owner', 'Vendor owner'),
	('owner of another organization', 'Rival owner'), ('stranger', NULL)
	$$, 'cnap_organizations() lists one''s own, with one''s role');
SELECT is((test.attempt('cnap_test_app', 'mia',
	'SELECT string_agg(format(''%s %s'', user_id, role), '', '') FROM cnap_organization_members({vendor})')).result,
	'adam admin, anna admin, max member, mia member, olga owner, oscar owner',
	'a member sees all members');
SELECT is((test.attempt('cnap_test_app', 'mia',
	'SELECT string_agg(format(''%s %s %s'', name, owner_id, managed_role), '', '') FROM cnap_organization_workspaces({vendor})')).result,
	'Capped wanda member, Managed wanda admin',
	'a member sees the workspaces that are managed now');
SELECT is((test.attempt('cnap_test_app', 'mia',
	'SELECT format(''%s %s %s %s %s'', name, slug, logo, management_email, metadata) FROM cnap_organization({vendor})')).result,
	'Vendor vendor https://vendor.example/logo.png manage@vendor.example {"plan": "pro"}',
	'a member sees the organization');

-- nobody can raise their own role

SELECT is(test.line(o.state, o.message, o.changed),
	test.line('42501', 'owner role required', false), format('%s makes themselves %s', who, role))
FROM (VALUES ('adam', 'owner'), ('mia', 'admin'), ('mia', 'owner')) t (who, role),
	LATERAL test.attempt('cnap_test_app', who,
		format('SELECT cnap_set_organization_role({vendor}, %L, %L)', who, role)) o;
SELECT is(test.line(o.state, o.message, o.changed),
	test.line('42501', 'owner role required', false), 'a member does not add anybody, themselves included')
FROM test.attempt('cnap_test_app', 'mia', 'SELECT cnap_add_organization_member({vendor}, ''mia'', ''owner'')') o;

-- the last owner

SELECT is(test.line(o.state, o.message, o.changed),
	test.line('23001', format('organization "%s" would lose its last owner', test.id('rival')), false),
	statement || coalesce(' by ' || who, ' by the system'))
FROM (VALUES
		('rita', 'cnap_test_app', 'SELECT cnap_leave_organization({rival})'),
		('rita', 'cnap_test_app', 'SELECT cnap_remove_organization_member({rival}, ''rita'')'),
		('rita', 'cnap_test_app', 'SELECT cnap_set_organization_role({rival}, ''rita'', ''admin'')'),
		('rita', 'cnap_test_app', 'SELECT cnap_set_organization_role({rival}, ''rita'', ''member'')'),
		(NULL, 'none', 'SELECT cnap_remove_organization_member({rival}, ''rita'')'),
		(NULL, 'none', 'SELECT cnap_set_organization_role({rival}, ''rita'', ''member'')')
	) t (who, db_role, statement),
	LATERAL test.attempt(db_role, who, statement) o;

-- details beyond the cells

SELECT is(test.line(o.state, o.message, o.changed), expected, statement || ' by ' || who)
FROM (VALUES
		('olga', 'SELECT cnap_add_organization_member({vendor}, ''mia'')',
			test.line('23505', 'user "mia" is already a member of the organization', false)),
		('olga', 'SELECT cnap_add_organization_member({vendor}, ''olga'', ''owner'')',
			test.line('23505', 'user "olga" is already a member of the organization', false)),
		('olga', 'SELECT cnap_set_organization_role({vendor}, ''nina'', ''admin'')',
			test.line('42704', 'user "nina" is not a member of the organization', false)),
		('olga', 'SELECT cnap_remove_organization_member({vendor}, ''nina'')',
			test.line('42704', 'user "nina" is not a member of the organization', false)),
		('olga', 'SELECT cnap_remove_organization_member({vendor}, ''MIA'')',
			test.line('42704', 'user "MIA" is not a member of the organization', false)),
		('mia', 'SELECT cnap_remove_organization_member({vendor}, ''nina'')',
			test.line('42501', 'admin role required', false)),
		('adam', 'SELECT cnap_remove_organization_member({vendor}, ''adam'')',
			test.line('42501', 'owner role required', false)),
		('olga', 'SELECT cnap_set_organization_role({vendor}, ''olga'', ''member'')',
			test.line('00000', NULL, true))
	) t (who, statement, expected),
	LATERAL test.attempt('cnap_test_app', who, statement) o;

SELECT is((test.attempt('cnap_test_app', 'olga', $$
	SELECT string_agg(format('%s %s', w.name, cnap_workspace_role('wanda', w.id)), ', ' ORDER BY w.name)
	FROM cnap_delete_organization({vendor}), cnap_workspaces() w
	$$)).state, '00000', 'deletion of an organization in one statement with a listing');

SELECT finish();
ROLLBACK;
