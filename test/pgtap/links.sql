/*
 * Install links: who can create, see, list and revoke them, and who can redeem
 * them; what redeeming does; and that anything that is not a valid token is
 * refused with the same message.
 *
 * The expected results are computed from the matrices as written out here and
 * in include/workspace_matrix.sql.
 */
BEGIN;
\ir include/setup.sql
\ir include/workspace_matrix.sql
\ir include/functions.sql
\ir include/consent.sql

SELECT no_plan();

SELECT test.keep('plain', 'cnap_test_app', 'adam', 'SELECT cnap_create_install_link({vendor}, ''Plain'')') \g /dev/null
SELECT test.keep('limited', 'cnap_test_app', 'olga',
	'SELECT cnap_create_install_link({vendor}, ''Limited'', 2, now() + interval ''30 days'', ''member'', ''90 days'')') \g /dev/null
SELECT test.keep('rival', 'cnap_test_app', 'rita', 'SELECT cnap_create_install_link({rival}, role => ''member'')') \g /dev/null
SELECT test.keep('of the system', 'none', NULL, 'SELECT cnap_create_install_link({vendor}, duration => ''1 month'')') \g /dev/null

-- links that have ended, each in a different way
SELECT test.keep(name, 'cnap_test_app', 'adam', 'SELECT cnap_create_install_link({vendor}, max_uses => 1)')
FROM unnest(ARRAY['expired', 'just expired', 'used', 'revoked', 'deleted']) name \g /dev/null
UPDATE cnap.install_link SET expires_at = now() - interval '1 d' WHERE id = (SELECT id FROM test.secret WHERE name = 'expired');
UPDATE cnap.install_link SET expires_at = now() WHERE id = (SELECT id FROM test.secret WHERE name = 'just expired');
UPDATE cnap.install_link SET uses = 1 WHERE id = (SELECT id FROM test.secret WHERE name = 'used');
UPDATE cnap.install_link SET revoked_at = now() WHERE id = (SELECT id FROM test.secret WHERE name = 'revoked');
DELETE FROM cnap.install_link WHERE id = (SELECT id FROM test.secret WHERE name = 'deleted');

-- every function, by every user

INSERT INTO test.call VALUES
	('admin', 'SELECT cnap_create_install_link({vendor}) LIKE ''cnap\_link\_%''', true, 'organization "{vendor}"'),
	('admin', 'SELECT cnap_create_install_link({vendor}, ''Label'', 3, now() + interval ''1 d'', ''member'', ''1 d'') LIKE ''cnap\_link\_%''',
		true, 'organization "{vendor}"'),
	('admin', 'SELECT count(*) FROM cnap_install_links({vendor})', false, 'organization "{vendor}"'),
	('admin', 'SELECT cnap_revoke_install_link([plain id])', true, 'install link "[plain id]"'),
	('admin', 'SELECT cnap_revoke_install_link([of the system id])', true, 'install link "[of the system id]"'),
	('anybody', 'SELECT count(*) FROM cnap_install_link([plain])', false, NULL),
	('manage_delegation', 'SELECT cnap_redeem_install_link([limited], {place})', true, 'workspace "{place}"');

SELECT is(test.line(o.state, o.message, o.changed), test.expected(c, p), p.person || ': ' || c.statement)
FROM test.call c, test.person p, LATERAL test.try(p.db_role, p.user_id, test.statement(c, p)) o
ORDER BY c.statement, p.person;

SELECT is_empty($$
	SELECT f.oid::regprocedure FROM test.public_function f
	WHERE f.name ~ 'link' AND NOT EXISTS (SELECT FROM test.call c WHERE c.statement ~ (f.name || '\('))
	$$, 'every public function about install links is called by everybody');

-- invalid tokens, with every function that takes one

CREATE TABLE test.taker (statement text PRIMARY KEY, who text NOT NULL);
INSERT INTO test.taker VALUES
	('SELECT count(*) FROM cnap_install_link(%s)', 'wanda'),
	('SELECT cnap_redeem_install_link(%s, {free})', 'wanda');

SELECT is(test.line(o.state, o.message, o.changed), test.invalid(), format(t.statement, '...') || ': ' || b.what)
FROM test.taker t, test.secret s, test.bad_token(s.token) b,
	LATERAL test.try('cnap_test_app', t.who, format(t.statement, b.literal)) o
WHERE s.name = 'plain'
ORDER BY t.statement, b.what;
SELECT is(test.line(o.state, o.message, o.changed), test.invalid(), format(t.statement, '[' || s.name || ']'))
FROM test.taker t, test.secret s, LATERAL test.try('cnap_test_app', t.who, format(t.statement, '[' || s.name || ']')) o
WHERE s.name IN ('expired', 'just expired', 'used', 'revoked', 'deleted')
ORDER BY t.statement, s.name;
SELECT is(test.line(o.state, o.message, o.changed), test.invalid(), format(t.statement, '...') || ': ' || what)
FROM test.taker t,
	LATERAL (VALUES
		('an access token', 'cnap_pat_3kseszoe3npgduxsx5yuo3h6qilmsmdne6ftx3q'),
		('an access token with the prefix of links', 'cnap_link_3kseszoe3npgduxsx5yuo3h6qilmsmdne6ftx3q'),
		('an id', test.id('vendor')::text),
		('the hash', (SELECT encode(token_hash, 'hex') FROM cnap.install_link WHERE label = 'Plain')),
		('the prefix of access tokens', (SELECT replace(token, 'cnap_link_', 'cnap_pat_') FROM test.secret WHERE name = 'plain')),
		('a wildcard', 'cnap_link_%')) bad (what, token),
	LATERAL test.try('cnap_test_app', t.who, format(t.statement, quote_literal(token))) o
ORDER BY t.statement, what;
SELECT is(test.line(o.state, o.message, o.changed), test.line('22023', 'token is required', false), format(t.statement, 'NULL'))
FROM test.taker t, LATERAL test.try('cnap_test_app', t.who, format(t.statement, 'NULL')) o
ORDER BY t.statement;
SELECT is(test.line(o.state, o.message, o.changed), test.line('28000', 'invalid API key', false),
	'a link''s token signs nobody in')
FROM test.try('cnap_test_app', NULL, 'SELECT cnap_authenticate([plain])') o;

-- what ends a link, and what does not

SELECT is(test.line(o.state, o.message, NULL),
	CASE WHEN ends THEN test.line('22023', 'invalid or expired invitation', NULL) ELSE test.line('00000', NULL, NULL) END,
	format('%s, %s: %s', array_to_string(steps, ', '), who, statement))
FROM (VALUES
		(ARRAY['system: SELECT cnap_delete_organization({vendor})']::text[], '[plain]', true),
		(ARRAY['olga: SELECT cnap_delete_organization({vendor})'], '[limited]', true),
		(ARRAY['olga: SELECT cnap_revoke_install_link([plain id])'], '[plain]', true),
		(ARRAY['olga: SELECT cnap_revoke_install_link([plain id])'], '[limited]', false),
		(ARRAY['wanda: SELECT cnap_redeem_install_link([limited], {free})'], '[limited]', false),
		(ARRAY['wanda: SELECT cnap_redeem_install_link([limited], {free})', 'fred: SELECT cnap_redeem_install_link([limited], {foreign})'], '[limited]', true),
		-- a workspace counts once
		(ARRAY['wanda: SELECT cnap_redeem_install_link([limited], {free}), cnap_revoke_management({free})', 'wanda: SELECT cnap_redeem_install_link([limited], {free})'], '[limited]', false),
		(ARRAY['wanda: SELECT cnap_redeem_install_link([limited], {free}), cnap_revoke_management({free}) FROM generate_series(1, 5)'], '[limited]', false),
		(ARRAY['wanda: SELECT cnap_redeem_install_link([limited], {free}), cnap_revoke_management({free}) FROM generate_series(1, 5)',
			'fred: SELECT cnap_redeem_install_link([limited], {foreign})'], '[limited]', true),
		-- neither revocations by customers nor the departure of its creator
		-- does
		(ARRAY['wanda: SELECT cnap_redeem_install_link([plain], {free})', 'fred: SELECT cnap_redeem_install_link([plain], {foreign})'],
			'[plain]', false),
		(ARRAY['olga: SELECT cnap_remove_organization_member({vendor}, ''adam'')'], '[plain]', false),
		(ARRAY['olga: SELECT cnap_set_organization_role({vendor}, ''adam'', ''member'')'], '[plain]', false)
	) t (steps, token, ends),
	(VALUES ('fred', 'SELECT count(*) FROM cnap_install_link(%s)'),
		('nina', 'SELECT cnap_redeem_install_link(%s, cnap_create_workspace(''New''))')) taker (who, statement),
	LATERAL test.try_after(steps, 'cnap_test_app', who, format(statement, token)) o;

-- the asking organization, before anybody consents; the same for every user
-- with the token

SELECT is(test.told(o), '00000 ' || expected, format('cnap_install_link(%s) by %s', token, who))
FROM (VALUES
		('[plain]', format('%s|Vendor|vendor|https://vendor.example/logo.png|admin||', test.id('vendor'))),
		('[limited]', format('%s|Vendor|vendor|https://vendor.example/logo.png|member|90|30', test.id('vendor'))),
		('[rival]', format('%s|Rival|rival||member||', test.id('rival')))) t (token, expected),
	unnest(ARRAY['wanda', 'nina', 'mia', 'rita']) who,
	LATERAL test.try('cnap_test_app', who, format($$
		SELECT concat_ws('|', organization, name, slug, coalesce(logo, ''), role,
			coalesce(extract(day FROM until - now())::text, ''), coalesce(extract(day FROM expires_at - now())::text, ''))
		FROM cnap_install_link(%s)$$, token)) o
ORDER BY token, who;
SELECT is(test.told(test.try('cnap_test_app', 'wanda', 'SELECT count(*) FROM cnap_install_link([of the system])
	WHERE until BETWEEN now() + interval ''1 month'' AND clock_timestamp() + interval ''1 month''')),
	'00000 1', 'a duration of a month ends at the same day of the next one');

-- what redeeming does: a use is counted, and the management begins

SELECT is(test.told(o), '00000 ' || expected, format('%s redeemed for %s', token, place))
FROM (VALUES
		('[plain]', 'free', 'vendor', 'admin|||1'),
		('[limited]', 'free', 'vendor', 'member|90||1'),
		('[rival]', 'free', 'rival', 'member|||1'),
		('[limited]', 'ended', 'vendor', 'member|90||1'),
		('[rival]', 'ended', 'rival', 'member|||1'),
		-- if the organization manages it already, that changes the terms
		('[limited]', 'ws', 'vendor', 'member|90||1'),
		('[plain]', 'capped', 'vendor', 'admin|||1')) t (token, place, manager, expected),
	LATERAL test.try_after(ARRAY[format('wanda: SELECT cnap_redeem_install_link(%s, {%s})', token, place)], 'none', NULL, format($$
		SELECT concat_ws('|', managed_role, coalesce(extract(day FROM managed_until - now())::text, ''),
			nullif(managed_by, %L)::text, '',
			(SELECT uses FROM cnap.install_link WHERE id = %s))
		FROM cnap.workspace WHERE id = {%s}$$, test.id(manager), replace(token, ']', ' id]'), place)) o;
SELECT is(test.told(test.try_after(ARRAY['wanda: SELECT cnap_redeem_install_link([of the system], {free})'], 'none', NULL,
	'SELECT managed_until > now() + interval ''1 month'' FROM cnap.workspace WHERE id = {free}')),
	'00000 true', 'a duration begins with the redemption, not with its transaction');
SELECT is(test.told(test.try_after(ARRAY['wanda: SELECT cnap_redeem_install_link([limited], {free})'], 'cnap_test_app', 'mia',
	'SELECT concat_ws('' '', cnap_workspace_role({free}), cnap_has_permission({free}, ''administer''))')),
	'00000 member f', 'every member of the organization has the access that the link gives');
SELECT is(test.told(test.try_after(ARRAY['wanda: SELECT cnap_redeem_install_link([limited], {free})'], 'cnap_test_app', 'wanda',
	'SELECT concat_ws('' '', cnap_workspace_role({free}), (SELECT string_agg(user_id, '' '') FROM cnap_preview_revocation({free})))')),
	'00000 owner adam anna max mia olga oscar', 'the owner stays the owner, and sees to whom access was given');
SELECT is(test.told(test.try_after(ARRAY['wanda: SELECT cnap_redeem_install_link([limited], {free})', 'wanda: SELECT cnap_revoke_management({free})'],
	'cnap_test_app', 'mia', 'SELECT cnap_can_access({free})')), '00000 false', 'and can end it');

-- refused although the token is valid, without counting as a use

SELECT is(test.line(o.state, o.message, o.changed), expected, format('%s: %s by %s', coalesce(array_to_string(steps, ', '), ''), statement, who))
FROM (VALUES
		(NULL::text[], 'wanda', 'SELECT cnap_redeem_install_link([rival], {ws})',
			test.line('23001', 'workspace is already managed', false)),
		(NULL, 'wanda', 'SELECT cnap_redeem_install_link([plain], {ws})',
			test.line('23001', 'workspace is already managed', false)),
		-- having used a link before gives no right to one that has ended
		(ARRAY['wanda: SELECT cnap_redeem_install_link([limited], {free})', 'fred: SELECT cnap_redeem_install_link([limited], {foreign})',
			'wanda: SELECT cnap_revoke_management({free})'], 'wanda', 'SELECT cnap_redeem_install_link([limited], {free})', test.invalid()),
		(ARRAY['wanda: SELECT cnap_redeem_install_link([plain], {free}), cnap_revoke_management({free})', 'olga: SELECT cnap_revoke_install_link([plain id])'],
			'wanda', 'SELECT cnap_redeem_install_link([plain], {free})', test.invalid()),
		(NULL, 'wanda', 'SELECT cnap_redeem_install_link([plain], {unknown})',
			test.line('42704', format('workspace "%s" does not exist', test.id('unknown')), false)),
		(NULL, 'wanda', 'SELECT cnap_redeem_install_link([plain], {foreign})',
			test.line('42704', format('workspace "%s" does not exist', test.id('foreign')), false)),
		(NULL, 'wanda', 'SELECT cnap_redeem_install_link([plain], NULL)',
			test.line('22023', 'workspace is required', false)),
		(NULL, 'rita', 'SELECT cnap_revoke_install_link([plain id])',
			test.line('42704', format('install link "%s" does not exist', (SELECT id FROM test.secret WHERE name = 'plain')), false)),
		(NULL, 'adam', 'SELECT cnap_revoke_install_link({unknown})',
			test.line('42704', format('install link "%s" does not exist', test.id('unknown')), false)),
		(NULL, 'adam', 'SELECT cnap_revoke_install_link([revoked id])', test.line('55000', 'install link has ended already', false)),
		(ARRAY['olga: SELECT cnap_revoke_install_link([plain id])'], 'adam', 'SELECT cnap_revoke_install_link([plain id])',
			test.line('55000', 'install link has ended already', false)),
		(NULL, 'adam', 'SELECT cnap_revoke_install_link([expired id])', test.line('00000', NULL, true)),
		(NULL, 'adam', 'SELECT cnap_revoke_install_link([used id])', test.line('00000', NULL, true)),
		(ARRAY['wanda: SELECT cnap_transfer_workspace({free}, ''dora'')'], 'wanda', 'SELECT cnap_redeem_install_link([plain], {free})',
			test.line('42501', 'owner role required', false)),
		(ARRAY['wanda: SELECT cnap_transfer_workspace({free}, ''dora'')'], 'dora', 'SELECT cnap_redeem_install_link([plain], {free})',
			test.line('00000', NULL, true))
	) t (steps, who, statement, expected),
	LATERAL test.try_after(steps, 'cnap_test_app', who, statement) o;

-- an organization that accepts links alone is nobody's manager but by these; what it manages already
-- stays, and its terms can be changed

SELECT is(test.line(o.state, o.message, o.changed), expected, format('accepts links: %s %s by %s', coalesce(array_to_string(steps, ', '), ''), statement, coalesce(who, 'the system')))
FROM (SELECT test.line('42501', format('organization "%s" accepts workspaces only by its install links', test.id('vendor')), false) AS refused,
		test.line('00000', NULL, true) AS accepted) line,
	LATERAL (VALUES
		(NULL::text[], 'wanda', 'SELECT cnap_grant_management({free}, {vendor})', refused),
		(NULL, 'fred', 'SELECT cnap_grant_management({foreign}, {vendor}, ''member'', ''2999-01-01'')', refused),
		(NULL, 'nina', 'SELECT cnap_grant_management(cnap_create_workspace(''New''), {vendor})', refused),
		(NULL, 'adam', 'SELECT cnap_grant_management(cnap_create_workspace(''New''), {vendor})', refused),
		(NULL, 'wanda', 'SELECT cnap_grant_management({ended}, {vendor})', refused),
		(NULL, 'wanda', 'SELECT cnap_grant_management({ws}, {vendor}, ''member'')', accepted),
		(NULL, 'wanda', 'SELECT cnap_grant_management({ws}, {vendor}, until => ''2999-01-01'')', accepted),
		(ARRAY['wanda: SELECT cnap_revoke_management({ws})'], 'wanda', 'SELECT cnap_grant_management({ws}, {vendor})', refused),
		(NULL, 'wanda', 'SELECT cnap_redeem_install_link([plain], {free})', accepted),
		(NULL, 'wanda', 'SELECT cnap_redeem_install_link([plain], {ended})', accepted),
		(ARRAY['wanda: SELECT cnap_redeem_install_link([plain], {free}), cnap_revoke_management({free})'],
			'wanda', 'SELECT cnap_grant_management({free}, {vendor})', refused),
		(NULL, 'wanda', 'SELECT cnap_grant_management({free}, {rival})', accepted),
		(ARRAY['adam: SELECT cnap_update_organization({vendor}, accepts => ''anyone'')'], 'wanda', 'SELECT cnap_grant_management({free}, {vendor})', accepted),
		-- who may not grant anything is told nothing about the organization
		(NULL, 'nina', 'SELECT cnap_grant_management({free}, {vendor})', test.line('42704', format('workspace "%s" does not exist', test.id('free')), false)),
		(NULL, 'dora', 'SELECT cnap_grant_management({ws}, {vendor})', test.line('42501', 'owner role required', false))
	) t (steps, who, statement, expected),
	LATERAL test.try_after(ARRAY['olga: SELECT cnap_update_organization({vendor}, accepts => ''links'')'] || steps, 'cnap_test_app', who, statement) o;
SELECT is(test.line(o.state, o.message, o.changed), test.line('00000', NULL, true), 'the system is not held to it: ' || statement)
FROM unnest(ARRAY['SELECT cnap_grant_management({free}, {vendor})', 'UPDATE cnap.workspace SET managed_by = {vendor} WHERE id = {free}']) statement,
	LATERAL test.try_after(ARRAY['olga: SELECT cnap_update_organization({vendor}, accepts => ''links'')'], 'none', NULL, statement) o;
SELECT is(test.told(o), '00000 ' || accepts, 'cnap_organization() shows ' || accepts)
FROM unnest(ARRAY['anyone', 'links']) accepts,
	LATERAL test.try_after(ARRAY[format('olga: SELECT cnap_update_organization({vendor}, accepts => %L)', accepts)], 'cnap_test_app', 'mia',
		'SELECT accepts FROM cnap_organization({vendor})') o;

-- a vendor's member who owns a workspace can redeem their own link; a token
-- alone gives no right

SELECT is(test.line(o.state, o.message, o.changed), test.line('00000', NULL, true), 'redeemed by a member of the organization, for an own workspace')
FROM test.try('cnap_test_app', 'mia', 'SELECT cnap_redeem_install_link([plain], cnap_create_workspace(''New''))') o;

-- arguments

SELECT is(test.line(o.state, o.message, o.changed), test.line(t.state, t.message, t.state = '00000'), 'cnap_create_install_link(): ' || arguments)
FROM (VALUES
		('label => ''''', '00000', NULL), ('label => '' ''', '22023', 'invalid label'),
		('label => repeat(''x'', 256)', '22023', 'invalid label'), ('label => repeat(''x'', 255)', '00000', NULL),
		('max_uses => 0', '22023', 'max_uses must be positive'), ('max_uses => -1', '22023', 'max_uses must be positive'),
		('max_uses => 2147483647', '00000', NULL),
		('expires_at => now()', '22023', 'expires_at must be in the future'),
		('expires_at => ''-infinity''', '22023', 'expires_at must be in the future'),
		('expires_at => ''infinity''', '00000', NULL),
		('role => ''owner''', '22023', 'invalid role'), ('role => NULL', '22023', 'role is required'),
		('duration => ''0''', '22023', 'invalid duration'), ('duration => ''-1 d''', '22023', 'invalid duration'),
		('duration => ''1 month -1 day''', '22023', 'invalid duration'), ('duration => ''1001 years''', '22023', 'invalid duration'),
		('duration => ''178000000 years''', '22023', 'invalid duration'), ('duration => ''1000000000 hours''', '22023', 'invalid duration'),
		('duration => ''1000 years''', '00000', NULL), ('duration => ''1 us''', '00000', NULL)
	) t (arguments, state, message),
	LATERAL test.attempt('cnap_test_app', 'adam', format('SELECT cnap_create_install_link({vendor}, %s)', arguments)) o;

-- the list: all that were created, newest first, and no token

SELECT is(test.told(o), '00000 ' || expected, 'cnap_install_links() after ' || coalesce(array_to_string(steps, ', '), 'nothing'))
FROM (VALUES
		(NULL::text[], 'Limited member 90 days 2 0 olga, Plain admin 0 adam'),
		(ARRAY['wanda: SELECT cnap_redeem_install_link([limited], {free})', 'olga: SELECT cnap_revoke_install_link([plain id])'],
			'Limited member 90 days 2 1 olga, Plain admin 0 adam revoked')) t (steps, expected),
	LATERAL test.try_after(steps, 'cnap_test_app', 'anna', $$
		SELECT string_agg(concat_ws(' ', label, role, duration, max_uses, uses, created_by,
			CASE WHEN revoked_at = now() THEN 'revoked' END), ', ' ORDER BY label)
		FROM cnap_install_links({vendor}) WHERE label IS NOT NULL$$) o;
SELECT is(test.told(test.try('cnap_test_app', 'adam',
	'SELECT string_agg(concat_ws('' '', role, created_by), '', '') FROM cnap_install_links({rival})')),
	format('42704 organization "%s" does not exist', test.id('rival')), 'no organization sees the links of another');
SELECT is(test.told(test.try('cnap_test_app', 'rita',
	'SELECT string_agg(concat_ws('' '', role, created_by), '', '') FROM cnap_install_links({rival}) WHERE role = ''member''')),
	'00000 member rita', 'but its own');

-- each token is different, and is stored nowhere

SELECT is((SELECT count(DISTINCT token) FROM test.secret), (SELECT count(*) FROM test.secret), 'all tokens differ');
SELECT matches(token, '^cnap_link_[0-9a-z]{39}$', 'the form of the token "' || name || '"') FROM test.secret;

-- audit

SELECT results_eq(format('SELECT test.trail(%L)', step), lines, step)
FROM (VALUES
		('adam: SELECT cnap_revoke_install_link([limited id])', ARRAY[
			'install_link.revoke | adam | {vendor} | - | - | as admin of the organization | {"id": "limited", "role": "member", "label": "Limited"}']),
		('system: DELETE FROM cnap.install_link WHERE id = [limited id]', ARRAY[
			'install_link.delete | - | {vendor} | - | - | by a direct statement | {"id": "limited", "role": "member", "label": "Limited"}']),
		('wanda: SELECT cnap_redeem_install_link([limited], {free})', ARRAY[
			'install_link.redeem | wanda | {vendor} | {free} | - | as owner of the workspace | {"id": "limited"}',
			'management.grant | wanda | {vendor} | {free} | - | as owner of the workspace | {"role": "member", "until": "in 90 days"}']),
		-- each redemption is recorded, although only the first one counts
		('wanda: SELECT cnap_redeem_install_link([plain], {free}), cnap_revoke_management({free}), cnap_redeem_install_link([plain], {free})', ARRAY[
			'install_link.redeem | wanda | {vendor} | {free} | - | as owner of the workspace | {"id": "plain"}',
			'management.grant | wanda | {vendor} | {free} | - | as owner of the workspace | {"role": "admin"}',
			'management.revoke | wanda | {vendor} | {free} | - | as owner of the workspace | {"role": "admin"}',
			'install_link.redeem | wanda | {vendor} | {free} | - | as owner of the workspace | {"id": "plain"}',
			'management.grant | wanda | {vendor} | {free} | - | as owner of the workspace | {"role": "admin"}']),
		('system: UPDATE cnap.install_link SET uses = 1 WHERE id = [plain id]', ARRAY[
			'install_link.update | - | {vendor} | - | - | by a direct statement | {"id": "plain", "role": "admin", "label": "Plain", "changed": ["uses"]}'])) t (step, lines);
SELECT is_empty(format('SELECT test.trail(%L)', step), step)
FROM unnest(ARRAY['system: UPDATE cnap.install_link SET created_by = ''nina'' WHERE id = [limited id]',
	'wanda: SELECT count(*) FROM cnap_install_link([plain])']) step;
SELECT matches(line, '^install_link.create \| adam \| \{vendor\} \| - \| - \| as admin of the organization \| \{"id": "[0-9a-f-]{36}", "role": "admin"\}$',
	'the entry about a new link')
FROM test.trail('adam: SELECT cnap_create_install_link({vendor})') line;
SELECT is_empty($$SELECT FROM test.trail('olga: SELECT cnap_delete_organization({vendor})') line WHERE line ~ 'install_link'$$,
	'links that are deleted with their organization have no entries of their own');

-- the same rules for direct statements

SELECT is(o.state, t.state, statement)
FROM (VALUES
		('UPDATE cnap.install_link SET uses = uses + 1 WHERE id = [used id]', '23514'),
		('UPDATE cnap.install_link SET uses = -1 WHERE id = [used id]', '23514'),
		('UPDATE cnap.install_link SET role = ''owner''', '23514'),
		('UPDATE cnap.install_link SET duration = ''0''', '23514'),
		('UPDATE cnap.install_link SET token_hash = ''x''', '23514'),
		('UPDATE cnap.install_link SET token_hash = sha256(''x'')', '23505'),
		('UPDATE cnap.install_link SET label = '' ''', '23514')) t (statement, state),
	LATERAL test.try('none', NULL, statement) o;

SELECT finish();
ROLLBACK;
