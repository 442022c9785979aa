/*
 * Findings about name resolution: who can put something in the place of the
 * extension's functions, for a role that others trust; and about powers that no
 * access control list of this database shows.
 */
CREATE FUNCTION cnap.lint_path(role oid) RETURNS SETOF name
LANGUAGE sql STABLE STRICT PARALLEL SAFE ROWS 2
SET search_path = pg_catalog, pg_temp
AS $$
	-- what is set for the role in the database comes first, then for the role,
	-- for the database, for all
	SELECT CASE WHEN part = '"$user"' OR part = '$user' THEN r.rolname
		WHEN part LIKE '"%"' THEN replace(substr(part, 2, length(part) - 2), '""', '"')
		ELSE lower(part) END::name
	FROM pg_roles r,
		LATERAL (SELECT coalesce(
			(SELECT substr(config, strpos(config, '=') + 1)
				FROM pg_db_role_setting s, unnest(s.setconfig) config
				WHERE s.setrole IN (0, r.oid)
					AND s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
					AND config LIKE 'search\_path=%'
				ORDER BY s.setrole DESC, s.setdatabase DESC
				LIMIT 1),
			(SELECT boot_val FROM pg_settings WHERE name = 'search_path')) AS path) s,
		regexp_split_to_table(s.path, '\s*,\s*') part
	WHERE r.oid = role
$$;
COMMENT ON FUNCTION cnap.lint_path(oid) IS
'the schemas in the search path with which a role begins, as far as the catalogs tell';

CREATE FUNCTION cnap.lint_names(under_protection oid[]) RETURNS SETOF cnap.finding
LANGUAGE sql STABLE PARALLEL SAFE COST 10000 ROWS 10
SET search_path = pg_catalog, pg_temp
SET enable_nestloop = off
SET jit = off
AS $$
WITH trusted AS MATERIALIZED (
	SELECT oid FROM pg_roles WHERE NOT rolsuper AND has_parameter_privilege(oid, 'cnap.user_id', 'SET')
), owner AS MATERIALIZED (
	SELECT DISTINCT relowner AS oid FROM pg_class WHERE oid IN (SELECT unnest(under_protection))
), home AS MATERIALIZED (
	SELECT d.oid, d.datname, d.datdba, d.datacl, e.extnamespace, e.extowner
	FROM pg_database d, pg_extension e
	WHERE d.datname = current_database() AND e.extname = 'cnap_org'
), creator AS MATERIALIZED (
	-- who can create functions in a schema; pg_database_owner stands for the
	-- owner of the database
	SELECT n.oid AS schema, g.grantee, g.revocation
	FROM pg_namespace n
		CROSS JOIN cnap.lint_revocations(n.nspacl, n.nspowner, 'SCHEMA ' || n.oid::regnamespace::text) g
	WHERE g.privilege = 'CREATE'
	UNION ALL
	SELECT n.oid, r.oid, NULL
	FROM pg_namespace n
		CROSS JOIN home
		JOIN pg_roles named ON named.oid = n.nspowner
		JOIN pg_roles r ON r.oid = CASE named.rolname WHEN 'pg_database_owner' THEN home.datdba ELSE named.oid END
	WHERE NOT r.rolsuper
), dangerous (parameter, power) AS (
	VALUES ('session_preload_libraries', 'have a library loaded, and so execute code as the server'),
		('shared_preload_libraries', 'have a library loaded, and so execute code as the server'),
		('local_preload_libraries', 'have a library loaded, and so execute code as the server'),
		('dynamic_library_path', 'have another library loaded, and so execute code as the server'),
		('archive_command', 'execute programs as the server does'),
		('archive_cleanup_command', 'execute programs as the server does'),
		('recovery_end_command', 'execute programs as the server does'),
		('restore_command', 'execute programs as the server does'),
		('event_triggers', 'turn off the event triggers that guard the extension'),
		('cnap.guard', 'turn off the guard of the protected tables')
)

SELECT CASE WHEN bool_or(c.grantee = 0) THEN 'error' WHEN bool_and(owner.oid IS NOT NULL) THEN 'notice' ELSE 'warning' END,
	'search_path_writable', t.oid::regrole::text,
	format('looks up functions in schema %s, where %s can create some in place of the extension''s', c.schema::regnamespace,
		string_agg(DISTINCT cnap.lint_role(c.grantee), ', ')),
	string_agg(DISTINCT c.revocation, ' '), 1
FROM trusted t
	CROSS JOIN LATERAL cnap.lint_path(t.oid) path (name)
	JOIN pg_namespace n ON n.nspname = path.name
	JOIN creator c ON c.schema = n.oid
	CROSS JOIN home
	LEFT JOIN owner ON owner.oid = c.grantee
WHERE c.schema <> home.extnamespace
	AND (c.grantee = 0 OR c.grantee NOT IN (SELECT oid FROM trusted) AND NOT pg_has_role(t.oid, c.grantee, 'USAGE'))
GROUP BY t.oid, c.schema

UNION ALL
SELECT CASE WHEN bool_or(g.grantee = 0) THEN 'error' WHEN bool_and(owner.oid IS NOT NULL) THEN 'notice' ELSE 'warning' END,
	'database_grant', format('%I', home.datname),
	format('%s can create schemas, also one named like a trusted role, in which that would look up functions first',
		string_agg(DISTINCT cnap.lint_role(g.grantee), ', ')),
	string_agg(DISTINCT g.revocation, ' '), 1
FROM home
	CROSS JOIN cnap.lint_revocations(home.datacl, home.datdba, format('DATABASE %I', home.datname)) g
	LEFT JOIN owner ON owner.oid = g.grantee
WHERE g.privilege = 'CREATE' AND g.grantee NOT IN (SELECT oid FROM trusted)
GROUP BY home.datname

UNION ALL
SELECT CASE WHEN owner.oid IS NULL AND c.grantee = n.nspowner THEN 'warning' ELSE 'notice' END,
	'schema_owner', n.oid::regnamespace::text,
	format('belongs to %s, who can create functions that calls of the extension''s may be resolved to, and drop it', c.grantee::regrole),
	CASE WHEN c.grantee = n.nspowner
		THEN format('ALTER SCHEMA %s OWNER TO %s;', n.oid::regnamespace, home.extowner::regrole) END, 1
FROM home
	JOIN creator c ON c.schema = home.extnamespace AND c.revocation IS NULL
	JOIN pg_namespace n ON n.oid = c.schema
	LEFT JOIN owner ON owner.oid = c.grantee

UNION ALL
SELECT 'warning', 'parameter_grant', cnap.lint_role(g.grantee),
	string_agg(format('can set %s, and so %s', p.parname, d.power), '; ' ORDER BY p.parname),
	string_agg(g.revocation, ' ' ORDER BY p.parname), 1
FROM pg_parameter_acl p
	JOIN dangerous d ON d.parameter = p.parname
	CROSS JOIN cnap.lint_revocations(p.paracl, 10, 'PARAMETER ' || p.parname) g
GROUP BY g.grantee

UNION ALL
SELECT 'notice', 'role_replicates', quote_ident(rolname),
	'can copy all data of the cluster as a role with REPLICATION', format('ALTER ROLE %I NOREPLICATION;', rolname), 1
FROM pg_roles
WHERE rolcanlogin AND rolreplication AND NOT rolsuper
$$;
COMMENT ON FUNCTION cnap.lint_names(oid[]) IS
'the findings about name resolution, and about powers that no access control list shows';

CREATE FUNCTION cnap.lint_tokens() RETURNS SETOF cnap.finding
LANGUAGE sql STABLE PARALLEL SAFE COST 10000 ROWS 10
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
WITH used AS MATERIALIZED (
	-- whoever asks cannot read the tables, but see their size
	SELECT pg_relation_size('cnap.access_token') + pg_relation_size('cnap.install_link')
		+ pg_relation_size('cnap.invitation') > 0 AS yes
), setting AS (
	SELECT CASE WHEN s.setrole = 0 AND s.setdatabase <> 0 THEN format('DATABASE %I', current_database())
			ELSE format('ROLE %s%s', CASE s.setrole WHEN 0 THEN 'ALL' ELSE s.setrole::regrole::text END,
				CASE WHEN s.setdatabase <> 0 THEN format(' IN DATABASE %I', current_database()) END)
			END AS target,
		lower(split_part(config, '=', 1)) AS name, substr(config, strpos(config, '=') + 1) AS value
	FROM pg_db_role_setting s, unnest(s.setconfig) config
	WHERE s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
	UNION ALL
	SELECT 'configuration of the server', name, setting
	FROM pg_settings
	WHERE source = 'configuration file'
)

SELECT 'warning', 'role_reads_statements', r.oid::regrole::text,
	'can read the statements of all sessions, and the tokens in them',
	string_agg(format('REVOKE %s FROM %s;', m.roleid::regrole, m.member::regrole), ' ')
		FILTER (WHERE m.roleid IS NOT NULL), 1
FROM used
	CROSS JOIN pg_roles r
	LEFT JOIN pg_auth_members m ON m.member = r.oid AND m.roleid::regrole::text IN ('pg_monitor', 'pg_read_all_stats')
WHERE used.yes AND r.rolcanlogin AND NOT r.rolsuper AND pg_has_role(r.oid, 'pg_read_all_stats', 'USAGE')
GROUP BY r.oid

UNION ALL
SELECT 'warning', 'tokens_logged', target, format('%s is %s, so tokens in statements are logged', name, value), NULL, 1
FROM used CROSS JOIN setting
WHERE used.yes
	AND CASE name WHEN 'log_statement' THEN value = 'all'
		WHEN 'log_min_duration_statement' THEN value !~ '^-'
		WHEN 'log_min_duration_sample' THEN value !~ '^-'
		WHEN 'auto_explain.log_min_duration' THEN value !~ '^-' END
$$;
COMMENT ON FUNCTION cnap.lint_tokens() IS
'the findings about who can read the tokens in the statements of others, once there are tokens';
