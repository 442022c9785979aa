-- lint_rows: cnap_lint() about what protected rows reveal by columns, keys, copies and functions
\getenv abs_srcdir PG_ABS_SRCDIR
\set model :abs_srcdir '/sql/include/model.sql'
\i :model
\set include :abs_srcdir '/sql/include/lint.sql'
\i :include
SET cnap.guard = off;
-- with those that findings() leaves out
CREATE VIEW shown AS SELECT severity, rule, object, finding FROM cnap_lint() WHERE remedy IS NULL;

CREATE SCHEMA app;
GRANT USAGE ON SCHEMA app TO PUBLIC;

-- ---- the workspace column ----

CREATE TABLE app.project (id int PRIMARY KEY, workspace_id uuid NOT NULL REFERENCES cnap.workspace, name text);
CREATE INDEX ON app.project (workspace_id);
CREATE TABLE app.task (id int PRIMARY KEY, project_id int REFERENCES app.project);
CREATE INDEX ON app.task (project_id);
SELECT FROM cnap_protect('app.project');
SELECT FROM cnap_protect_child('app.task', 'project_id');
SELECT * FROM shown;
-- a column that follows the parent's is null where there is no parent, and has the key to that
SELECT FROM cnap_protect_child('app.task', 'project_id', 'ws');
CREATE INDEX ON app.task (ws);
SELECT * FROM shown;
ALTER TABLE app.project ALTER workspace_id DROP NOT NULL;
ALTER TABLE app.project DROP CONSTRAINT project_workspace_id_fkey;
CREATE TABLE app.event (workspace_id uuid, at date) PARTITION BY RANGE (at);
CREATE TABLE app.event_1 PARTITION OF app.event DEFAULT;
CREATE INDEX ON app.event (workspace_id);
SELECT FROM cnap_protect('app.event');
SELECT * FROM shown;
ALTER TABLE app.project ADD CONSTRAINT project_workspace_id_fkey FOREIGN KEY (workspace_id) REFERENCES cnap.workspace NOT VALID;
SELECT object FROM shown WHERE rule = 'column_without_key';
ALTER TABLE app.project VALIDATE CONSTRAINT project_workspace_id_fkey;
ALTER TABLE app.event ADD FOREIGN KEY (workspace_id) REFERENCES cnap.workspace;
ALTER TABLE app.event ALTER workspace_id SET NOT NULL;
ALTER TABLE app.project ALTER workspace_id SET NOT NULL;
SELECT * FROM shown;

-- a name that is the primary key of a protected table says nothing about other tables
CREATE TABLE app.settings (id uuid PRIMARY KEY REFERENCES cnap.workspace, theme text);
CREATE TABLE app.users (id uuid PRIMARY KEY, email text);
CREATE TABLE app.clicks (id uuid, at date);
SELECT FROM cnap_protect('app.settings', 'id');
SELECT * FROM findings();
SELECT * FROM shown;

-- ---- keys ----

CREATE TABLE app.item (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, workspace_id uuid NOT NULL REFERENCES cnap.workspace,
	token uuid UNIQUE, number serial UNIQUE, slug text, during int4range, UNIQUE (workspace_id, slug), UNIQUE (slug, workspace_id),
	UNIQUE (token) INCLUDE (slug));
CREATE INDEX ON app.item (slug);
SELECT FROM cnap_protect('app.item');
ALTER TABLE app.task ADD name text, ADD UNIQUE (project_id, name);
SELECT * FROM shown;
ALTER TABLE app.item ADD UNIQUE (slug), ADD CONSTRAINT "at once" EXCLUDE USING gist (during WITH &&);
CREATE UNIQUE INDEX item_lower ON app.item (lower(slug));
CREATE UNIQUE INDEX item_both ON app.item (number, slug);
CREATE UNIQUE INDEX item_included ON app.item (slug) INCLUDE (workspace_id);
SELECT FROM cnap_unprotect('app.task');
SELECT FROM cnap_protect_child('app.task', 'project_id');
ALTER TABLE app.task ADD CONSTRAINT task_name UNIQUE (name);
SELECT * FROM shown;
ALTER TABLE app.item DROP CONSTRAINT item_slug_key, DROP CONSTRAINT "at once";
DROP INDEX app.item_lower, app.item_both, app.item_included;
ALTER TABLE app.task DROP CONSTRAINT task_name;
SELECT * FROM shown;

-- ---- copies ----

CREATE TABLE app.copy (LIKE app.item);
ALTER TABLE app.copy RENAME workspace_id TO owner;
CREATE FUNCTION app.copy_item() RETURNS trigger LANGUAGE plpgsql AS
$$BEGIN INSERT INTO app.copy SELECT NEW.*; RETURN NULL; END$$;
CREATE FUNCTION app.count_item() RETURNS trigger LANGUAGE plpgsql AS
$$BEGIN -- not INSERT INTO app.copy
	PERFORM 1; RETURN NULL; END$$;
CREATE TRIGGER copy AFTER INSERT ON app.item FOR EACH ROW EXECUTE FUNCTION app.copy_item();
CREATE TRIGGER count AFTER INSERT ON app.item FOR EACH ROW EXECUTE FUNCTION app.count_item();
CREATE RULE "Copy" AS ON DELETE TO app.item DO ALSO INSERT INTO app.copy SELECT OLD.*;
-- nobody else can read the copies
SELECT * FROM shown;
GRANT SELECT ON app.copy TO regress_cnap_plain;
SELECT * FROM shown;
DROP TRIGGER copy ON app.item;
DROP RULE "Copy" ON app.item;
SELECT * FROM shown;
-- by each kind of statement, into each kind of table
CREATE TABLE app.copies (LIKE app.copy) PARTITION BY LIST (id);
CREATE TABLE app.copy_1 PARTITION OF app.copies DEFAULT;
CREATE MATERIALIZED VIEW app.stored AS SELECT 1 AS one;
CREATE FOREIGN DATA WRAPPER regress_cnap_fdw;
CREATE SERVER regress_cnap_server FOREIGN DATA WRAPPER regress_cnap_fdw;
CREATE FOREIGN TABLE app.remote (id int) SERVER regress_cnap_server;
GRANT SELECT ON app.copies, app.stored, app.remote TO regress_cnap_plain;
CREATE FUNCTION app.by_update() RETURNS trigger LANGUAGE plpgsql AS
$$BEGIN UPDATE app.copies SET slug = NEW.slug; RETURN NULL; END$$;
CREATE FUNCTION app.by_merge() RETURNS trigger LANGUAGE plpgsql AS
$$BEGIN EXECUTE 'MERGE INTO app.stored'; RETURN NULL; END$$;
CREATE FUNCTION app.by_copy() RETURNS trigger LANGUAGE plpgsql AS
$$BEGIN EXECUTE 'COPY app.remote FROM PROGRAM'; RETURN NULL; END$$;
CREATE TRIGGER by_update AFTER INSERT ON app.item FOR EACH ROW EXECUTE FUNCTION app.by_update();
CREATE TRIGGER by_merge AFTER INSERT ON app.item FOR EACH ROW EXECUTE FUNCTION app.by_merge();
CREATE TRIGGER by_copy AFTER INSERT ON app.item FOR EACH ROW EXECUTE FUNCTION app.by_copy();
CREATE RULE on_insert AS ON INSERT TO app.item DO ALSO INSERT INTO app.copy SELECT NEW.*;
CREATE RULE on_update AS ON UPDATE TO app.item DO ALSO INSERT INTO app.copies SELECT NEW.*;
SELECT * FROM shown WHERE rule ~ 'copies';
DROP RULE on_insert ON app.item;
DROP RULE on_update ON app.item;
DROP TRIGGER by_update ON app.item;
DROP TRIGGER by_merge ON app.item;
DROP TRIGGER by_copy ON app.item;
DROP TABLE app.copies;
DROP MATERIALIZED VIEW app.stored;
DROP FOREIGN DATA WRAPPER regress_cnap_fdw CASCADE;

-- ---- functions ----

CREATE FUNCTION app.is_odd(int) RETURNS boolean LANGUAGE plpgsql LEAKPROOF AS 'BEGIN RAISE NOTICE ''%'', $1; RETURN true; END';
SELECT * FROM findings();
SELECT * FROM close_all();
SELECT proleakproof FROM pg_proc WHERE proname = 'is_odd';

DROP VIEW shown;
DROP SCHEMA app CASCADE;
DROP FUNCTION findings, close_all;
DROP TYPE told;
\pset tuples_only
\pset format aligned
\set drop_model :abs_srcdir '/sql/include/drop_model.sql'
\i :drop_model
