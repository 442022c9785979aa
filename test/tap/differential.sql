/*
 * differential.sql: the data of differential.pl, the rules of access as a plain SQL query, and the
 * comparison of the answers of the checks with its result.
 */
CREATE ROLE app LOGIN;
SELECT cnap_trust('app');
CREATE SCHEMA test;
GRANT USAGE ON SCHEMA test TO app;

CREATE TABLE test.person (user_id text COLLATE "C" PRIMARY KEY);
INSERT INTO test.person VALUES ('anna'), ('Anna'), ('auth0|bob'), ('zo' || repeat('é', 126) || 'x'), ('42'),
	('6f9619ff-8b86-4d01-b42d-00cf4fc964ff'), ('0e37df36-f698-11e6-8dd4-cb9ced3df976'),
	('nobody');
CREATE TABLE test.place (workspace_id uuid PRIMARY KEY);
INSERT INTO test.place
SELECT ('10000000-0000-4000-8000-00000000000' || i)::uuid FROM generate_series(0, 8) i;
CREATE TABLE test.company (organization_id uuid PRIMARY KEY);
INSERT INTO test.company
SELECT ('20000000-0000-4000-8000-00000000000' || i)::uuid FROM generate_series(0, 3) i;

/*
 * Two of them own so many other workspaces that they do not fit into a cache of the smallest size.
 * The random changes leave these alone, and nothing but lists is asked about them.
 */
CREATE FUNCTION test.is_other(workspace_id uuid) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN workspace_id >= 'f0000000-0000-4000-8000-000000000000';
CREATE FUNCTION test.other(owner integer, n integer) RETURNS uuid LANGUAGE sql IMMUTABLE
RETURN format('f%s000000-0000-4000-8000-%s', owner, lpad(n::text, 12, '0'))::uuid;
CREATE TABLE test.rich (number integer PRIMARY KEY, user_id text NOT NULL);
INSERT INTO test.rich VALUES (0, 'Anna'), (1, '0e37df36-f698-11e6-8dd4-cb9ced3df976');
CREATE FUNCTION test.add_others() RETURNS trigger LANGUAGE plpgsql SET test.peek = ''
AS $$
BEGIN
	-- as if restored from a dump: without audit entries
	INSERT INTO cnap.workspace (id, name, owner_id, created_at)
	SELECT test.other(number, n), 'other', user_id, '2000-01-01'
	FROM test.rich, generate_series(1, 900) n;
	RETURN NULL;
END
$$;
CREATE TRIGGER add_others AFTER TRUNCATE ON cnap.workspace
	FOR EACH STATEMENT EXECUTE FUNCTION test.add_others();
TRUNCATE cnap.workspace CASCADE;

-- The protected table
CREATE TABLE test.doc (id integer PRIMARY KEY, workspace_id uuid NOT NULL) WITH (parallel_workers = 2);
INSERT INTO test.doc
SELECT row_number() OVER (ORDER BY n, workspace_id), workspace_id
FROM test.place, generate_series(1, 4) n;
CREATE INDEX doc_workspace_id_idx ON test.doc (workspace_id);
SELECT cnap_protect('test.doc');
ANALYZE test.doc;
-- the same, for the statement of the rules
CREATE TABLE test.content AS SELECT workspace_id, array_agg(id) AS ids FROM test.doc GROUP BY workspace_id;
GRANT SELECT ON ALL TABLES IN SCHEMA test TO app;

/*
 * Roles and permissions of the application's own.  The permissions change, and some are dropped and
 * defined again; of the roles, only those that nobody has.
 */
SELECT cnap_define_permission('deploy', '{admin}'), cnap_define_permission('secrets', delegable => false),
	cnap_define_role('clerk', '{}'), cnap_define_role('deployer', '{deploy,administer}');

/* A token of each person, whose limits change; its use is not recorded. */
CREATE TABLE test.token (user_id text PRIMARY KEY, token text NOT NULL);
DO $$
DECLARE
	person text;
BEGIN
	FOR person IN SELECT user_id FROM test.person LOOP
		PERFORM set_config('cnap.user_id', person, true);
		INSERT INTO test.token VALUES (person, cnap_create_access_token('token', permissions => '{access}'));
	END LOOP;
END
$$;
CREATE TABLE test.named (name text);
INSERT INTO test.named VALUES ('access'), ('administer'), ('manage_members'), ('deploy'), ('secrets'), ('audit'), ('billing');
UPDATE cnap.access_token_use SET last_used_at = now() + interval '1 day';
GRANT SELECT ON test.token TO app;

/* What a role allows when it is held directly, or by managers, and how high it is */
CREATE FUNCTION test.allowed(which text, by_managers boolean) RETURNS text[] LANGUAGE sql STABLE
AS $$
	SELECT coalesce(array_agg(p ORDER BY p), '{}')
	FROM (
		SELECT unnest(CASE which
			WHEN 'owner' THEN '{access,administer,manage_members,manage_roles,manage_delegation,billing,transfer,delete}'
			WHEN 'admin' THEN '{access,administer,manage_members}'
			ELSE '{access}' END::text[])
		UNION
		SELECT unnest(permissions) FROM cnap.role_definition WHERE name = which
		UNION
		SELECT name FROM cnap.permission_definition WHERE which = ANY (roles) OR which = 'owner'
	) held (p)
	WHERE NOT by_managers OR p IN ('access', 'administer')
		OR EXISTS (SELECT FROM cnap.permission_definition WHERE name = p AND delegable)
$$;
CREATE FUNCTION test.rank(role text) RETURNS integer LANGUAGE sql STABLE
RETURN CASE role WHEN 'owner' THEN 1001 WHEN 'admin' THEN 1000 WHEN 'member' THEN 1
	ELSE 1 + cardinality(test.allowed(role, false)) END;

/*
 * Who was let into a workspace whose managers are assigned, or activate it, and until when, as told
 * by the changes alone: whoever is let in is so until the membership ends, or the grant, or the
 * grant lets in others.  In a session that replicates, the rows say what happened at their origin.
 */
CREATE TABLE test.let_in (workspace_id uuid, user_id text COLLATE "C", until timestamptz,
	PRIMARY KEY (workspace_id, user_id));
CREATE FUNCTION test.follow() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
AS $$
DECLARE
	replicates CONSTANT boolean := current_setting('session_replication_role') = 'replica';
BEGIN
	IF TG_OP = 'TRUNCATE' THEN
		DELETE FROM test.let_in;
	ELSIF TG_TABLE_NAME = 'assignment' THEN
		IF TG_OP = 'DELETE' THEN
			DELETE FROM test.let_in l WHERE l.workspace_id = OLD.workspace_id AND l.user_id = OLD.user_id;
		ELSIF TG_OP = 'INSERT' OR NEW.created_at <> OLD.created_at OR NEW.management_id <> OLD.management_id
			OR NEW.membership_id <> OLD.membership_id THEN
			INSERT INTO test.let_in VALUES (NEW.workspace_id, NEW.user_id, NEW.until)
			ON CONFLICT (workspace_id, user_id) DO UPDATE SET until = EXCLUDED.until;
		ELSE
			UPDATE test.let_in l SET until = NEW.until
			WHERE l.workspace_id = NEW.workspace_id AND l.user_id = NEW.user_id;
		END IF;
	ELSIF TG_TABLE_NAME = 'organization_member' THEN
		DELETE FROM test.let_in l USING cnap.workspace w
		WHERE w.id = l.workspace_id AND w.managed_by = OLD.organization_id AND l.user_id = OLD.user_id;
	ELSIF TG_OP = 'DELETE' THEN
		DELETE FROM test.let_in l WHERE l.workspace_id = OLD.id;
	ELSIF NEW.managed_by IS DISTINCT FROM OLD.managed_by OR NOT replicates AND (
		NEW.managed_access IS DISTINCT FROM OLD.managed_access
		OR NEW.managed_activation IS DISTINCT FROM OLD.managed_activation
		OR OLD.managed_until <= clock_timestamp() AND (NEW.managed_until > clock_timestamp()) IS NOT FALSE) THEN
		DELETE FROM test.let_in l WHERE l.workspace_id = OLD.id;
	END IF;
	RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END
$$;
CREATE TRIGGER "0_follow" BEFORE UPDATE OR DELETE ON cnap.workspace FOR EACH ROW EXECUTE FUNCTION test.follow();
CREATE TRIGGER "0_follow" AFTER DELETE ON cnap.organization_member FOR EACH ROW EXECUTE FUNCTION test.follow();
CREATE TRIGGER "0_follow" AFTER INSERT OR UPDATE OR DELETE ON cnap.assignment FOR EACH ROW EXECUTE FUNCTION test.follow();
DO $$
DECLARE
	name text;
BEGIN
	FOREACH name IN ARRAY '{workspace,organization_member,assignment}'::text[] LOOP
		EXECUTE format('CREATE TRIGGER "0_follow_truncate" AFTER TRUNCATE ON cnap.%I
			FOR EACH STATEMENT EXECUTE FUNCTION test.follow()', name);
		EXECUTE format('ALTER TABLE cnap.%I ENABLE ALWAYS TRIGGER "0_follow", ENABLE ALWAYS TRIGGER "0_follow_truncate"', name);
	END LOOP;
END
$$;

/* The rules: every way into every workspace, with the time when it ends. */
CREATE VIEW test.rule AS
	SELECT id AS workspace_id, owner_id::text AS user_id, 'owner' AS path, 'owner'::text AS role,
		NULL::timestamptz AS until, NULL::text AS managers
	FROM cnap.workspace
	WHERE NOT test.is_other(id)
	UNION ALL
	SELECT workspace_id, user_id, 'member', role, NULL, NULL
	FROM cnap.workspace_member
	UNION ALL
	SELECT w.id, m.user_id, 'organization', w.managed_role, least(w.managed_until, l.until), w.managed_access
	FROM cnap.workspace w
		JOIN cnap.organization_member m ON m.organization_id = w.managed_by
		LEFT JOIN test.let_in l ON w.managed_access <> 'all' AND l.workspace_id = w.id AND l.user_id = m.user_id
	WHERE w.managed_access = 'all' OR l.user_id IS NOT NULL;

/* The rules as a value, which one session computes and another compares with. */
CREATE FUNCTION test.rules() RETURNS jsonb LANGUAGE sql VOLATILE SECURITY DEFINER
AS $$
	SELECT coalesce(jsonb_agg(to_jsonb(rule) || jsonb_build_object('rank', test.rank(role),
		'permissions', test.allowed(role, path = 'organization'))), '[]')
		-- the limits of tokens, and what those roles allow that may be shown in place of a way's
		|| (SELECT jsonb_agg(jsonb_build_object('limits_of', user_id, 'workspaces', workspaces, 'permissions', permissions))
			FROM cnap.access_token)
		|| (SELECT jsonb_agg(jsonb_build_object('built_in', r, 'rank', test.rank(r), 'permissions', test.allowed(r, false)))
			FROM unnest('{member,admin,owner}'::text[]) r)
	FROM test.rule
$$;

/* Rows of the protected table that the current user sees, by plan */
CREATE FUNCTION test.seq_scan() RETURNS integer[] LANGUAGE sql
SET enable_indexscan = off SET enable_bitmapscan = off SET enable_indexonlyscan = off
SET max_parallel_workers_per_gather = 0
AS $$ SELECT array_agg(id ORDER BY id) FROM test.doc $$;

CREATE FUNCTION test.index_scan() RETURNS integer[] LANGUAGE sql
SET enable_seqscan = off SET max_parallel_workers_per_gather = 0
AS $$ SELECT array_agg(id ORDER BY id) FROM test.doc $$;

CREATE FUNCTION test.parallel_scan() RETURNS integer[] LANGUAGE sql
SET enable_indexscan = off SET enable_bitmapscan = off SET enable_indexonlyscan = off
SET parallel_setup_cost = 0 SET parallel_tuple_cost = 0 SET min_parallel_table_scan_size = 0
SET parallel_leader_participation = off
AS $$ SELECT array_agg(id ORDER BY id) FROM test.doc $$;

/* PL/pgSQL keeps the plan, for whoever is the current user. */
CREATE FUNCTION test.kept_plan() RETURNS integer[] LANGUAGE plpgsql
AS $$
BEGIN
	RETURN (SELECT array_agg(id ORDER BY id) FROM test.doc);
END
$$;

CREATE TYPE test.answer AS (question text, user_id text, workspace_id uuid, answer text);

/* A list, as far as it is compared */
CREATE FUNCTION test.compared(list uuid[]) RETURNS text LANGUAGE sql IMMUTABLE
RETURN ARRAY(SELECT w FROM unnest(list) w WHERE NOT test.is_other(w) ORDER BY w)::text;

/* The permissions that are defined */
CREATE FUNCTION test.permission() RETURNS SETOF text LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT DISTINCT permission FROM cnap_roles();
END;

/* What the engine says about the current user */
CREATE FUNCTION test.ask(how text, person text, workspaces uuid[], parallel boolean)
RETURNS SETOF test.answer
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
	RETURN QUERY
	SELECT how || 'check', person, w.id, cnap_can_access(w.id)::text FROM unnest(workspaces) w (id);
	RETURN QUERY
	SELECT how || 'permissions', person, w.id,
		string_agg(i, ',' ORDER BY i) FILTER (WHERE cnap_has_permission(w.id, i))
	FROM unnest(workspaces) w (id), test.permission() i
	GROUP BY w.id;
	RETURN QUERY
	SELECT how || 'role', person, w.id, cnap_workspace_role(w.id)::text FROM unnest(workspaces) w (id);
	RETURN QUERY SELECT how || 'list', person, NULL::uuid, test.compared(cnap_accessible_workspaces());
	RETURN QUERY SELECT how || 'list of ' || i, person, NULL::uuid, test.compared(cnap.reachable(i)) FROM test.permission() i;
	RETURN QUERY SELECT how || 'rows', person, NULL::uuid, test.seq_scan()::text;
	RETURN QUERY SELECT how || 'rows', person, NULL::uuid, test.index_scan()::text;
	RETURN QUERY SELECT how || 'rows', person, NULL::uuid, test.kept_plan()::text;
	IF parallel THEN
		RETURN QUERY SELECT how || 'rows', person, NULL::uuid, test.parallel_scan()::text;
	END IF;
END
$$;

/* Who is in a workspace, by which ways, as the current user is told in pages of two users */
CREATE FUNCTION test.members(place uuid) RETURNS text
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
	members text[];
	page text[];
	last text;
BEGIN
	LOOP
		SELECT array_agg(concat_ws(' ', m.user_id, m.via, m.role, extract(epoch FROM m.until))) FILTER (WHERE m.active),
			max(m.user_id COLLATE "C")
		INTO page, last
		FROM cnap_workspace_members(place, last, 2) m;
		EXIT WHEN last IS NULL;
		members := members || page;
	END LOOP;
	RETURN array_to_string(members, ', ');
END
$$;

/*
 * What the engine says about people and workspaces; in the name of each of them, too.  If it is asked
 * for their lists first, it knows their memberships when it is asked for the rest.
 */
CREATE FUNCTION test.engine(people text[], workspaces uuid[], parallel boolean, lists_first boolean, by_token boolean)
RETURNS SETOF test.answer
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
	is_uuid CONSTANT text := '^[0-9a-f]{8}-';
	former CONSTANT text := coalesce(cnap_current_user(), '');
	person text;
	place uuid;
	answers test.answer[];
BEGIN
	IF lists_first THEN
		PERFORM cnap_accessible_workspaces(p.user_id) FROM unnest(people) p (user_id);
	END IF;
	RETURN QUERY
	SELECT 'check', p.user_id, w.id, cnap_can_access(p.user_id, w.id)::text
	FROM unnest(people) p (user_id), unnest(workspaces) w (id);
	RETURN QUERY
	SELECT 'check', p.user_id, w.id, cnap_can_access(p.user_id::uuid, w.id)::text
	FROM unnest(people) p (user_id), unnest(workspaces) w (id)
	WHERE p.user_id ~ is_uuid;
	RETURN QUERY
	SELECT 'permissions', p.user_id, w.id,
		string_agg(i, ',' ORDER BY i) FILTER (WHERE cnap_has_permission(p.user_id, w.id, i))
	FROM unnest(people) p (user_id), unnest(workspaces) w (id), test.permission() i
	GROUP BY p.user_id, w.id;
	RETURN QUERY
	SELECT 'permissions', p.user_id, w.id,
		string_agg(i, ',' ORDER BY i) FILTER (WHERE cnap_has_permission(p.user_id::uuid, w.id, i))
	FROM unnest(people) p (user_id), unnest(workspaces) w (id), test.permission() i
	WHERE p.user_id ~ is_uuid
	GROUP BY p.user_id, w.id;
	RETURN QUERY
	SELECT 'role', p.user_id, w.id, cnap_workspace_role(p.user_id, w.id)::text
	FROM unnest(people) p (user_id), unnest(workspaces) w (id);
	RETURN QUERY
	SELECT 'explanation', p.user_id, w.id,
		(SELECT string_agg(concat_ws(' ', path, e.role, extract(epoch FROM until)), ', ' ORDER BY path)
			FROM cnap_explain_access(p.user_id, w.id) e WHERE granted)
	FROM unnest(people) p (user_id), unnest(workspaces) w (id);
	RETURN QUERY
	SELECT 'list', p.user_id, NULL::uuid, test.compared(cnap_accessible_workspaces(p.user_id))
	FROM unnest(people) p (user_id);

	RETURN QUERY
	SELECT 'list of ' || i, p.user_id, NULL::uuid, test.compared(cnap.reachable(p.user_id, i))
	FROM unnest(people) p (user_id), test.permission() i;

	FOREACH person IN ARRAY people LOOP
		PERFORM set_config('cnap.user_id', person, true);
		RETURN QUERY SELECT * FROM test.ask('', person, workspaces, parallel);
	END LOOP;
	-- one of those who are in may know who is; the locks of this question end with the subtransaction
	BEGIN
		FOR place, person IN
			SELECT DISTINCT ON (w.id) w.id, p.user_id FROM unnest(workspaces) w (id), unnest(people) p (user_id)
			WHERE cnap_can_access(p.user_id, w.id)
		LOOP
			BEGIN
				PERFORM set_config('cnap.user_id', person, true);
				answers := answers || ('members', person, place, test.members(place))::test.answer;
			EXCEPTION
				WHEN undefined_object THEN
					-- unless this one's access has just come to its end
					IF cnap_can_access(person, place) THEN
						RAISE;
					END IF;
			END;
		END LOOP;
		RAISE SQLSTATE 'UNDO1';
	EXCEPTION
		WHEN SQLSTATE 'UNDO1' THEN NULL;
	END;
	RETURN QUERY SELECT * FROM unnest(answers);
	IF by_token THEN
		-- the sign-in ends with the subtransaction
		PERFORM set_config('cnap.user_id', '', true);
		FOREACH person IN ARRAY people LOOP
			BEGIN
				PERFORM cnap_authenticate(t.token, true) FROM test.token t WHERE t.user_id = person;
				answers := ARRAY(SELECT a FROM test.ask('by token: ', person, workspaces, parallel) a);
				answers := answers || ARRAY(SELECT ('by token: check', person, w, cnap_can_access(person, w)::text)::test.answer FROM unnest(workspaces) w)
					|| ARRAY(SELECT ('by token: role', person, w, cnap_workspace_role(person, w))::test.answer FROM unnest(workspaces) w)
					|| ('by token: list', person, NULL, test.compared(cnap_accessible_workspaces(person)))::test.answer
					|| ('by token: list', person, NULL, test.compared(ARRAY(SELECT id FROM cnap_workspaces())))::test.answer;
				RAISE SQLSTATE 'UNDO1';
			EXCEPTION
				WHEN SQLSTATE 'UNDO1' THEN NULL;
			END;
			RETURN QUERY SELECT * FROM unnest(answers);
		END LOOP;
	END IF;
	PERFORM set_config('cnap.user_id', former, true);
END
$$;

/* What the rules say at a moment, as answers to the same questions */
CREATE FUNCTION test.expected(rules jsonb, people text[], workspaces uuid[], moment timestamptz)
RETURNS SETOF test.answer LANGUAGE sql STABLE
AS $$
	WITH way AS (
		SELECT * FROM jsonb_to_recordset(rules)
			AS (workspace_id uuid, user_id text, path text, role text, until timestamptz, rank integer, permissions text[])
		WHERE path IS NOT NULL AND (until IS NULL OR until > moment)
	), built_in AS (
		SELECT * FROM jsonb_to_recordset(rules) AS (built_in text, rank integer, permissions text[])
		WHERE built_in IS NOT NULL
	), limits AS (
		SELECT 'by token: ' AS how, limits_of AS user_id, workspaces, permissions
		FROM jsonb_to_recordset(rules) AS (limits_of text, workspaces uuid[], permissions text[])
		WHERE limits_of IS NOT NULL
		UNION ALL
		SELECT '', user_id, NULL, NULL FROM unnest(people) user_id
	), asked AS (
		SELECT l.how, p.user_id, w.id, l.permissions AS limits, l.workspaces IS NULL OR w.id = ANY (l.workspaces) AS within,
			ARRAY(SELECT DISTINCT i FROM way z, unnest(z.permissions) i
				WHERE z.user_id = p.user_id AND z.workspace_id = w.id
					AND (l.workspaces IS NULL OR w.id = ANY (l.workspaces))
					AND (l.permissions IS NULL OR i = ANY (l.permissions))) AS permissions
		FROM unnest(people) p (user_id)
			CROSS JOIN unnest(workspaces) w (id)
			JOIN limits l USING (user_id)
	), pair AS (
		SELECT a.*, 'access' = ANY (a.permissions) AS granted,
			(SELECT candidate.role
				FROM (SELECT z.role, z.rank, z.path FROM way z
					WHERE a.within AND z.user_id = a.user_id AND z.workspace_id = a.id
						AND (a.limits IS NULL OR z.permissions <@ a.limits)
						-- the owner's other ways do not count
						AND (z.path = 'owner' OR NOT EXISTS (SELECT FROM way o
							WHERE o.path = 'owner' AND o.user_id = a.user_id AND o.workspace_id = a.id))
					UNION ALL
					SELECT built_in, rank, 'zz' FROM built_in b
					WHERE a.limits IS NOT NULL AND built_in <> 'owner' AND b.permissions <@ a.permissions) candidate
				ORDER BY candidate.rank DESC, candidate.path = 'organization', candidate.path LIMIT 1) AS role
		FROM asked a
	)
	SELECT how || 'check', user_id, id, granted::text FROM pair
	UNION ALL
	SELECT how || 'permissions', user_id, id, (SELECT string_agg(i, ',' ORDER BY i) FROM unnest(permissions) i) FROM pair
	UNION ALL
	SELECT how || 'role', user_id, id, role FROM pair
	UNION ALL
	SELECT 'explanation', p.user_id, w.id, (
		SELECT string_agg(concat_ws(' ', y.path, y.role, extract(epoch FROM y.until)), ', ' ORDER BY y.path)
		FROM way y WHERE y.user_id = p.user_id AND y.workspace_id = w.id)
	FROM unnest(people) p (user_id), unnest(workspaces) w (id)
	UNION ALL
	SELECT 'members', p.user_id, y.workspace_id,
		string_agg(concat_ws(' ', y.user_id, y.path, y.role, extract(epoch FROM y.until)), ', '
			ORDER BY y.user_id COLLATE "C", y.path)
	FROM unnest(people) p (user_id), way y
	GROUP BY p.user_id, y.workspace_id
	UNION ALL
	SELECT how || 'list', user_id, NULL,
		coalesce(array_agg(id ORDER BY id) FILTER (WHERE granted), '{}')::text
	FROM pair GROUP BY how, user_id
	UNION ALL
	SELECT how || 'list of ' || i, user_id, NULL,
		coalesce(array_agg(id ORDER BY id) FILTER (WHERE i = ANY (pair.permissions)), '{}')::text
	FROM pair, built_in b, unnest(b.permissions) i
	WHERE b.built_in = 'owner'
	GROUP BY how, user_id, i
	UNION ALL
	SELECT l.how || 'rows', p.user_id, NULL, (
		SELECT array_agg(n ORDER BY n)::text
		FROM test.content c, unnest(c.ids) n
		WHERE EXISTS (SELECT FROM pair y
			WHERE y.how = l.how AND y.user_id = p.user_id AND y.id = c.workspace_id AND y.granted))
	FROM unnest(people) p (user_id) JOIN limits l USING (user_id)
$$;

/*
 * The differences between the engine and the rules.  Where the end of a
 * management falls into the comparison, what is said about the user is left out,
 * and who else is in.
 * The first row is none: its answer is the number of pairs of a user and a workspace
 * that were compared.
 */
CREATE FUNCTION test.differences(rules jsonb, people text[], parallel boolean, lists_first boolean, by_token boolean)
RETURNS TABLE (question text, user_id text, workspace_id uuid, expected text, answer text)
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
	started timestamptz := clock_timestamp();
	finished timestamptz;
	workspaces uuid[];
	answers test.answer[];
BEGIN
	workspaces := ARRAY(SELECT p.workspace_id FROM test.place p
		UNION SELECT (r->>'workspace_id')::uuid FROM jsonb_array_elements(rules) r WHERE r ? 'path');
	answers := ARRAY(SELECT e FROM test.engine(people, workspaces, parallel, lists_first, by_token) e);
	finished := clock_timestamp();
	RETURN QUERY
	SELECT 'pairs', NULL, NULL::uuid, NULL,
		(SELECT count(DISTINCT (e.user_id, e.workspace_id))::text FROM unnest(answers) e WHERE e.workspace_id IS NOT NULL);
	RETURN QUERY
	SELECT e.question, e.user_id, e.workspace_id, x.answer, e.answer
	FROM unnest(answers) e
		JOIN test.expected(rules, people, workspaces, started) x
			ON x.question = e.question AND x.user_id = e.user_id
				AND x.workspace_id IS NOT DISTINCT FROM e.workspace_id
	WHERE e.answer IS DISTINCT FROM x.answer
		AND NOT EXISTS (SELECT FROM jsonb_array_elements(rules) r
			WHERE (r->>'user_id' = e.user_id OR e.question = 'members')
				AND (r->>'until')::timestamptz BETWEEN started AND finished);
END
$$;

/* What the driver picks by number: existing rows, in the order of their names; null: none */
CREATE FUNCTION test.workspace(n integer) RETURNS uuid LANGUAGE sql STABLE SECURITY DEFINER
AS $$
	SELECT id FROM cnap.workspace WHERE NOT test.is_other(id) ORDER BY name, id LIMIT 1
	OFFSET n % greatest(1, (SELECT count(*) FROM cnap.workspace WHERE NOT test.is_other(id)))
$$;
CREATE FUNCTION test.organization(n integer) RETURNS uuid LANGUAGE sql STABLE SECURITY DEFINER
AS $$
	SELECT id FROM cnap.organization ORDER BY name, id LIMIT 1
	OFFSET n % greatest(1, (SELECT count(*) FROM cnap.organization))
$$;
CREATE FUNCTION test.person(n integer) RETURNS text LANGUAGE sql STABLE
AS $$ SELECT user_id FROM test.person WHERE user_id <> 'nobody' ORDER BY user_id LIMIT 1 OFFSET n % 7 $$;
CREATE FUNCTION test.three_people(n integer) RETURNS text[] LANGUAGE sql STABLE
AS $$ SELECT ARRAY[test.person(n), test.person(n + 1), test.person(n + 2)] $$;
CREATE FUNCTION test.everybody() RETURNS text[] LANGUAGE sql STABLE
AS $$ SELECT array_agg(user_id) FROM test.person $$;
CREATE FUNCTION test.workspace_member(which uuid, n integer) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER
AS $$
	SELECT user_id FROM cnap.workspace_member WHERE workspace_id = which ORDER BY user_id LIMIT 1
	OFFSET n % greatest(1, (SELECT count(*) FROM cnap.workspace_member WHERE workspace_id = which))
$$;
CREATE FUNCTION test.organization_member(which uuid, n integer) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER
AS $$
	SELECT user_id FROM cnap.organization_member WHERE organization_id = which ORDER BY user_id LIMIT 1
	OFFSET n % greatest(1, (SELECT count(*) FROM cnap.organization_member WHERE organization_id = which))
$$;
CREATE FUNCTION test.workspace_owner(which uuid) RETURNS text LANGUAGE sql STABLE SECURITY DEFINER
AS $$ SELECT owner_id FROM cnap.workspace WHERE id = which $$;
CREATE FUNCTION test.organization_owner(which uuid) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER
AS $$
	SELECT user_id FROM cnap.organization_member
	WHERE organization_id = which AND role = 'owner' ORDER BY user_id LIMIT 1
$$;
/* A member of the organization that manages a workspace, one who may assign, and one who is in */
CREATE FUNCTION test.manager(which uuid, n integer) RETURNS text LANGUAGE sql STABLE SECURITY DEFINER
AS $$ SELECT test.organization_member((SELECT managed_by FROM cnap.workspace WHERE id = which), n) $$;
CREATE FUNCTION test.managing_owner(which uuid) RETURNS text LANGUAGE sql STABLE SECURITY DEFINER
AS $$ SELECT test.organization_owner((SELECT managed_by FROM cnap.workspace WHERE id = which)) $$;
CREATE FUNCTION test.assigned_manager(which uuid, n integer) RETURNS text LANGUAGE sql STABLE SECURITY DEFINER
AS $$
	SELECT user_id FROM cnap.assignment WHERE workspace_id = which ORDER BY user_id LIMIT 1
	OFFSET n % greatest(1, (SELECT count(*) FROM cnap.assignment WHERE workspace_id = which))
$$;

/*
 * An organization with some members that manages some of the workspaces, whatever there is of that
 * already, and of its members those who are let in.  Random changes alone would hardly ever get there.
 */
CREATE FUNCTION test.arrange(n integer, managers text, manager_role text) RETURNS void LANGUAGE plpgsql
AS $$
DECLARE
	company CONSTANT uuid := (SELECT organization_id FROM test.company ORDER BY 1 OFFSET n % 4 LIMIT 1);
	places CONSTANT uuid[] := ARRAY(SELECT workspace_id FROM test.place WHERE hashtext(workspace_id::text || n) % 3 = 0);
BEGIN
	INSERT INTO cnap.organization (id, name) VALUES (company, right(company::text, 1)) ON CONFLICT DO NOTHING;
	INSERT INTO cnap.organization_member (organization_id, user_id, role)
	SELECT company, test.person(n + i), CASE i WHEN 0 THEN 'owner' ELSE 'member' END FROM generate_series(0, 3) i
	ON CONFLICT DO NOTHING;
	INSERT INTO cnap.workspace (id, name, owner_id)
	SELECT p, left(p::text, 1) || right(p::text, 1), test.person(n + 5) FROM unnest(places) p ON CONFLICT DO NOTHING;
	UPDATE cnap.workspace SET managed_by = company, managed_role = manager_role, managed_access = managers
	WHERE managed_by IS NULL AND id = ANY (places);
	INSERT INTO cnap.assignment (workspace_id, user_id, until, reason)
	SELECT w.id, test.person(n + i), CASE managers WHEN 'activated' THEN clock_timestamp() + interval '1 hour' END,
		CASE managers WHEN 'activated' THEN 'ticket' END
	FROM cnap.workspace w, generate_series(1, 2) i
	WHERE w.managed_by = company AND w.managed_access = managers AND managers <> 'all' AND w.id = ANY (places)
		AND (w.managed_until > clock_timestamp()) IS NOT FALSE
	ON CONFLICT DO NOTHING;
END
$$;

/*
 * Are the memberships of one of those who own many workspaces known, and used?  A check about a
 * workspace that has not been asked about yet tells, by the scans that it makes.
 */
CREATE FUNCTION test.uses_memberships(owner integer, n integer) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
AS $$
DECLARE
	workspaces bigint := -pg_stat_get_xact_numscans('cnap.workspace_pkey'::regclass);
	members bigint := -pg_stat_get_xact_numscans('cnap.workspace_member_pkey'::regclass);
BEGIN
	IF cnap_can_access((SELECT user_id FROM test.rich WHERE number = owner), test.other(1 - owner, n)) THEN
		RAISE 'access to the workspace of another person';
	END IF;
	workspaces := workspaces + pg_stat_get_xact_numscans('cnap.workspace_pkey'::regclass);
	members := members + pg_stat_get_xact_numscans('cnap.workspace_member_pkey'::regclass);
	RETURN workspaces = 1 AND members = 0;
END
$$;

/*
 * A trigger of the user's own, which fires before those of the extension and
 * asks the engine while the statement goes on.
 */
CREATE FUNCTION test.peek() RETURNS trigger LANGUAGE plpgsql
AS $$
BEGIN
	IF current_setting('test.peek', true) LIKE 'look%' THEN
		PERFORM public.cnap_can_access(p.user_id, w.workspace_id),
			public.cnap_workspace_role(p.user_id, w.workspace_id)
		FROM test.person p, test.place w;
		PERFORM public.cnap_accessible_workspaces(user_id) FROM test.person;
		IF TG_WHEN = 'AFTER' AND current_setting('test.peek') LIKE '%fail' THEN
			RAISE 'looked';
		END IF;
	END IF;
	RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END
$$;
DO $$
DECLARE
	name text;
BEGIN
	FOREACH name IN ARRAY '{workspace,workspace_member,organization_member,assignment}'::text[] LOOP
		EXECUTE format('CREATE TRIGGER "00_before" BEFORE INSERT OR UPDATE OR DELETE ON cnap.%I
			FOR EACH ROW EXECUTE FUNCTION test.peek()', name);
		EXECUTE format('CREATE TRIGGER "00_after" AFTER INSERT OR UPDATE OR DELETE ON cnap.%I
			FOR EACH ROW EXECUTE FUNCTION test.peek()', name);
		EXECUTE format('CREATE TRIGGER "00_statement" AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON cnap.%I
			FOR EACH STATEMENT EXECUTE FUNCTION test.peek()', name);
		EXECUTE format('ALTER TABLE cnap.%I ENABLE ALWAYS TRIGGER "00_before", ENABLE ALWAYS TRIGGER "00_after", ENABLE ALWAYS TRIGGER "00_statement"', name);
	END LOOP;
END
$$;
