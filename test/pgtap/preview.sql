/*
 * cnap_preview_revocation() agrees with what then happens, with random data.
 *
 * The data of a small model are changed at random.  Each round stores the
 * preview of one workspace, ends its management in one of the possible ways,
 * and compares who has access then with the preview.  Random numbers come from
 * a hash with a fixed seed, so that every run is the same.
 */
BEGIN;
\ir include/setup.sql

SELECT no_plan();

\set rounds 240
\set seed 20260

-- the data: the fixture's rows do no harm, but would be counted
DELETE FROM cnap.workspace;
DELETE FROM cnap.organization;

CREATE TABLE test.person (n integer PRIMARY KEY, user_id text NOT NULL);
INSERT INTO test.person VALUES (0, 'anna'), (1, 'Anna'), (2, 'auth0|bob'), (3, 'zoé'), (4, '42'),
	(5, '6f9619ff-8b86-4d01-b42d-00cf4fc964ff'), (6, 'dave'), (7, 'erin');
CREATE TABLE test.company (n integer PRIMARY KEY, id uuid NOT NULL);
INSERT INTO test.company SELECT n, ('00000000-0000-4000-8000-0000000001' || lpad(n::text, 2, '0'))::uuid FROM generate_series(0, 2) n;
CREATE TABLE test.place (n integer PRIMARY KEY, id uuid NOT NULL);
INSERT INTO test.place SELECT n, ('00000000-0000-4000-8000-0000000002' || lpad(n::text, 2, '0'))::uuid FROM generate_series(0, 5) n;

/* The randomness: a number below n, another one for each label. */
CREATE FUNCTION test.random(round integer, label text, n integer) RETURNS integer IMMUTABLE
RETURN ('x' || left(md5(concat_ws(':', current_setting('test.seed'), round, label)), 7))::bit(28)::integer % n;
SET LOCAL test.seed = :'seed';

CREATE FUNCTION test.random_person(round integer, label text) RETURNS text STABLE
RETURN (SELECT user_id FROM test.person WHERE n = test.random(round, label, 8));

/*
 * Changes the world.  Whatever a rule refuses, such as to lose the last owner,
 * is refused, and the world stays as it was.
 */
CREATE FUNCTION test.change(round integer) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
	company uuid := (SELECT id FROM test.company WHERE n = test.random(round, 'company', 3));
	place uuid := (SELECT id FROM test.place WHERE n = test.random(round, 'place', 6));
	person text := test.random_person(round, 'person');
	high text := (ARRAY['member', 'admin', 'owner'])[1 + test.random(round, 'high', 3)];
	low text := (ARRAY['member', 'admin'])[1 + test.random(round, 'low', 2)];
	ending timestamptz := CASE test.random(round, 'ending', 4)
		WHEN 0 THEN now() - interval '1 s' WHEN 1 THEN now() + interval '1 day' END;
BEGIN
	INSERT INTO cnap.organization (id, name)
		SELECT id, 'Company ' || n FROM test.company ON CONFLICT DO NOTHING;
	INSERT INTO cnap.organization_member (organization_id, user_id, role)
		SELECT c.id, test.random_person(round, 'founder' || c.n), 'owner'
		FROM test.company c
		WHERE NOT EXISTS (SELECT FROM cnap.organization_member m WHERE m.organization_id = c.id);
	INSERT INTO cnap.workspace (id, name, owner_id)
		SELECT p.id, 'Place ' || p.n, test.random_person(round, 'creator' || p.n)
		FROM test.place p ON CONFLICT DO NOTHING;
	-- the workspace of this round is managed more often than not
	IF test.random(round, 'managed', 8) = 0 THEN
		UPDATE cnap.workspace SET managed_by = NULL WHERE id = test.looked_at(round);
	ELSE
		UPDATE cnap.workspace SET managed_by = company, managed_role = low, managed_until = ending
		WHERE id = test.looked_at(round) AND managed_by IS NULL;
	END IF;
	CASE test.random(round, 'change', 10)
		WHEN 0, 1, 2 THEN
			INSERT INTO cnap.organization_member (organization_id, user_id, role) VALUES (company, person, high)
				ON CONFLICT (organization_id, user_id) DO UPDATE SET role = EXCLUDED.role;
		WHEN 3 THEN DELETE FROM cnap.organization_member WHERE organization_id = company AND user_id = person;
		WHEN 4, 5, 6 THEN
			INSERT INTO cnap.workspace_member (workspace_id, user_id, role) VALUES (place, person, low)
				ON CONFLICT (workspace_id, user_id) DO UPDATE SET role = EXCLUDED.role;
		WHEN 7 THEN DELETE FROM cnap.workspace_member WHERE workspace_id = place AND user_id = person;
		WHEN 8 THEN UPDATE cnap.workspace SET owner_id = person WHERE id = place;
		ELSE UPDATE cnap.workspace SET managed_role = low, managed_until = ending
			WHERE id = place AND managed_by IS NOT NULL;
	END CASE;
EXCEPTION WHEN restrict_violation THEN
	NULL;
END
$$;

CREATE FUNCTION test.looked_at(round integer) RETURNS uuid STABLE
RETURN (SELECT id FROM test.place WHERE n = test.random(round, 'looked at', 6));

/* Everybody's access to a workspace, asked one by one. */
CREATE FUNCTION test.access(place uuid)
RETURNS TABLE (user_id text, role text, can_access boolean, permissions text[], lists boolean)
LANGUAGE sql VOLATILE AS $$
	SELECT user_id, cnap_workspace_role(user_id, place), cnap_can_access(user_id, place),
		ARRAY(SELECT i FROM unnest('{access,administer,manage_members,manage_roles,manage_delegation,billing,transfer,delete}'::text[]) i WHERE cnap_has_permission(user_id, place, i)),
		place = ANY (cnap_accessible_workspaces(user_id))
	FROM test.person
$$;

/* Ends the management of a workspace, in one of the ways. */
CREATE FUNCTION test.ending(place uuid, manager uuid, how integer) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	actor text;
BEGIN
	CASE how
		WHEN 0, 1, 2 THEN
			SELECT owner_id INTO actor FROM cnap.workspace WHERE id = place;
			PERFORM test.become('cnap_test_app', actor);
			PERFORM cnap_revoke_management(place);
		WHEN 3 THEN
			-- a release, which requires that the management has not expired
			SELECT m.user_id INTO actor FROM cnap.organization_member m
			WHERE m.organization_id = manager AND m.role <> 'member'
				AND cnap_can_access(m.user_id, place)
			ORDER BY m.role, m.user_id LIMIT 1;
			PERFORM test.become('cnap_test_app', actor);
			PERFORM cnap_revoke_management(place);
		WHEN 4 THEN
			PERFORM test.become('none', NULL);
			PERFORM cnap_delete_organization(manager);
		WHEN 5 THEN
			UPDATE cnap.workspace SET managed_until = now() WHERE id = place;
	END CASE;
	PERFORM test.become('none', NULL);
	RETURN CASE how WHEN 3 THEN 'release' WHEN 4 THEN 'deletion' WHEN 5 THEN 'end' ELSE 'revocation' END;
END
$$;

CREATE TABLE test.seen (
	round integer PRIMARY KEY,
	managed boolean NOT NULL,
	how text,
	losing integer NOT NULL,
	keeping integer NOT NULL,
	differences text
);

/* One round: the preview, the ending, and what differs; the ending is undone. */
CREATE FUNCTION test.play(round integer) RETURNS test.seen
LANGUAGE plpgsql AS $$
DECLARE
	place uuid := test.looked_at(round);
	w cnap.workspace;
	seen test.seen;
BEGIN
	PERFORM test.change(round);
	SELECT * INTO STRICT w FROM cnap.workspace WHERE id = place;
	seen.round := round;
	seen.managed := coalesce(w.managed_by IS NOT NULL AND (w.managed_until IS NULL OR w.managed_until > now()), false);
	BEGIN
		CREATE TEMPORARY TABLE before ON COMMIT DROP AS
			SELECT a.*, seen.managed AND EXISTS (SELECT FROM cnap.organization_member m
				WHERE m.organization_id = w.managed_by AND m.user_id = a.user_id) AS is_manager
			FROM test.access(place) a;
		PERFORM test.become('cnap_test_app', w.owner_id);
		CREATE TEMPORARY TABLE promise ON COMMIT DROP AS SELECT * FROM cnap_preview_revocation(place);
		PERFORM test.become('none', NULL);
		SELECT count(*) FILTER (WHERE loses_access), count(*) FILTER (WHERE NOT loses_access)
			INTO seen.losing, seen.keeping FROM promise;
		IF w.managed_by IS NOT NULL THEN
			seen.how := test.ending(place, w.managed_by,
				CASE WHEN seen.managed THEN test.random(round, 'how', 6) ELSE 0 END);
		END IF;

		-- the expected preview, from who had access by which way before, and
		-- has it afterwards
		SELECT string_agg(format('%s: %s', user_id, what), '; ' ORDER BY user_id)
			INTO seen.differences
		FROM test.person
			JOIN before b USING (user_id)
			JOIN test.access(place) a USING (user_id)
			LEFT JOIN promise p USING (user_id)
			CROSS JOIN LATERAL (VALUES
				(a.can_access <> a.lists OR a.can_access <> (a.role IS NOT NULL)
					OR a.can_access <> (cardinality(a.permissions) > 0), 'the checks contradict each other'),
				((p.user_id IS NOT NULL) <> b.is_manager, 'is listed, or missing'),
				(p.user_id IS NULL AND (b.role, b.permissions, b.can_access) IS DISTINCT FROM (a.role, a.permissions, a.can_access),
					'is not listed, but has another access now'),
				(p.loses_access <> (b.can_access AND NOT a.can_access), 'loses access, or keeps it, against the promise'),
				(p.user_id IS NOT NULL AND p.remaining_role IS DISTINCT FROM a.role, 'has another role than promised'),
				(p.user_id IS NOT NULL AND (p.role IS DISTINCT FROM w.managed_role OR p.organization IS DISTINCT FROM w.managed_by),
					'has come in another way'),
				(p.user_id IS NOT NULL AND NOT b.can_access, 'had no access'),
				(array_position('{member,admin,owner}', a.role) > array_position('{member,admin,owner}', b.role)
					OR NOT a.permissions <@ b.permissions, 'has more than before')
			) claim (is_false, what)
		WHERE is_false;
		RAISE SQLSTATE 'UNDO0';
	EXCEPTION WHEN SQLSTATE 'UNDO0' THEN
		NULL;
	END;
	RETURN seen;
END
$$;

INSERT INTO test.seen SELECT s.* FROM generate_series(1, :rounds) n, LATERAL test.play(n) s;

SELECT is(differences, NULL, format('round %s: %s', round, coalesce(how, 'not managed')))
FROM test.seen ORDER BY round;

-- the rounds were not trivial

SELECT cmp_ok(amount, '>=', 10, what)
FROM (SELECT count(*)::integer, how || ' of a management that held' FROM test.seen WHERE managed GROUP BY how
	UNION ALL SELECT count(*)::integer, 'a revocation of one that had ended' FROM test.seen WHERE how IS NOT NULL AND NOT managed
	UNION ALL SELECT count(*)::integer, 'no management' FROM test.seen WHERE how IS NULL
	UNION ALL SELECT count(*)::integer, 'some lose access' FROM test.seen WHERE losing > 0
	UNION ALL SELECT count(*)::integer, 'some keep it' FROM test.seen WHERE keeping > 0
	UNION ALL SELECT count(*)::integer, 'both' FROM test.seen WHERE losing > 0 AND keeping > 0) t (amount, what)
ORDER BY what;

SELECT finish();
ROLLBACK;
