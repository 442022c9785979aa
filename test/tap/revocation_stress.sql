/*
 * revocation_stress.sql: the writers and readers of revocation_stress.pl
 *
 * Each kind of revocation has its own workspace, user and sequence. The value
 * of a sequence is always current, whatever a reader's snapshot. Modulo four
 * it says what is known about the user's access:
 *
 *   0  granted, and the COMMIT has returned
 *   1  about to be revoked
 *   2  revoked, and the COMMIT has returned
 *   3  about to be granted
 *
 * For the kind "definition" it is about the permission "stress", which definitions of
 * roles and permissions give and take; for the kinds "token" and "slow_token" about what the limits of an
 * access token leave of the user's access.
 *
 * Some of the users own so many other workspaces that the smallest cache has no
 * room for them, and keeps the memberships instead.
 */
CREATE ROLE app LOGIN;
SELECT cnap_trust('app');
CREATE SCHEMA test;
GRANT USAGE ON SCHEMA test TO app;

CREATE TABLE test.kind (name text PRIMARY KEY, person text NOT NULL, owner text NOT NULL,
	workspace uuid NOT NULL, organization uuid NOT NULL, state regclass NOT NULL);
CREATE TABLE test.doc (id serial PRIMARY KEY, workspace_id uuid NOT NULL) WITH (parallel_workers = 2);

DO $$
DECLARE
	name text;
	workspace uuid;
	organization uuid;
BEGIN
	PERFORM cnap_define_permission('stress');
	PERFORM cnap_define_role('stresser', '{stress}');
	FOREACH name IN ARRAY '{organization,management,member,direct,expiry,owner,assigned,returner,activated,slow,definition,token,slow_token,filler}'::text[] LOOP
		organization := cnap_create_organization(name, owner => name || ' vendor');
		workspace := cnap_create_workspace(name, name || ' owner');
		PERFORM cnap_grant_management(workspace, organization,
			managers => CASE name WHEN 'activated' THEN name WHEN 'assigned' THEN name WHEN 'returner' THEN 'assigned' ELSE 'all' END);
		INSERT INTO test.doc (workspace_id) SELECT workspace FROM generate_series(1, 5);
		CONTINUE WHEN name = 'filler';
		EXECUTE format('CREATE SEQUENCE test.%I', 'state_' || name);
		PERFORM setval('test.state_' || name, 4);
		INSERT INTO test.kind VALUES (name, name || ' person', name || ' owner', workspace, organization,
			('test.state_' || name)::regclass);
		IF name IN ('organization', 'slow', 'management', 'expiry', 'assigned', 'returner', 'activated') THEN
			PERFORM cnap_add_organization_member(organization, name || ' person');
			IF name IN ('assigned', 'returner') THEN
				PERFORM cnap_assign_manager(workspace, name || ' person');
			ELSIF name = 'activated' THEN
				PERFORM set_config('cnap.user_id', name || ' person', true);
				PERFORM cnap_activate_management(workspace, 'at first'), set_config('cnap.user_id', '', true);
			END IF;
		ELSIF name = 'owner' THEN
			UPDATE cnap.workspace w SET owner_id = 'owner person' WHERE w.id = workspace;
		ELSE
			PERFORM cnap_add_workspace_member(workspace, name || ' person',
				CASE name WHEN 'definition' THEN 'stresser' ELSE 'member' END);
		END IF;
	END LOOP;
END
$$;
CREATE TABLE test.token (name text, token text);
SET cnap.user_id = 'token person';
INSERT INTO test.token SELECT 'token', cnap_create_access_token('limited');
SET cnap.user_id = 'slow_token person';
INSERT INTO test.token SELECT 'slow_token', cnap_create_access_token('limited');
RESET cnap.user_id;
INSERT INTO cnap.workspace (name, owner_id)
SELECT 'other', name || ' person'
FROM unnest('{organization,management,member,direct,assigned,returner,swapped}'::text[]) name, generate_series(1, 900);
CREATE INDEX doc_workspace_id_idx ON test.doc (workspace_id);
ANALYZE test.doc;
SELECT cnap_protect('test.doc');
GRANT SELECT ON ALL TABLES IN SCHEMA test TO app;
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA test TO app;

/* Takes the access of a kind's person away; returns when that is in effect. */
CREATE FUNCTION test.revoke(kind test.kind) RETURNS timestamptz LANGUAGE plpgsql
AS $$
DECLARE
	effect timestamptz := clock_timestamp();
BEGIN
	PERFORM set_config('cnap.user_id',
		CASE WHEN kind.name IN ('organization', 'slow', 'assigned', 'returner') THEN kind.name || ' vendor'
			WHEN kind.name = 'activated' THEN kind.person ELSE kind.owner END, true);
	CASE kind.name
		WHEN 'assigned' THEN
			PERFORM cnap_unassign_manager(kind.workspace, kind.person);
		WHEN 'returner' THEN
			-- who leaves and comes back is not assigned any more
			PERFORM cnap_remove_organization_member(kind.organization, kind.person);
			PERFORM cnap_add_organization_member(kind.organization, kind.person);
		WHEN 'activated' THEN
			effect := cnap_activate_management(kind.workspace, 'to the end', '20 ms');
		WHEN 'organization', 'slow' THEN
			PERFORM cnap_remove_organization_member(kind.organization, kind.person);
		WHEN 'management' THEN
			PERFORM cnap_revoke_management(kind.workspace);
		WHEN 'member' THEN
			PERFORM cnap_remove_workspace_member(kind.workspace, kind.person);
		WHEN 'direct' THEN
			DELETE FROM cnap.workspace_member WHERE user_id = kind.person;
		WHEN 'expiry' THEN
			LOOP
				effect := clock_timestamp() + interval '20 ms';
				BEGIN
					PERFORM cnap_grant_management(kind.workspace, kind.organization, until => effect);
					EXIT;
				EXCEPTION
					-- too late on a busy machine
					WHEN invalid_parameter_value THEN NULL;
				END;
			END LOOP;
		WHEN 'owner' THEN
			UPDATE cnap.workspace SET owner_id = kind.owner WHERE id = kind.workspace;
		WHEN 'definition' THEN
			IF random() < 0.5 THEN
				PERFORM cnap_define_role('stresser', '{}');
			ELSE
				PERFORM cnap_define_permission('stress');
			END IF;
		WHEN 'token', 'slow_token' THEN
			IF random() < 0.5 THEN
				UPDATE cnap.access_token SET workspaces = '{}' WHERE user_id = kind.person;
			ELSE
				UPDATE cnap.access_token SET permissions = '{administer}' WHERE user_id = kind.person;
			END IF;
	END CASE;
	RETURN effect;
END
$$;

CREATE FUNCTION test.grant(kind test.kind) RETURNS void LANGUAGE plpgsql
AS $$
BEGIN
	PERFORM set_config('cnap.user_id',
		CASE WHEN kind.name IN ('organization', 'slow', 'assigned', 'returner') THEN kind.name || ' vendor'
			WHEN kind.name = 'activated' THEN kind.person ELSE kind.owner END, true);
	CASE kind.name
		WHEN 'assigned', 'returner' THEN
			PERFORM cnap_assign_manager(kind.workspace, kind.person);
		WHEN 'activated' THEN
			PERFORM cnap_activate_management(kind.workspace, 'again');
		WHEN 'organization', 'slow' THEN
			PERFORM cnap_add_organization_member(kind.organization, kind.person);
		WHEN 'management', 'expiry' THEN
			PERFORM cnap_grant_management(kind.workspace, kind.organization);
		WHEN 'member' THEN
			PERFORM cnap_add_workspace_member(kind.workspace, kind.person);
		WHEN 'direct' THEN
			INSERT INTO cnap.workspace_member (workspace_id, user_id)
			VALUES (kind.workspace, kind.person);
		WHEN 'owner' THEN
			UPDATE cnap.workspace SET owner_id = kind.person WHERE id = kind.workspace;
		WHEN 'definition' THEN
			IF random() < 0.5 THEN
				PERFORM cnap_define_role('stresser', '{stress}');
			ELSE
				PERFORM cnap_define_permission('stress', '{stresser}');
			END IF;
		WHEN 'token', 'slow_token' THEN
			UPDATE cnap.access_token SET workspaces = ARRAY[kind.workspace], permissions = '{access}'
			WHERE user_id = kind.person;
	END CASE;
END
$$;

/* A change that is undone: the writer looks at it, and nobody else may ever see it. */
CREATE FUNCTION test.undone(kind test.kind, change text) RETURNS void LANGUAGE plpgsql
AS $$
BEGIN
	IF change = 'grant' THEN
		PERFORM test.grant(kind);
	ELSE
		PERFORM test.revoke(kind);
	END IF;
	PERFORM cnap_can_access(kind.person, kind.workspace);
	RAISE SQLSTATE 'UNDO1';
EXCEPTION
	WHEN SQLSTATE 'UNDO1' THEN NULL;
END
$$;

/* Changes one kind after the other, from granted to revoked and back. */
CREATE PROCEDURE test.write(kinds text[], pause interval, duration interval, INOUT changes bigint DEFAULT 0)
LANGUAGE plpgsql
AS $$
DECLARE
	finish CONSTANT timestamptz := clock_timestamp() + duration;
	kind test.kind;
	granted boolean;
	effect timestamptz;
BEGIN
	WHILE clock_timestamp() < finish LOOP
		SELECT * INTO kind FROM test.kind WHERE name = kinds[1 + changes % cardinality(kinds)];
		granted := pg_sequence_last_value(kind.state) % 4 = 0;
		IF random() < 0.3 THEN
			PERFORM test.undone(kind, CASE WHEN granted THEN 'revoke' ELSE 'grant' END);
			COMMIT;
		END IF;
		PERFORM nextval(kind.state);
		IF granted THEN
			effect := test.revoke(kind);
			COMMIT;
			PERFORM pg_sleep(extract(epoch FROM effect - clock_timestamp()));
		ELSE
			PERFORM test.grant(kind);
			COMMIT;
		END IF;
		PERFORM nextval(kind.state);
		PERFORM pg_sleep(extract(epoch FROM pause) * random());
		changes := changes + 1;
	END LOOP;
END
$$;

/* Whether a kind's person has access, by one of the ways to ask */
CREATE FUNCTION test.observe(kind test.kind, way integer) RETURNS boolean LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
	IF kind.name = 'definition' THEN
		IF way < 5 THEN
			RETURN cnap_has_permission(kind.person, kind.workspace, 'stress');
		ELSIF way < 7 THEN
			RETURN kind.workspace = ANY (cnap.reachable(kind.person, 'stress'));
		END IF;
		PERFORM set_config('cnap.user_id', kind.person, true);
		RETURN CASE WHEN way < 11 THEN cnap_has_permission(kind.workspace, 'stress')
			ELSE kind.workspace = ANY (cnap.reachable('stress')) END;
	ELSIF way < 4 THEN
		RETURN cnap_can_access(kind.person, kind.workspace);
	ELSIF way = 4 THEN
		RETURN cnap_has_permission(kind.person, kind.workspace, 'access');
	ELSIF way = 5 THEN
		RETURN cnap_workspace_role(kind.person, kind.workspace) IS NOT NULL;
	ELSIF way = 6 THEN
		RETURN kind.workspace = ANY (cnap_accessible_workspaces(kind.person));
	ELSIF way = 7 THEN
		RETURN bool_or(granted) FROM cnap_explain_access(kind.person, kind.workspace);
	END IF;
	PERFORM set_config('cnap.user_id', kind.person, true);
	IF way < 11 THEN
		RETURN cnap_can_access(kind.workspace);
	ELSIF way = 11 THEN
		RETURN EXISTS (SELECT FROM test.doc d WHERE d.workspace_id = kind.workspace);
	END IF;
	RETURN coalesce(bool_or(d.workspace_id = kind.workspace), false) FROM test.doc d;
END
$$;

CREATE TYPE test.tally AS (denials bigint, grants bigint, stale bigint, lost bigint, unknown bigint);

/* Adds one observation, made between two looks at the state. */
CREATE FUNCTION test.add(tally test.tally, before bigint, granted boolean, after bigint)
RETURNS test.tally LANGUAGE plpgsql
AS $$
BEGIN
	IF before <> after OR before % 2 = 1 THEN
		tally.unknown := tally.unknown + 1;
	ELSIF before % 4 = 2 THEN
		tally.denials := tally.denials + 1;
		tally.stale := tally.stale + granted::integer;
	ELSE
		tally.grants := tally.grants + 1;
		tally.lost := tally.lost + (NOT granted)::integer;
	END IF;
	RETURN tally;
END
$$;

/* Checks in a loop, inside one statement of the client. */
CREATE FUNCTION test.read(duration interval) RETURNS test.tally LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
	finish CONSTANT timestamptz := clock_timestamp() + duration;
	kinds CONSTANT test.kind[] := ARRAY(SELECT k FROM test.kind k WHERE name NOT IN (SELECT t.name FROM test.token t));
	kind test.kind;
	tally test.tally := (0, 0, 0, 0, 0);
	before bigint;
	first integer;
	granted boolean;
BEGIN
	WHILE clock_timestamp() < finish LOOP
		kind := kinds[1 + floor(random() * cardinality(kinds))];
		first := floor(random() * 13);
		FOR way IN first .. first + 12 LOOP
			before := pg_sequence_last_value(kind.state);
			granted := test.observe(kind, way % 13);
			tally := test.add(tally, before, granted, pg_sequence_last_value(kind.state));
		END LOOP;
	END LOOP;
	RETURN tally;
END
$$;

/* Checks in a loop, each in a transaction of its own. */
CREATE PROCEDURE test.read_in_transactions(duration interval, INOUT tally test.tally DEFAULT '(0,0,0,0,0)')
LANGUAGE plpgsql
AS $$
DECLARE
	finish CONSTANT timestamptz := clock_timestamp() + duration;
	kinds CONSTANT test.kind[] := ARRAY(SELECT k FROM test.kind k WHERE name NOT IN (SELECT t.name FROM test.token t));
	kind test.kind;
	before bigint;
	first integer;
	granted boolean;
BEGIN
	WHILE clock_timestamp() < finish LOOP
		kind := kinds[1 + floor(random() * cardinality(kinds))];
		first := floor(random() * 13);
		FOR way IN first .. first + 12 LOOP
			before := pg_sequence_last_value(kind.state);
			COMMIT;
			granted := test.observe(kind, way % 13);
			COMMIT;
			tally := test.add(tally, before, granted, pg_sequence_last_value(kind.state));
		END LOOP;
	END LOOP;
END
$$;

/*
 * A user who is moved from one organization to another, back and forth.  In the
 * same transaction ten workspaces are moved along, so that the user always has
 * access to them, and ten others the other way, so that there is never access to
 * those.  An answer that rests on half of the transaction is wrong.
 */
DO $$
BEGIN
	PERFORM cnap_create_organization('left', owner => 'left vendor'),
		cnap_create_organization('right', owner => 'right vendor');
END
$$;
CREATE TABLE test.swapped AS
SELECT gen_random_uuid() AS workspace, CASE WHEN n <= 10 THEN 0 ELSE 2 END AS state
FROM generate_series(1, 20) n;
INSERT INTO cnap.workspace (id, name, owner_id) SELECT workspace, 'swapped', 'swapped owner' FROM test.swapped;
GRANT SELECT ON test.swapped TO app;

/* An even number moves the user to the left. */
CREATE PROCEDURE test.swap(INOUT swaps bigint) LANGUAGE plpgsql
AS $$
DECLARE
	here uuid := (SELECT id FROM cnap.organization WHERE name = CASE swaps % 2 WHEN 0 THEN 'left' ELSE 'right' END);
	there uuid := (SELECT id FROM cnap.organization WHERE name = CASE swaps % 2 WHEN 0 THEN 'right' ELSE 'left' END);
BEGIN
	DELETE FROM cnap.organization_member WHERE user_id = 'swapped person';
	INSERT INTO cnap.organization_member (organization_id, user_id) VALUES (here, 'swapped person');
	UPDATE cnap.workspace SET managed_by = NULL WHERE name = 'swapped';
	UPDATE cnap.workspace w SET managed_by = CASE state WHEN 0 THEN here ELSE there END
	FROM test.swapped s WHERE s.workspace = w.id;
	swaps := swaps + 1;
END
$$;
CALL test.swap(0);

CREATE PROCEDURE test.swap_continually(duration interval, INOUT changes bigint DEFAULT 0) LANGUAGE plpgsql
AS $$
DECLARE
	finish CONSTANT timestamptz := clock_timestamp() + duration;
	-- from where the user is now
	swaps bigint := (SELECT CASE o.name WHEN 'left' THEN 1 ELSE 0 END
		FROM cnap.organization_member m JOIN cnap.organization o ON o.id = m.organization_id
		WHERE m.user_id = 'swapped person');
BEGIN
	WHILE clock_timestamp() < finish LOOP
		CALL test.swap(swaps);
		COMMIT;
		PERFORM pg_sleep(0.01 * random());
		changes := changes + 1;
	END LOOP;
END
$$;

/*
 * Checks of that user, starting with an empty cache again and again: first of
 * workspaces that do not exist, until the memberships are known.  Also returns how
 * many checks these were used for.
 */
CREATE FUNCTION test.read_swapped(duration interval, OUT tally test.tally, OUT uses bigint)
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
	finish CONSTANT timestamptz := clock_timestamp() + duration;
	member_key CONSTANT oid := (SELECT indexrelid FROM pg_index JOIN pg_class c ON c.oid = indexrelid
		WHERE relname = 'workspace_member_pkey');
	swapped CONSTANT test.swapped[] := ARRAY(SELECT s FROM test.swapped s);
	which test.swapped;
	person CONSTANT text := 'swapped person';
	granted boolean;
	size integer := 64;
	scans bigint;
BEGIN
	tally := (0, 0, 0, 0, 0);
	uses := 0;
	WHILE clock_timestamp() < finish LOOP
		size := 129 - size;
		PERFORM set_config('cnap.cache_size', size::text, false);
		PERFORM cnap_can_access(person, gen_random_uuid()) FROM generate_series(1, 10);
		scans := pg_stat_get_xact_numscans(member_key);
		FOREACH which IN ARRAY swapped LOOP
			granted := cnap_can_access(person, which.workspace);
			tally := test.add(tally, which.state, granted, which.state);
		END LOOP;
		uses := uses + cardinality(swapped) - (pg_stat_get_xact_numscans(member_key) - scans);
		which := swapped[1 + floor(random() * cardinality(swapped))];
		SELECT bool_or(e.granted) INTO granted FROM cnap_explain_access(person, which.workspace) e;
		tally := test.add(tally, which.state, granted, which.state);
	END LOOP;
END
$$;

/*
 * A user whose role in some workspaces is turned from one into another, and back, and the permission
 * "turn" along with it, in the same transaction: so the user always has it in ten workspaces, and
 * never in ten others.  Between the changes that are made visible together, messages about many others
 * are sent, so that it takes longer until the news of the last one, the definition, arrives.
 */
SELECT cnap_define_role('heads', '{}'), cnap_define_role('tails', '{}'), cnap_define_permission('turn', '{heads}');
CREATE TABLE test.turned AS
SELECT gen_random_uuid() AS workspace, CASE WHEN n <= 10 THEN 0 ELSE 2 END AS state
FROM generate_series(1, 20) n;
INSERT INTO cnap.workspace (id, name, owner_id) SELECT workspace, 'turned', 'turned owner' FROM test.turned;
INSERT INTO cnap.workspace_member (workspace_id, user_id, role) SELECT workspace, 'turned person', CASE state WHEN 0 THEN 'heads' ELSE 'tails' END FROM test.turned;
INSERT INTO cnap.workspace (id, name, owner_id) SELECT gen_random_uuid(), 'crowded', 'crowd ' || n FROM generate_series(1, 100) n;
GRANT SELECT ON test.turned TO app;

CREATE PROCEDURE test.turn_continually(duration interval, INOUT changes bigint DEFAULT 0) LANGUAGE plpgsql
AS $$
DECLARE
	finish CONSTANT timestamptz := clock_timestamp() + duration;
	sides CONSTANT text[] := '{heads,tails}';
	turns bigint := (SELECT count(*) FROM cnap.permission_definition WHERE name = 'turn' AND roles = '{heads}');
BEGIN
	WHILE clock_timestamp() < finish LOOP
		UPDATE cnap.workspace SET owner_id = 'crowd ' || (substr(owner_id, 7)::integer + 100) % 200
		WHERE name = 'crowded';
		UPDATE cnap.workspace_member m SET role = sides[1 + (turns + CASE state WHEN 0 THEN 0 ELSE 1 END) % 2]
		FROM test.turned t WHERE t.workspace = m.workspace_id;
		PERFORM cnap_define_permission('turn', ARRAY[sides[1 + turns % 2]]);
		turns := turns + 1;
		COMMIT;
		PERFORM pg_sleep(0.04 * random());
		changes := changes + 1;
	END LOOP;
END
$$;

/* Checks of that user, starting with an empty cache again and again; the definitions stay known. */
CREATE FUNCTION test.read_turned(duration interval) RETURNS test.tally LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
	finish CONSTANT timestamptz := clock_timestamp() + duration;
	turned CONSTANT test.turned[] := ARRAY(SELECT t FROM test.turned t);
	which test.turned;
	person CONSTANT text := 'turned person';
	reached uuid[];
	tally test.tally := (0, 0, 0, 0, 0);
	size integer := 64;
BEGIN
	WHILE clock_timestamp() < finish LOOP
		size := 129 - size;
		PERFORM set_config('cnap.cache_size', size::text, false);
		FOREACH which IN ARRAY turned LOOP
			tally := test.add(tally, which.state, cnap_has_permission(person, which.workspace, 'turn'), which.state);
		END LOOP;
		PERFORM set_config('cnap.cache_size', '66', false);
		reached := cnap.reachable(person, 'turn');
		which := turned[1 + floor(random() * cardinality(turned))];
		tally := test.add(tally, which.state, which.workspace = ANY (reached), which.state);
	END LOOP;
	RETURN tally;
END
$$;
