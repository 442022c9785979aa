-- lint_readers: cnap_lint() about views, materialized views, rules and functions that read
-- protected tables as another role
\getenv abs_srcdir PG_ABS_SRCDIR
\set model :abs_srcdir '/sql/include/model.sql'
\i :model
\set include :abs_srcdir '/sql/include/lint.sql'
\i :include

CREATE ROLE regress_cnap_dev;
CREATE ROLE regress_cnap_bypass BYPASSRLS;
CREATE SCHEMA app AUTHORIZATION regress_cnap_dev;
GRANT ALL ON SCHEMA app TO PUBLIC;
CREATE TABLE app.deployment (id int PRIMARY KEY, workspace_id uuid);
CREATE INDEX ON app.deployment (workspace_id);
ALTER TABLE app.deployment OWNER TO regress_cnap_dev;
INSERT INTO app.deployment VALUES (1, :'w1'), (4, :'w4');
SELECT FROM cnap_protect('app.deployment');
GRANT SELECT ON app.deployment TO regress_cnap_app, regress_cnap_bypass;

-- how many of the two rows carol, who owns one of them, gets from each of these
CREATE FUNCTION seen(VARIADIC sources text[]) RETURNS TABLE (source text, rows text) LANGUAGE plpgsql AS $$
BEGIN
	SET LOCAL cnap.user_id = 'carol';
	SET LOCAL ROLE regress_cnap_app;
	FOREACH source IN ARRAY sources LOOP
		BEGIN
			EXECUTE format('SELECT count(*) FROM %s', source) INTO rows;
		EXCEPTION WHEN insufficient_privilege THEN
			rows := 'denied';
		END;
		RETURN NEXT;
	END LOOP;
	SET LOCAL cnap.user_id = '';
	RESET ROLE;
END $$;

-- ---- views ----

CREATE VIEW app.of_superuser AS SELECT * FROM app.deployment;
CREATE VIEW app."of 'bypass" AS SELECT 1 AS one WHERE EXISTS (SELECT FROM app.deployment WHERE id = 4);
ALTER VIEW app."of 'bypass" OWNER TO regress_cnap_bypass;
-- of these two the inner one is open, through the outer one
CREATE VIEW app.inner_view AS SELECT * FROM app.deployment;
CREATE VIEW app.outer_view AS SELECT * FROM app.inner_view;
-- these are not: they show the querying user's rows, or nobody can query them
CREATE VIEW app.of_owner AS SELECT * FROM app.deployment;
ALTER VIEW app.of_owner OWNER TO regress_cnap_dev;
CREATE VIEW app.over_of_owner AS SELECT * FROM app.of_owner;
CREATE VIEW app.invoker WITH (security_invoker = on) AS SELECT * FROM app.deployment;
CREATE VIEW app.over_invoker AS SELECT * FROM app.invoker;
CREATE VIEW app.private AS SELECT * FROM app.deployment;
CREATE VIEW app.invoker_over_private WITH (security_invoker) AS SELECT * FROM app.private;
CREATE VIEW app.unrelated AS SELECT * FROM pg_class;
GRANT SELECT ON app.of_superuser, app."of 'bypass", app.outer_view, app.of_owner, app.over_of_owner, app.invoker,
	app.over_invoker, app.invoker_over_private, app.unrelated TO regress_cnap_app;
CREATE ROLE regress_cnap_super SUPERUSER;
GRANT SELECT ON app.private TO regress_cnap_super;
SELECT * FROM seen('app.of_superuser', 'app."of ''bypass"', 'app.outer_view', 'app.of_owner', 'app.over_of_owner',
	'app.invoker', 'app.over_invoker', 'app.private', 'app.invoker_over_private');
SELECT * FROM findings();
SELECT * FROM close_all();
SELECT * FROM seen('app.of_superuser', 'app."of ''bypass"', 'app.outer_view');
-- by other privileges, on a column, of PUBLIC
ALTER VIEW app.of_superuser RESET (security_invoker);
ALTER VIEW app.of_owner OWNER TO regress_cnap_bypass;
ALTER VIEW app.inner_view SET (security_invoker = false);
REVOKE ALL ON app.of_superuser, app.of_owner, app.outer_view, app.over_of_owner FROM regress_cnap_app;
SELECT rule, object FROM findings();
GRANT UPDATE (id) ON app.of_superuser TO regress_cnap_plain;
GRANT DELETE ON app.of_owner TO PUBLIC;
GRANT SELECT ON app.inner_view TO regress_cnap_bypass;
SELECT rule, object FROM findings();
SELECT * FROM close_all();
DROP VIEW app.of_superuser, app."of 'bypass", app.inner_view, app.of_owner, app.invoker, app.private CASCADE;

-- of the extension's own tables
CREATE VIEW app.workspaces AS SELECT id, name FROM cnap.workspace;
GRANT SELECT ON app.workspaces TO PUBLIC;
SELECT * FROM seen('app.workspaces');
SELECT * FROM findings();
SELECT * FROM close_all();
SELECT * FROM seen('app.workspaces');
DROP VIEW app.workspaces;

-- a rule
CREATE TABLE app.note (id int, "text" text);
CREATE RULE "forget ""it""" AS ON INSERT TO app.note DO ALSO DELETE FROM app.deployment WHERE id = new.id;
CREATE RULE harmless AS ON DELETE TO app.note DO ALSO NOTIFY notes;
CREATE VIEW app.notes AS SELECT * FROM app.note;
GRANT SELECT ON app.notes TO regress_cnap_app;
SELECT * FROM findings();
GRANT INSERT ON app.note TO regress_cnap_app;
SELECT * FROM findings();
ALTER TABLE app.note OWNER TO regress_cnap_dev;
SELECT * FROM findings();
ALTER TABLE app.note OWNER TO regress_cnap_bypass;
SELECT * FROM close_all();
DROP TABLE app.note CASCADE;

-- of a view, which acts as the view's owner even if the view reads as the invoker
CREATE VIEW app.with_rule WITH (security_invoker) AS SELECT * FROM app.deployment;
CREATE RULE change AS ON UPDATE TO app.with_rule DO INSTEAD UPDATE app.deployment SET id = new.id WHERE id = old.id;
SELECT * FROM findings();
GRANT SELECT, UPDATE ON app.with_rule TO regress_cnap_app;
SELECT * FROM findings();
ALTER VIEW app.with_rule OWNER TO regress_cnap_dev;
SELECT * FROM findings();
ALTER VIEW app.with_rule OWNER TO regress_cnap_bypass;
SELECT * FROM close_all();
DROP VIEW app.with_rule;

-- ---- materialized views ----

CREATE VIEW app.invoker WITH (security_invoker) AS SELECT * FROM app.deployment;
CREATE MATERIALIZED VIEW app.copy AS SELECT * FROM app.deployment;
CREATE MATERIALIZED VIEW app.copy_of_copy AS SELECT * FROM app.copy;
CREATE MATERIALIZED VIEW app.copy_of_view AS SELECT * FROM app.invoker;
CREATE VIEW app.of_copy AS SELECT * FROM app.copy;
CREATE MATERIALIZED VIEW app.unrelated_copy AS SELECT 1 AS one;
ALTER MATERIALIZED VIEW app.copy_of_view OWNER TO regress_cnap_dev;
SELECT * FROM findings();
GRANT SELECT ON app.copy_of_copy TO regress_cnap_app, PUBLIC;
GRANT SELECT (id) ON app.copy_of_view TO regress_cnap_app;
GRANT SELECT ON app.of_copy, app.unrelated_copy TO regress_cnap_app;
SELECT * FROM seen('app.copy_of_copy', 'app.of_copy');
SELECT * FROM findings();
SELECT * FROM close_all();
SELECT * FROM seen('app.copy_of_copy', 'app.of_copy');
DROP VIEW app.invoker CASCADE;
DROP MATERIALIZED VIEW app.copy, app.unrelated_copy CASCADE;
DROP VIEW app.unrelated;

-- ---- functions ----

-- whose body is parsed, so that its dependencies are known
CREATE VIEW app.invoker WITH (security_invoker) AS SELECT * FROM app.deployment;
CREATE FUNCTION app."Count 'all'"(text, VARIADIC app.deployment[] DEFAULT NULL) RETURNS bigint LANGUAGE sql SECURITY DEFINER
	RETURN (SELECT count(*) FROM app.deployment);
CREATE PROCEDURE app.through_view() LANGUAGE sql SECURITY DEFINER
	BEGIN ATOMIC DELETE FROM app.deployment WHERE id IN (SELECT id FROM app.invoker); END;
CREATE FUNCTION app.as_invoker() RETURNS bigint LANGUAGE sql RETURN (SELECT count(*) FROM app.deployment);
CREATE FUNCTION app.as_owner() RETURNS bigint LANGUAGE sql SECURITY DEFINER RETURN (SELECT count(*) FROM app.deployment);
ALTER FUNCTION app.as_owner() OWNER TO regress_cnap_dev;
CREATE FUNCTION app.private() RETURNS bigint LANGUAGE sql SECURITY DEFINER RETURN (SELECT count(*) FROM app.deployment);
REVOKE EXECUTE ON FUNCTION app.private() FROM PUBLIC;
CREATE FUNCTION app.unrelated(app.deployment) RETURNS bigint LANGUAGE sql SECURITY DEFINER RETURN 1;
SELECT * FROM findings();
SELECT * FROM close_all();
GRANT EXECUTE ON FUNCTION app.private() TO regress_cnap_plain;
SELECT rule, object FROM findings();
ALTER FUNCTION app.as_owner() OWNER TO regress_cnap_bypass;
SELECT rule, object FROM findings();
SELECT * FROM close_all();
DROP FUNCTION app."Count 'all'", app.as_invoker(), app.as_owner(), app.private(), app.unrelated;
DROP PROCEDURE app.through_view();

-- whose body is a string
CREATE TABLE app."Odd Table" (workspace_id uuid PRIMARY KEY);
SELECT FROM cnap_protect('app."Odd Table"');
CREATE FUNCTION app.f(n int, body text, definer text DEFAULT 'SECURITY DEFINER') RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('CREATE FUNCTION app.f%s() RETURNS void LANGUAGE plpgsql %s AS %L', n, definer, 'BEGIN ' || body || ' END');
END $$;
SELECT FROM app.f(1, 'PERFORM id FROM app.deployment;');
SELECT FROM app.f(2, 'PERFORM id FROM DEPLOYMENT d;');
SELECT FROM app.f(3, 'PERFORM id FROM "Odd Table";');
SELECT FROM app.f(4, 'EXECUTE ''DELETE FROM app.deployment'';');
SELECT FROM app.f(5, 'PERFORM id FROM invoker;');
SELECT FROM app.f(6, 'PERFORM name FROM cnap . workspace;');
SELECT FROM app.f(7, 'PERFORM id FROM app.deployment;', '');
SELECT FROM app.f(8, 'PERFORM id FROM app.deployments, x_deployment, "Deployment", odd "table";');
SELECT FROM app.f(9, '-- deployment
	/* of a deployment */ NULL;');
SELECT FROM app.f(10, 'PERFORM workspace FROM organization;');
SELECT FROM app.f(11, '/* of one */ PERFORM id FROM app.deployment; /* or of more */');
SELECT FROM app.f(12, 'PERFORM ''-- '' || id FROM app.deployment;');
SELECT FROM app.f(13, 'PERFORM ''it''''s /* '' || id FROM app.deployment; -- don''t */
');
SELECT FROM app.f(14, '/** the "deployment" ** isn''t ***/ NULL; -- ''deployment
');
SELECT * FROM findings();
-- a trigger fires even for roles that cannot execute its function
CREATE FUNCTION app.fired() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
	'BEGIN DELETE FROM app.deployment; RETURN new; END';
REVOKE ALL ON FUNCTION app.fired() FROM PUBLIC;
SELECT rule, object FROM findings() WHERE object ~ 'fired';
CREATE TRIGGER fire BEFORE INSERT ON app.deployment FOR EACH ROW EXECUTE FUNCTION app.fired();
SELECT rule, object FROM findings() WHERE object ~ 'fired';
SELECT * FROM close_all();

-- that set the current user
CREATE FUNCTION app.login(id text) RETURNS text LANGUAGE sql SECURITY DEFINER AS
	'SELECT set_config(''cnap.user_id'', id, true)';
CREATE FUNCTION app.login_parsed(id text) RETURNS text LANGUAGE sql SECURITY DEFINER RETURN set_config('cnap.user_id', id, true);
CREATE FUNCTION app.fixed() RETURNS text LANGUAGE sql SECURITY DEFINER SET cnap.user_id = 'erin' RETURN cnap_current_user();
ALTER FUNCTION app.login OWNER TO regress_cnap_app;
CREATE FUNCTION app.asking() RETURNS text LANGUAGE sql SECURITY DEFINER AS 'SELECT cnap_current_user()';
CREATE FUNCTION app.powerless(id text) RETURNS text LANGUAGE sql SECURITY DEFINER AS
	'SELECT set_config(''cnap.user_id'', id, true)';
ALTER FUNCTION app.powerless OWNER TO regress_cnap_bypass;
SELECT * FROM findings();
SELECT * FROM close_all();

-- calls of the functions about any user, and of set_config() with any name, in the name of a role that may
CREATE FUNCTION app.any_setting(n text, v text) RETURNS text LANGUAGE sql SECURITY DEFINER AS 'SELECT set_config($1, $2, true)';
CREATE FUNCTION app.begun_setting(n text, v text) RETURNS text LANGUAGE sql SECURITY DEFINER AS 'SELECT set_config(''cnap.'' || $1, $2, true)';
CREATE FUNCTION app.begun_setting_parsed(n text, v text) RETURNS text LANGUAGE sql SECURITY DEFINER RETURN set_config('cnap.' || n, v, true);
CREATE FUNCTION app.one_setting_parsed(v text) RETURNS text LANGUAGE sql SECURITY DEFINER RETURN set_config('app.x', v, true);
CREATE FUNCTION app.one_setting(v text) RETURNS text LANGUAGE sql SECURITY DEFINER AS 'SELECT set_config(''app.x'', $1, true)';
CREATE FUNCTION app.about(u text, w uuid) RETURNS boolean LANGUAGE sql SECURITY DEFINER RETURN cnap_can_access(u, w);
CREATE FUNCTION app.about_text(u text, w uuid) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER AS
'BEGIN RETURN public.cnap_can_access(lower(u), w); END';
CREATE FUNCTION app.about_me(w uuid) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER AS
'BEGIN RETURN cnap_can_access(w), w IS NULL; END';
CREATE FUNCTION app.forget(u text) RETURNS void LANGUAGE sql SECURITY DEFINER AS 'SELECT cnap_forget_user(u, NULL)';
CREATE FUNCTION app.reach(u text) RETURNS uuid[] LANGUAGE sql SECURITY DEFINER AS 'SELECT cnap_accessible_workspaces(u)';
CREATE FUNCTION app.reach_mine() RETURNS uuid[] LANGUAGE sql SECURITY DEFINER AS 'SELECT cnap_accessible_workspaces()';
SELECT * FROM findings();
-- also of a trusted role, but not of an ordinary one
ALTER FUNCTION app.about OWNER TO regress_cnap_app;
ALTER FUNCTION app.forget OWNER TO regress_cnap_dev;
SELECT object FROM findings() WHERE rule = 'function_answers_for_others';
SELECT * FROM close_all();
-- a view of a trusted role does not help: functions in it are executed as the current user
CREATE VIEW app.about_view AS SELECT cnap_accessible_workspaces('erin');
ALTER VIEW app.about_view OWNER TO regress_cnap_app;
GRANT SELECT ON app.about_view TO regress_cnap_plain;
GRANT USAGE ON SCHEMA app TO regress_cnap_plain;
SET ROLE regress_cnap_plain;
SELECT * FROM app.about_view;
RESET ROLE;

DROP SCHEMA app CASCADE;
DROP FUNCTION findings, close_all, seen;
DROP TYPE told;
DROP ROLE regress_cnap_dev, regress_cnap_bypass, regress_cnap_super;
\pset tuples_only
\pset format aligned
\set drop_model :abs_srcdir '/sql/include/drop_model.sql'
\i :drop_model
