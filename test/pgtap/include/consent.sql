/*
 * Shared by the tests of install links and invitations: users of both sides,
 * what each of them is told, and tokens by name.  To be included after
 * setup.sql and workspace_matrix.sql.
 *
 * The vendor manages the customer's workspaces {ws} and {capped}.
 */
CREATE TABLE test.person (
	person text PRIMARY KEY,
	org_role text,				-- in the vendor's organization
	way text,					-- into the workspace: a column of the matrix
	place text NOT NULL,		-- the workspace that the person tries
	db_role text NOT NULL,
	user_id text
);
INSERT INTO test.person VALUES
	('owner of the organization', 'owner', 'manager', 'ws', 'cnap_test_app', 'olga'),
	('admin of the organization', 'admin', 'manager', 'ws', 'cnap_test_app', 'adam'),
	('member of the organization', 'member', 'manager', 'ws', 'cnap_test_app', 'mia'),
	('owner of the organization, capped', 'owner', 'capped', 'capped', 'cnap_test_app', 'olga'),
	('member of the organization, capped', 'member', 'capped', 'capped', 'cnap_test_app', 'mia'),
	('owner of the organization that managed it', 'owner', NULL, 'ended', 'cnap_test_app', 'olga'),
	('owner of the workspace', NULL, 'owner', 'ws', 'cnap_test_app', 'wanda'),
	('direct admin', NULL, 'admin', 'ws', 'cnap_test_app', 'dora'),
	('direct member', NULL, 'member', 'ws', 'cnap_test_app', 'dave'),
	('owner of another organization', NULL, NULL, 'ws', 'cnap_test_app', 'rita'),
	('owner of another workspace', NULL, NULL, 'ws', 'cnap_test_app', 'fred'),
	('stranger', NULL, NULL, 'ws', 'cnap_test_app', 'nina'),
	('nobody', NULL, NULL, 'ws', 'cnap_test_app', NULL),
	('admin of the organization with another database role', 'admin', 'manager', 'ws', 'cnap_test_visitor', 'adam'),
	('owner of the workspace with another database role', NULL, 'owner', 'ws', 'cnap_test_visitor', 'wanda'),
	('nobody with another database role', NULL, NULL, 'ws', 'cnap_test_visitor', NULL),
	('member of the organization with a superuser role', 'member', 'manager', 'ws', 'none', 'mia'),
	('system', 'system', 'system', 'ws', 'none', NULL);

/*
 * The calls.  Right is a role in the organization, a permission on the
 * workspace, 'anybody' for who has the token, the system among them, or 'user'
 * for all but the system; object is what who may not see it is told about.
 * {place} is the person's workspace, [name] a token, [name id] the id of what
 * it is for.
 */
CREATE TABLE test.call (
	"right" text NOT NULL,
	statement text PRIMARY KEY,
	writes boolean NOT NULL,
	object text
);

/* Tokens, and the ids of the rows that hold their hashes */
CREATE TABLE test.secret (name text PRIMARY KEY, token text NOT NULL, id uuid);

CREATE FUNCTION test.fill(statement text) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
	s test.secret;
BEGIN
	FOR s IN SELECT * FROM test.secret LOOP
		statement := replace(replace(statement, '[' || s.name || ']', quote_literal(s.token)),
			'[' || s.name || ' id]', quote_literal(s.id));
	END LOOP;
	IF statement ~ '\[[a-z ]+\]' THEN
		RAISE EXCEPTION 'unknown token in %', statement;
	END IF;
	RETURN statement;
END
$$;

/* Has a token made by a statement of somebody, and keeps it under a name, with the id of its row. */
CREATE FUNCTION test.keep(name text, db_role text, who text, statement text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
	token text;
	hashed uuid;
BEGIN
	statement := test.expand(statement);
	PERFORM test.become(db_role, who);
	EXECUTE statement INTO token;
	PERFORM test.become('none', NULL);
	EXECUTE format('SELECT id FROM %s WHERE token_hash = sha256($1::bytea)',
			CASE WHEN token LIKE 'cnap_link_%' THEN 'cnap.install_link' ELSE 'cnap.invitation' END)
		INTO hashed USING token;
	INSERT INTO test.secret VALUES (name, token, hashed);
END
$$;

/* test.attempt() of a statement with tokens in it */
CREATE FUNCTION test.try(db_role text, who text, statement text) RETURNS test.outcome
RETURN test.attempt(db_role, who, test.fill(statement));

/*
 * test.try() after others have done something: steps are 'who: statement', who
 * being 'system' or a user of the application.  All of it is undone.
 */
CREATE FUNCTION test.try_after(steps text[], db_role text, who text, statement text) RETURNS test.outcome
LANGUAGE plpgsql AS $$
DECLARE
	outcome test.outcome;
	step text[];
BEGIN
	BEGIN
		FOR i IN 1 .. coalesce(cardinality(steps), 0) LOOP
			step := regexp_match(test.expand(test.fill(steps[i])), '^(\w+): (.*)$');
			IF step[1] = 'system' THEN
				PERFORM test.become('none', NULL);
			ELSE
				PERFORM test.become('cnap_test_app', step[1]);
			END IF;
			EXECUTE step[2];
			PERFORM test.become('none', NULL);
		END LOOP;
		outcome := test.try(db_role, who, statement);
		RAISE SQLSTATE 'UNDO1';
	EXCEPTION WHEN SQLSTATE 'UNDO1' THEN
		RETURN outcome;
	END;
END
$$;

/* The audit entries that steps leave, as lines, with names in the place of ids. */
CREATE FUNCTION test.trail(VARIADIC steps text[]) RETURNS SETOF text
LANGUAGE plpgsql AS $$
DECLARE
	trail text := (test.try_after(steps, 'none', NULL, format($query$
		SELECT string_agg(concat_ws(' | ', action, coalesce(actor, '-'), coalesce('{' || organization_id || '}', '-'),
			coalesce('{' || workspace_id || '}', '-'), coalesce(subject, '-'), path,
			CASE WHEN (detail ->> 'until')::timestamptz BETWEEN now() + interval '90 days' AND clock_timestamp() + interval '90 days'
				THEN detail || '{"until": "in 90 days"}' ELSE detail END), E'\n' ORDER BY id)
		FROM cnap.audit_log WHERE id > %s$query$, (SELECT max(id) FROM cnap.audit_log)))).result;
	entry record;
BEGIN
	FOR entry IN
		SELECT id::text AS value, name FROM test.named
		UNION ALL SELECT id::text, name FROM test.secret WHERE token !~ '-$'
	LOOP
		trail := replace(trail, entry.value, entry.name);
	END LOOP;
	RETURN QUERY SELECT line FROM regexp_split_to_table(trail, '\n') WITH ORDINALITY l (line, n) ORDER BY n;
END
$$;

/* One line of the outcome, with what was returned */
CREATE FUNCTION test.told(o test.outcome) RETURNS text IMMUTABLE
RETURN concat_ws(' ', (o).state, (o).message, (o).result);

/* The statement as that person gives it */
CREATE FUNCTION test.statement(call test.call, person test.person) RETURNS text STABLE
RETURN replace(call.statement, '{place}', '{' || person.place || '}');

/* What a refused or expired token comes to */
CREATE FUNCTION test.invalid() RETURNS text IMMUTABLE
RETURN test.line('22023', 'invalid or expired invitation', false);

CREATE FUNCTION test.expected(call test.call, person test.person) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
	fine text := test.line('00000', NULL, call.writes);
	object text := replace(test.expand(test.fill(replace(call.object, '{place}', '{' || person.place || '}'))), '''', '');
	hidden text := test.line('42704', object || ' does not exist', false);
BEGIN
	IF person.user_id IS NULL AND (person.org_role IS NULL OR call."right" = 'user') THEN
		RETURN test.line('28000', 'no current user', false);
	ELSIF call."right" IN ('user', 'anybody') OR person.org_role = 'system' THEN
		RETURN fine;
	ELSIF EXISTS (SELECT FROM test.matrix m WHERE m.permission = call."right") THEN
		RETURN CASE
			WHEN person.way IS NULL THEN hidden
			WHEN test.allows(person.way, call."right") THEN fine
			ELSE test.line('42501', (SELECT CASE WHEN m.admin THEN 'admin' ELSE 'owner' END
				FROM test.matrix m WHERE m.permission = call."right") || ' role required', false)
		END;
	ELSE
		RETURN CASE
			WHEN person.org_role IS NULL THEN hidden
			WHEN array_position('{member,admin,owner}', person.org_role)
				>= array_position('{member,admin,owner}', call."right") THEN fine
			ELSE test.line('42501', call."right" || ' role required', false)
		END;
	END IF;
END
$$;
