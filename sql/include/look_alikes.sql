-- look_alikes.sql: a schema with look-alikes of the objects that the extension and its callers
-- use, which raise an error when they are used, and an operator in the schema public. Any role
-- that can create schemas, and objects in public, can create it.
\set ECHO none
CREATE SCHEMA evil;
CREATE FUNCTION evil.trap() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	RAISE EXCEPTION 'somebody else''s object was used';
END $$;
CREATE TYPE evil.role AS ENUM ('owner', 'admin', 'member');
CREATE TYPE evil.permission AS ENUM ('access');
CREATE DOMAIN evil.user_id AS pg_catalog.text CHECK (false);
CREATE DOMAIN evil.text AS pg_catalog.text CHECK (false);
CREATE DOMAIN evil.uuid AS pg_catalog.uuid CHECK (false);
CREATE DOMAIN evil.jsonb AS pg_catalog.jsonb CHECK (false);
CREATE DOMAIN evil.timestamptz AS pg_catalog.timestamptz CHECK (false);
DO $$
DECLARE
	f pg_catalog.text;
	t pg_catalog.text;
	o pg_catalog.text;
BEGIN
	-- what the functions call or reference
	FOREACH f IN ARRAY ARRAY[
		'now() RETURNS pg_catalog.timestamptz', 'clock_timestamp() RETURNS pg_catalog.timestamptz',
		'gen_random_uuid() RETURNS pg_catalog.uuid', 'jsonb_typeof(pg_catalog.jsonb) RETURNS pg_catalog.text',
		'is_name(pg_catalog.text) RETURNS boolean', 'is_user_id(pg_catalog.text) RETURNS boolean',
		'quote_ident(pg_catalog.text) RETURNS pg_catalog.text',
		'to_regnamespace(pg_catalog.text) RETURNS regnamespace',
		'set_config(pg_catalog.text, pg_catalog.text, boolean) RETURNS pg_catalog.text',
		'current_setting(pg_catalog.text) RETURNS pg_catalog.text',
		'sha256(pg_catalog.bytea) RETURNS pg_catalog.bytea',
		'pg_extension_config_dump(regclass, pg_catalog.text) RETURNS void',
		'cnap_can_access(pg_catalog.uuid) RETURNS boolean',
		'cnap_can_access(pg_catalog.text, pg_catalog.uuid) RETURNS boolean',
		'cnap_has_permission(pg_catalog.uuid, evil.permission) RETURNS boolean',
		'cnap_current_user() RETURNS pg_catalog.text',
		'list_workspaces(pg_catalog.text) RETURNS void', 'record_change() RETURNS trigger']
	LOOP
		EXECUTE format('CREATE FUNCTION evil.%s LANGUAGE plpgsql AS $f$BEGIN PERFORM evil.trap(); END$f$', f);
	END LOOP;
	FOREACH t IN ARRAY ARRAY['uuid', 'text', 'timestamptz', 'jsonb', 'int8'] LOOP
		EXECUTE format('CREATE FUNCTION evil.compare(pg_catalog.%1$s, pg_catalog.%1$s) RETURNS boolean'
			' LANGUAGE plpgsql AS $f$BEGIN PERFORM evil.trap(); END$f$', t);
		FOREACH o IN ARRAY ARRAY['=', '<>', '<', '>', '<=', '>='] LOOP
			EXECUTE format('CREATE OPERATOR evil.%1$s (FUNCTION = evil.compare,'
				' LEFTARG = pg_catalog.%2$s, RIGHTARG = pg_catalog.%2$s)', o, t);
		END LOOP;
	END LOOP;
	FOREACH t IN ARRAY ARRAY['organization', 'organization_member', 'workspace', 'workspace_member',
		'audit_log', 'way_in', 'pg_class', 'pg_proc']
	LOOP
		EXECUTE format('CREATE TABLE evil.%I (a int)', t);
	END LOOP;
END $$;
-- temporary ones, for each session that calls this
CREATE FUNCTION evil.make_temporary() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	t pg_catalog.name;
BEGIN
	FOR t IN SELECT relname FROM pg_catalog.pg_class
		WHERE relnamespace OPERATOR(pg_catalog.=) 'evil'::regnamespace::oid AND relkind = 'r'
	LOOP
		EXECUTE format('CREATE TEMP TABLE %I (a int)', t);
	END LOOP;
	CREATE TYPE pg_temp.role AS ENUM ('owner');
	CREATE DOMAIN pg_temp.permission AS pg_catalog.text CHECK (false);
END $$;
-- in the schema of the extension, an operator that matches better than the built-in one
CREATE FUNCTION evil.compare(oid, regnamespace) RETURNS boolean LANGUAGE plpgsql
	AS $$BEGIN PERFORM evil.trap(); END$$;
CREATE OPERATOR public.= (FUNCTION = evil.compare, LEFTARG = oid, RIGHTARG = regnamespace);
GRANT USAGE ON SCHEMA evil TO PUBLIC;
GRANT SELECT ON ALL TABLES IN SCHEMA evil TO PUBLIC;
\set ECHO all
