/*
 * cache.sql: the data of the cache_*.pl tests
 *
 * The organization of boss manages the workspaces 1 to 20 of customer, who has
 * 20 more. ann is a member of the organization, dora a direct member of the
 * workspaces 1 and 21; the user "nobody" has no access. lou is a member like ann,
 * and owns so many other workspaces that they do not fit into the smallest cache.
 */
CREATE SCHEMA test;
GRANT USAGE, CREATE ON SCHEMA test TO app;

CREATE FUNCTION test.w(n integer) RETURNS uuid LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT ('10000000-0000-4000-8000-0000000000' || lpad(n::text, 2, '0'))::uuid $$;
CREATE FUNCTION test.o() RETURNS uuid LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT '20000000-0000-4000-8000-000000000001'::uuid $$;

/* Everything back as it was in the beginning */
CREATE PROCEDURE test.reset() LANGUAGE plpgsql
AS $$
BEGIN
	TRUNCATE cnap.organization, cnap.organization_member, cnap.workspace, cnap.workspace_member, cnap.install_link, cnap.redemption, cnap.invitation;
	INSERT INTO cnap.organization (id, name) VALUES (test.o(), 'vendor');
	INSERT INTO cnap.organization_member (organization_id, user_id, role)
	VALUES (test.o(), 'boss', 'owner'), (test.o(), 'ann', 'member'), (test.o(), 'lou', 'member');
	INSERT INTO cnap.workspace (id, name, owner_id, managed_by)
	SELECT test.w(n), 'w' || n, 'customer', CASE WHEN n <= 20 THEN test.o() END
	FROM generate_series(1, 40) n;
	-- as if restored from a dump: without audit entries
	INSERT INTO cnap.workspace (id, name, owner_id, created_at)
	SELECT ('30000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid, 'lou''s', 'lou', '2000-01-01'
	FROM generate_series(1, 1000) n;
	INSERT INTO cnap.workspace_member (workspace_id, user_id)
	VALUES (test.w(1), 'dora'), (test.w(21), 'dora');
END
$$;
CALL test.reset();

CREATE TABLE test.doc (id serial PRIMARY KEY, workspace_id uuid NOT NULL) WITH (parallel_workers = 2);
INSERT INTO test.doc (workspace_id) SELECT test.w(n) FROM generate_series(1, 3), generate_series(1, 99) n;
CREATE INDEX doc_workspace_id_idx ON test.doc (workspace_id);
CREATE TABLE test.part (id serial, workspace_id uuid NOT NULL) PARTITION BY HASH (workspace_id);
DO $$
BEGIN
	FOR n IN 0 .. 3 LOOP
		EXECUTE format('CREATE TABLE test.part_%s PARTITION OF test.part FOR VALUES WITH (MODULUS 4, REMAINDER %s)', n, n);
	END LOOP;
END
$$;
INSERT INTO test.part (workspace_id) SELECT workspace_id FROM test.doc;
CREATE INDEX ON test.part (workspace_id);
SELECT cnap_protect('test.doc'), cnap_protect('test.part');
ANALYZE test.doc, test.part;
GRANT SELECT ON test.doc, test.part TO app;
