/*
 * Management that is capped or expires: in each of its states, and after each
 * change from one state to another, all functions, listings and explanations
 * agree.  Only the owner can extend, shorten, cap and raise it; once it has
 * ended it is reported as ended everywhere, and another one can be granted.
 *
 * The expected results are computed from the terms alone.
 */
BEGIN;
\ir include/setup.sql
\ir include/workspace_matrix.sql

SELECT no_plan();

-- Una is a manager, and a direct member as well.
INSERT INTO cnap.organization_member (organization_id, user_id) VALUES (test.id('vendor'), 'una');
INSERT INTO cnap.workspace_member (workspace_id, user_id) VALUES (test.id('free'), 'una');
UPDATE cnap.organization_member SET created_at = '2019-01-01';

CREATE TABLE test.document (workspace_id uuid);
INSERT INTO test.document VALUES (test.id('free'));
SELECT cnap_protect('test.document', write_permission => 'administer') \g /dev/null
GRANT SELECT, UPDATE ON test.document TO cnap_test_app;

/* The terms on which an organization manages the workspace {free}. */
CREATE TYPE test.terms AS (manager text, role text, until timestamptz, since timestamptz);

CREATE TABLE test.state (state text PRIMARY KEY, terms test.terms NOT NULL);
INSERT INTO test.state VALUES
	('never managed', (NULL, NULL, NULL, NULL)),
	('managed', ('vendor', 'admin', NULL, '2021-01-01')),
	('capped', ('vendor', 'member', NULL, '2021-01-01')),
	('managed for a time', ('vendor', 'admin', '2998-01-01', '2021-01-01')),
	('capped for a time', ('vendor', 'member', '2998-01-01', '2021-01-01')),
	('ended', ('vendor', 'admin', '2022-01-01', '2021-01-01')),
	('capped, ended', ('vendor', 'member', '2022-01-01', '2021-01-01'));

CREATE FUNCTION test.holds(t test.terms) RETURNS boolean
RETURN (t).manager IS NOT NULL AND ((t).until IS NULL OR (t).until > clock_timestamp());

/* What wanda, the owner, does next, and what the terms are then. */
CREATE TABLE test.step (step text PRIMARY KEY, statement text NOT NULL, terms test.terms NOT NULL);
INSERT INTO test.step VALUES
	('grants it', 'SELECT cnap_grant_management({free}, {vendor})', ('vendor', 'admin', NULL, now())),
	('grants it without an end', 'SELECT cnap_grant_management({free}, {vendor}, until => ''infinity'')',
		('vendor', 'admin', NULL, now())),
	('grants it, capped', 'SELECT cnap_grant_management({free}, {vendor}, ''member'')', ('vendor', 'member', NULL, now())),
	('grants it for that time', 'SELECT cnap_grant_management({free}, {vendor}, until => ''2998-01-01'')',
		('vendor', 'admin', '2998-01-01', now())),
	('grants it for less time', 'SELECT cnap_grant_management({free}, {vendor}, until => ''2997-01-01'')',
		('vendor', 'admin', '2997-01-01', now())),
	('grants it for more time', 'SELECT cnap_grant_management({free}, {vendor}, until => ''2999-01-01'')',
		('vendor', 'admin', '2999-01-01', now())),
	('grants it for more time, capped', 'SELECT cnap_grant_management({free}, {vendor}, ''member'', ''2999-01-01'')',
		('vendor', 'member', '2999-01-01', now())),
	('grants it to another organization', 'SELECT cnap_grant_management({free}, {rival}, ''member'', ''2999-01-01'')',
		('rival', 'member', '2999-01-01', now())),
	('revokes it', 'SELECT cnap_revoke_management({free})', (NULL, NULL, NULL, NULL));

/* What comes of that step in that state. */
CREATE FUNCTION test.outcome_of(was test.terms, step test.step) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	wanted test.terms := step.terms;
BEGIN
	IF wanted.manager IS NULL AND was.manager IS NULL THEN
		RETURN test.line('55000', 'workspace is not managed', false);
	ELSIF wanted.manager IS NOT NULL AND test.holds(was)
		AND (wanted.manager <> was.manager
			OR (wanted.role, wanted.until) IS NOT DISTINCT FROM (was.role, was.until)) THEN
		RETURN test.line('23001', 'workspace is already managed', false);
	END IF;
	RETURN test.line('00000', NULL, true);
END
$$;

/* The terms after that step in that state, when it succeeds: a change of terms is no new beginning. */
CREATE FUNCTION test.terms_after(was test.terms, step test.step) RETURNS test.terms
LANGUAGE plpgsql AS $$
DECLARE
	wanted test.terms := step.terms;
BEGIN
	IF wanted.manager IS NOT NULL AND test.holds(was) THEN
		wanted.since := was.since;
	END IF;
	RETURN wanted;
END
$$;

/* Brings a state about, takes the step, if any, and tries a statement; all of it is undone. */
CREATE FUNCTION test.try_in(was test.terms, step text, who text, statement text) RETURNS test.outcome
LANGUAGE plpgsql AS $$
DECLARE
	outcome test.outcome;
BEGIN
	BEGIN
		UPDATE cnap.workspace
		SET managed_by = test.id(was.manager), managed_role = was.role::text,
			managed_until = was.until, managed_since = was.since
		WHERE id = test.id('free');
		IF step IS NOT NULL THEN
			step := test.expand(step);
			PERFORM test.become('cnap_test_app', 'wanda');
			EXECUTE step;
			PERFORM set_config('role', 'none', true);
		END IF;
		outcome := test.attempt('cnap_test_app', who, statement);
		RAISE SQLSTATE 'UNDO1';
	EXCEPTION WHEN SQLSTATE 'UNDO1' THEN
		RETURN outcome;
	END;
END
$$;

/* The questions: who asks what, and what the answer is on those terms. */
CREATE TABLE test.question (question text PRIMARY KEY, asker text NOT NULL, statement text NOT NULL);
INSERT INTO test.question VALUES
	('checks', 'mia', $$
		SELECT concat_ws(' ', cnap_can_access({free}), cnap_can_access('mia', {free}), cnap_workspace_role({free}),
			cnap_workspace_role('mia', {free}), {free} = ANY (cnap_accessible_workspaces()),
			{free} = ANY (cnap_accessible_workspaces('mia')), {free} = ANY (cnap.reachable('administer')),
			(SELECT string_agg(p::text, ' ' ORDER BY p) FROM unnest('{access,administer,manage_members,manage_roles,manage_delegation,billing,transfer,delete}'::text[]) p
				WHERE cnap_has_permission({free}, p)),
			(SELECT string_agg(p::text, ' ' ORDER BY p) FROM unnest('{access,administer,manage_members,manage_roles,manage_delegation,billing,transfer,delete}'::text[]) p
				WHERE cnap_has_permission('mia', {free}, p)))$$),
	('rows', 'mia', 'SELECT count(*) FROM test.document'),
	('explanation', 'mia',
		'SELECT concat_ws('' '', role, granted, to_char(until, ''YYYY''), reason) FROM cnap_explain_access(''mia'', {free}) WHERE path = ''organization'''),
	('own list', 'mia',
		'SELECT concat_ws('' '', section, role, via, organization) FROM cnap_workspaces() WHERE id = {free}'),
	('own list of a member', 'una',
		'SELECT concat_ws('' '', section, role, via, organization) FROM cnap_workspaces() WHERE id = {free}'),
	('list of members', 'dave',
		$$SELECT string_agg(concat_ws(' ', user_id, role, via, organization, to_char(since, 'YYYY'), to_char(until, 'YYYY')), ', ' ORDER BY user_id COLLATE "C")
			FROM cnap_workspace_members({free}) WHERE via = 'organization' AND user_id IN ('mia', 'rita')$$),
	('the workspace', 'dave',
		$$SELECT concat_ws(' ', owner_id, managed_by, managed_role, to_char(managed_since, 'YYYY'), to_char(managed_until, 'YYYY'), managers, activation)
			FROM cnap_workspace({free})$$),
	('list of the organization', 'mia',
		$$SELECT concat_ws(' ', owner_id, managed_role, to_char(managed_since, 'YYYY'), to_char(managed_until, 'YYYY'))
			FROM cnap_organization_workspaces({vendor}) WHERE id = {free}$$),
	('list of another organization', 'rita',
		$$SELECT concat_ws(' ', owner_id, managed_role, to_char(managed_since, 'YYYY'), to_char(managed_until, 'YYYY'))
			FROM cnap_organization_workspaces({rival}) WHERE id = {free}$$),
	('preview', 'wanda',
		$$SELECT string_agg(concat_ws(' ', user_id, organization, role, loses_access, remaining_role), ', ' ORDER BY user_id COLLATE "C")
			FROM cnap_preview_revocation({free}) WHERE user_id IN ('mia', 'una', 'rita')$$),
	('a manager''s act', 'mia', 'SELECT cnap_update_workspace({free}, ''Renamed'')'),
	('a release', 'adam', 'SELECT cnap_revoke_management({free})');

CREATE FUNCTION test.answer(t test.terms, question text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	holds boolean := test.holds(t);
	-- of the vendor's members, who make most of the checks
	managed boolean := holds AND t.manager = 'vendor';
	manager uuid := test.id(t.manager);
	way text := CASE t.role WHEN 'admin' THEN 'manager' ELSE 'capped' END;
	until text := to_char(t.until, 'YYYY');
	since text := to_char(t.since, 'YYYY');
	hidden text := format('workspace "%s" does not exist', test.id('free'));
BEGIN
	RETURN CASE question
		WHEN 'checks' THEN CASE WHEN managed
			THEN format('t t %1$s %1$s t t %2$s %3$s %3$s', t.role, left((t.role = 'admin')::text, 1), test.permissions(way))
			ELSE 'f f f f f' END
		WHEN 'rows' THEN CASE WHEN managed THEN '1' ELSE '0' END
		WHEN 'explanation' THEN CASE
			WHEN t.manager IS NULL THEN 'f no organization manages the workspace'
			WHEN t.manager <> 'vendor' THEN
				concat_ws(' ', 'f', until, format('the user is not a member of organization %s, which was granted management of the workspace', manager))
			WHEN NOT holds THEN concat_ws(' ', 'f', until, format('the user has role member in organization %s, whose management of the workspace has ended', manager))
			ELSE concat_ws(' ', t.role, 't', until, format('the user has role member in organization %s, which manages the workspace', manager))
			END
		WHEN 'own list' THEN CASE WHEN managed THEN concat_ws(' ', 'shared', t.role, 'organization', manager) END
		WHEN 'own list of a member' THEN CASE WHEN managed AND t.role = 'admin'
			THEN concat_ws(' ', 'shared admin organization', manager) ELSE 'shared member member' END
		WHEN 'list of members' THEN CASE WHEN holds
			THEN concat_ws(' ', CASE t.manager WHEN 'vendor' THEN 'mia' ELSE 'rita' END, t.role, 'organization', manager, since, until) END
		WHEN 'the workspace' THEN CASE WHEN holds THEN concat_ws(' ', 'wanda', manager, t.role, since, until, 'all') ELSE 'wanda' END
		WHEN 'list of the organization' THEN CASE WHEN managed THEN concat_ws(' ', 'wanda', t.role, since, until) END
		WHEN 'list of another organization' THEN CASE WHEN holds AND NOT managed THEN concat_ws(' ', 'wanda', t.role, since, until) END
		WHEN 'preview' THEN CASE
			WHEN managed THEN format('mia %1$s %2$s t, una %1$s %2$s f member', manager, t.role)
			WHEN holds THEN format('rita %s %s t', manager, t.role) END
		WHEN 'a manager''s act' THEN CASE
			WHEN NOT managed THEN hidden WHEN t.role = 'member' THEN 'admin role required' ELSE '' END
		WHEN 'a release' THEN CASE WHEN managed THEN '' ELSE hidden END
	END;
END
$$;

-- each state on its own

SELECT is(coalesce(o.result, o.message), test.answer(s.terms, q.question), format('%s: %s', s.state, q.question))
FROM test.state s, test.question q, LATERAL test.try_in(s.terms, NULL, q.asker, q.statement) o
ORDER BY s.state, q.question;

-- each step from each state, and its result

SELECT is(test.line(o.state, o.message, o.changed), test.outcome_of(s.terms, p), format('%s: the owner %s', s.state, p.step))
FROM test.state s, test.step p, LATERAL test.try_in(s.terms, NULL, 'wanda', p.statement) o
ORDER BY s.state, p.step;

SELECT is(coalesce(o.result, o.message), test.answer(test.terms_after(s.terms, p), q.question),
	format('%s, then the owner %s: %s', s.state, p.step, q.question))
FROM test.state s, test.step p, test.question q,
	LATERAL test.try_in(s.terms, p.statement, q.asker, q.statement) o
WHERE test.outcome_of(s.terms, p) ~ '^00000'
ORDER BY s.state, p.step, q.question;

SELECT is(o.result,
	concat_ws(' ', 'wanda',
		CASE WHEN (p.terms).manager IS NULL THEN 'management.revoke'
			WHEN test.holds(s.terms) THEN 'management.change' ELSE 'management.grant' END,
		test.id(coalesce((p.terms).manager, (s.terms).manager)),
		CASE WHEN (p.terms).manager IS NULL THEN (s.terms).role ELSE (p.terms).role END,
		CASE WHEN (p.terms).manager IS NULL THEN to_char((s.terms).until, 'YYYY') ELSE to_char((p.terms).until, 'YYYY') END),
	format('%s, then the owner %s: the audit entry', s.state, p.step))
FROM test.state s, test.step p,
	LATERAL test.try_in(s.terms, p.statement, 'wanda', $$
		SELECT concat_ws(' ', actor, action, organization_id, detail ->> 'role', left(detail ->> 'until', 4))
		FROM cnap_workspace_audit({free}, max_rows => 1)$$) o
WHERE test.outcome_of(s.terms, p) ~ '^00000'
ORDER BY s.state, p.step;

-- the same statement restores everything that a release or a revocation has ended

SELECT is(coalesce(o.result, o.message), test.answer(('vendor', 'admin', NULL, now()), q.question),
	format('revoked, and granted again: %s', q.question))
FROM test.question q, LATERAL test.try_in((SELECT terms FROM test.state WHERE state = 'capped for a time'),
	'SELECT cnap_revoke_management({free}); SELECT cnap_grant_management({free}, {vendor})', q.asker, q.statement) o
ORDER BY q.question;

-- only the owner can change the terms

SELECT is(test.line(o.state, o.message, o.changed),
	CASE WHEN who IN ('dora', 'dave') OR test.holds(s.terms) AND who IN ('olga', 'adam', 'mia')
		THEN test.line('42501', 'owner role required', false)
		ELSE test.line('42704', format('workspace "%s" does not exist', test.id('free')), false)
	END, format('%s: %s by %s', s.state, statement, who))
FROM test.state s, unnest(ARRAY['dora', 'dave', 'olga', 'adam', 'mia', 'rita', 'fred', 'nina']) who,
	unnest(ARRAY['SELECT cnap_grant_management({free}, {vendor}, until => ''2999-01-01'')',
		'SELECT cnap_grant_management({free}, {vendor}, ''member'', ''2997-01-01'')']) statement,
	LATERAL test.try_in(s.terms, NULL, who, statement) o
ORDER BY s.state, who, statement;

-- no end in the past, or at this moment

SELECT is(test.line(o.state, o.message, o.changed), test.line('22023', 'until must be in the future', false),
	format('%s: until %s', s.state, ending))
FROM test.state s, unnest(ARRAY['now()', 'clock_timestamp()', '''-infinity''', '''2020-01-01''', 'now() - interval ''1 us''']) ending,
	LATERAL test.try_in(s.terms, NULL, 'wanda', format('SELECT cnap_grant_management({free}, {vendor}, until => %s)', ending)) o
ORDER BY s.state, ending;

-- it ends by the clock, whether or not a session has made a check before

UPDATE cnap.workspace SET managed_by = test.id('vendor'), managed_until = clock_timestamp() + interval '1 s',
	managed_since = '2021-01-01'
WHERE id = test.id('free');
SELECT FROM test.question q, LATERAL test.attempt('cnap_test_app', q.asker, q.statement) o \g /dev/null
SELECT pg_sleep(1) \g /dev/null
SELECT is(coalesce(o.result, o.message),
	test.answer(('vendor', 'admin', w.managed_until, '2021-01-01'), q.question), 'ended meanwhile: ' || q.question)
FROM cnap.workspace w, test.question q, LATERAL test.attempt('cnap_test_app', q.asker, q.statement) o
WHERE w.id = test.id('free')
ORDER BY q.question;

SELECT finish();
ROLLBACK;
