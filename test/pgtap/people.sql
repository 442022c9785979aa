/*
 * cnap_forget_user(): a user is removed from everything in one transaction,
 * with and without a successor; that is refused while they are the sole owner
 * of something; the audit log keeps the id, and says that the user was
 * forgotten.
 */
BEGIN;
\ir include/setup.sql
\ir include/workspace_matrix.sql
\ir include/consent.sql

SELECT no_plan();

/*
 * Paul has left his traces everywhere: a member here, an admin there, an owner
 * among others, a manager, and whoever added, invited, issued and changed
 * something.  Pia owns an organization and two workspaces alone.
 */
INSERT INTO test.named VALUES
	('solo', '00000000-0000-4000-8000-0000000000e1'), ('shared', '00000000-0000-4000-8000-0000000000e2'),
	('first', '00000000-0000-4000-8000-0000000000e3'), ('second', '00000000-0000-4000-8000-0000000000e4');
INSERT INTO cnap.organization (id, name, created_by) VALUES
	(test.id('solo'), 'Solo', 'paul'), (test.id('shared'), 'Shared', 'paul');
INSERT INTO cnap.organization_member (organization_id, user_id, role, added_by) VALUES
	(test.id('shared'), 'paul', 'owner', 'paul'), (test.id('shared'), 'pia', 'owner', 'paul'),
	(test.id('solo'), 'pia', 'owner', 'paul'), (test.id('solo'), 'paul', 'admin', 'pia'),
	(test.id('solo'), 'sam', 'member', 'paul'), (test.id('vendor'), 'paul', 'member', 'adam');
INSERT INTO cnap.workspace (id, name, owner_id, managed_by) VALUES
	(test.id('first'), 'First', 'pia', test.id('solo')), (test.id('second'), 'Second', 'pia', NULL);
INSERT INTO cnap.workspace_member (workspace_id, user_id, role, added_by) VALUES
	(test.id('first'), 'paul', 'admin', 'pia'), (test.id('first'), 'sam', 'member', 'paul'),
	(test.id('ws'), 'paul', 'admin', 'wanda'), (test.id('free'), 'paul', 'member', 'wanda');
SELECT test.keep(name, 'cnap_test_app', 'paul', statement)
FROM (VALUES
	('colleague', 'SELECT cnap_invite_to_organization({solo}, email => ''colleague@solo.example'')'),
	('partner', 'SELECT cnap_invite_to_organization({shared}, ''owner'')'),
	('guest', 'SELECT cnap_invite_to_workspace({ws})'),
	('link', 'SELECT cnap_create_install_link({solo})'),
	('revoked', 'SELECT cnap_invite_to_organization({solo})'),
	('accepted', 'SELECT cnap_invite_to_organization({solo})')) t (name, statement) \g /dev/null
SELECT test.keep(name, 'cnap_test_app', 'pia', statement)
FROM (VALUES
	('of pia', 'SELECT cnap_invite_to_organization({solo})'),
	('of pia to first', 'SELECT cnap_invite_to_workspace({first}, ''admin'')'),
	('declined', 'SELECT cnap_invite_to_organization({solo})')) t (name, statement) \g /dev/null
SELECT test.fill('SELECT cnap_decline_invitation([declined])') AS decline,
	test.fill('SELECT cnap_revoke_invitation([revoked id])') AS revoke,
	test.fill('SELECT cnap_accept_invitation([accepted])') AS accept \gset
SET LOCAL ROLE cnap_test_app;
SET LOCAL cnap.user_id = 'quentin';
:accept \g /dev/null
SET LOCAL cnap.user_id = 'paul';
:decline \g /dev/null
:revoke \g /dev/null
SELECT cnap_create_access_token('Script') AS paul_token \gset
SELECT cnap_update_workspace('00000000-0000-4000-8000-0000000000e3', 'First!') \g /dev/null
RESET ROLE;
RESET cnap.user_id;
SELECT cnap_set_role_user('cnap_test_visitor', 'paul') \g /dev/null

/* Where an id stands in the extension's tables. */
CREATE FUNCTION test.traces(person text) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
	place record;
	found boolean;
	traces text[] := '{}';
BEGIN
	FOR place IN
		SELECT a.attrelid::regclass AS relation, a.attname AS "column"
		FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
		WHERE c.relnamespace = 'cnap'::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped
		ORDER BY c.relname, a.attnum
	LOOP
		EXECUTE format('SELECT EXISTS (SELECT FROM %s WHERE %I::text ~ (''\m'' || %L || ''\M''))', place.relation, place."column", person)
			INTO found;
		IF found THEN
			traces := traces || format('%s.%s', place.relation, place."column");
		END IF;
	END LOOP;
	RETURN array_to_string(traces, ' ');
END
$$;

SELECT is(test.traces('paul') LIKE '%' || expected || '%', true, 'before: ' || expected)
FROM unnest(ARRAY['cnap.access_token.user_id', 'cnap.role_user.user_id', 'cnap.audit_log.actor', 'cnap.audit_log.subject', 'cnap.install_link.created_by',
	'cnap.invitation.', 'cnap.organization.created_by', 'cnap.organization_member.user_id', 'cnap.organization_member.added_by',
	'cnap.workspace_member.user_id', 'cnap.workspace_member.added_by']) expected;

-- who can call it: trusted roles, whoever their user is, and superusers

SELECT is(test.line(o.state, o.message, o.changed), expected, format('cnap_forget_user() by %s as %s', coalesce(who, 'nobody'), db_role))
FROM unnest(ARRAY['cnap_test_app', 'cnap_test_visitor', 'none']) db_role,
	unnest(ARRAY['paul', 'wanda', 'nina', NULL]) who,
	LATERAL (SELECT CASE db_role
		WHEN 'cnap_test_visitor' THEN test.line('42501', 'permission denied for function cnap_forget_user', false)
		ELSE test.line('00000', NULL, true) END AS expected) e,
	LATERAL test.attempt(db_role, who, 'SELECT cnap_forget_user(''paul'')') o;
-- nor does the privilege alone suffice
GRANT EXECUTE ON FUNCTION cnap_forget_user(text, text) TO cnap_test_visitor;
SELECT is(test.line(o.state, o.message, o.changed), test.line('42501', 'permission denied for function cnap_forget_user', false),
	'cnap_forget_user() by a role that may execute it, but is not trusted')
FROM test.attempt('cnap_test_visitor', NULL, 'SELECT cnap_forget_user(''paul'')') o;
REVOKE EXECUTE ON FUNCTION cnap_forget_user(text, text) FROM cnap_test_visitor;

-- nothing is left

SELECT is(regexp_replace(test.told(o), ' cnap\.audit_log\.(actor|subject|detail)', '', 'g'), '00000',
	format('nothing of %s is left but the audit log: %s', who, statement))
FROM (VALUES ('paul', 'SELECT cnap_forget_user(''paul'')'), ('paul', 'SELECT cnap_forget_user(''paul'', ''nina'')'),
		('pia', 'SELECT cnap_forget_user(''pia'', ''nina'')'), ('pia', 'SELECT cnap_forget_user(''pia'', ''paul'')'),
		('pia', 'SELECT cnap_forget_user(''pia'', ''sam'')')) t (who, statement),
	LATERAL test.try_after(ARRAY['system: ' || statement], 'none', NULL, format('SELECT test.traces(%L)', who)) o;
SELECT is(test.told(test.try_after(ARRAY['system: SELECT cnap_forget_user(''paul'')'], 'cnap_test_app', 'paul', $$
	SELECT concat_ws(' ', cardinality(cnap_accessible_workspaces()), (SELECT count(*) FROM cnap_organizations()),
		(SELECT count(*) FROM cnap_access_tokens()), cnap_can_access({first}), cnap_can_access('paul', {ws}))$$)),
	'00000 0 0 0 f f', 'and nothing is open to the person');
SELECT is(test.told(test.try_after(ARRAY['system: SELECT cnap_forget_user(''paul'')'], 'cnap_test_app', NULL,
	format('SELECT cnap_authenticate(%L)', :'paul_token'))), '28000 invalid API key', 'a token of theirs signs nobody in');

-- others are not affected

SELECT is(test.told(o), '00000 ' || expected, 'others keep what they have: ' || what)
FROM (VALUES
		('the organization with other owners', $$SELECT string_agg(concat_ws(' ', user_id, role), ', ' ORDER BY user_id) FROM cnap.organization_member WHERE organization_id = {shared}$$,
			'pia owner'),
		('members whom the person added', $$SELECT string_agg(concat_ws(' ', user_id, role), ', ' ORDER BY user_id) FROM cnap.organization_member WHERE organization_id = {solo}$$,
			'pia owner, quentin member, sam member'),
		('those of a workspace', $$SELECT string_agg(concat_ws(' ', user_id, role), ', ' ORDER BY user_id) FROM cnap.workspace_member WHERE workspace_id = {first}$$,
			'sam member'),
		('a link of the organization', 'SELECT count(*) FROM cnap_install_link([link])', '1'),
		('an invitation by somebody else', 'SELECT count(*) FROM cnap_invitation([of pia])', '1'),
		('the management', 'SELECT managed_by = {solo} FROM cnap.workspace WHERE id = {first}', 'true')) t (what, statement, expected),
	LATERAL test.try_after(ARRAY['system: SELECT cnap_forget_user(''paul'')'], 'none', NULL, test.fill(statement)) o;
SELECT is(test.line(o.state, o.message, o.changed), test.invalid(), format('an invitation by the person has fallen: %s', format(taker, token)))
FROM unnest(ARRAY['[colleague]', '[partner]', '[guest]', '[revoked]', '[accepted]']) token,
	unnest(ARRAY['SELECT count(*) FROM cnap_invitation(%s)', 'SELECT cnap_accept_invitation(%s)', 'SELECT cnap_decline_invitation(%s)']) taker,
	LATERAL test.try_after(ARRAY['system: SELECT cnap_forget_user(''paul'')'], 'cnap_test_app', 'nina', format(taker, token)) o;
SELECT is(test.told(o), '00000 ' || expected, format('an invitation by the person is revoked, unless it has ended already: %s', name))
FROM (VALUES ('colleague', 'revoked colleague@solo.example'), ('partner', 'revoked'), ('guest', 'revoked'), ('revoked', 'revoked'),
		('accepted', 'accepted quentin')) t (name, expected),
	LATERAL test.try_after(ARRAY['system: SELECT cnap_forget_user(''paul'')'],
		'none', NULL, format('SELECT concat_ws('' '', outcome, email, outcome_by, inviter) FROM cnap.invitation WHERE id = [%s id]', name)) o;
SELECT is(test.told(test.try_after(ARRAY['paul: SELECT cnap_revoke_invitation([colleague id])', 'system: SELECT cnap_forget_user(''paul'')'],
	'none', NULL, 'SELECT concat_ws('' '', outcome, email, outcome_by, inviter) FROM cnap.invitation WHERE id = [colleague id]')),
	'00000 revoked colleague@solo.example', 'an invitation that the person revoked keeps its address, which is somebody else''s');
-- the address to which the user was invited is removed, too
SELECT is(test.told(o), '00000 ' || outcome, 'an invitation that the person ' || outcome || ': the address')
FROM (VALUES ('accept', 'accepted'), ('decline', 'declined')) t (act, outcome),
	LATERAL test.try_after(ARRAY[format('quinn: SELECT cnap_%s_invitation([colleague])', act), 'system: SELECT cnap_forget_user(''quinn'')'],
		'none', NULL, 'SELECT concat_ws('' '', outcome, email, outcome_by) FROM cnap.invitation WHERE id = [colleague id]') o;
-- a user invited after that is a new one
SELECT is(test.told(test.try_after(ARRAY['system: SELECT cnap_forget_user(''paul'')', 'paul: SELECT cnap_accept_invitation([of pia])'],
	'cnap_test_app', 'paul', 'SELECT string_agg(name || '' '' || role, '', '') FROM cnap_organizations()')), '00000 Solo member',
	'a person with the same id who accepts an invitation later');

-- refused, with the list, while the user is the sole owner of something

/* What cnap_forget_user() is refused with, as one line. */
CREATE FUNCTION test.refusal(statement text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	message text;
	detail text;
	hint text;
BEGIN
	PERFORM test.become('cnap_test_app', NULL);
	EXECUTE statement;
	PERFORM test.become('none', NULL);
	RETURN 'not at all';
EXCEPTION WHEN restrict_violation THEN
	GET STACKED DIAGNOSTICS message := MESSAGE_TEXT, detail := PG_EXCEPTION_DETAIL, hint := PG_EXCEPTION_HINT;
	RETURN concat_ws(' | ', message, detail, hint);
END
$$;
SELECT is(test.line(o.state, NULL, o.changed), test.line('23001', NULL, false), format('cnap_forget_user(%L) by %s', who, coalesce(actor, 'the system')))
FROM unnest(ARRAY['pia', 'wanda', 'fred', 'rita']) who, unnest(ARRAY['cnap_test_app', 'none']) db_role, unnest(ARRAY['nina', NULL]) actor,
	LATERAL test.attempt(db_role, actor, format('SELECT cnap_forget_user(%L)', who)) o;
SELECT matches(test.refusal(format('SELECT cnap_forget_user(%L)', who)), pattern, format('the list of what %s owns alone: %s', who, pattern))
FROM (VALUES
		('pia', test.id('solo')::text), ('pia', test.id('first')::text), ('pia', test.id('second')::text),
		('wanda', test.id('ws')::text), ('wanda', test.id('free')::text), ('wanda', test.id('capped')::text), ('wanda', test.id('ended')::text),
		('fred', test.id('foreign')::text), ('rita', test.id('rival')::text)) t (who, pattern);
SELECT doesnt_match(test.refusal(format('SELECT cnap_forget_user(%L)', who)), pattern, format('not in the list for %s: %s', who, pattern))
FROM (VALUES ('pia', test.id('shared')::text), ('pia', test.id('ws')::text), ('fred', test.id('ws')::text)) t (who, pattern);

-- the successor takes over what the user was the sole owner of, and nothing
-- else

CREATE FUNCTION test.has(person text) RETURNS text STABLE
RETURN format($$
	SELECT concat_ws('; ',
		(SELECT string_agg(o.name || ' ' || m.role, ', ' ORDER BY o.name)
			FROM cnap.organization_member m JOIN cnap.organization o ON o.id = m.organization_id WHERE m.user_id = %1$L),
		(SELECT string_agg(w.name, ', ' ORDER BY w.name) FROM cnap.workspace w WHERE w.owner_id = %1$L),
		(SELECT string_agg(w.name || ' ' || m.role, ', ' ORDER BY w.name)
			FROM cnap.workspace_member m JOIN cnap.workspace w ON w.id = m.workspace_id WHERE m.user_id = %1$L))$$, person);
SELECT is(test.told(o), '00000 ' || expected, format('%s is forgotten: what %s has then', who, heir))
FROM (VALUES
		('pia', 'nina', 'Solo owner; First!, Second'),
		-- a successor who was a member, direct or of the organization, owns it
		-- now
		('pia', 'sam', 'Solo owner; First!, Second'),
		('pia', 'paul', 'Shared owner, Solo owner, Vendor member; First!, Second; Free member, Managed admin'),
		('wanda', 'dora', 'Capped, Ended, Free, Managed'),
		('wanda', 'olga', 'Vendor owner; Capped, Ended, Free, Managed'),
		('rita', 'mia', 'Rival owner, Vendor member'),
		-- the user was not the sole owner of anything
		('paul', 'nina', ''), ('olga', 'nina', ''), ('olga', 'mia', 'Vendor member'), ('dave', 'nina', '')) t (who, heir, expected),
	LATERAL test.try_after(ARRAY[format('system: SELECT cnap_forget_user(%L, %L)', who, heir)], 'none', NULL, test.has(heir)) o;
SELECT is(test.told(test.try_after(ARRAY['system: SELECT cnap_forget_user(''wanda'', ''nina'')'], 'cnap_test_app', 'mia',
	'SELECT concat_ws('' '', cnap_workspace_role({ws}), cnap_workspace_role({capped}), cnap_workspace_role(''dora'', {ws}))')),
	'00000 admin member admin', 'managers and members stay');
SELECT is(test.told(test.try_after(ARRAY['system: SELECT cnap_forget_user(''wanda'', ''nina'')'], 'cnap_test_app', 'nina',
	'SELECT concat_ws('' '', cnap_workspace_role({ws}), cnap_revoke_management({ws}), cnap_can_access(''mia'', {ws}))')),
	'00000 owner  f', 'the successor decides about the managers');

-- the log keeps the id, and records it

SELECT is(test.told(o), '00000 ' || expected, 'the entry about ' || statement)
FROM (VALUES
		('cnap_forget_user(''paul'')', 'nina cnap_test_app user.forget paul {}'),
		('cnap_forget_user(''pia'', ''sam'')', 'nina cnap_test_app user.forget pia {"successor": "sam"}')) t (statement, expected),
	LATERAL test.try_after(ARRAY['nina: SELECT ' || statement], 'none', NULL, $$
		SELECT string_agg(concat_ws(' ', actor, database_role, action, subject, detail), ', ')
		FROM cnap.audit_log WHERE action = 'user.forget'$$) o;
SELECT is(test.told(o), '00000 ' || expected, 'the entries about what ' || statement || ' ends')
FROM (VALUES
		('cnap_forget_user(''paul'')', 'organization_member.remove 3, workspace_member.remove 3'),
		('cnap_forget_user(''pia'', ''nina'')', 'organization_member.add 1, organization_member.remove 2, workspace.transfer 2')) t (statement, expected),
	LATERAL test.try_after(ARRAY['nina: SELECT ' || statement], 'none', NULL, format($$
		SELECT string_agg(action || ' ' || n, ', ' ORDER BY action)
		FROM (SELECT action, count(*) AS n FROM cnap.audit_log
			WHERE id > %s AND action ~ 'member|transfer' GROUP BY action) a$$, (SELECT max(id) FROM cnap.audit_log))) o;

-- arguments

SELECT is(test.line(o.state, o.message, o.changed), test.line(t.state, t.message, t.state = '00000'), statement)
FROM (VALUES
		('SELECT cnap_forget_user(NULL)', '22023', 'user_id is required'),
		('SELECT cnap_forget_user('''')', '22023', 'invalid user_id'),
		('SELECT cnap_forget_user('' paul'')', '22023', 'invalid user_id'),
		('SELECT cnap_forget_user(repeat(''x'', 256))', '22023', 'invalid user_id'),
		('SELECT cnap_forget_user(''paul'', '''')', '22023', 'invalid successor'),
		('SELECT cnap_forget_user(''paul'', ''nina '')', '22023', 'invalid successor'),
		('SELECT cnap_forget_user(''paul'', ''paul'')', '22023', 'successor must be somebody else'),
		('SELECT cnap_forget_user(successor => ''nina'', user_id => ''paul'')', '00000', NULL)) t (statement, state, message),
	LATERAL test.attempt('cnap_test_app', NULL, statement) o;
-- ids are case-sensitive
SELECT is(test.told(test.try_after(ARRAY['system: SELECT cnap_forget_user(''PAUL'')'], 'none', NULL, test.has('paul'))),
	'00000 Shared owner, Solo admin, Vendor member; First! admin, Free member, Managed admin', 'another person of a similar id');

-- old audit entries: pruned by age, only by the owner of the extension

UPDATE cnap.audit_log SET occurred_at = now() - interval '1 year' WHERE subject = 'paul';
UPDATE cnap.audit_log SET occurred_at = now() - interval '3 years' WHERE subject = 'pia';
GRANT EXECUTE ON FUNCTION cnap_prune_audit(interval) TO cnap_test_app;
SELECT is(test.line(o.state, o.message, o.changed), expected, statement || ' as ' || db_role)
FROM (VALUES
		('cnap_test_visitor', 'SELECT cnap_prune_audit(''2 years'')', test.line('42501', 'permission denied for function cnap_prune_audit', false)),
		('cnap_test_app', 'SELECT cnap_prune_audit(''2 years'')',
			test.line('42501', 'must be owner of the extension to prune the audit log', false)),
		('none', 'SELECT cnap_prune_audit(older_than => NULL)', test.line('22023', 'older_than is required', false)),
		('none', 'SELECT cnap_prune_audit(''-1 day'')', test.line('22023', 'invalid older_than', false)),
		('none', 'SELECT cnap_prune_audit(''1 year -1 day'')', test.line('22023', 'invalid older_than', false)),
		('none', 'SELECT cnap_prune_audit(''1001 years'')', test.line('22023', 'invalid older_than', false)),
		('none', 'SELECT cnap_prune_audit(''4 years'')', test.line('00000', NULL, false)),
		('none', 'SELECT cnap_prune_audit(''2 years'')', test.line('00000', NULL, true))) t (db_role, statement, expected),
	LATERAL test.attempt(db_role, NULL, statement) o;
SELECT is(test.told(o), format('00000 %s', (SELECT count(*) FROM cnap.audit_log WHERE occurred_at < now() - age)), 'the number of entries that are older than ' || age)
FROM unnest(ARRAY['6 months', '2 years', '4 years']::interval[]) age,
	LATERAL test.attempt('none', NULL, format('SELECT cnap_prune_audit(%L)', age)) o;
SELECT is(test.told(test.try_after(ARRAY['system: SELECT cnap_prune_audit(''2 years'')'], 'none', NULL, $$
	SELECT concat_ws(' ', count(*) FILTER (WHERE occurred_at < now() - interval '2 years'),
		count(*) FILTER (WHERE occurred_at < now()) > 0, max(detail ->> 'entries') FILTER (WHERE action = 'audit.prune'))
	FROM cnap.audit_log$$)),
	(SELECT '00000 0 t ' || count(*) FROM cnap.audit_log WHERE occurred_at < now() - interval '2 years'),
	'those are gone, the others are there, and so is an entry about it');

SELECT finish();
ROLLBACK;
