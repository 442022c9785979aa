\echo Use "CREATE EXTENSION cnap_org" to load this file. \quit

/*
 * Schema, domain and validators.
 *
 * Every name in the install script is qualified, and the search path is
 * pinned, so that an object that somebody created beforehand in the target
 * schema cannot be picked up by mistake.  We use CREATE, never CREATE OR
 * REPLACE: an existing object of the same name must stop the installation.
 */
SET LOCAL search_path = pg_catalog, pg_temp;

-- An overload created beforehand by somebody else could be preferred to the
-- extension's own function for some argument types.
DO $$
DECLARE
	planted regprocedure;
BEGIN
	SELECT oid INTO planted
	FROM pg_catalog.pg_proc
	WHERE pronamespace = pg_catalog.to_regnamespace('@extschema@')
		AND proname LIKE 'cnap\_%'
	LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION 'function % exists already', planted
			USING ERRCODE = 'duplicate_function',
				DETAIL = 'The extension owns every function in its schema whose name starts with "cnap_".',
				HINT = 'Drop the function, or create the extension in another schema.';
	END IF;
END
$$;

-- Without SCHEMA, CREATE EXTENSION uses the first schema of the search path,
-- which may be one that somebody named after the superuser.
DO $$
DECLARE
	owner pg_catalog.regrole;
BEGIN
	SELECT nspowner::pg_catalog.regrole INTO owner
	FROM pg_catalog.pg_namespace n
		JOIN pg_catalog.pg_roles r ON r.oid = n.nspowner
	WHERE n.oid = pg_catalog.to_regnamespace('@extschema@')
		AND NOT r.rolsuper AND r.rolname <> 'pg_database_owner';
	IF FOUND THEN
		RAISE WARNING 'schema "%" belongs to role "%", who can drop it and the extension with it', '@extschema@', owner
			USING HINT = 'Create the extension in a schema that belongs to a superuser.';
	END IF;
END
$$;

CREATE SCHEMA cnap;
COMMENT ON SCHEMA cnap IS 'tables, types and internal functions of the extension cnap_org';

CREATE FUNCTION cnap.begin_update() RETURNS void
LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'cnap_begin_update';
COMMENT ON FUNCTION cnap.begin_update() IS
'called at the start of an update script: refuses an update by a library that is too old for it, and tells all sessions';

/*
 * The formats are defined in one place, src/core/formats.c, which the public
 * functions use for their arguments and the tables for their constraints.
 */
CREATE FUNCTION cnap.is_user_id(value text) RETURNS boolean
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF
AS 'MODULE_PATHNAME', 'cnap_is_user_id';
COMMENT ON FUNCTION cnap.is_user_id(text) IS
'whether value can be a user id: 1 to 255 bytes, at either end something other than a blank or a character that cannot be seen';

CREATE FUNCTION cnap.is_name(value text) RETURNS boolean
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF
AS 'MODULE_PATHNAME', 'cnap_is_name';
COMMENT ON FUNCTION cnap.is_name(text) IS
'whether value can be a name: not blank, at most 255 characters, no control, direction or invisible characters';

CREATE FUNCTION cnap.is_slug(value text) RETURNS boolean
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF
AS 'MODULE_PATHNAME', 'cnap_is_slug';
COMMENT ON FUNCTION cnap.is_slug(text) IS
'whether value can be a slug: lower-case ASCII letters, digits and inner hyphens, 1 to 63 of them';

CREATE FUNCTION cnap.is_https_url(value text) RETURNS boolean
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF
AS 'MODULE_PATHNAME', 'cnap_is_https_url';
COMMENT ON FUNCTION cnap.is_https_url(text) IS
'whether value is an https URL of at most 2048 bytes, in ASCII, with a host, without a user, blanks, quotes or angle brackets';

CREATE FUNCTION cnap.is_email(value text) RETURNS boolean
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF
AS 'MODULE_PATHNAME', 'cnap_is_email';
COMMENT ON FUNCTION cnap.is_email(text) IS
'whether value looks like an e-mail address: one @ between two parts without blanks or invisible characters, at most 254 bytes';

CREATE FUNCTION cnap.is_metadata(value jsonb) RETURNS boolean
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'cnap_is_metadata';
COMMENT ON FUNCTION cnap.is_metadata(jsonb) IS
'whether value is a JSON object whose text has at most 65536 bytes';

CREATE FUNCTION cnap.is_duration(value interval) RETURNS boolean
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF
AS 'MODULE_PATHNAME', 'cnap_is_duration';
COMMENT ON FUNCTION cnap.is_duration(interval) IS
'whether value leads from any moment to a later one: no part of it is negative, not all are zero, and none is more than 1000 years';

CREATE FUNCTION cnap.is_definable(value text) RETURNS boolean
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF
AS 'MODULE_PATHNAME', 'cnap_is_definable';
COMMENT ON FUNCTION cnap.is_definable(text) IS
'whether value can be the name of a role or permission of the application''s own: at most 63 lower-case letters and digits, and _ : . - between them, beginning with a letter, and not a built-in name';

CREATE FUNCTION cnap.is_permission_list(value text[]) RETURNS boolean
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'cnap_is_permission_list';
COMMENT ON FUNCTION cnap.is_permission_list(text[]) IS
'whether value has one dimension, at most 64 elements, and each of them can be the name of a permission, whether there is one or not';

CREATE DOMAIN cnap.user_id AS text COLLATE "C"
	CONSTRAINT user_id_format CHECK (cnap.is_user_id(VALUE));
COMMENT ON DOMAIN cnap.user_id IS
'opaque, case-sensitive id of a person, issued by the application''s identity provider';
