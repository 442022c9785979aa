-- lint.sql: ten thousand tables for lint.pl, in schemas of a thousand
--
-- Of each ten: three are protected, with an index; one is protected through the first of them; two
-- are unprotected, one of them a child by a foreign key; four have nothing to do with workspaces.
-- For each ten there are a superuser's view on a protected table, a view on that which others can
-- query, and a function with SECURITY DEFINER that reads another.
\set ON_ERROR_STOP 1
SET client_min_messages = warning;
SET synchronous_commit = off;
CREATE ROLE reader;
CREATE EXTENSION cnap_org;

CREATE PROCEDURE make_ten(schema name, n int) LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1 .. 3 LOOP
		EXECUTE format('CREATE TABLE %I.column_%s_%s (workspace_id uuid PRIMARY KEY, a int, b int, c int, d int)', schema, n, i);
		EXECUTE format('SELECT cnap_protect(''%I.column_%s_%s'')', schema, n, i);
	END LOOP;
	EXECUTE format('CREATE TABLE %I.child_%s (id uuid PRIMARY KEY REFERENCES %1$I.column_%2$s_1)', schema, n);
	EXECUTE format('SELECT cnap_protect_child(''%I.child_%s'', ''id'')', schema, n);
	EXECUTE format('CREATE TABLE %I.open_%s (id uuid NOT NULL REFERENCES %1$I.child_%2$s)', schema, n);
	EXECUTE format('CREATE TABLE %I.open_column_%s (workspace_id uuid)', schema, n);
	FOR i IN 1 .. 4 LOOP
		EXECUTE format('CREATE TABLE %I.other_%s_%s (id int, a int, b int, c int)', schema, n, i);
	END LOOP;
	EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I.column_%s_1 TO reader', schema, n);
	EXECUTE format('CREATE VIEW %I.inner_%s AS SELECT * FROM %1$I.column_%2$s_2', schema, n);
	EXECUTE format('CREATE VIEW %I.outer_%s AS SELECT * FROM %1$I.inner_%2$s', schema, n);
	EXECUTE format('GRANT SELECT ON %I.outer_%s TO reader', schema, n);
	EXECUTE format('CREATE FUNCTION %I.f_%s() RETURNS bigint SECURITY DEFINER LANGUAGE sql AS ''SELECT count(*) FROM %1$I.column_%2$s_3''', schema, n);
END $$;

DO $$
BEGIN
	FOR s IN 1 .. 10 LOOP
		EXECUTE format('CREATE SCHEMA many_%s', s);
		FOR n IN 1 .. 100 LOOP
			CALL make_ten(format('many_%s', s), n);
			COMMIT;
		END LOOP;
	END LOOP;
END $$;
ANALYZE;
