/*
 * Invitations to an organization and to a workspace: who can create, see, list, resend and revoke
 * them, and who can accept and decline; what accepting does; on whose rights an invitation
 * depends; and that anything that is not a valid token is refused with the same message.
 *
 * The expected results are computed from the matrices as written out here and in
 * include/workspace_matrix.sql.
 */
BEGIN;
\ir include/setup.sql
\ir include/workspace_matrix.sql
\ir include/functions.sql
\ir include/consent.sql

SELECT no_plan();

SELECT test.keep(name, 'cnap_test_app', who, statement)
FROM (VALUES
	('colleague', 'adam', 'SELECT cnap_invite_to_organization({vendor})'),
	('colleague by olga', 'olga', 'SELECT cnap_invite_to_organization({vendor}, email => ''new@vendor.example'')'),
	('admin', 'olga', 'SELECT cnap_invite_to_organization({vendor}, ''admin'')'),
	('owner', 'olga', 'SELECT cnap_invite_to_organization({vendor}, ''owner'', expires_at => now() + interval ''1 d'')'),
	('guest', 'dora', 'SELECT cnap_invite_to_workspace({ws})'),
	('guest by wanda', 'wanda', 'SELECT cnap_invite_to_workspace({ws}, ''member'', ''guest@customer.example'', now() + interval ''1 d'')'),
	('helper', 'wanda', 'SELECT cnap_invite_to_workspace({ws}, ''admin'')'),
	('guest to capped', 'wanda', 'SELECT cnap_invite_to_workspace({capped})'),
	('guest to ended', 'wanda', 'SELECT cnap_invite_to_workspace({ended})'),
	('rival', 'rita', 'SELECT cnap_invite_to_organization({rival})'),
	('foreign', 'fred', 'SELECT cnap_invite_to_workspace({foreign}, ''admin'')'))
	t (name, who, statement) \g /dev/null
SELECT test.keep('colleague by the system', 'none', NULL, 'SELECT cnap_invite_to_organization({vendor}, ''owner'')'),
	test.keep('guest by the system', 'none', NULL, 'SELECT cnap_invite_to_workspace({ws}, ''admin'')') \g /dev/null

-- invitations that have ended, each in a different way
SELECT test.keep(name, 'cnap_test_app', 'adam', 'SELECT cnap_invite_to_organization({vendor})')
FROM unnest(ARRAY['expired', 'just expired', 'accepted', 'declined', 'revoked', 'resent', 'deleted']) name \g /dev/null
UPDATE cnap.invitation SET sent_at = now() - interval '2 d', expires_at = now() - interval '1 d' WHERE id = (SELECT id FROM test.secret WHERE name = 'expired');
UPDATE cnap.invitation SET sent_at = now() - interval '2 d', expires_at = now() WHERE id = (SELECT id FROM test.secret WHERE name = 'just expired');
DELETE FROM cnap.invitation WHERE id = (SELECT id FROM test.secret WHERE name = 'deleted');
SELECT test.fill('SELECT cnap_accept_invitation([accepted])') AS accept,
	test.fill('SELECT cnap_decline_invitation([declined])') AS decline,
	test.fill('SELECT cnap_revoke_invitation([revoked id])') AS revoke,
	test.fill('SELECT cnap_resend_invitation([resent id])') AS resend \gset
SET LOCAL ROLE cnap_test_app;
SET LOCAL cnap.user_id = 'nemo';
:accept \g /dev/null
:decline \g /dev/null
SET LOCAL cnap.user_id = 'adam';
:revoke \g /dev/null
:resend \g /dev/null
RESET ROLE;
RESET cnap.user_id;

-- every function, by every user

GRANT SELECT, UPDATE ON test.secret TO cnap_test_app;
INSERT INTO test.call VALUES
	('admin', 'SELECT cnap_invite_to_organization({vendor}) LIKE ''cnap\_%''', true, 'organization "{vendor}"'),
	('admin', 'SELECT cnap_invite_to_organization({vendor}, ''member'', ''new@vendor.example'', now() + interval ''1 d'') LIKE ''cnap\_%''',
		true, 'organization "{vendor}"'),
	('owner', 'SELECT cnap_invite_to_organization({vendor}, ''admin'') LIKE ''cnap\_%''', true, 'organization "{vendor}"'),
	('owner', 'SELECT cnap_invite_to_organization({vendor}, ''owner'') LIKE ''cnap\_%''', true, 'organization "{vendor}"'),
	('admin', 'SELECT count(*) FROM cnap_invitations({vendor})', false, 'organization "{vendor}"'),
	('manage_members', 'SELECT cnap_invite_to_workspace({place}) LIKE ''cnap\_%''', true, 'workspace "{place}"'),
	('manage_members', 'SELECT cnap_invite_to_workspace({place}, ''member'', ''new@customer.example'', now() + interval ''1 d'') LIKE ''cnap\_%''',
		true, 'workspace "{place}"'),
	('manage_roles', 'SELECT cnap_invite_to_workspace({place}, ''admin'') LIKE ''cnap\_%''', true, 'workspace "{place}"'),
	('manage_members', 'SELECT count(*) FROM cnap_workspace_invitations({place})', false, 'workspace "{place}"'),
	('admin', 'SELECT cnap_revoke_invitation([colleague id])', true, 'invitation "[colleague id]"'),
	('admin', 'SELECT cnap_resend_invitation([colleague id]) LIKE ''cnap\_%''', true, 'invitation "[colleague id]"'),
	('manage_members', 'SELECT cnap_revoke_invitation([{place} guest id])', true, 'invitation "[{place} guest id]"'),
	('manage_members', 'SELECT cnap_resend_invitation([{place} guest id]) LIKE ''cnap\_%''', true, 'invitation "[{place} guest id]"'),
	('anybody', 'SELECT count(*) FROM cnap_invitation([foreign])', false, NULL),
	('user', 'SELECT cnap_decline_invitation([foreign])', true, NULL);

-- an invitation to each of the objects, with the same name
INSERT INTO test.secret SELECT place || ' guest', token || '-', id
FROM test.secret JOIN (VALUES ('guest by wanda', 'ws'), ('guest to capped', 'capped'), ('guest to ended', 'ended')) t (name, place) USING (name);

CREATE FUNCTION test.placed(call test.call, person test.person) RETURNS test.call
LANGUAGE plpgsql STABLE AS $$
BEGIN
	call.statement := replace(replace(call.statement, '[{place} ', '[' || person.place || ' '), '{place}', '{' || person.place || '}');
	call.object := replace(replace(call.object, '[{place} ', '[' || person.place || ' '), '{place}', '{' || person.place || '}');
	RETURN call;
END
$$;

SELECT is(test.line(o.state, o.message, o.changed), test.expected(test.placed(c, p), p), p.person || ': ' || c.statement)
FROM test.call c, test.person p, LATERAL test.try(p.db_role, p.user_id, (test.placed(c, p)).statement) o
ORDER BY c.statement, p.person;

-- what a user becomes by accepting: everybody can accept, except those who are members already
SELECT is(test.line(o.state, o.message, o.changed),
	CASE
		WHEN p.user_id IS NULL THEN test.line('28000', 'no current user', false)
		WHEN token = '[guest]' AND p.way IN ('owner', 'admin', 'member')
			THEN test.line('23505', format('user "%s" is already a member of the workspace', p.user_id), false)
		WHEN token = '[colleague]' AND p.org_role IS NOT NULL
			THEN test.line('23505', format('user "%s" is already a member of the organization', p.user_id), false)
		ELSE test.line('00000', NULL, true)
	END, format('%s: cnap_accept_invitation(%s)', p.person, token))
FROM test.person p, unnest(ARRAY['[guest]', '[colleague]']) token,
	LATERAL test.try(p.db_role, p.user_id, format('SELECT cnap_accept_invitation(%s)', token)) o
ORDER BY token, p.person;

SELECT is_empty($$
	SELECT f.oid::regprocedure FROM test.public_function f
	WHERE f.name ~ 'invit' AND f.name <> 'cnap_accept_invitation'
		AND NOT EXISTS (SELECT FROM test.call c WHERE c.statement ~ (f.name || '\('))
	$$, 'every public function about invitations is called by everybody');

-- invalid tokens, with every function that takes one

CREATE TABLE test.taker (statement text PRIMARY KEY);
INSERT INTO test.taker VALUES
	('SELECT count(*) FROM cnap_invitation(%s)'),
	('SELECT cnap_accept_invitation(%s)'),
	('SELECT cnap_decline_invitation(%s)');

SELECT is(test.line(o.state, o.message, o.changed), test.invalid(), format(t.statement, '...') || ': ' || b.what)
FROM test.taker t, test.secret s, test.bad_token(s.token) b,
	LATERAL test.try('cnap_test_app', 'nina', format(t.statement, b.literal)) o
WHERE s.name = 'colleague'
ORDER BY t.statement, b.what;
SELECT is(test.line(o.state, o.message, o.changed), test.invalid(), format('%s by %s', format(t.statement, '[' || s.name || ']'), who))
FROM test.taker t, test.secret s, unnest(ARRAY['nina', 'nemo', 'adam']) who,
	LATERAL test.try('cnap_test_app', who, format(t.statement, '[' || s.name || ']')) o
WHERE s.name IN ('expired', 'just expired', 'accepted', 'declined', 'revoked', 'resent', 'deleted')
ORDER BY t.statement, s.name, who;
SELECT is(test.line(o.state, o.message, o.changed), test.invalid(), format(t.statement, '...') || ': ' || what)
FROM test.taker t,
	LATERAL (VALUES
		('an access token', 'cnap_pat_3kseszoe3npgduxsx5yuo3h6qilmsmdne6ftx3q'),
		('an id', test.id('vendor')::text),
		('the id of the invitation', (SELECT id::text FROM test.secret WHERE name = 'colleague')),
		('the hash', (SELECT encode(token_hash, 'hex') FROM cnap.invitation WHERE id = (SELECT id FROM test.secret WHERE name = 'colleague'))),
		('the prefix of links', (SELECT regexp_replace(token, '^cnap_[a-z]+_', 'cnap_link_') FROM test.secret WHERE name = 'colleague')),
		('the prefix of access tokens', (SELECT regexp_replace(token, '^cnap_[a-z]+_', 'cnap_pat_') FROM test.secret WHERE name = 'colleague')),
		('a wildcard', '%')) bad (what, token),
	LATERAL test.try('cnap_test_app', 'nina', format(t.statement, quote_literal(token))) o
ORDER BY t.statement, what;
SELECT is(test.line(o.state, o.message, o.changed), test.line('22023', 'token is required', false), format(t.statement, 'NULL'))
FROM test.taker t, LATERAL test.try('cnap_test_app', 'nina', format(t.statement, 'NULL')) o
ORDER BY t.statement;
-- a link's token is no invitation's, and vice versa
SELECT test.keep('link', 'cnap_test_app', 'adam', 'SELECT cnap_create_install_link({vendor})') \g /dev/null
SELECT is(test.line(o.state, o.message, o.changed), expected, statement)
FROM (SELECT format(statement, '[link]'), test.invalid() FROM test.taker
	UNION ALL SELECT format(statement, '[colleague]'), test.invalid()
		FROM unnest(ARRAY['SELECT count(*) FROM cnap_install_link(%s)', 'SELECT cnap_redeem_install_link(%s, {free})']) statement) t (statement, expected),
	LATERAL test.try('cnap_test_app', 'wanda', statement) o
ORDER BY statement;
SELECT is(test.line(o.state, o.message, o.changed), test.line('28000', 'invalid API key', false),
	'an invitation''s token signs nobody in')
FROM test.try('cnap_test_app', NULL, 'SELECT cnap_authenticate([colleague])') o;

-- what it shows to users with the token

SELECT is(test.told(o), '00000 ' || expected, format('cnap_invitation(%s)', token))
FROM (VALUES
		('[colleague by olga]', format('organization|%s|Vendor|member|olga|new@vendor.example|7', test.id('vendor'))),
		('[owner]', format('organization|%s|Vendor|owner|olga||1', test.id('vendor'))),
		('[guest by wanda]', format('workspace|%s|Managed|member|wanda|guest@customer.example|1', test.id('ws'))),
		('[helper]', format('workspace|%s|Managed|admin|wanda||7', test.id('ws'))),
		('[guest by the system]', format('workspace|%s|Managed|admin|||7', test.id('ws')))) t (token, expected),
	LATERAL test.try('cnap_test_app', 'nina', format($$
		SELECT concat_ws('|', kind, id, name, role, coalesce(inviter, ''), coalesce(email, ''), extract(day FROM expires_at - now()))
		FROM cnap_invitation(%s)$$, token)) o
ORDER BY token;

-- an invitation for a given user is one for nobody else, whoever has the token

SELECT test.keep(name, 'cnap_test_app', who, statement)
FROM (VALUES
	('colleague nina', 'adam', 'SELECT cnap_invite_to_organization({vendor}, user_id => ''nina'')'),
	('guest nina', 'dora', 'SELECT cnap_invite_to_workspace({ws}, user_id => ''nina'')')) t (name, who, statement) \g /dev/null
SELECT is(test.line(o.state, o.message, NULL),
	CASE WHEN who = 'nina' THEN test.line('00000', NULL, NULL) ELSE test.line('22023', 'invalid or expired invitation', NULL) END,
	format('for nina: %s by %s', format(t.statement, token), who))
FROM test.taker t, unnest(ARRAY['[colleague nina]', '[guest nina]']) token,
	unnest(ARRAY['nina', 'Nina', 'nemo', 'olga', 'adam', 'wanda', 'dora', 'mia']) who,
	LATERAL test.try('cnap_test_app', who, format(t.statement, token)) o
ORDER BY t.statement, token, who;
SELECT is(test.told(o), expected, format('for nina: %s, %s by %s', array_to_string(steps, ', '), statement, coalesce(who, 'the system')))
FROM (VALUES
		(NULL::text[], NULL, 'none', 'SELECT count(*) FROM cnap_invitation([guest nina])', '00000 1'),
		(NULL, 'nemo', 'none', 'SELECT count(*) FROM cnap_invitation([guest nina])', '22023 invalid or expired invitation'),
		(NULL, NULL, 'cnap_test_app', 'SELECT count(*) FROM cnap_invitation([guest nina])', '28000 no current user'),
		(ARRAY['nina: SELECT cnap_accept_invitation([colleague nina])'], 'nina', 'cnap_test_app',
			'SELECT role FROM cnap_organizations() WHERE id = {vendor}', '00000 member'),
		-- it is shown to those who invite
		(NULL, 'adam', 'cnap_test_app', 'SELECT string_agg(user_id, '' '') FROM cnap_invitations({vendor})', '00000 nina'),
		(NULL, 'dora', 'cnap_test_app', 'SELECT string_agg(user_id, '' '') FROM cnap_workspace_invitations({ws})', '00000 nina'),
		-- sending it again does not open it
		(ARRAY['adam: UPDATE test.secret SET token = cnap_resend_invitation([colleague nina id]) WHERE name = ''colleague nina'''], 'nemo', 'cnap_test_app',
			'SELECT count(*) FROM cnap_invitation((SELECT token FROM test.secret WHERE name = ''colleague nina''))', '22023 invalid or expired invitation'),
		(ARRAY['adam: UPDATE test.secret SET token = cnap_resend_invitation([colleague nina id]) WHERE name = ''colleague nina'''], 'nina', 'cnap_test_app',
			'SELECT count(*) FROM cnap_invitation((SELECT token FROM test.secret WHERE name = ''colleague nina''))', '00000 1'),
		-- nor does forgetting the user
		(ARRAY['system: SELECT cnap_forget_user(''nina'')'], 'nemo', 'cnap_test_app',
			'SELECT count(*) FROM cnap_invitation([guest nina])', '22023 invalid or expired invitation'),
		(ARRAY['system: SELECT cnap_forget_user(''nina'')'], 'nina', 'cnap_test_app',
			'SELECT count(*) FROM cnap_invitation([guest nina])', '22023 invalid or expired invitation'),
		(ARRAY['system: SELECT cnap_forget_user(''nina'')'], NULL, 'none',
			'SELECT concat_ws('' '', user_id, email, outcome) FROM cnap.invitation WHERE id = [guest nina id]', '00000 revoked')
	) t (steps, who, db_role, statement, expected),
	LATERAL test.try_after(steps, db_role, who, statement) o;
SELECT results_eq(format('SELECT test.trail(%L)', step), ARRAY[line], step)
FROM (VALUES
		('adam: SELECT cnap_revoke_invitation([colleague nina id])',
			'invitation.revoke | adam | {vendor} | - | nina | as admin of the organization | {"id": "colleague nina", "role": "member"}'),
		('nina: SELECT cnap_decline_invitation([guest nina])',
			'invitation.decline | nina | - | {ws} | nina | by an invitation | {"id": "guest nina", "role": "member"}'),
		('system: UPDATE cnap.invitation SET user_id = NULL WHERE id = [guest nina id]',
			'invitation.update | - | - | {ws} | - | by a direct statement | {"id": "guest nina", "role": "member", "changed": ["user_id"]}')) t (step, line);
DELETE FROM cnap.invitation WHERE user_id = 'nina';
DELETE FROM test.secret WHERE name LIKE '% nina';

-- accepting gives exactly the role, once

CREATE FUNCTION test.roles(person text) RETURNS text STABLE
RETURN format($$
	SELECT concat_ws(' ', 'vendor', (SELECT role FROM cnap.organization_member WHERE organization_id = {vendor} AND user_id = %1$L),
		'rival', (SELECT role FROM cnap.organization_member WHERE organization_id = {rival} AND user_id = %1$L),
		'ws', (SELECT role FROM cnap.workspace_member WHERE workspace_id = {ws} AND user_id = %1$L))$$, person);

SELECT is(test.told(o), '00000 ' || expected, array_to_string(steps, ', '))
FROM (VALUES
		(ARRAY['nina: SELECT cnap_accept_invitation([colleague])'], 'vendor member rival ws'),
		(ARRAY['nina: SELECT cnap_accept_invitation([admin])'], 'vendor admin rival ws'),
		(ARRAY['nina: SELECT cnap_accept_invitation([owner])'], 'vendor owner rival ws'),
		(ARRAY['nina: SELECT cnap_accept_invitation([colleague by the system])'], 'vendor owner rival ws'),
		(ARRAY['nina: SELECT cnap_accept_invitation([guest])'], 'vendor rival ws member'),
		(ARRAY['nina: SELECT cnap_accept_invitation([helper])'], 'vendor rival ws admin'),
		(ARRAY['nina: SELECT cnap_accept_invitation([guest by the system])'], 'vendor rival ws admin'),
		(ARRAY['nina: SELECT cnap_accept_invitation([colleague])', 'nina: SELECT cnap_accept_invitation([rival])',
			'nina: SELECT cnap_accept_invitation([helper])'], 'vendor member rival member ws admin'),
		-- a user who was removed gets the new role, not the former one
		(ARRAY['nina: SELECT cnap_accept_invitation([owner])', 'olga: SELECT cnap_remove_organization_member({vendor}, ''nina'')',
			'nina: SELECT cnap_accept_invitation([colleague])'], 'vendor member rival ws'),
		(ARRAY['nina: SELECT cnap_accept_invitation([helper])', 'wanda: SELECT cnap_remove_workspace_member({ws}, ''nina'')',
			'nina: SELECT cnap_accept_invitation([guest])'], 'vendor rival ws member'),
		(ARRAY['nina: SELECT cnap_accept_invitation([guest])', 'nina: SELECT cnap_leave_workspace({ws})',
			'nina: SELECT cnap_accept_invitation([helper])'], 'vendor rival ws admin'),
		(ARRAY['nina: SELECT cnap_decline_invitation([guest])', 'nina: SELECT cnap_accept_invitation([helper])'], 'vendor rival ws admin')
	) t (steps, expected),
	LATERAL test.try_after(steps, 'none', NULL, test.roles('nina')) o;
SELECT is(test.told(test.try_after(ARRAY['nina: SELECT cnap_accept_invitation([guest])'], 'none', NULL, test.fill($$
	SELECT concat_ws(' ', added_by, created_at = now()) FROM cnap.workspace_member WHERE workspace_id = {ws} AND user_id = 'nina'$$))),
	'00000 dora t', 'the inviter is recorded as the one who added the person');

-- a user who is a member already keeps their role, and the invitation stays valid for others

SELECT is(test.line(o.state, o.message, o.changed),
	test.line('23505', format('user "%s" is already a member of the %s', who, kind), false),
	format('cnap_accept_invitation(%s) by %s', token, who))
FROM (VALUES ('olga', '[colleague]', 'organization'), ('mia', '[owner]', 'organization'), ('adam', '[admin]', 'organization'),
		('wanda', '[guest]', 'workspace'), ('wanda', '[helper]', 'workspace'), ('dora', '[guest by wanda]', 'workspace'),
		('dave', '[helper]', 'workspace')) t (who, token, kind),
	LATERAL test.try('cnap_test_app', who, format('SELECT cnap_accept_invitation(%s)', token)) o;
SELECT is(test.told(test.try_after(ARRAY['nina: SELECT cnap_accept_invitation([helper])', 'wanda: SELECT cnap_transfer_workspace({ws}, ''nina'')'],
	'cnap_test_app', 'nina', 'SELECT cnap_accept_invitation([guest])')),
	'23505 user "nina" is already a member of the workspace', 'also a person who has become the owner since then');

-- a manager who accepts becomes a direct member, and stays one when the management ends

SELECT is(test.told(test.try_after(ARRAY['mia: SELECT cnap_accept_invitation([guest])', 'wanda: SELECT cnap_revoke_management({ws})'],
	'cnap_test_app', 'mia', 'SELECT cnap_workspace_role({ws})')), '00000 member', 'a manager who was invited by the customer');

-- an invitation ends with its inviter's right to make it

SELECT is(test.line(o.state, o.message, NULL),
	CASE WHEN falls THEN test.line('22023', 'invalid or expired invitation', NULL) ELSE test.line('00000', NULL, NULL) END,
	format('%s: %s', array_to_string(steps, ', '), format(taker.statement, token)))
FROM (VALUES
		(ARRAY['olga: SELECT cnap_set_organization_role({vendor}, ''adam'', ''member'')'], '[colleague]', true),
		(ARRAY['olga: SELECT cnap_remove_organization_member({vendor}, ''adam'')'], '[colleague]', true),
		(ARRAY['system: DELETE FROM cnap.organization_member WHERE user_id = ''adam'''], '[colleague]', true),
		(ARRAY['olga: SELECT cnap_set_organization_role({vendor}, ''adam'', ''owner'')'], '[colleague]', false),
		(ARRAY['oscar: SELECT cnap_set_organization_role({vendor}, ''olga'', ''admin'')'], '[colleague by olga]', false),
		(ARRAY['oscar: SELECT cnap_set_organization_role({vendor}, ''olga'', ''admin'')'], '[admin]', true),
		(ARRAY['oscar: SELECT cnap_set_organization_role({vendor}, ''olga'', ''admin'')'], '[owner]', true),
		(ARRAY['oscar: SELECT cnap_set_organization_role({vendor}, ''olga'', ''member'')'], '[colleague by olga]', true),
		(ARRAY['olga: SELECT cnap_leave_organization({vendor})'], '[owner]', true),
		(ARRAY['olga: SELECT cnap_leave_organization({vendor})'], '[colleague by the system]', false),
		(ARRAY['olga: SELECT cnap_leave_organization({vendor})'], '[colleague]', false),
		(ARRAY['wanda: SELECT cnap_set_workspace_role({ws}, ''dora'', ''member'')'], '[guest]', true),
		(ARRAY['wanda: SELECT cnap_remove_workspace_member({ws}, ''dora'')'], '[guest]', true),
		(ARRAY['dora: SELECT cnap_leave_workspace({ws})'], '[guest]', true),
		(ARRAY['dora: SELECT cnap_leave_workspace({ws})'], '[guest by wanda]', false),
		(ARRAY['wanda: SELECT cnap_transfer_workspace({ws}, ''dave'')'], '[guest]', false),
		-- a former owner stays as an admin, who can invite only members
		(ARRAY['wanda: SELECT cnap_transfer_workspace({ws}, ''dave'')'], '[guest by wanda]', false),
		(ARRAY['wanda: SELECT cnap_transfer_workspace({ws}, ''dave'')'], '[helper]', true),
		(ARRAY['wanda: SELECT cnap_transfer_workspace({ws}, ''dave'')'], '[guest by the system]', false),
		(ARRAY['wanda: SELECT cnap_transfer_workspace({ws}, ''dave'')', 'wanda: SELECT cnap_leave_workspace({ws})'], '[guest by wanda]', true),
		-- managers have no right to invite
		(ARRAY['wanda: SELECT cnap_transfer_workspace({ws}, ''dave'')', 'olga: SELECT cnap_add_organization_member({vendor}, ''wanda'', ''admin'')',
			'wanda: SELECT cnap_leave_workspace({ws})'], '[guest by wanda]', true),
		-- invitations are deleted with the organization or workspace
		(ARRAY['wanda: SELECT cnap_delete_workspace({ws})'], '[helper]', true),
		(ARRAY['wanda: SELECT cnap_delete_workspace({ws})'], '[guest by the system]', true),
		(ARRAY['olga: SELECT cnap_delete_organization({vendor})'], '[owner]', true),
		(ARRAY['olga: SELECT cnap_delete_organization({vendor})'], '[colleague by the system]', true),
		(ARRAY['olga: SELECT cnap_delete_organization({vendor})'], '[guest by wanda]', false)
	) t (steps, token, falls),
	test.taker,
	LATERAL test.try_after(steps, 'cnap_test_app', 'nina', format(taker.statement, token)) o
ORDER BY 1;

-- once declined, accepted, revoked or resent, it has ended for everybody, at once

SELECT is(test.line(o.state, o.message, o.changed), test.invalid(), format('%s: %s', array_to_string(steps, ', '), format(taker.statement, '[colleague]')))
FROM (VALUES
		(ARRAY['nina: SELECT cnap_accept_invitation([colleague])']),
		(ARRAY['nina: SELECT cnap_accept_invitation([colleague])', 'nina: SELECT cnap_leave_organization({vendor})']),
		(ARRAY['nina: SELECT cnap_decline_invitation([colleague])']),
		(ARRAY['anna: SELECT cnap_revoke_invitation([colleague id])']),
		(ARRAY['anna: SELECT cnap_resend_invitation([colleague id])'])) t (steps),
	test.taker, unnest(ARRAY['nina', 'fred']) who,
	LATERAL test.try_after(steps, 'cnap_test_app', who, format(taker.statement, '[colleague]')) o;

-- revoking and resending work for invitations that exist and have not ended

SELECT is(test.line(o.state, o.message, o.changed), expected, format('%s by %s', statement, who))
FROM (VALUES
		('adam', 'SELECT cnap_revoke_invitation({unknown})', test.line('42704', format('invitation "%s" does not exist', test.id('unknown')), false)),
		('adam', 'SELECT cnap_resend_invitation({unknown})', test.line('42704', format('invitation "%s" does not exist', test.id('unknown')), false)),
		('adam', 'SELECT cnap_revoke_invitation(NULL)', test.line('22023', 'invitation_id is required', false)),
		('adam', 'SELECT cnap_resend_invitation(NULL)', test.line('22023', 'invitation_id is required', false))
	) t (who, statement, expected),
	LATERAL test.try('cnap_test_app', who, statement) o;
SELECT is(test.line(o.state, o.message, o.changed),
	test.line('42704', format('invitation "%s" does not exist', (SELECT id FROM test.secret WHERE name = ended)), false),
	format('%s: hidden from %s', format(statement, ended), who))
FROM unnest(ARRAY['colleague', 'revoked', 'rival', 'foreign']) ended, unnest(ARRAY['nina', 'nemo']) who,
	unnest(ARRAY['SELECT cnap_revoke_invitation([%s id])', 'SELECT cnap_resend_invitation([%s id])']) statement,
	LATERAL test.try('cnap_test_app', who, format(statement, ended)) o
WHERE who = 'nina';
SELECT is(test.line(o.state, o.message, o.changed), test.line('55000', 'invitation has ended already', false), format(statement, ended))
FROM unnest(ARRAY['accepted', 'declined', 'revoked']) ended,
	unnest(ARRAY['SELECT cnap_revoke_invitation([%s id])', 'SELECT cnap_resend_invitation([%s id])']) statement,
	LATERAL test.try('cnap_test_app', 'olga', format(statement, ended)) o
ORDER BY statement, ended;
SELECT is(test.line(o.state, o.message, o.changed), test.line('00000', NULL, true), format(statement, 'expired'))
FROM unnest(ARRAY['SELECT cnap_revoke_invitation([%s id])', 'SELECT cnap_resend_invitation([%s id])']) statement,
	LATERAL test.try('cnap_test_app', 'olga', format(statement, 'expired')) o;

-- an admin can neither revoke nor resend what only an owner can make

SELECT is(test.line(o.state, o.message, o.changed), test.line('42501', 'owner role required', false), format('%s by %s', format(statement, name), who))
FROM (VALUES ('adam', 'admin'), ('adam', 'owner'), ('dora', 'helper'), ('dora', 'guest by the system')) t (who, name),
	unnest(ARRAY['SELECT cnap_revoke_invitation([%s id])', 'SELECT cnap_resend_invitation([%s id])']) statement,
	LATERAL test.try('cnap_test_app', who, format(statement, name)) o
ORDER BY who, statement, name;

-- resending: the former token becomes invalid, the time starts anew, and the user who resends
-- becomes the inviter

CREATE FUNCTION test.resend(who text, name text) RETURNS void
RETURN test.keep('new', 'cnap_test_app', who,
	format('SELECT cnap_resend_invitation(%L)', (SELECT s.id FROM test.secret s WHERE s.name = $2)));
SELECT is(test.told(o), expected, format('%s: %s', array_to_string(steps, ', '), statement))
FROM (VALUES
		(ARRAY['system: SELECT test.resend(''anna'', ''colleague'')'], 'SELECT cnap_accept_invitation([new])', '00000 '),
		(ARRAY['system: SELECT test.resend(''anna'', ''colleague'')'], 'SELECT cnap_accept_invitation([colleague])',
			'22023 invalid or expired invitation'),
		(ARRAY['system: SELECT test.resend(''anna'', ''colleague'')'],
			'SELECT concat_ws('' '', role, inviter, extract(day FROM expires_at - now())) FROM cnap_invitation([new])', '00000 member anna 7'),
		(ARRAY['system: SELECT test.resend(''wanda'', ''guest by wanda'')'],
			'SELECT concat_ws('' '', role, email, inviter, extract(day FROM expires_at - now())) FROM cnap_invitation([new])',
			'00000 member guest@customer.example wanda 1'),
		(ARRAY['system: SELECT test.resend(''anna'', ''expired'')'], 'SELECT cnap_accept_invitation([new])', '00000 '),
		-- except for an end that cannot be extended
		(ARRAY['system: UPDATE cnap.invitation SET sent_at = now() - interval ''1 d'', expires_at = ''294276-12-31 12:00+00'' WHERE id = [colleague id]',
			'system: SELECT test.resend(''anna'', ''colleague'')'],
			'SELECT expires_at = ''294276-12-31 12:00+00'' FROM cnap_invitation([new])', '00000 true'),
		(ARRAY['system: UPDATE cnap.invitation SET sent_at = now() - interval ''1 d'', expires_at = ''infinity'' WHERE id = [colleague id]',
			'system: SELECT test.resend(''anna'', ''colleague'')'],
			'SELECT expires_at = ''infinity'' FROM cnap_invitation([new])', '00000 true'),
		(ARRAY['system: SELECT test.resend(''anna'', ''expired'')'], 'SELECT cnap_accept_invitation([expired])',
			'22023 invalid or expired invitation'),
		(ARRAY['system: SELECT test.resend(''anna'', ''colleague'')', 'olga: SELECT cnap_remove_organization_member({vendor}, ''adam'')'],
			'SELECT cnap_accept_invitation([new])', '00000 '),
		(ARRAY['system: SELECT test.resend(''anna'', ''colleague'')', 'olga: SELECT cnap_remove_organization_member({vendor}, ''anna'')'],
			'SELECT cnap_accept_invitation([new])', '22023 invalid or expired invitation'),
		-- which makes one valid again that ended with its inviter, if resent by a user who could
		-- make it
		(ARRAY['olga: SELECT cnap_remove_organization_member({vendor}, ''adam'')', 'system: SELECT test.resend(''anna'', ''colleague'')'],
			'SELECT cnap_accept_invitation([new])', '00000 ')) t (steps, statement, expected),
	LATERAL test.try_after(steps, 'cnap_test_app', 'nina', statement) o;

-- the lists: who has been invited, by whom, and the outcome; no token

SELECT is(test.told(o), '00000 ' || expected, format('%s by %s', listing, who))
FROM (VALUES
		('cnap_invitations({vendor})', 'adam', 'member new@vendor.example pending olga'),
		('cnap_workspace_invitations({ws})', 'dora', 'member guest@customer.example pending wanda')) t (listing, who, expected),
	LATERAL test.try('cnap_test_app', who, format($$
		SELECT string_agg(concat_ws(' ', role, email, state, inviter), ', ') FROM %s WHERE email IS NOT NULL$$, listing)) o;
SELECT is(test.told(o), '00000 ' || expected, format('the number of %s by %s', listing, who))
FROM (VALUES
		('cnap_invitations({rival})', 'rita', '1'), ('cnap_workspace_invitations({foreign})', 'fred', '1'),
		('cnap_workspace_invitations({free})', 'wanda', '0')) t (listing, who, expected),
	LATERAL test.try('cnap_test_app', who, format('SELECT count(*) FROM %s JOIN test.secret USING (id)', listing)) o;

SELECT is(test.told(test.try('cnap_test_app', 'anna', $$
	SELECT string_agg(concat_ws(' ', s.name, l.state, l.ended_by, CASE WHEN l.ended_at = now() THEN 'now' END), ', ' ORDER BY s.name)
	FROM cnap_invitations({vendor}) l JOIN test.secret s USING (id)
	WHERE s.name IN ('expired', 'just expired', 'accepted', 'declined', 'revoked', 'resent', 'deleted')$$)),
	'00000 accepted accepted nemo now, declined declined nemo now, expired expired, just expired expired, resent pending, revoked revoked adam now',
	'the list shows what became of each invitation');

-- arguments

SELECT is(test.line(o.state, o.message, o.changed), test.line(t.state, t.message, t.state = '00000'), format(function, t.arguments))
FROM (VALUES
		('role => NULL', '22023', 'role is required'),
		('email => ''new.example''', '22023', 'invalid email'), ('email => '' ''', '22023', 'invalid email'), ('email => ''''', '00000', NULL),
		('email => repeat(''x'', 255) || ''@new.example''', '22023', 'invalid email'),
		('expires_at => now()', '22023', 'expires_at must be in the future'),
		('expires_at => ''-infinity''', '22023', 'expires_at must be in the future'),
		('email => NULL, expires_at => NULL', '00000', NULL),
		('expires_at => ''2999-12-31''', '00000', NULL)) t (arguments, state, message),
	(VALUES ('olga', 'SELECT cnap_invite_to_organization({vendor}, %s)'), ('wanda', 'SELECT cnap_invite_to_workspace({ws}, %s)')) f (who, function),
	LATERAL test.attempt('cnap_test_app', who, format(function, t.arguments)) o;
SELECT is(test.line(o.state, o.message, o.changed), test.line('22023', 'invalid role', false), 'nobody is invited to own a workspace')
FROM test.attempt('cnap_test_app', 'wanda', 'SELECT cnap_invite_to_workspace({ws}, ''owner'')') o;

-- audit

SELECT results_eq(format('SELECT test.trail(%L)', step), lines, step)
FROM (VALUES
		('nina: SELECT cnap_accept_invitation([colleague])', ARRAY[
			'invitation.accept | nina | {vendor} | - | nina | by an invitation | {"id": "colleague", "role": "member"}',
			'organization_member.add | nina | {vendor} | - | nina | by an invitation | {"role": "member"}']),
		('nina: SELECT cnap_accept_invitation([helper])', ARRAY[
			'invitation.accept | nina | - | {ws} | nina | by an invitation | {"id": "helper", "role": "admin"}',
			'workspace_member.add | nina | - | {ws} | nina | by an invitation | {"role": "admin"}']),
		('nina: SELECT cnap_decline_invitation([helper])', ARRAY[
			'invitation.decline | nina | - | {ws} | nina | by an invitation | {"id": "helper", "role": "admin"}']),
		('anna: SELECT cnap_revoke_invitation([colleague by olga id])', ARRAY[
			'invitation.revoke | anna | {vendor} | - | - | as admin of the organization | {"id": "colleague by olga", "role": "member"}']),
		('dora: SELECT cnap_resend_invitation([guest by wanda id])', ARRAY[
			'invitation.resend | dora | - | {ws} | - | as admin of the workspace | {"id": "guest by wanda", "role": "member"}'])
	) t (step, lines);
SELECT matches(line, '^invitation.create \| wanda \| - \| \{ws\} \| - \| as owner of the workspace \| \{"id": "[0-9a-f-]{36}", "role": "admin"\}$',
	'the entry about a new invitation')
FROM test.trail('wanda: SELECT cnap_invite_to_workspace({ws}, ''admin'', ''a@b.example'')') line;
SELECT is_empty(format('SELECT FROM test.trail(%L) line WHERE line ~ ''invitation''', step), 'what goes with its place has no entry of its own: ' || step)
FROM unnest(ARRAY['olga: SELECT cnap_delete_organization({vendor})', 'wanda: SELECT cnap_delete_workspace({ws})',
	'nina: SELECT count(*) FROM cnap_invitation([guest])']) step;

-- the same rules for direct statements

SELECT is(o.state, t.state, statement)
FROM (VALUES
		('UPDATE cnap.invitation SET role = ''owner'' WHERE id = [guest id]', '23514'),
		('UPDATE cnap.invitation SET outcome = ''lost'' WHERE id = [guest id]', '23514'),
		('UPDATE cnap.invitation SET outcome = ''accepted'' WHERE id = [guest id]', '23514'),
		('UPDATE cnap.invitation SET organization_id = {vendor} WHERE id = [guest id]', '23514'),
		('UPDATE cnap.invitation SET workspace_id = NULL WHERE id = [guest id]', '23514'),
		('UPDATE cnap.invitation SET expires_at = NULL WHERE id = [guest id]', '23502'),
		('UPDATE cnap.invitation SET email = ''x'' WHERE id = [guest id]', '23514'),
		('UPDATE cnap.invitation SET token_hash = ''x'' WHERE id = [guest id]', '23514'),
		('UPDATE cnap.invitation SET token_hash = sha256(''x'')', '23505')) t (statement, state),
	LATERAL test.try('none', NULL, statement) o;

-- each token is different

SELECT is((SELECT count(DISTINCT token) FROM test.secret WHERE token !~ '-$'), (SELECT count(*) FROM test.secret WHERE token !~ '-$'), 'all tokens differ');
SELECT matches(token, '^cnap_invite_[0-9a-z]{39}$', 'the form of the token "' || name || '"')
FROM test.secret WHERE token !~ '-$' AND name <> 'link';

SELECT finish();
ROLLBACK;
