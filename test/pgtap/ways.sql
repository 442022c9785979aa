/*
 * A user with several ways into a workspace has the union of the permissions that they give, and
 * ending one way leaves the others.
 *
 * All combinations of being the owner, a direct member and a manager, each in a workspace of its
 * own, compared with the matrix in include/workspace_matrix.sql.
 */
BEGIN;
\ir include/setup.sql
\ir include/workspace_matrix.sql

CREATE TABLE test.combination (
	id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
	ownership text,				-- 'owner'
	membership text,			-- 'admin', 'member'
	management text				-- 'manager', 'capped', 'ended'
);
INSERT INTO test.combination (ownership, membership, management)
	SELECT * FROM unnest(ARRAY['owner', NULL]) o, unnest(ARRAY['admin', 'member', NULL]) m,
		unnest(ARRAY['manager', 'capped', 'ended', NULL]) g;

-- Una is a plain member of the organization.
INSERT INTO cnap.organization_member (organization_id, user_id) VALUES (test.id('vendor'), 'una');
INSERT INTO cnap.workspace (id, name, owner_id, managed_by, managed_role, managed_until)
	SELECT id, 'Combination', CASE WHEN ownership IS NULL THEN 'wanda' ELSE 'una' END,
		CASE WHEN management IS NOT NULL THEN test.id('vendor') END,
		CASE management WHEN 'capped' THEN 'member'::text ELSE 'admin' END,
		CASE management WHEN 'ended' THEN now() - interval '1 s' END
	FROM test.combination;
INSERT INTO cnap.workspace_member (workspace_id, user_id, role)
	SELECT id, 'una', membership::text FROM test.combination WHERE membership IS NOT NULL;

CREATE FUNCTION test.label(c test.combination) RETURNS text IMMUTABLE
RETURN concat_ws(' and ', c.ownership, c.membership, c.management);

/* What all the functions that answer about access say of una, as one line. */
CREATE FUNCTION test.answers(workspace uuid) RETURNS text
LANGUAGE sql AS $$
	SELECT coalesce(o.result, o.state || ' ' || o.message)
	FROM test.attempt('cnap_test_app', 'una', format($statement$
		SELECT format('%%s; %%s %%s %%s %%s %%s',
			(SELECT string_agg(p::text, ' ' ORDER BY p)
				FROM unnest('{access,administer,manage_members,manage_roles,manage_delegation,billing,transfer,delete}'::text[]) p
				WHERE cnap_has_permission(%1$L, p)),
			cnap_workspace_role(%1$L), cnap_can_access(%1$L), cnap_can_access('una', %1$L),
			%1$L = ANY (cnap_accessible_workspaces()),
			(SELECT bool_or(granted) FROM cnap_explain_access('una', %1$L)))
		$statement$, workspace)) o
$$;

CREATE FUNCTION test.expected(VARIADIC ways text[]) RETURNS text STABLE
RETURN format('%s; %s %3$s %3$s %3$s %3$s', test.permissions(VARIADIC ways),
	test.role_of(VARIADIC ways), test.role_of(VARIADIC ways) IS NOT NULL);

SELECT plan(24 + 12 + 8 + 18 * 2 + 2 + 2 + 2);

SELECT is(test.answers(c.id), test.expected(c.ownership, c.membership, c.management),
	coalesce(nullif(test.label(c), ''), 'none'))
FROM test.combination c
ORDER BY test.label(c);

/* Executes a statement, looks at una's answers, and undoes it. */
CREATE FUNCTION test.answers_after(statement text, workspace uuid) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	answers text;
BEGIN
	BEGIN
		EXECUTE statement;
		answers := test.answers(workspace);
		RAISE SQLSTATE 'UNDO0';
	EXCEPTION WHEN SQLSTATE 'UNDO0' THEN
		NULL;
	END;
	RETURN answers;
END
$$;

-- each way is ended by the system, with the function for it, whatever the others are

SELECT is(test.answers_after(format('SELECT cnap_add_workspace_member(%1$L, ''heir''), cnap_transfer_workspace(%1$L, ''heir''), cnap_remove_workspace_member(%1$L, ''una'')', c.id), c.id),
	test.expected(NULL, NULL, c.management),
	test.label(c) || ': no longer the owner, nor the direct admin that a former owner is')
FROM test.combination c
WHERE c.ownership IS NOT NULL
ORDER BY test.label(c);

SELECT is(test.answers_after(format('SELECT cnap_remove_workspace_member(%L, ''una'')', c.id), c.id),
	test.expected(c.ownership, NULL, c.management), test.label(c) || ': no longer a direct member')
FROM test.combination c
WHERE c.membership IS NOT NULL
	AND c.ownership IS NULL
ORDER BY test.label(c);

SELECT is(test.answers_after(statement, c.id), test.expected(c.ownership, c.membership, NULL),
	test.label(c) || ': ' || what)
FROM test.combination c,
	LATERAL (VALUES
		('the management is revoked', format('SELECT cnap_revoke_management(%L)', c.id)),
		('no longer a member of the organization',
			format('SELECT cnap_remove_organization_member(%L, ''una'')', test.id('vendor')))
	) ending (what, statement)
WHERE c.management IS NOT NULL
ORDER BY test.label(c), what;

SELECT is(test.answers_after(statement, c.id), test.expected(c.ownership, c.membership, NULL), what)
FROM test.combination c,
	LATERAL (VALUES
		('the organization is deleted', format('SELECT cnap_delete_organization(%L)', test.id('vendor'))),
		('the management is set to end', format('UPDATE cnap.workspace SET managed_until = now() WHERE id = %L', c.id))
	) ending (what, statement)
WHERE (c.ownership, c.management) IS NOT DISTINCT FROM (NULL, 'manager') AND c.membership = 'member';

-- management that expires does so at that moment, even within a statement

CREATE FUNCTION test.outlast(place uuid) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	former timestamptz := (SELECT managed_until FROM cnap.workspace WHERE id = place);
	look text := format('cnap_can_access(%1$L), cnap_workspace_role(%1$L), %1$L = ANY (cnap_accessible_workspaces())', place);
	seen text;
BEGIN
	UPDATE cnap.workspace SET managed_until = clock_timestamp() + interval '2 s' WHERE id = place;
	seen := (test.attempt('cnap_test_app', 'una', format(
		'SELECT concat(concat_ws('' '', %1$s), '' '', pg_sleep(2.1), ''; '', concat_ws('' '', %1$s))', look))).result;
	UPDATE cnap.workspace SET managed_until = former WHERE id = place;
	RETURN seen;
END
$$;
SELECT is(test.outlast(c.id), expected, label || ', whose management ends while they look')
FROM (VALUES ('manager', 't admin t ; f f'), ('member and manager', 't admin t ; t member t')) t (label, expected)
	JOIN test.combination c ON test.label(c) = label
ORDER BY label;

-- the preview of a revocation takes the other ways into account

SELECT is(o.result, format('%s %s', c.ownership IS NULL AND c.membership IS NULL,
		test.role_of(c.ownership, c.membership)),
	test.label(c) || ': cnap_preview_revocation()')
FROM test.combination c,
	LATERAL test.attempt('none', NULL, format($$
		SELECT format('%%s %%s', loses_access, remaining_role)
		FROM cnap_preview_revocation(%L) WHERE user_id = 'una'$$, c.id)) o
WHERE c.management = 'manager' AND c.ownership IS NULL AND coalesce(c.membership, 'admin') = 'admin'
ORDER BY test.label(c);

SELECT finish();
ROLLBACK;
