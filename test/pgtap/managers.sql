/*
 * Which of the managers get in: who can assign and activate, what that gives, how it
 * is shown, and that it is gone, not dormant, after the membership, the grant, its own
 * end or the workspace, whoever ended that and however it begins anew.
 */
BEGIN;
\ir include/setup.sql

SELECT no_plan();

INSERT INTO test.named VALUES
	('assigned', '00000000-0000-4000-8000-0000000000b6'), ('activated', '00000000-0000-4000-8000-0000000000b7');
INSERT INTO cnap.workspace (id, name, owner_id, managed_by, managed_role, managed_access) VALUES
	(test.id('assigned'), 'Assigned', 'wanda', test.id('vendor'), 'member', 'assigned'),
	(test.id('activated'), 'Activated', 'wanda', test.id('vendor'), 'admin', 'activated');
UPDATE cnap.workspace SET managed_activation = '2 hours' WHERE id = test.id('activated');
INSERT INTO cnap.workspace_member (workspace_id, user_id)
	SELECT test.id(w), 'dave' FROM unnest(ARRAY['assigned', 'activated']) w;
INSERT INTO cnap.assignment (workspace_id, user_id, until, reason) VALUES
	(test.id('assigned'), 'mia', NULL, NULL),
	(test.id('activated'), 'mia', '2998-01-01', 'ticket 1');

-- who can do what

SELECT is(test.line(o.state, o.message, o.changed), expected, format('%s: %s', coalesce(who, 'the system'), statement))
FROM (VALUES
	('olga', 'SELECT cnap_assign_manager({assigned}, ''max'')', test.line('00000', NULL, true)),
	('adam', 'SELECT cnap_assign_manager({assigned}, ''adam'')', test.line('00000', NULL, true)),
	('adam', 'SELECT cnap_assign_manager({assigned}, ''mia'', ''2999-01-01'')', test.line('00000', NULL, true)),
	(NULL, 'SELECT cnap_assign_manager({assigned}, ''max'')', test.line('00000', NULL, true)),
	(NULL, 'SELECT cnap_assign_manager({free}, ''max'')', test.line('55000', 'workspace is not managed', false)),
	(NULL, 'SELECT cnap_assign_manager({unknown}, ''max'')', test.line('42704', format('workspace "%s" does not exist', test.id('unknown')), false)),
	('adam', 'SELECT cnap_assign_manager({assigned}, ''mia'')', test.line('23505', 'user "mia" is already assigned to the workspace', false)),
	('adam', 'SELECT cnap_assign_manager({assigned}, ''rita'')', test.line('42704', 'user "rita" is not a member of the organization', false)),
	('adam', 'SELECT cnap_assign_manager({activated}, ''max'')',
		test.line('55000', 'managers of the workspace activate the management themselves', false)),
	('adam', 'SELECT cnap_assign_manager({activated}, ''max'', ''2999-01-01'')',
		test.line('55000', 'managers of the workspace activate the management themselves', false)),
	('adam', 'SELECT cnap_assign_manager({ws}, ''max'')', test.line('55000', 'all members of the organization manage the workspace', false)),
	('adam', 'SELECT cnap_assign_manager({ended}, ''max'')', test.line('42704', format('workspace "%s" does not exist', test.id('ended')), false)),
	('adam', 'SELECT cnap_assign_manager({free}, ''max'')', test.line('42704', format('workspace "%s" does not exist', test.id('free')), false)),
	('mia', 'SELECT cnap_assign_manager({assigned}, ''max'')', test.line('42501', 'admin role required', false)),
	('max', 'SELECT cnap_assign_manager({assigned}, ''max'')', test.line('42501', 'admin role required', false)),
	('wanda', 'SELECT cnap_assign_manager({assigned}, ''max'')', test.line('42501', 'only members of the managing organization can do that', false)),
	('dave', 'SELECT cnap_assign_manager({assigned}, ''max'')', test.line('42501', 'only members of the managing organization can do that', false)),
	('rita', 'SELECT cnap_assign_manager({assigned}, ''rita'')', test.line('42704', format('workspace "%s" does not exist', test.id('assigned')), false)),
	('nina', 'SELECT cnap_assign_manager({assigned}, ''nina'')', test.line('42704', format('workspace "%s" does not exist', test.id('assigned')), false)),

	('olga', 'SELECT cnap_unassign_manager({assigned}, ''mia'')', test.line('00000', NULL, true)),
	('adam', 'SELECT cnap_unassign_manager({activated}, ''mia'')', test.line('00000', NULL, true)),
	('mia', 'SELECT cnap_unassign_manager({assigned}, ''mia'')', test.line('00000', NULL, true)),
	('mia', 'SELECT cnap_unassign_manager({activated}, ''mia'')', test.line('00000', NULL, true)),
	(NULL, 'SELECT cnap_unassign_manager({activated}, ''mia'')', test.line('00000', NULL, true)),
	('max', 'SELECT cnap_unassign_manager({assigned}, ''max'')', test.line('42704', 'user "max" is not assigned to the workspace', false)),
	('adam', 'SELECT cnap_unassign_manager({ws}, ''mia'')', test.line('42704', 'user "mia" is not assigned to the workspace', false)),
	('max', 'SELECT cnap_unassign_manager({assigned}, ''mia'')', test.line('42501', 'admin role required', false)),
	('wanda', 'SELECT cnap_unassign_manager({assigned}, ''mia'')', test.line('00000', NULL, true)),
	('wanda', 'SELECT cnap_unassign_manager({activated}, ''mia'')', test.line('00000', NULL, true)),
	('wanda', 'SELECT cnap_unassign_manager({assigned}, ''max'')', test.line('42704', 'user "max" is not assigned to the workspace', false)),
	('wanda', 'SELECT cnap_unassign_manager({free}, ''mia'')', test.line('42704', 'user "mia" is not assigned to the workspace', false)),
	('dave', 'SELECT cnap_unassign_manager({assigned}, ''mia'')', test.line('42501', 'owner role required', false)),
	('nina', 'SELECT cnap_unassign_manager({assigned}, ''mia'')', test.line('42704', format('workspace "%s" does not exist', test.id('assigned')), false)),
	('rita', 'SELECT cnap_unassign_manager({assigned}, ''mia'')', test.line('42704', format('workspace "%s" does not exist', test.id('assigned')), false)),

	('mia', 'SELECT cnap_activate_management({activated}, ''again'')', test.line('00000', NULL, true)),
	('max', 'SELECT cnap_activate_management({activated}, ''ticket'', ''2 hours'')', test.line('00000', NULL, true)),
	('olga', 'SELECT cnap_activate_management({activated}, ''ticket'', ''1 us'')', test.line('00000', NULL, true)),
	('max', 'SELECT cnap_activate_management({activated}, ''ticket'', ''2 hours 1 us'')', test.line('22023', 'duration is too long', false)),
	('max', 'SELECT cnap_activate_management({assigned}, ''ticket'')', test.line('55000', 'managers of the workspace are assigned', false)),
	('max', 'SELECT cnap_activate_management({ws}, ''ticket'')', test.line('55000', 'all members of the organization manage the workspace', false)),
	('wanda', 'SELECT cnap_activate_management({activated}, ''ticket'')', test.line('42501', 'only members of the managing organization can do that', false)),
	('dave', 'SELECT cnap_activate_management({activated}, ''ticket'')', test.line('42501', 'only members of the managing organization can do that', false)),
	('rita', 'SELECT cnap_activate_management({activated}, ''ticket'')', test.line('42704', format('workspace "%s" does not exist', test.id('activated')), false)),
	(NULL, 'SELECT cnap_activate_management({activated}, ''ticket'')', test.line('28000', 'no current user', false)),

	-- who is not let in has no rights, but the organization's are still there
	('max', 'SELECT cnap_update_workspace({activated}, ''New'')', test.line('42704', format('workspace "%s" does not exist', test.id('activated')), false)),
	('olga', 'SELECT cnap_update_workspace({activated}, ''New'')', test.line('42704', format('workspace "%s" does not exist', test.id('activated')), false)),
	('mia', 'SELECT cnap_update_workspace({activated}, ''New'')', test.line('00000', NULL, true)),
	('mia', 'SELECT cnap_update_workspace({assigned}, ''New'')', test.line('42501', 'admin role required', false)),
	('adam', 'SELECT cnap_revoke_management({assigned})', test.line('00000', NULL, true)),
	('max', 'SELECT cnap_revoke_management({assigned})', test.line('42501', 'admin role required', false)),
	('mia', 'SELECT cnap_revoke_management({activated})', test.line('42501', 'admin role required', false))
) t (who, statement, expected),
	LATERAL test.attempt(CASE WHEN who IS NULL THEN 'none' ELSE 'cnap_test_app' END, who, statement) o;

-- direct statements meet the same rules

SELECT is(test.line(o.state, o.message, o.changed), expected, statement)
FROM (VALUES
	('INSERT INTO cnap.assignment (workspace_id, user_id) VALUES ({assigned}, ''max'')', test.line('00000', NULL, true)),
	('INSERT INTO cnap.assignment (workspace_id, user_id, reason) VALUES ({assigned}, ''max'', ''ticket'')',
		test.line('55000', 'managers of the workspace are assigned', false)),
	('INSERT INTO cnap.assignment (workspace_id, user_id, until) VALUES ({activated}, ''max'', ''2999-01-01'')',
		test.line('55000', 'managers of the workspace activate the management themselves', false)),
	('INSERT INTO cnap.assignment (workspace_id, user_id, reason) VALUES ({activated}, ''max'', ''ticket'')',
		test.line('55000', 'managers of the workspace activate the management themselves', false)),
	('INSERT INTO cnap.assignment (workspace_id, user_id) VALUES ({ws}, ''max'')',
		test.line('55000', 'all members of the organization manage the workspace', false)),
	('INSERT INTO cnap.assignment (workspace_id, user_id) VALUES ({free}, ''max'')', test.line('55000', 'workspace is not managed', false)),
	('INSERT INTO cnap.assignment (workspace_id, user_id) VALUES ({unknown}, ''max'')', test.line('55000', 'workspace is not managed', false)),
	('INSERT INTO cnap.assignment (workspace_id, user_id) VALUES ({assigned}, ''nina'')',
		test.line('42704', 'user "nina" is not a member of the organization', false)),
	('UPDATE cnap.assignment SET user_id = ''max'' WHERE workspace_id = {assigned}',
		test.line('23001', 'column "user_id" of "assignment" cannot change', false)),
	('UPDATE cnap.assignment SET workspace_id = {ws} WHERE workspace_id = {assigned}',
		test.line('23001', 'column "workspace_id" of "assignment" cannot change', false)),
	('UPDATE cnap.organization_member SET membership_id = gen_random_uuid() WHERE user_id = ''mia''',
		test.line('23001', 'column "membership_id" of "organization_member" cannot change', false)),
	('UPDATE cnap.workspace SET management_id = gen_random_uuid() WHERE id = {assigned}',
		test.line('23001', 'column "management_id" of "workspace" cannot change', false)),
	('UPDATE cnap.workspace SET managed_access = ''some'' WHERE id = {assigned}',
		test.line('23514', 'new row for relation "workspace" violates check constraint "workspace_managed_access_known"', false)),
	('UPDATE cnap.workspace SET managed_activation = ''-1 hour'' WHERE id = {activated}',
		test.line('23514', 'new row for relation "workspace" violates check constraint "workspace_managed_activation_format"', false))
) t (statement, expected), LATERAL test.attempt('none', NULL, statement) o;

-- what it gives: the check, the list, the explanation and the view agree

CREATE TABLE test.document (workspace_id uuid);
INSERT INTO test.document VALUES (test.id('assigned')), (test.id('activated'));
SELECT cnap_protect('test.document', write_permission => 'administer') \g /dev/null
GRANT SELECT, UPDATE ON test.document TO cnap_test_app;

CREATE FUNCTION test.answers(person text, workspace text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	id uuid := test.id(workspace);
	seen bigint;
	written bigint;
BEGIN
	PERFORM test.become('cnap_test_app', person);
	SELECT count(*) INTO seen FROM test.document d WHERE d.workspace_id = id;
	UPDATE test.document d SET workspace_id = id WHERE d.workspace_id = id;
	GET DIAGNOSTICS written = ROW_COUNT;
	PERFORM set_config('role', 'none', true);
	RETURN concat_ws(' ', cnap_can_access(person, id), cnap_can_access(id), id = ANY (cnap_accessible_workspaces(person)),
		cnap_has_permission(person, id, 'administer'), coalesce(cnap_workspace_role(person, id), '-'),
		seen, written,
		(SELECT coalesce(string_agg(concat_ws(' ', path, e.role, to_char(until, 'YYYY')), ',' ORDER BY path), '-')
			FROM cnap_explain_access(person, id) e WHERE granted),
		(SELECT coalesce(string_agg(concat_ws(' ', via, i.role, to_char(until, 'YYYY')), ',' ORDER BY via), '-')
			FROM cnap.way_in i WHERE i.user_id = person AND i.workspace_id = id));
END
$$;
SELECT is(test.answers(who, workspace), expected, format('%s: %s', workspace, who))
FROM (VALUES
	('mia', 'assigned', 't t t f member 1 0 organization member organization member'),
	('mia', 'activated', 't t t t admin 1 1 organization admin 2998 organization admin 2998'),
	('max', 'assigned', 'f f f f - 0 0 - -'), ('max', 'activated', 'f f f f - 0 0 - -'),
	('olga', 'assigned', 'f f f f - 0 0 - -'), ('olga', 'activated', 'f f f f - 0 0 - -'),
	('dave', 'assigned', 't t t f member 1 0 member member member member'),
	('rita', 'activated', 'f f f f - 0 0 - -')) t (who, workspace, expected);

SELECT is((SELECT reason FROM cnap_explain_access(who, test.id(workspace)) WHERE path = 'organization'),
	replace(expected, '{vendor}', test.id('vendor')::text), format('%s: the explanation for %s', workspace, who))
FROM (VALUES
	('mia', 'assigned', 'the user has role member in organization {vendor}, which manages the workspace, and is assigned to it'),
	('mia', 'activated', 'the user has role member in organization {vendor}, which manages the workspace, and has activated that'),
	('max', 'assigned', 'the user has role member in organization {vendor}, which manages the workspace, but is not assigned to it: its owners and admins can do that with cnap_assign_manager()'),
	('max', 'activated', 'the user has role member in organization {vendor}, which manages the workspace, but has not activated that with cnap_activate_management()'),
	('rita', 'activated', 'the user is not a member of organization {vendor}, which was granted management of the workspace')
) t (who, workspace, expected);

/* Answers after some statements, each of which is preceded by who executes it; undone. */
CREATE FUNCTION test.after(statements text[], query text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	statement text;
	answer text;
BEGIN
	FOREACH statement IN ARRAY statements LOOP
		statement := test.expand(statement);
		PERFORM test.become(CASE WHEN statement LIKE 'direct:%' THEN 'none' ELSE 'cnap_test_app' END,
			CASE WHEN statement NOT LIKE 'direct:%' THEN split_part(statement, ': ', 1) END);
		EXECUTE substr(statement, strpos(statement, ': ') + 2);
		PERFORM set_config('role', 'none', true), set_config('session_replication_role', 'origin', true);
	END LOOP;
	EXECUTE query INTO answer;
	RAISE SQLSTATE 'UNDO2';
EXCEPTION
	WHEN SQLSTATE 'UNDO2' THEN
		RETURN answer;
END
$$;

/*
 * Has mia access, in the check, the list and the view, and how many rows are there?  The
 * planner does not know who is asked about, or it would read the list, and the check with it.
 */
CREATE TABLE test.asked AS SELECT 'mia' AS person;
CREATE FUNCTION test.mia(workspace text) RETURNS text STABLE
RETURN format($$SELECT concat_ws(' ', (SELECT cnap_can_access(person, %1$L) FROM test.asked), %1$L = ANY (cnap_accessible_workspaces('mia')),
	(SELECT count(*) FROM cnap.way_in WHERE user_id = 'mia' AND workspace_id = %1$L),
	(SELECT count(*) FROM cnap.assignment WHERE user_id = 'mia' AND workspace_id = %1$L))$$, test.id(workspace));

SELECT is(test.after(ARRAY['direct: UPDATE cnap.assignment SET until = ''2001-01-01'''],
		format('SELECT reason FROM cnap_explain_access(''mia'', %L) WHERE path = ''organization''', test.id(workspace))),
	replace(expected, '{vendor}', test.id('vendor')::text), format('%s: the explanation after the end', workspace))
FROM (VALUES
	('assigned', 'the user has role member in organization {vendor}, which manages the workspace, but the assignment to it has ended: its owners and admins can renew it with cnap_assign_manager()'),
	('activated', 'the user has role member in organization {vendor}, which manages the workspace, but the activation with cnap_activate_management() has ended')
) t (workspace, expected);

-- of two ends, the earlier one counts
SELECT is(test.after(ARRAY[format('direct: UPDATE cnap.workspace SET managed_until = %L WHERE managed_by IS NOT NULL', granted),
			format('direct: UPDATE cnap.assignment SET until = %L', assigned)],
		format($$SELECT concat_ws(' ', granted, to_char(until, 'YYYY')) FROM cnap_explain_access('mia', %L) WHERE path = 'organization'$$,
			test.id(workspace))),
	expected, format('%s: the grant until %s, the assignment until %s', workspace, granted, assigned))
FROM unnest(ARRAY['assigned', 'activated']) workspace,
	(VALUES ('2997-01-01', '2998-01-01', 't 2997'), ('2998-01-01', '2997-01-01', 't 2997'),
		(NULL, '2997-01-01', 't 2997'), ('2001-01-01', '2997-01-01', 'f 2001'), ('2997-01-01', '2001-01-01', 'f 2001'),
		('2002-01-01', '2001-01-01', 'f 2001')) t (granted, assigned, expected);

SELECT is(test.after(ARRAY[format('direct: UPDATE cnap.workspace SET managed_until = %L WHERE managed_by IS NOT NULL', granted),
			format('direct: UPDATE cnap.assignment SET until = %L', assigned)], test.mia(workspace)),
	expected, format('%s: mia, with the grant until %s, the assignment until %s', workspace, granted, assigned))
FROM unnest(ARRAY['assigned', 'activated']) workspace,
	(VALUES ('2997-01-01', '2998-01-01', 't t 1 1'), ('2001-01-01', '2997-01-01', 'f f 0 1'), ('2997-01-01', '2001-01-01', 'f f 0 1'),
		(NULL, '2001-01-01', 'f f 0 1')) t (granted, assigned, expected);
SELECT is(test.after(ARRAY['direct: UPDATE cnap.assignment SET until = clock_timestamp()'],
		$$SELECT (test.attempt('cnap_test_app', 'mia', 'SELECT cnap_update_workspace({activated}, ''New'')')).message$$),
	format('workspace "%s" does not exist', test.id('activated')), 'nor does anything else go on after the end');
SELECT is(test.after(ARRAY['direct: UPDATE cnap.assignment SET until = clock_timestamp()'],
		format($$SELECT (test.attempt('cnap_test_app', %L, 'SELECT cnap_unassign_manager({%s}, ''mia'')')).message$$, who, workspace)),
	'user "mia" is not assigned to the workspace', format('nor can %s end it again, %s', who, workspace))
FROM unnest(ARRAY['assigned', 'activated']) workspace, unnest(ARRAY['mia', 'adam', 'wanda']) who;

-- what changes nothing about it

SELECT is(test.after(ARRAY[statement], test.mia(workspace)), 't t 1 1', format('%s: still in after %s', workspace, statement))
FROM unnest(ARRAY['assigned', 'activated']) workspace,
	unnest(ARRAY[
		'direct: UPDATE cnap.workspace SET name = ''New''',
		'direct: UPDATE cnap.workspace SET managed_role = ''admin'', managed_until = ''2999-01-01'' WHERE managed_by IS NOT NULL',
		'direct: UPDATE cnap.workspace SET managed_access = managed_access',
		'direct: UPDATE cnap.organization_member SET role = ''owner''',
		'direct: DELETE FROM cnap.organization_member WHERE user_id = ''max''',
		'olga: SELECT cnap_set_organization_role({vendor}, ''mia'', ''admin'')',
		'wanda: SELECT cnap_revoke_management({ws})']) statement;

/*
 * What ends it, and what brings the membership, the grant or the workspace back;
 * afterwards mia would get in if the assignment were only dormant.
 */
CREATE TABLE test.ending (what text, statements text[], rows integer DEFAULT 0);
INSERT INTO test.ending (what, statements) VALUES
	('is unassigned', ARRAY['adam: SELECT cnap_unassign_manager({workspace}, ''mia'')']),
	('is thrown out by the customer', ARRAY['wanda: SELECT cnap_unassign_manager({workspace}, ''mia'')']),
	('is thrown out by a customer who is a plain member of the organization', ARRAY[
		'direct: INSERT INTO cnap.organization_member (organization_id, user_id) VALUES ({vendor}, ''wanda'')',
		'wanda: SELECT cnap_unassign_manager({workspace}, ''mia'')']),
	('gives it up', ARRAY['mia: SELECT cnap_unassign_manager({workspace}, ''mia'')']),
	('is removed, and added again', ARRAY['olga: SELECT cnap_remove_organization_member({vendor}, ''mia'')',
		'olga: SELECT cnap_add_organization_member({vendor}, ''mia'')']),
	('leaves, and is added again', ARRAY['mia: SELECT cnap_leave_organization({vendor})',
		'olga: SELECT cnap_add_organization_member({vendor}, ''mia'')']),
	('is removed and added by direct statements', ARRAY['direct: DELETE FROM cnap.organization_member WHERE user_id = ''mia''',
		'direct: INSERT INTO cnap.organization_member (organization_id, user_id) VALUES ({vendor}, ''mia'')']),
	('is forgotten, and added again', ARRAY['direct: SELECT cnap_forget_user(''mia'')',
		'olga: SELECT cnap_add_organization_member({vendor}, ''mia'')']),
	('the management is revoked, and granted again', ARRAY['wanda: SELECT cnap_revoke_management({workspace})',
		'wanda: SELECT cnap_grant_management({workspace}, {vendor}, managers => {managers}, activation => ''2 hours'')']),
	('the workspace is released, and granted again', ARRAY['adam: SELECT cnap_revoke_management({workspace})',
		'wanda: SELECT cnap_grant_management({workspace}, {vendor}, managers => {managers}, activation => ''2 hours'')']),
	('the management is revoked and granted by direct statements', ARRAY[
		'direct: UPDATE cnap.workspace SET managed_by = NULL WHERE id = {workspace}',
		'direct: UPDATE cnap.workspace SET managed_by = {vendor}, managed_access = {managers}, managed_activation = ''2 hours'' WHERE id = {workspace}']),
	('another organization manages it meanwhile', ARRAY['wanda: SELECT cnap_revoke_management({workspace})',
		'wanda: SELECT cnap_grant_management({workspace}, {rival}, managers => {managers})',
		'wanda: SELECT cnap_revoke_management({workspace})',
		'wanda: SELECT cnap_grant_management({workspace}, {vendor}, managers => {managers}, activation => ''2 hours'')']),
	('the management ends, and is granted again', ARRAY[
		'direct: UPDATE cnap.workspace SET managed_until = clock_timestamp() WHERE id = {workspace}',
		'wanda: SELECT cnap_grant_management({workspace}, {vendor}, managers => {managers}, activation => ''2 hours'')']),
	('the management ends, and is extended by a direct statement', ARRAY[
		'direct: UPDATE cnap.workspace SET managed_until = clock_timestamp() WHERE id = {workspace}',
		'direct: UPDATE cnap.workspace SET managed_until = NULL WHERE id = {workspace}']),
	('all managers get in meanwhile', ARRAY['wanda: SELECT cnap_grant_management({workspace}, {vendor})',
		'wanda: SELECT cnap_grant_management({workspace}, {vendor}, managers => {managers}, activation => ''2 hours'')']),
	('other managers get in meanwhile', ARRAY['wanda: SELECT cnap_grant_management({workspace}, {vendor}, managers => {others})',
		'wanda: SELECT cnap_grant_management({workspace}, {vendor}, managers => {managers}, activation => ''2 hours'')']),
	('other managers get in from now on', ARRAY['wanda: SELECT cnap_grant_management({workspace}, {vendor}, managers => {others})']),
	('the organization is deleted, and made anew', ARRAY['olga: SELECT cnap_delete_organization({vendor})',
		'direct: INSERT INTO cnap.organization (id, name) VALUES ({vendor}, ''Vendor'')',
		'direct: INSERT INTO cnap.organization_member (organization_id, user_id, role) VALUES ({vendor}, ''mia'', ''owner'')',
		'wanda: SELECT cnap_grant_management({workspace}, {vendor}, managers => {managers}, activation => ''2 hours'')']),
	('the workspace is deleted, and made anew', ARRAY['wanda: SELECT cnap_delete_workspace({workspace})',
		'direct: INSERT INTO cnap.workspace (id, name, owner_id, managed_by, managed_access) VALUES ({workspace}, ''New'', ''wanda'', {vendor}, {managers})']),
	('the workspaces are truncated, and made anew', ARRAY['direct: TRUNCATE cnap.workspace CASCADE',
		'direct: INSERT INTO cnap.workspace (id, name, owner_id, managed_by, managed_access) VALUES ({workspace}, ''New'', ''wanda'', {vendor}, {managers})']),
	('the organizations are truncated, and made anew', ARRAY['direct: TRUNCATE cnap.organization CASCADE',
		'direct: INSERT INTO cnap.organization (id, name) VALUES ({vendor}, ''Vendor'')',
		'direct: INSERT INTO cnap.organization_member (organization_id, user_id, role) VALUES ({vendor}, ''mia'', ''owner'')',
		'direct: INSERT INTO cnap.workspace (id, name, owner_id, managed_by, managed_access) VALUES ({workspace}, ''New'', ''wanda'', {vendor}, {managers})']),
	('the assignments are truncated', ARRAY['direct: TRUNCATE cnap.assignment']);
-- these leave rows behind, which mean nothing
INSERT INTO test.ending VALUES
	('is removed and added by a session that replicates', ARRAY[
		'direct: SET LOCAL session_replication_role = replica; DELETE FROM cnap.organization_member WHERE user_id = ''mia''',
		'direct: INSERT INTO cnap.organization_member (organization_id, user_id) VALUES ({vendor}, ''mia'')'], 1),
	('is let in for a time that ends', ARRAY['direct: UPDATE cnap.assignment SET until = clock_timestamp()'], 1);

SELECT is(test.after(
		(SELECT array_agg(replace(replace(replace(s, '{workspace}', quote_literal(test.id(w.workspace))),
			'{managers}', quote_literal(w.workspace)), '{others}', quote_literal(w.others)) ORDER BY n)
			FROM unnest(e.statements) WITH ORDINALITY t (s, n)), test.mia(w.workspace)),
	'f f 0 ' || e.rows, format('%s: mia %s', w.workspace, e.what))
FROM test.ending e, (VALUES ('assigned', 'activated'), ('activated', 'assigned')) w (workspace, others)
ORDER BY e.what, w.workspace;
-- nor do they keep anybody from letting mia in again, or can be ended once more
SELECT is(test.after((SELECT statements || again FROM test.ending WHERE what = 'is removed and added by a session that replicates'),
	test.mia(workspace)), 't t 1 1', format('after a row that means nothing, %s', again))
FROM (VALUES ('assigned', 'adam: SELECT cnap_assign_manager({assigned}, ''mia'')'),
	('activated', 'mia: SELECT cnap_activate_management({activated}, ''ticket'')')) t (workspace, again);
SELECT is(test.after((SELECT statements FROM test.ending WHERE what = 'is removed and added by a session that replicates'),
		format($$SELECT (test.attempt('cnap_test_app', %L, 'SELECT cnap_unassign_manager({%s}, ''mia'')')).message$$, who, workspace)),
	'user "mia" is not assigned to the workspace', format('%s: %s unassigns mia, by a row that means nothing', workspace, who))
FROM unnest(ARRAY['assigned', 'activated']) workspace, unnest(ARRAY['mia', 'adam', 'wanda']) who;
SELECT is(test.after(ARRAY[format('direct: UPDATE cnap.workspace SET managed_activation = ''3 hours'' WHERE id = %L', test.id('activated'))],
	test.mia('activated')), 'f f 0 0', 'activations end if others can be longer');

-- how it is shown

SELECT is((test.attempt('cnap_test_app', 'dave', format($$SELECT string_agg(concat_ws(' ', user_id, role, via, to_char(until, 'YYYY'), active), ', ')
	FROM cnap_workspace_members(%L)$$, test.id(workspace)))).result, expected, format('%s: the members', workspace))
FROM (VALUES
	('assigned', 'dave member member t, mia member organization t, wanda owner owner t'),
	('activated', 'adam admin organization f, anna admin organization f, dave member member t, max admin organization f, mia admin organization 2998 t, '
		|| 'olga admin organization f, oscar admin organization f, wanda owner owner t')) t (workspace, expected);
SELECT is(test.after(ARRAY[statement], format('SELECT concat_ws('' '', managed_by = %L, managers, activation) FROM cnap_workspace(%L)',
		test.id('vendor'), test.id(workspace))), expected, format('%s: the workspace, %s', workspace, what))
FROM (VALUES
	('assigned', 'direct: SELECT', 'as it is', 't assigned'),
	('activated', 'direct: SELECT', 'as it is', 't activated 02:00:00'),
	('assigned', 'direct: DELETE FROM cnap.assignment', 'without anybody who is assigned', 't assigned'),
	('activated', 'direct: UPDATE cnap.workspace SET managed_until = ''2000-01-01''', 'after the end', '')) t (workspace, statement, what, expected);
SELECT is((test.attempt('cnap_test_app', 'wanda', format($$SELECT string_agg(concat_ws(' ', user_id, role, loses_access, assigned), ', ')
	FROM cnap_preview_revocation(%L)$$, test.id(workspace)))).result, expected, format('%s: the preview', workspace))
FROM (VALUES ('assigned', 'mia member t t'), ('activated', 'mia admin t t'),
	('capped', 'adam member t f, anna member t f, max member t f, mia member t f, olga member t f, oscar member t f')) t (workspace, expected);
SELECT is((test.attempt('cnap_test_app', 'max', $$SELECT string_agg(concat_ws(' ', name, managers, activation, assigned), ', ')
	FROM cnap_organization_workspaces({vendor})$$)).result,
	'Activated activated 02:00:00 {mia}, Assigned assigned {mia}, Capped all, Managed all', 'the list of the organization');

/* The entries that statements make, without ids. */
CREATE FUNCTION test.entries(statements text[]) RETURNS text
LANGUAGE sql AS $$
	SELECT test.after(statements, format('SELECT string_agg(concat_ws('' '', actor, action, subject, detail), ''; '' ORDER BY id)
		FROM cnap.audit_log WHERE id > %s', (SELECT coalesce(max(id), 0) FROM cnap.audit_log)))
$$;
SELECT is(test.entries(statements), expected, array_to_string(statements, '; '))
FROM (VALUES
	(ARRAY['olga: SELECT cnap_assign_manager({assigned}, ''max'')', 'olga: SELECT cnap_assign_manager({assigned}, ''max'', ''2999-01-01'')',
		'max: SELECT cnap_unassign_manager({assigned}, ''max'')'],
		'olga manager.assign max {}; olga manager.assign max {"until": "2999-01-01T00:00:00+00:00"}; max manager.unassign max {"until": "2999-01-01T00:00:00+00:00"}'),
	(ARRAY['direct: UPDATE cnap.workspace SET managed_until = ''2999-01-01'' WHERE id = {activated}',
		'direct: INSERT INTO cnap.assignment (workspace_id, user_id, until, reason) VALUES ({activated}, ''max'', ''2999-02-01'', ''ticket 2'')'],
		'management.change {"role": "admin", "until": "2999-01-01T00:00:00+00:00", "managers": "activated", "activation": "PT2H"}; '
		|| 'manager.activate max {"until": "2999-02-01T00:00:00+00:00", "reason": "ticket 2"}'),
	(ARRAY['wanda: SELECT cnap_unassign_manager({assigned}, ''mia'')'], 'wanda manager.unassign mia {}'),
	(ARRAY['wanda: SELECT cnap_grant_management({activated}, {vendor}, managers => ''activated'', activation => ''3 hours'')'],
		'wanda management.change {"role": "admin", "managers": "activated", "activation": "PT3H"}'),
	-- somebody is let in although nothing changes in the row but to what it belongs
	(ARRAY['direct: SET LOCAL session_replication_role = replica; UPDATE cnap.organization_member SET membership_id = gen_random_uuid() WHERE user_id = ''mia''',
		'adam: SELECT cnap_assign_manager({assigned}, ''mia'')'], 'adam manager.assign mia {}'),
	(ARRAY['direct: SET LOCAL session_replication_role = replica; UPDATE cnap.workspace SET management_id = gen_random_uuid() WHERE id = {assigned}',
		'adam: SELECT cnap_assign_manager({assigned}, ''mia'')'], 'adam manager.assign mia {}'),
	-- what ends with something else, or by itself, has no entry of its own
	(ARRAY['wanda: SELECT cnap_revoke_management({assigned})'], 'wanda management.revoke {"role": "member", "managers": "assigned"}'),
	(ARRAY['olga: SELECT cnap_remove_organization_member({vendor}, ''mia'')'], 'olga organization_member.remove mia {"role": "member"}'),
	(ARRAY['wanda: SELECT cnap_grant_management({assigned}, {vendor}, ''member'')'], 'wanda management.change {"role": "member", "managers": "all"}'),
	(ARRAY['direct: UPDATE cnap.assignment SET until = ''2001-01-01'' WHERE workspace_id = {assigned}',
		'direct: DELETE FROM cnap.assignment WHERE workspace_id = {assigned}'], 'manager.assign mia {"until": "2001-01-01T00:00:00+00:00"}')
) t (statements, expected);
SELECT ok((SELECT bool_and(path LIKE 'as member of organization%' AND organization_id = test.id('vendor') AND detail ->> 'reason' = 'ticket 3'
		AND (detail ->> 'until')::timestamptz BETWEEN now() AND now() + interval '3 hours')
	FROM (SELECT (jsonb_populate_record(NULL::cnap.audit_log, test.after(ARRAY['max: SELECT cnap_activate_management({activated}, ''ticket 3'')'],
		'SELECT to_jsonb(a) FROM cnap.audit_log a ORDER BY id DESC LIMIT 1')::jsonb)).*) a), 'an activation is recorded with its reason and its end');

SELECT is(test.after(ARRAY[format('direct: UPDATE cnap.workspace SET managed_until = now() + interval %L WHERE id = {activated}', granted),
			'max: SELECT cnap_activate_management({activated}, ''ticket'')'],
		format('SELECT a.until = w.managed_until FROM cnap.workspace w JOIN cnap.assignment a ON a.workspace_id = w.id AND a.user_id = ''max'' WHERE w.id = %L', test.id('activated'))),
	expected, format('an activation of a grant for %s more', granted))
FROM (VALUES ('1 hour', 'true'), ('3 hours', 'false')) t (granted, expected);

-- install links carry the terms, and show them before consent

SELECT is((test.attempt('cnap_test_app', 'adam', format('SELECT cnap_create_install_link({vendor}, role => ''member'', %s)', terms))).state, '00000', terms)
FROM unnest(ARRAY['managers => ''assigned''', 'managers => ''activated'', activation => ''2 hours''', 'activation => NULL']) terms;
SELECT is((test.attempt('cnap_test_app', 'adam', 'SELECT cnap_create_install_link({vendor}, managers => ''activated'', activation => NULL)')).message,
	'activation is required', 'who has to activate the management can do that for a time');
UPDATE cnap.install_link SET managers = 'activated', activation = '90 minutes' WHERE id = test.id('link');
SELECT is((test.attempt('cnap_test_app', 'wanda',
	'SELECT concat_ws('' '', name, managers, activation) FROM cnap_install_link(''cnap_link_7bqk4xv2mzt3hnwc5ydroi6paeujsgflqhbi5zq'')')).result,
	'Vendor activated 01:30:00', 'the link shows who would get in, and for how long');
SELECT is((test.attempt('cnap_test_app', 'adam', 'SELECT string_agg(concat_ws('' '', managers, activation), '', '') FROM cnap_install_links({vendor})')).result,
	'activated 01:30:00', 'the list of links');
SELECT is(test.after(ARRAY['wanda: SELECT cnap_redeem_install_link(''cnap_link_7bqk4xv2mzt3hnwc5ydroi6paeujsgflqhbi5zq'', {free})'],
	format('SELECT concat_ws('' '', managed_by, managed_role, managed_access, managed_activation) FROM cnap.workspace WHERE id = %L', test.id('free'))),
	test.id('vendor') || ' admin activated 01:30:00', 'its terms become those of the grant');

SELECT * FROM finish();
ROLLBACK;
