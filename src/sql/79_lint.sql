/*
 * The linter.
 */
CREATE TABLE cnap.accepted_finding (
	rule text,
	object text,
	finding text,
	reason text NOT NULL
		CONSTRAINT accepted_finding_reason_format CHECK (length(reason) BETWEEN 1 AND 1000),
	accepted_by text NOT NULL,
	accepted_at timestamptz NOT NULL DEFAULT now(),
	CONSTRAINT accepted_finding_pkey PRIMARY KEY (rule, object, finding)
);
COMMENT ON TABLE cnap.accepted_finding IS
'findings of the linter that somebody has looked at and accepted';
SELECT pg_extension_config_dump('cnap.accepted_finding', '');

-- The rules are written with backslashes, and compare names with those that were made.
CREATE FUNCTION cnap.lint_findings() RETURNS SETOF cnap.finding
LANGUAGE sql STABLE PARALLEL UNSAFE COST 1000000 ROWS 10
SET search_path = pg_catalog, pg_temp
SET standard_conforming_strings = on
SET quote_all_identifiers = off
AS $$
	WITH protected (tables) AS MATERIALIZED (
		SELECT cnap.lint_protected()
	), guarded (relations) AS MATERIALIZED (
		SELECT tables || array(SELECT cnap.lint_members('pg_class')) FROM protected
	)
	SELECT f.* FROM protected, cnap.lint_tables(tables) f
	UNION ALL SELECT f.* FROM guarded, cnap.lint_views(relations) f
	UNION ALL SELECT f.* FROM guarded, cnap.lint_functions(relations) f
	UNION ALL SELECT f.* FROM cnap.lint_references() f
	UNION ALL SELECT f.* FROM protected, cnap.lint_grants(tables) f
	UNION ALL SELECT f.* FROM protected, cnap.lint_roles(tables) f
	UNION ALL SELECT f.* FROM cnap.lint_settings() f
	UNION ALL SELECT f.* FROM cnap.lint_own() f
	UNION ALL SELECT f.* FROM protected, guarded, cnap.lint_rows(tables, relations) f
	UNION ALL SELECT f.* FROM protected, cnap.lint_names(tables) f
	UNION ALL SELECT f.* FROM cnap.lint_tokens() f
	UNION ALL SELECT f.* FROM cnap.lint_fleet() f
	UNION ALL SELECT f.* FROM cnap.lint_citus() f
$$;
COMMENT ON FUNCTION cnap.lint_findings() IS 'all findings, also accepted ones';

CREATE FUNCTION @extschema@.cnap_accepted_findings()
RETURNS TABLE (rule text, object text, finding text, reason text, accepted_by text, accepted_at timestamptz)
LANGUAGE C STABLE PARALLEL RESTRICTED COST 1000 ROWS 10
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cnap_accepted_findings';
COMMENT ON FUNCTION @extschema@.cnap_accepted_findings() IS
'the findings of the linter that were accepted by cnap_accept_finding, with the reason, the role that did, and when';

CREATE FUNCTION @extschema@.cnap_accept_finding(rule text, object text, reason text) RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cnap_accept_finding';
COMMENT ON FUNCTION @extschema@.cnap_accept_finding(text, text, text) IS
'accepts what cnap_lint finds about an object by a rule, so that it no longer returns that, until the finding changes; a null reason takes this back. For the owner of the extension. Errors: 22023 for null, for a reason that is blank or has more than 1000 characters, and if there is no such finding, 42501';

CREATE FUNCTION @extschema@.cnap_lint()
RETURNS TABLE (severity text, rule text, object text, finding text, remedy text)
LANGUAGE sql STABLE PARALLEL UNSAFE COST 1000000 ROWS 10
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT f.severity, f.rule, f.object, f.finding, f.remedy
	FROM cnap.lint_findings() f
	WHERE (f.rule, f.object, f.finding) NOT IN (SELECT a.rule, a.object, a.finding FROM @extschema@.cnap_accepted_findings() a)
	ORDER BY array_position(ARRAY['error', 'warning', 'notice'], f.severity),
		f.step, f.rule COLLATE "C", f.object COLLATE "C", f.finding COLLATE "C"
$$;
COMMENT ON FUNCTION @extschema@.cnap_lint() IS
'gaps in the protection of tables, worst first: severity (error, warning or notice), the name of the rule, the object, the finding, and the statement that remedies it, or null if there is none. Reads only the catalogs, the state of replication, and which findings were accepted';
