/*
 * Findings about privileges, roles, settings and the extension's own objects.
 */
CREATE FUNCTION cnap.lint_revocations(acl aclitem[], owner oid, object text)
RETURNS TABLE (grantee oid, privilege text, revocation text)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 2
SET search_path = pg_catalog, pg_temp
AS $$
	-- what is revoked from the first of a chain of grantees, the others lose
	-- as well; there is no statement for a chain that has lost its beginning
	WITH RECURSIVE item AS MATERIALIZED (
		SELECT *, cnap.lint_granted_by(grantor, owner) AS granted_by FROM aclexplode(acl)
	), chain AS (
		SELECT grantee, privilege_type, grantee AS first, granted_by
		FROM item
		WHERE grantee <> owner
			AND (granted_by IS NOT NULL OR (grantor, privilege_type) NOT IN (SELECT grantee, privilege_type FROM item))
		UNION
		SELECT item.grantee, item.privilege_type, chain.first, chain.granted_by
		FROM chain JOIN item ON (item.grantor, item.privilege_type) = (chain.grantee, chain.privilege_type)
		WHERE item.granted_by IS NULL
	)
	SELECT grantee, privilege_type,
		string_agg(format('REVOKE %s%s ON %s FROM %s',
			CASE WHEN first <> grantee THEN 'GRANT OPTION FOR ' END,
			privilege_type, object, cnap.lint_role(first)) || granted_by || ' CASCADE;', ' ' ORDER BY first, granted_by)
	FROM chain
	WHERE grantee <> owner
		AND NOT EXISTS (SELECT FROM pg_roles WHERE oid = grantee AND rolsuper)
	GROUP BY grantee, privilege_type
$$;
COMMENT ON FUNCTION cnap.lint_revocations(aclitem[], oid, text) IS
'the privileges of roles other than the owner and superusers, and the statement with which the owner revokes each of them';

CREATE FUNCTION cnap.lint_grants(under_protection oid[]) RETURNS SETOF cnap.finding
LANGUAGE sql STABLE PARALLEL SAFE COST 100000 ROWS 10
SET search_path = pg_catalog, pg_temp
SET enable_nestloop = off
SET jit = off
AS $$
WITH wanted AS MATERIALIZED (
	SELECT * FROM cnap.privileges()
), guarded AS MATERIALIZED (
	SELECT c.oid, c.relname, c.relnamespace, c.relowner, c.relacl, own.oid IS NOT NULL AS own
	FROM pg_class c LEFT JOIN cnap.lint_members('pg_class') own (oid) ON own.oid = c.oid
	WHERE own.oid IS NOT NULL OR c.oid IN (SELECT unnest(under_protection))
), acl AS MATERIALIZED (
	SELECT g.oid, g.relname, g.relowner, g.own, acl.*, grantee.rolsuper IS NOT TRUE AS matters
	FROM guarded g
		JOIN (SELECT oid, relacl FROM guarded
			UNION ALL
			SELECT attrelid, attacl FROM pg_attribute WHERE attacl IS NOT NULL) a (oid, items)
			USING (oid)
		CROSS JOIN aclexplode(a.items) acl
		LEFT JOIN pg_roles grantee ON grantee.oid = acl.grantee
	WHERE acl.grantee <> g.relowner
), unsafe AS (
	SELECT *, cnap.lint_granted_by(grantor, relowner) AS granted_by FROM acl
	WHERE CASE WHEN NOT own THEN privilege_type IN ('TRUNCATE', 'REFERENCES', 'TRIGGER')
		ELSE NOT EXISTS (SELECT FROM wanted w
			WHERE w.classid = 'pg_class'::regclass AND w.objid = acl.oid AND w.privilege = privilege_type
				AND w.audience = 'trusted' AND cnap.is_trusted(grantee)) END
), revocation AS (
	SELECT oid, granted_by, format('REVOKE %s ON %s FROM %s%s CASCADE;', string_agg(DISTINCT privilege_type, ', '),
		oid::regclass, string_agg(DISTINCT cnap.lint_role(grantee), ', '), granted_by) AS statement
	FROM unsafe
	WHERE granted_by IS NOT NULL
	GROUP BY oid, granted_by
)

SELECT CASE WHEN bool_or((privilege_type <> 'REFERENCES' OR own AND grantee = 0) AND matters) THEN 'error' ELSE 'warning' END,
	CASE WHEN own THEN 'extension_grant' ELSE 'table_grant' END, oid::regclass::text,
	format(CASE WHEN own THEN 'privileges that bypass the functions of the extension are granted to %s: %s'
			ELSE 'privileges that are not subject to row-level security are granted to %s: %s' END,
		string_agg(DISTINCT cnap.lint_role(grantee), ', ') FILTER (WHERE matters),
		string_agg(DISTINCT privilege_type, ', ') FILTER (WHERE matters)),
	(SELECT string_agg(statement, ' ' ORDER BY granted_by DESC) FROM revocation WHERE revocation.oid = unsafe.oid), 1
FROM unsafe
GROUP BY oid, own
HAVING bool_or(matters)

UNION ALL
SELECT 'warning', 'default_grant',
	format('default privileges of %I%s', r.rolname, ' in schema ' || nullif(d.defaclnamespace, 0)::regnamespace::text),
	format('privileges that are not subject to row-level security will be granted to %s on new tables: %s',
		string_agg(DISTINCT cnap.lint_role(acl.grantee), ', '),
		string_agg(DISTINCT acl.privilege_type, ', ')),
	format('ALTER DEFAULT PRIVILEGES FOR ROLE %I%s REVOKE %s ON TABLES FROM %s;', r.rolname,
		' IN SCHEMA ' || nullif(d.defaclnamespace, 0)::regnamespace::text,
		string_agg(DISTINCT acl.privilege_type, ', '),
		string_agg(DISTINCT cnap.lint_role(acl.grantee), ', ')), 1
FROM pg_default_acl d
	JOIN pg_roles r ON r.oid = d.defaclrole
	CROSS JOIN aclexplode(d.defaclacl) acl
	LEFT JOIN pg_roles grantee ON grantee.oid = acl.grantee
WHERE d.defaclobjtype = 'r' AND acl.privilege_type IN ('TRUNCATE', 'REFERENCES', 'TRIGGER')
	AND acl.grantee <> d.defaclrole AND grantee.rolsuper IS NOT TRUE
	AND EXISTS (SELECT FROM guarded g
		WHERE NOT g.own AND (g.relnamespace = d.defaclnamespace
			OR d.defaclnamespace = 0 AND g.relowner = d.defaclrole))
GROUP BY r.rolname, d.defaclnamespace

UNION ALL
SELECT CASE g.grantee WHEN 0 THEN 'error' ELSE 'warning' END, 'extension_grant', p.oid::regprocedure::text,
	format(CASE w.audience WHEN 'trusted' THEN 'EXECUTE is granted to %s, but not by cnap_trust()'
			ELSE 'EXECUTE is granted to %s, but only the owner of the extension should have it' END,
		cnap.lint_role(g.grantee)),
	g.revocation, 1
FROM pg_proc p
	JOIN cnap.lint_members('pg_proc') own (oid) ON own.oid = p.oid
	LEFT JOIN wanted w ON w.classid = 'pg_proc'::regclass AND w.objid = p.oid
	CROSS JOIN cnap.lint_revocations(p.proacl, p.proowner, 'FUNCTION ' || p.oid::regprocedure::text) g
WHERE w.audience IS DISTINCT FROM 'everybody'
	AND CASE w.audience WHEN 'trusted' THEN NOT cnap.is_trusted(g.grantee)
		WHEN 'chosen' THEN g.grantee = 0 ELSE true END

UNION ALL
SELECT CASE WHEN bool_or(g.grantee = 0) THEN 'error' WHEN bool_and(owner.oid IS NOT NULL) THEN 'notice' ELSE 'warning' END,
	'schema_grant', n.oid::regnamespace::text,
	format('%s can create functions that calls of the extension''s may be resolved to',
		string_agg(DISTINCT cnap.lint_role(g.grantee), ', ')),
	string_agg(DISTINCT g.revocation, ' '), 1
FROM pg_namespace n
	CROSS JOIN cnap.lint_revocations(n.nspacl, n.nspowner, 'SCHEMA ' || n.oid::regnamespace::text) g
	LEFT JOIN (SELECT DISTINCT relowner FROM guarded WHERE NOT own) owner (oid) ON owner.oid = g.grantee
WHERE n.oid IN ('@extschema@'::regnamespace, 'cnap'::regnamespace) AND g.privilege = 'CREATE'
GROUP BY n.oid

UNION ALL
SELECT CASE WHEN grantee = 0 THEN 'error' WHEN elsewhere THEN 'notice' ELSE 'warning' END,
	'identity_grant', cnap.lint_role(grantee),
	CASE WHEN grantee = 0 THEN 'every role can set cnap.user_id and so act as any user'
		WHEN elsewhere THEN 'appears to be trusted in another database, and can act as any user here too unless CONNECT is revoked'
		ELSE 'can set cnap.user_id and so act as any user, but cnap_trust() was not called for it' END,
	CASE WHEN NOT elsewhere THEN revocation END, 1
FROM (SELECT g.*, EXISTS (SELECT FROM pg_shdepend d JOIN pg_database other ON other.oid = d.dbid
				WHERE d.refclassid = 'pg_authid'::regclass AND d.refobjid = g.grantee AND d.deptype = 'a'
					AND d.classid = 'pg_proc'::regclass AND other.datname <> current_database()) AS elsewhere
		FROM pg_parameter_acl p CROSS JOIN cnap.lint_revocations(p.paracl, 10, 'PARAMETER ' || p.parname) g
		WHERE p.parname = 'cnap.user_id' AND g.privilege = 'SET') g
WHERE grantee = 0
	OR has_database_privilege(grantee, current_database(), 'CONNECT')
		AND NOT has_function_privilege(grantee, '@extschema@.cnap_can_access(text, uuid)', 'EXECUTE')

UNION ALL
SELECT 'error', 'claims_grant', cnap.lint_role(g.grantee),
	format('can set %s and so act as any user', p.parname),
	g.revocation, 1
FROM pg_parameter_acl p CROSS JOIN cnap.lint_revocations(p.paracl, 10, 'PARAMETER ' || p.parname) g
WHERE p.parname IN ('cnap.claims_setting', 'cnap.claims_key')

UNION ALL
SELECT 'warning', 'triggers_grant', cnap.lint_role(g.grantee),
	'can set session_replication_role, so that foreign keys and other ordinary triggers do not fire',
	g.revocation, 1
FROM pg_parameter_acl p CROSS JOIN cnap.lint_revocations(p.paracl, 10, 'PARAMETER ' || p.parname) g
WHERE p.parname = 'session_replication_role' AND cardinality(under_protection) > 0
$$;
COMMENT ON FUNCTION cnap.lint_grants(oid[]) IS 'the findings about privileges';

CREATE FUNCTION cnap.lint_former_roles() RETURNS TABLE (role oid, recorded_at timestamptz)
LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 1
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cnap_lint_former_roles';
COMMENT ON FUNCTION cnap.lint_former_roles() IS
'the roles that have been dropped, but for which cnap_set_role_user() has recorded a user';

CREATE FUNCTION cnap.lint_roles(under_protection oid[]) RETURNS SETOF cnap.finding
LANGUAGE sql STABLE PARALLEL RESTRICTED COST 10000 ROWS 10
SET search_path = pg_catalog, pg_temp
SET enable_nestloop = off
SET jit = off
AS $$
-- PostgreSQL 16 gave memberships the options SET and INHERIT; who has neither,
-- but the ADMIN OPTION, can grant itself the role once more, with both
WITH RECURSIVE member AS MATERIALIZED (
	SELECT m.*, may_set OR inherits AS is_usable,
		format('REVOKE %s FROM %s%s CASCADE;', roleid::regrole, member::regrole, granted_by) AS revocation
	FROM (SELECT roleid, member, admin_option AS may_grant,
			coalesce((to_jsonb(m) ->> 'set_option')::boolean, true) AS may_set,
			coalesce((to_jsonb(m) ->> 'inherit_option')::boolean, true) AS inherits,
			CASE WHEN to_jsonb(m) ? 'set_option' THEN format(' GRANTED BY %s', grantor::regrole) END AS granted_by
		FROM pg_auth_members m) m
), can_login AS (
	SELECT oid FROM pg_roles WHERE rolcanlogin AND NOT rolsuper
	UNION
	SELECT m.roleid FROM can_login JOIN member m ON m.member = can_login.oid WHERE m.is_usable OR m.may_grant
), owner AS MATERIALIZED (
	SELECT DISTINCT relowner AS oid FROM pg_class WHERE oid IN (SELECT unnest(under_protection))
)

SELECT CASE WHEN r.rolsuper THEN 'notice' ELSE 'warning' END, 'role_bypasses', quote_ident(r.rolname),
	format('can log in and bypasses row-level security as a %s', CASE WHEN r.rolsuper THEN 'superuser' ELSE 'role with BYPASSRLS' END),
	format('ALTER ROLE %I%s%s;', r.rolname, CASE WHEN r.rolsuper THEN ' NOSUPERUSER' END,
		CASE WHEN r.rolbypassrls THEN ' NOBYPASSRLS' END), 1
FROM pg_roles r
WHERE r.rolcanlogin AND (r.rolsuper OR r.rolbypassrls)
	AND r.oid <> 10 AND r.oid <> (SELECT extowner FROM pg_extension WHERE extname = 'cnap_org')
	AND cardinality(under_protection) > 0

UNION ALL
-- cnap_trust() refuses such a role, but it can become one afterwards; to a
-- superuser, the privilege itself gives nothing
SELECT 'error', 'trusted_bypasses', quote_ident(r.rolname),
	format('is trusted to act for users, but bypasses row-level security as a %s',
		CASE WHEN r.rolsuper THEN 'superuser' ELSE 'role with BYPASSRLS' END),
	CASE WHEN r.rolsuper THEN format('SELECT %s.cnap_distrust(%L::regrole);', '@extschema@', r.oid::regrole)
		ELSE format('ALTER ROLE %I NOBYPASSRLS;', r.rolname) END, 1
FROM pg_roles r
WHERE r.oid <> 10 AND cardinality(under_protection) > 0
	AND CASE WHEN r.rolsuper THEN r.oid IN (SELECT acl.grantee FROM pg_parameter_acl p, aclexplode(p.paracl) acl
			WHERE p.parname = 'cnap.user_id' AND acl.privilege_type = 'SET')
		ELSE r.rolbypassrls AND cnap.is_trusted(r.oid) END

UNION ALL
SELECT CASE WHEN bypasses THEN 'warning' ELSE 'notice' END, CASE WHEN bypasses THEN 'role_may_bypass' ELSE 'role_owns' END,
	member::regrole::text,
	format(CASE WHEN bypasses AND bool_or(may_set) THEN 'can SET ROLE to %I, which bypasses row-level security'
		WHEN bypasses THEN 'can grant itself %I, which bypasses row-level security'
		WHEN bool_or(is_usable) THEN 'can disable row-level security as a member of %I, which owns protected tables'
		ELSE 'can grant itself %I, which owns protected tables and can disable row-level security' END, rolname),
	string_agg(revocation, ' '), 1
FROM (SELECT m.*, r.rolname, r.rolsuper OR r.rolbypassrls AS bypasses, m.roleid IN (SELECT oid FROM owner) AS owns
		FROM member m JOIN pg_roles r ON r.oid = m.roleid) m
WHERE member IN (SELECT oid FROM can_login) AND cardinality(under_protection) > 0
	AND CASE WHEN bypasses THEN may_set OR may_grant ELSE owns AND (is_usable OR may_grant) END
GROUP BY member, rolname, bypasses

UNION ALL
-- a member of a trusted role is trusted, but not somebody who merely grants it
SELECT 'warning', 'role_may_be_trusted', m.member::regrole::text,
	format('can grant itself %I, which is trusted, and so act as any user', r.rolname),
	string_agg(m.revocation, ' ') FILTER (WHERE m.may_grant), 1
FROM member m JOIN pg_roles r ON r.oid = m.roleid
WHERE NOT r.rolsuper AND cnap.is_trusted(m.roleid) AND NOT cnap.is_trusted(m.member)
	AND m.member IN (SELECT oid FROM can_login)
GROUP BY m.member, r.rolname
HAVING bool_or(m.may_grant) AND NOT bool_or(m.is_usable)

UNION ALL
-- until PostgreSQL 16, which requires the ADMIN OPTION
SELECT 'warning', 'role_may_be_trusted', quote_ident(rolname),
	'can grant itself any role that is not a superuser, trusted ones included',
	format('ALTER ROLE %I NOCREATEROLE;', rolname), 1
FROM pg_roles
WHERE rolcreaterole AND NOT rolsuper AND oid IN (SELECT oid FROM can_login)
	AND current_setting('server_version_num')::int < 160000

UNION ALL
SELECT 'notice', 'role_user_left', role::text, 'the role has been dropped, but is still recorded as that of a user',
	format('SELECT %s.cnap_set_role_user(%L::regrole, NULL::text);', '@extschema@', role), 1
FROM cnap.lint_former_roles()

UNION ALL
-- the access control lists do not show these privileges
SELECT 'warning', 'role_accesses_all', m.member::regrole::text,
	format(CASE WHEN bool_or(m.is_usable) THEN 'can %s as a member of %I, %s' ELSE 'can %s once it has granted itself %I, %s' END,
		power.action, r.rolname, power.objects),
	string_agg(m.revocation, ' '), 1
FROM member m
	JOIN pg_roles r ON r.oid = m.roleid
	JOIN (VALUES ('pg_read_all_data', 'read all tables and views',
				'including those of the extension, and views of owners that bypass row-level security'),
			('pg_write_all_data', 'write to all tables and views',
				'including those of the extension, and views of owners that bypass row-level security'),
			('pg_read_server_files', 'read files of the server', 'including those of all tables'),
			('pg_write_server_files', 'write to files of the server', 'including those of all tables'),
			('pg_execute_server_program', 'execute programs as the server does', 'which can access the files of all tables'))
		power (role, action, objects) ON power.role = r.rolname
WHERE (m.is_usable OR m.may_grant) AND m.member IN (SELECT oid FROM can_login)
GROUP BY m.member, r.rolname, power.action, power.objects
$$;
COMMENT ON FUNCTION cnap.lint_roles(oid[]) IS
'the findings about roles to which no policy applies, about those that can become one, and about those that have all privileges';

CREATE FUNCTION cnap.lint_settings() RETURNS SETOF cnap.finding
LANGUAGE sql STABLE PARALLEL RESTRICTED COST 10000 ROWS 10
SET search_path = pg_catalog, pg_temp
SET enable_nestloop = off
SET jit = off
AS $$
WITH setting AS MATERIALIZED (
	SELECT s.setdatabase, s.setrole, part.name, part.value,
		CASE WHEN s.setrole = 0 AND s.setdatabase <> 0 THEN format('DATABASE %I', current_database())
			ELSE format('ROLE %s%s', CASE s.setrole WHEN 0 THEN 'ALL' ELSE s.setrole::regrole::text END,
				CASE WHEN s.setdatabase <> 0 THEN format(' IN DATABASE %I', current_database()) END)
			END AS target
	FROM pg_db_role_setting s,
		unnest(s.setconfig) config,
		LATERAL (SELECT lower(split_part(config, '=', 1)), substr(config, strpos(config, '=') + 1)) part (name, value)
	WHERE s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
), guarded AS MATERIALIZED (
	SELECT unnest(cnap.lint_protected()) AS oid
)

SELECT 'error', 'identity_default', target,
	'cnap.user_id has a default value, so all sessions of roles that may set it start as the same user',
	format('ALTER %s RESET cnap.user_id;', target), 1
FROM setting
WHERE name = 'cnap.user_id' AND value <> '' AND setrole = 0

UNION ALL
SELECT 'notice', 'identity_ignored', target,
	'the value of cnap.user_id does not count, as the role may not set it: cnap_set_role_user() says who a role is',
	format('ALTER %s RESET cnap.user_id;', target), 1
FROM setting
WHERE name = 'cnap.user_id' AND value <> '' AND setrole <> 0 AND NOT cnap.is_trusted(setrole)

UNION ALL
SELECT CASE setrole WHEN 0 THEN 'warning' ELSE 'notice' END, 'claims_enabled', target,
	format('anyone who can execute arbitrary SQL can set %s and so act as any user', value),
	format('ALTER %s RESET cnap.claims_setting;', target), 1
FROM setting
WHERE name = 'cnap.claims_setting' AND value <> ''

UNION ALL
SELECT 'warning', 'claims_enabled', 'configuration of the server',
	format('anyone who can execute arbitrary SQL can set %s and so act as any user', setting),
	'ALTER SYSTEM SET cnap.claims_setting = '''';', 1
FROM pg_settings
WHERE name = 'cnap.claims_setting' AND setting <> '' AND source = 'configuration file'

UNION ALL
SELECT 'error', 'triggers_off', target,
	'session_replication_role is replica, so ordinary triggers do not fire: changes are neither checked nor audited',
	format('ALTER %s RESET session_replication_role;', target), 1
FROM setting
WHERE name = 'session_replication_role' AND value = 'replica'

UNION ALL
SELECT 'error', 'triggers_off', 'configuration of the server',
	'session_replication_role is replica, so ordinary triggers do not fire: changes are neither checked nor audited',
	'ALTER SYSTEM SET session_replication_role = origin;', 1
FROM pg_settings
WHERE name = 'session_replication_role' AND setting = 'replica' AND source = 'configuration file'

UNION ALL
SELECT 'error', 'trigger_state', format('%I on %s', t.tgname, t.tgrelid::regclass),
	CASE t.tgenabled WHEN 'D' THEN 'the trigger is disabled'
		ELSE 'the trigger is enabled in the wrong mode' END,
	format('ALTER TABLE %s ENABLE %sTRIGGER %I;', t.tgrelid::regclass,
		CASE t.wanted WHEN 'A' THEN 'ALWAYS ' END, t.tgname), 1
-- the triggers for the workspace columns of children, and those of foreign keys from
-- protected tables to each other and to the workspaces, may be enabled ALWAYS
FROM (SELECT t.tgname, t.tgrelid, t.tgenabled, CASE t.tgenabled WHEN 'A' THEN 'A' ELSE 'O' END AS wanted
		FROM pg_trigger t
		WHERE t.tgfoid = 'cnap.fill_workspace()'::regprocedure
			OR t.tgconstraint IN (
				SELECT f.oid
				FROM pg_constraint f JOIN guarded child ON child.oid = f.conrelid
				WHERE f.contype = 'f' AND (f.confrelid IN (SELECT oid FROM guarded)
					OR f.confrelid = 'cnap.workspace'::regclass))
			AND t.tgrelid <> 'cnap.workspace'::regclass) t
WHERE t.tgenabled <> t.wanted

UNION ALL
SELECT 'error', 'column_not_kept', t.tgrelid::regclass::text,
	format('no valid foreign key keeps column %I equal to the workspace of the parent', a.attname), NULL, 1
FROM pg_trigger t
	JOIN pg_attribute a ON a.attrelid = t.tgrelid AND a.attnum = t.tgattr[array_upper(t.tgattr, 1)]
WHERE t.tgfoid = 'cnap.fill_workspace()'::regprocedure
	AND (t.tgrelid, t.tgattr::text) NOT IN (
		SELECT f.conrelid, array_to_string(f.conkey, ' ') FROM pg_constraint f WHERE f.contype = 'f' AND f.convalidated)

UNION ALL
-- cnap_protect_child() refuses this; the parent's column can be altered later
SELECT 'error', 'column_not_kept', t.tgrelid::regclass::text,
	format('changes of %s do not reach column %I of every row, because different values of %I are equal there, but not here',
		f.confrelid::regclass, workspace.attname, theirs.attname), NULL, 1
FROM pg_trigger t
	JOIN pg_constraint f ON f.contype = 'f' AND f.conrelid = t.tgrelid AND array_to_string(f.conkey, ' ') = t.tgattr::text
	CROSS JOIN unnest(f.conkey, f.confkey) k (mine, theirs)
	JOIN pg_attribute mine ON mine.attrelid = f.conrelid AND mine.attnum = k.mine
	JOIN pg_attribute theirs ON theirs.attrelid = f.confrelid AND theirs.attnum = k.theirs
	JOIN pg_collation c ON c.oid = theirs.attcollation AND NOT c.collisdeterministic
	JOIN pg_attribute workspace ON workspace.attrelid = f.conrelid AND workspace.attnum = f.conkey[array_upper(f.conkey, 1)]
WHERE t.tgfoid = 'cnap.fill_workspace()'::regprocedure AND t.tgparentid = 0 AND mine.attcollation <> theirs.attcollation
$$;
COMMENT ON FUNCTION cnap.lint_settings() IS
'the findings about settings, and about the triggers that keep workspace columns';
