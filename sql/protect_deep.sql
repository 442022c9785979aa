/*
 * Tables that are many levels of parents away from their workspace: what is visible, and that
 * planning time does not double with each level.
 */
CREATE EXTENSION cnap_org;
SET client_min_messages = warning;
SET jit = off;
\pset format unaligned
\pset tuples_only on
CREATE ROLE regress_cnap_app;
SELECT FROM cnap_trust('regress_cnap_app');
SELECT cnap_create_workspace('Alice''s', owner => 'alice') AS w1 \gset
SELECT cnap_create_workspace('Bob''s', owner => 'bob') AS w2 \gset

CREATE TABLE level_0 (id int PRIMARY KEY, workspace_id uuid NOT NULL REFERENCES cnap.workspace);
INSERT INTO level_0 VALUES (1, :'w1'), (2, :'w2');
SELECT FROM cnap_protect('level_0', write_permission => 'administer');
DO $$
BEGIN
	FOR n IN 1 .. 8 LOOP
		EXECUTE format('CREATE TABLE level_%s (id int PRIMARY KEY, parent_id int NOT NULL REFERENCES level_%s)', n, n - 1);
		EXECUTE format('CREATE INDEX ON level_%s (parent_id)', n);
		EXECUTE format('INSERT INTO level_%s VALUES (1, 1), (2, 2)', n);
		PERFORM cnap_protect_child(format('level_%s', n)::regclass, 'parent_id');
	END LOOP;
END
$$;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO regress_cnap_app;
SELECT relation, parent_columns, parent, write_permission, enforced FROM cnap_protected_tables() ORDER BY 1;

SET ROLE regress_cnap_app;
SET cnap.user_id = 'alice';
SELECT (SELECT array_agg(id) FROM level_1), (SELECT array_agg(id) FROM level_2),
	(SELECT array_agg(id) FROM level_3), (SELECT array_agg(id) FROM level_8);
INSERT INTO level_8 VALUES (3, 1);
INSERT INTO level_8 VALUES (4, 2);
UPDATE level_8 SET parent_id = 2 WHERE id = 3;
UPDATE level_8 SET id = 5 WHERE id = 3;
DELETE FROM level_8 WHERE id < 3 RETURNING id;
SET cnap.user_id = 'nobody';
SELECT count(*) FROM level_8;

-- how many subplans the planner has made for a table, which it numbers, whether it uses them or
-- not
CREATE FUNCTION pg_temp.parts(relation regclass) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
	line text;
	parts integer := 0;
BEGIN
	FOR line IN EXECUTE format('EXPLAIN (COSTS OFF) SELECT * FROM %s', relation) LOOP
		parts := greatest(parts, substring(line FROM '^ *(?:Sub|Init)Plan \w*?(\d+)')::integer);
	END LOOP;
	RETURN parts;
END
$$;
SELECT pg_temp.parts('level_8') - pg_temp.parts('level_7') = pg_temp.parts('level_7') - pg_temp.parts('level_6');
SELECT pg_temp.parts('level_8') BETWEEN 8 AND 40;

RESET ROLE;
DROP FUNCTION pg_temp.parts(regclass);
SELECT id FROM level_8 ORDER BY id;
DROP TABLE level_0, level_1, level_2, level_3, level_4, level_5, level_6, level_7, level_8;
SELECT FROM cnap_distrust('regress_cnap_app');
DROP ROLE regress_cnap_app;
DROP EXTENSION cnap_org;
