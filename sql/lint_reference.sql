-- lint_reference: references across workspaces, which are foreign keys between protected tables that
-- do not contain the workspace: what they let one tenant do to another, what the plan and the linter
-- say, and that the statements which the linter offers close them
\getenv abs_srcdir PG_ABS_SRCDIR
\set model :abs_srcdir '/sql/include/model.sql'
\i :model
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE SCHEMA ref;
GRANT USAGE ON SCHEMA ref TO regress_cnap_app;
SET search_path = ref, public;

-- tasks with subtasks, tags, and which task has which tag; each action of foreign keys once
CREATE TABLE task (
	id uuid PRIMARY KEY,
	workspace_id uuid NOT NULL REFERENCES cnap.workspace,
	above uuid CONSTRAINT task_above_fkey REFERENCES task,
	title text
);
CREATE TABLE tag (
	id uuid PRIMARY KEY,
	workspace_id uuid NOT NULL REFERENCES cnap.workspace,
	name text
);
CREATE TABLE task_tag (
	workspace_id uuid NOT NULL REFERENCES cnap.workspace,
	task_id uuid CONSTRAINT task_tag_task_fkey REFERENCES task ON DELETE CASCADE,
	tag_id uuid CONSTRAINT task_tag_tag_fkey REFERENCES tag ON DELETE RESTRICT,
	PRIMARY KEY (task_id, tag_id)
);
CREATE TABLE note (
	id integer PRIMARY KEY,
	workspace_id uuid NOT NULL REFERENCES cnap.workspace,
	task_id uuid CONSTRAINT note_task_fkey REFERENCES task ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED,
	"the tag" uuid DEFAULT NULL CONSTRAINT "note's tag" REFERENCES tag ON DELETE SET DEFAULT ON UPDATE CASCADE
);
CREATE INDEX ON task (workspace_id);
CREATE INDEX ON tag (workspace_id);
CREATE INDEX ON task_tag (workspace_id);
CREATE INDEX ON note (workspace_id);
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ref TO regress_cnap_app;
SELECT relation, reason FROM cnap_protect_schema('ref');
SELECT cnap_protect('task'), cnap_protect('tag'), cnap_protect('task_tag'), cnap_protect('note');

-- the statements of two tenants: a task and a tag of carol's, and frank, who refers to them
CREATE FUNCTION as_user(person text, statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
	n bigint;
BEGIN
	PERFORM set_config('cnap.user_id', person, true), set_config('role', 'regress_cnap_app', true);
	BEGIN
		EXECUTE statement;
		GET DIAGNOSTICS n = ROW_COUNT;
		SET CONSTRAINTS ALL IMMEDIATE;
		result := 'rows: ' || n;
	EXCEPTION WHEN OTHERS THEN
		-- since PostgreSQL 18, RESTRICT has an error of its own
		result := replace(SQLSTATE, '23001', '23503') || ' ' || replace(SQLERRM, 'RESTRICT setting of ', '');
	END;
	RESET role;
	RESET cnap.user_id;
	RETURN person || ': ' || result;
END
$$;
\set a '''00000000-0000-4000-8000-00000000000a'''
\set b '''00000000-0000-4000-8000-00000000000b'''
\set c '''00000000-0000-4000-8000-00000000000c'''
INSERT INTO task VALUES (:a, :'w1', NULL, 'of Globex'), (:b, :'w4', NULL, 'of Pied');
INSERT INTO tag VALUES (:a, :'w1', 'of Globex'), (:b, :'w4', 'of Pied');

CREATE VIEW attack AS SELECT * FROM (VALUES
	(1, 'frank', format('INSERT INTO task_tag VALUES (%L, %L, %L)', :'w4', :a, :b)),
	(2, 'frank', format('INSERT INTO task_tag VALUES (%L, %L, %L)', :'w4', :b, :a)),
	(3, 'frank', format('INSERT INTO task VALUES (%L, %L, %L)', :c, :'w4', :a)),
	(4, 'frank', format('INSERT INTO note VALUES (1, %L, %L, NULL)', :'w4', :a)),
	(5, 'frank', format('INSERT INTO note VALUES (2, %L, NULL, %L)', :'w4', :a)),
	(6, 'carol', format('DELETE FROM task WHERE id = %L', :a)),
	(7, 'carol', format('DELETE FROM tag WHERE id = %L', :a))) t (n, person, statement);

-- frank's rows refer to carol's, and she cannot delete them
BEGIN;
SELECT as_user(person, statement) FROM attack ORDER BY n;
ROLLBACK;

-- what the linter says
\pset fieldsep '\n    '
SELECT object, finding, remedy FROM cnap_lint() WHERE rule = 'reference_across_workspaces';
\pset fieldsep '|'

-- what it offers closes it
SELECT remedy FROM cnap_lint() WHERE rule = 'reference_across_workspaces' \gexec
SELECT * FROM cnap_lint() WHERE rule = 'reference_across_workspaces';
SELECT conrelid::regclass, conname, pg_get_constraintdef(oid) FROM pg_constraint
WHERE contype = 'f' AND connamespace = 'ref'::regnamespace AND confrelid <> 'cnap.workspace'::regclass ORDER BY 1, 2;
BEGIN;
SELECT as_user(person, statement) FROM attack ORDER BY n;
ROLLBACK;

-- within a workspace, everything is as before
BEGIN;
SELECT as_user('carol', statement) FROM (VALUES
	(1, format('INSERT INTO task VALUES (%L, %L, %L)', :c, :'w1', :a)),
	(2, format('INSERT INTO task_tag VALUES (%1$L, %2$L, %3$L), (%1$L, %4$L, %3$L)', :'w1', :a, :a, :c)),
	(3, format('INSERT INTO note VALUES (1, %1$L, %2$L, NULL), (2, %1$L, %3$L, %4$L)', :'w1', :a, :c, :a)),
	(4, format('DELETE FROM task WHERE id = %L', :a)),
	(5, format('DELETE FROM task WHERE id = %L', :c)),
	(6, format('DELETE FROM tag WHERE id = %L', :a))) t (n, statement) ORDER BY n;
SELECT id, task_id, "the tag" FROM note ORDER BY id;
SELECT count(*) FROM task_tag;
ROLLBACK;

-- a table protected by policies that look at its parent has no column for the workspace: it has to get one first
CREATE TABLE comment (
	id integer PRIMARY KEY,
	task_id uuid NOT NULL CONSTRAINT comment_task_fkey REFERENCES task ON DELETE CASCADE,
	tag_id uuid CONSTRAINT comment_tag_fkey REFERENCES tag,
	answers integer CONSTRAINT comment_answers_fkey REFERENCES comment
);
CREATE INDEX ON comment (task_id);
SELECT relation, reason FROM cnap_protect_schema('ref') WHERE relation = 'comment'::regclass;
SELECT cnap_protect_child('comment', 'task_id');
SELECT object, finding, remedy FROM cnap_lint() WHERE rule = 'reference_across_workspaces';
SELECT cnap_protect_child('comment', 'task_id', 'workspace_id');
SELECT remedy FROM cnap_lint() WHERE rule = 'reference_across_workspaces' \gexec
SELECT object, remedy FROM cnap_lint() WHERE rule = 'reference_across_workspaces';
SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint
WHERE contype = 'f' AND conrelid = 'comment'::regclass AND confrelid <> 'cnap.workspace'::regclass ORDER BY 1;

-- partitioned tables, whose keys cannot be added without checking them before PostgreSQL 18
CREATE TABLE event (
	id integer, day date, workspace_id uuid NOT NULL REFERENCES cnap.workspace,
	task_id uuid CONSTRAINT event_task_fkey REFERENCES task,
	PRIMARY KEY (id, day)
) PARTITION BY RANGE (day);
CREATE TABLE event_2026 PARTITION OF event FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE TABLE mention (
	id integer PRIMARY KEY, workspace_id uuid NOT NULL REFERENCES cnap.workspace,
	event_id integer, event_day date, CONSTRAINT mention_event_fkey FOREIGN KEY (event_id, event_day) REFERENCES event MATCH FULL
);
SELECT cnap_protect('event'), cnap_protect('mention');
\set ECHO none
SELECT remedy FROM cnap_lint() WHERE rule = 'reference_across_workspaces' \gexec
\set ECHO all
SELECT object, remedy FROM cnap_lint() WHERE rule = 'reference_across_workspaces';
SELECT conrelid::regclass, conname, pg_get_constraintdef(oid) FROM pg_constraint
WHERE contype = 'f' AND conparentid = 0 AND conrelid IN ('event'::regclass, 'mention'::regclass) AND confrelid <> 'cnap.workspace'::regclass ORDER BY 1, 2;

-- rows that refer to another workspace already: they are found, and the former key stays
CREATE TABLE bill (id integer PRIMARY KEY, workspace_id uuid NOT NULL REFERENCES cnap.workspace, task_id uuid CONSTRAINT bill_task_fkey REFERENCES task);
INSERT INTO bill VALUES (1, :'w1', :b);
SELECT cnap_protect('bill');
\set VERBOSITY terse
SELECT remedy FROM cnap_lint() WHERE rule = 'reference_across_workspaces' \gexec
SELECT object, finding, remedy FROM cnap_lint() WHERE rule = 'reference_across_workspaces';
DELETE FROM bill;
SELECT remedy FROM cnap_lint() WHERE rule = 'reference_across_workspaces' \gexec
SELECT object, finding, remedy FROM cnap_lint() WHERE rule = 'reference_across_workspaces';
\set VERBOSITY default

-- nobody's cast is executed by a remedy: for a key with a type of somebody's own there is none
CREATE TYPE code AS (id uuid);
CREATE FUNCTION uuid(code) RETURNS uuid LANGUAGE sql IMMUTABLE AS 'SELECT $1.id';
CREATE CAST (code AS uuid) WITH FUNCTION uuid(code) AS IMPLICIT;
CREATE TABLE coded (id uuid PRIMARY KEY, workspace_id uuid NOT NULL REFERENCES cnap.workspace);
CREATE TABLE coding (id integer PRIMARY KEY, workspace_id uuid NOT NULL REFERENCES cnap.workspace, code code CONSTRAINT coding_fkey REFERENCES coded);
SELECT cnap_protect('coded'), cnap_protect('coding');
SELECT severity, rule, object, finding, remedy FROM cnap_lint() WHERE rule = 'reference_across_workspaces';

-- nor a function that is executed to plan a query of the tables
CREATE ROLE regress_cnap_planned;
GRANT USAGE, CREATE ON SCHEMA ref TO regress_cnap_planned;
GRANT REFERENCES ON cnap.workspace TO regress_cnap_planned;
SET ROLE regress_cnap_planned;
CREATE FUNCTION constant() RETURNS boolean IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN true; END';
CREATE TABLE planned (id uuid PRIMARY KEY, workspace_id uuid NOT NULL REFERENCES cnap.workspace, UNIQUE (workspace_id, id));
CREATE TABLE planning (id integer, workspace_id uuid NOT NULL REFERENCES cnap.workspace, planned uuid CONSTRAINT planning_fkey REFERENCES planned) PARTITION BY LIST (id);
CREATE TABLE planning_all PARTITION OF planning DEFAULT;
SELECT cnap_protect('planned'), cnap_protect('planning');
SELECT bool_and(remedy IS NOT NULL) FROM cnap_lint() WHERE object = 'planning_fkey on ref.planning';
CREATE STATISTICS planned_statistics ON (constant()), id FROM planned;
SELECT finding, remedy FROM cnap_lint() WHERE object = 'planning_fkey on ref.planning';
DROP STATISTICS planned_statistics;
SELECT bool_and(remedy IS NOT NULL) FROM cnap_lint() WHERE object = 'planning_fkey on ref.planning';
CREATE INDEX planned_index ON planned (workspace_id) WHERE constant();
SELECT remedy FROM cnap_lint() WHERE object = 'planning_fkey on ref.planning';
DROP INDEX planned_index;
ALTER TABLE planning_all ADD CONSTRAINT planned_check CHECK (constant());
SELECT remedy FROM cnap_lint() WHERE object = 'planning_fkey on ref.planning';
DROP TABLE planning, planned;
DROP FUNCTION constant();
RESET ROLE;
DROP OWNED BY regress_cnap_planned;
DROP ROLE regress_cnap_planned;

-- other things to consider about a plan
CREATE TABLE draft (id integer PRIMARY KEY, workspace_id uuid REFERENCES cnap.workspace);
CREATE TABLE orphan (id integer PRIMARY KEY, workspace_id uuid NOT NULL);
CREATE TABLE unsure (id integer PRIMARY KEY, workspace_id uuid);
SELECT relation, reason FROM cnap_protect_schema('ref') WHERE relation = ANY ('{draft,orphan,unsure,comment,coding}'::regclass[]);
SELECT relation, reason FROM cnap_protect_schema('ref', child_column => 'workspace_id') WHERE relation = 'unsure'::regclass;

-- a key that contains the workspace, and was not validated
CREATE TABLE plan (id integer PRIMARY KEY, workspace_id uuid NOT NULL REFERENCES cnap.workspace, task_id uuid);
ALTER TABLE plan ADD CONSTRAINT plan_fkey FOREIGN KEY (task_id, workspace_id) REFERENCES task (id, workspace_id) NOT VALID;
SELECT cnap_protect('plan');
SELECT object, finding, remedy FROM cnap_lint() WHERE rule = 'reference_across_workspaces' AND object LIKE 'plan%';

-- keys that seem to contain the workspace: with a column that can be null, and by another column of the parent
CREATE TABLE shelf (id integer PRIMARY KEY, workspace_id uuid NOT NULL REFERENCES cnap.workspace, origin uuid, part integer,
	UNIQUE (workspace_id, id, part), UNIQUE (origin, id));
CREATE TABLE box (id integer PRIMARY KEY, workspace_id uuid NOT NULL REFERENCES cnap.workspace, shelf_id integer, part integer,
	CONSTRAINT box_shelf FOREIGN KEY (shelf_id) REFERENCES shelf,
	CONSTRAINT box_shelf_part FOREIGN KEY (workspace_id, shelf_id, part) REFERENCES shelf (workspace_id, id, part));
CREATE TABLE lid (id integer PRIMARY KEY, workspace_id uuid NOT NULL REFERENCES cnap.workspace, shelf_id integer,
	CONSTRAINT lid_shelf_origin FOREIGN KEY (workspace_id, shelf_id) REFERENCES shelf (origin, id));
-- and another one to the parent through which a table is protected
CREATE TABLE label (id integer PRIMARY KEY, shelf_id integer NOT NULL CONSTRAINT label_shelf REFERENCES shelf,
	other_id integer CONSTRAINT label_other REFERENCES shelf);
SELECT cnap_protect('shelf'), cnap_protect('box'), cnap_protect('lid'), cnap_protect_child('label', 'shelf_id');
SELECT object, finding FROM cnap_lint() WHERE rule = 'reference_across_workspaces' AND object ~ 'shelf|box|lid|label';

-- unique indexes to which no foreign key can refer
CREATE TABLE place (id integer PRIMARY KEY, workspace_id uuid NOT NULL REFERENCES cnap.workspace, name text,
	UNIQUE (workspace_id, id) DEFERRABLE, UNIQUE (workspace_id, name) INCLUDE (id));
CREATE UNIQUE INDEX ON place (workspace_id, id) WHERE id > 0;
CREATE TABLE visit (id integer PRIMARY KEY, workspace_id uuid NOT NULL REFERENCES cnap.workspace, place_id integer CONSTRAINT visit_place REFERENCES place);
SELECT cnap_protect('place'), cnap_protect('visit');
SELECT remedy FROM cnap_lint() WHERE rule = 'reference_across_workspaces' AND object ~ 'place';

DROP SCHEMA ref CASCADE;
RESET search_path;
\pset tuples_only off
\pset format aligned
\set drop_model :abs_srcdir '/sql/include/drop_model.sql'
\i :drop_model
