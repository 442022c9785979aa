/*
 * Shared by the pgTAP tests: organizations and workspaces with known ids, and a
 * function that tries a statement as a given user, in the roles of roles.sql.
 *
 * To be included after BEGIN.  Everything is in the schema test, and is rolled
 * back with the transaction.
 */
\set QUIET 1
SET LOCAL client_min_messages = warning;

CREATE SCHEMA test;

-- PL/pgSQL may look up the types of its variables again while a statement is
-- tried on behalf of these
GRANT USAGE ON SCHEMA test TO cnap_test_app, cnap_test_visitor;

/*
 * The fixture.  Of every role in the vendor's organization, and of every direct
 * role in its customer's workspaces, there are two persons, so that one can act
 * on the other.
 */
CREATE TABLE test.named (name text PRIMARY KEY, id uuid NOT NULL);
INSERT INTO test.named VALUES
	('vendor', '00000000-0000-4000-8000-0000000000a1'),
	('rival', '00000000-0000-4000-8000-0000000000a2'),
	('ws', '00000000-0000-4000-8000-0000000000b1'),
	('capped', '00000000-0000-4000-8000-0000000000b2'),
	('ended', '00000000-0000-4000-8000-0000000000b3'),
	('free', '00000000-0000-4000-8000-0000000000b4'),
	('foreign', '00000000-0000-4000-8000-0000000000b5'),
	('token', '00000000-0000-4000-8000-0000000000c1'),
	('foreign_token', '00000000-0000-4000-8000-0000000000c2'),
	('link', '00000000-0000-4000-8000-0000000000d1'),
	('foreign_link', '00000000-0000-4000-8000-0000000000d2'),
	('invitation', '00000000-0000-4000-8000-0000000000e1'),
	('foreign_invitation', '00000000-0000-4000-8000-0000000000e2'),
	('workspace_invitation', '00000000-0000-4000-8000-0000000000e3'),
	('unknown', '00000000-0000-4000-8000-0000000000ff');

CREATE FUNCTION test.id(name text) RETURNS uuid STABLE
RETURN (SELECT n.id FROM test.named n WHERE n.name = $1);

INSERT INTO cnap.organization (id, name, slug, logo, management_email, metadata) VALUES
	(test.id('vendor'), 'Vendor', 'vendor', 'https://vendor.example/logo.png',
	 'manage@vendor.example', '{"plan": "pro"}'),
	(test.id('rival'), 'Rival', 'rival', NULL, NULL, '{}');
INSERT INTO cnap.organization_member (organization_id, user_id, role) VALUES
	(test.id('vendor'), 'olga', 'owner'), (test.id('vendor'), 'oscar', 'owner'),
	(test.id('vendor'), 'adam', 'admin'), (test.id('vendor'), 'anna', 'admin'),
	(test.id('vendor'), 'mia', 'member'), (test.id('vendor'), 'max', 'member'),
	(test.id('rival'), 'rita', 'owner');

INSERT INTO cnap.workspace
	(id, name, owner_id, managed_by, managed_role, managed_since, managed_until, billing_email) VALUES
	(test.id('ws'), 'Managed', 'wanda', test.id('vendor'), 'admin', now() - interval '1 d', NULL, 'pay@customer.example'),
	(test.id('capped'), 'Capped', 'wanda', test.id('vendor'), 'member', now() - interval '1 d', NULL, NULL),
	(test.id('ended'), 'Ended', 'wanda', test.id('vendor'), 'admin', now() - interval '1 d', now() - interval '1 s', NULL),
	(test.id('free'), 'Free', 'wanda', NULL, NULL, NULL, NULL, NULL),
	(test.id('foreign'), 'Foreign', 'fred', NULL, NULL, NULL, NULL, NULL);
INSERT INTO cnap.role_definition (name, number) VALUES ('own_role', 4);
INSERT INTO cnap.permission_definition (name, number) VALUES ('own_permission', 8);

INSERT INTO cnap.workspace_member (workspace_id, user_id, role)
	SELECT test.id(w), person, role::text
	FROM unnest(ARRAY['ws', 'capped', 'ended', 'free']) w,
		(VALUES ('dora', 'admin'), ('dirk', 'admin'),
			('dave', 'member'), ('dina', 'member')) member (person, role);

-- The tests know the tokens that the hashes were made from, which have correct
-- checksums.
INSERT INTO cnap.access_token (id, user_id, name, token_hash) VALUES
	(test.id('token'), 'wanda', 'Script', sha256('cnap_pat_3kseszoe3npgduxsx5yuo3h6qilmsmdne6ftx3q')),
	(test.id('foreign_token'), 'fred', 'Script', sha256('another'));
INSERT INTO cnap.install_link (id, organization_id, token_hash) VALUES
	(test.id('link'), test.id('vendor'), sha256('cnap_link_7bqk4xv2mzt3hnwc5ydroi6paeujsgflqhbi5zq')),
	(test.id('foreign_link'), test.id('rival'), sha256('another'));
INSERT INTO cnap.invitation (id, organization_id, workspace_id, token_hash, role, inviter, expires_at) VALUES
	(test.id('invitation'), test.id('vendor'), NULL, sha256('cnap_invite_p2xw4hq7zk3mvb6ntcy5rdsjaeoiugfmxkwvcqi'), 'member', 'anna', now() + interval '7 days'),
	(test.id('foreign_invitation'), test.id('rival'), NULL, sha256('another'), 'admin', 'rita', now() + interval '7 days'),
	(test.id('workspace_invitation'), NULL, test.id('ws'), sha256('cnap_invite_k5wz3tq2xh7nvb4mpcy6rdsjaeoiugflpqgrv7i'), 'admin', 'wanda', now() + interval '7 days');

/* Puts the ids of the fixture in the place of {name}, as untyped literals. */
CREATE FUNCTION test.expand(statement text) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
	n test.named;
BEGIN
	FOR n IN SELECT * FROM test.named LOOP
		statement := replace(statement, '{' || n.name || '}', quote_literal(n.id));
	END LOOP;
	IF statement ~ '\{[a-z_]+\}' THEN
		RAISE EXCEPTION 'unknown name in %', statement;
	END IF;
	RETURN statement;
END
$$;

/* All that the extension's tables hold, as one value: it is taken before and after each attempt. */
DO $$
BEGIN
	EXECUTE format('CREATE FUNCTION test.digest() RETURNS text LANGUAGE plpgsql STABLE AS %L',
		(SELECT format('BEGIN RETURN concat_ws('','', %s); END',
				string_agg(format('(SELECT count(*) || '':'' || coalesce(sum(hash_record_extended(t, 0)), 0) FROM %s t)', oid::regclass), ', '))
			FROM pg_class WHERE relnamespace = 'cnap'::regnamespace AND relkind = 'r'));
END
$$;

/* What came of a statement: state 00000 is success. */
CREATE TYPE test.outcome AS (
	state text,
	message text,
	result text,				-- first column of the first row, where it succeeded
	changed boolean				-- anything in the extension's tables
);

/*
 * Goes on as a database role with a current user (null: none), until the end of
 * the subtransaction.  The application server's role sets its user itself; for
 * the others the setting is there already, as after login.
 */
CREATE FUNCTION test.become(db_role text, person text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	IF db_role = 'cnap_test_app' THEN
		PERFORM set_config('role', db_role, true);
		PERFORM set_config('cnap.user_id', coalesce(person, ''), true);
	ELSE
		PERFORM set_config('cnap.user_id', coalesce(person, ''), true);
		PERFORM set_config('role', db_role, true);
	END IF;
END
$$;

/* Executes a statement as that role and user, and undoes what it did. */
CREATE FUNCTION test.attempt(db_role text, person text, statement text)
RETURNS test.outcome
LANGUAGE plpgsql AS $$
DECLARE
	before text := test.digest();
	outcome test.outcome;
BEGIN
	statement := test.expand(statement);
	BEGIN
		PERFORM test.become(db_role, person);
		IF statement ~ '^\s*SELECT' THEN
			EXECUTE statement INTO outcome.result;
		ELSE
			EXECUTE statement;
		END IF;
		PERFORM set_config('role', 'none', true);
		outcome.changed := test.digest() <> before;
		RAISE SQLSTATE 'UNDO0';
	EXCEPTION
		WHEN SQLSTATE 'UNDO0' THEN
			outcome.state := '00000';
		WHEN OTHERS THEN
			GET STACKED DIAGNOSTICS outcome.state := RETURNED_SQLSTATE,
				outcome.message := MESSAGE_TEXT;
			outcome.result := NULL;
			outcome.changed := test.digest() <> before;
	END;
	IF test.digest() <> before THEN
		RAISE EXCEPTION 'a change outlived its rollback: %', statement;
	END IF;
	RETURN outcome;
END
$$;

/* One line for a comparison by is(). */
CREATE FUNCTION test.line(state text, message text, changed boolean) RETURNS text IMMUTABLE
RETURN state || coalesce(' ' || message, '') || CASE WHEN changed THEN ', changed' ELSE ', unchanged' END;

/* The public functions: those of the extension outside of its own schema. */
CREATE VIEW test.public_function AS
	SELECT p.oid, p.proname AS name, p.proargnames, p.proargmodes, p.pronargs,
		p.pronargdefaults, p.proargtypes, p.proacl
	FROM pg_proc p
		JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid
			AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
		JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'cnap_org'
	WHERE p.pronamespace <> 'cnap'::regnamespace;
