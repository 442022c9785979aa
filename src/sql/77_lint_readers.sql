/*
 * Findings about views and functions that read protected tables as another
 * role.
 *
 * A view reads as its owner, or with security_invoker as the current user,
 * even from within another view.  So what matters is who owns the view that
 * references a protected table, and whether others can read it: by a
 * privilege, or through views that others can read.  Policies apply to all
 * owners except superusers and roles with BYPASSRLS.  A materialized view
 * contains rows to which no policy applies any more.  A property graph reads as the
 * current user, also for a view.
 *
 * The extension's own tables can be read only by their owner, so they are
 * treated in the same way.
 */
CREATE FUNCTION cnap.lint_views(guarded oid[]) RETURNS SETOF cnap.finding
LANGUAGE sql STABLE PARALLEL SAFE COST 100000 ROWS 10
SET search_path = pg_catalog, pg_temp
SET enable_nestloop = off
SET jit = off
AS $$
WITH RECURSIVE reads AS MATERIALIZED (
	SELECT * FROM cnap.lint_reads()
), reaching AS (
	SELECT reader AS relation, passes_on FROM reads WHERE source IN (SELECT unnest(guarded))
	UNION
	SELECT reads.reader, reads.passes_on
	FROM reaching JOIN reads ON reads.source = reaching.relation
	WHERE reaching.passes_on
), reader AS MATERIALIZED (
	SELECT c.oid AS relation, c.relkind, c.relowner, o.rolsuper OR o.rolbypassrls AS bypasses,
		c.relkind = 'g' OR (c.relkind = 'v' AND EXISTS (SELECT FROM pg_options_to_table(c.reloptions)
			WHERE option_name = 'security_invoker' AND option_value::boolean)) AS invoker
	FROM pg_class c JOIN pg_roles o ON o.oid = c.relowner
	WHERE c.oid IN (SELECT relation FROM reaching)
), granted AS MATERIALIZED (
	SELECT r.relation, string_agg(DISTINCT cnap.lint_role(acl.grantee), ', ') AS names,
		array_agg(DISTINCT acl.grantee) AS grantees,
		cnap.lint_granted_by(acl.grantor, r.relowner) AS granted_by
	FROM reader r
		JOIN (SELECT oid, relacl FROM pg_class WHERE relacl IS NOT NULL
			UNION ALL
			SELECT attrelid, attacl FROM pg_attribute WHERE attacl IS NOT NULL) a (relation, acl)
			USING (relation)
		CROSS JOIN aclexplode(a.acl) acl
		LEFT JOIN pg_roles g ON g.oid = acl.grantee
	WHERE acl.privilege_type IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE')
		AND acl.grantee <> r.relowner AND g.rolsuper IS NOT TRUE
	GROUP BY r.relation, cnap.lint_granted_by(acl.grantor, r.relowner)
), exposed AS (
	SELECT relation, unnest(grantees) AS grantee FROM granted
	UNION
	SELECT reads.source, exposed.grantee
	FROM exposed
		JOIN reader ON reader.relation = exposed.relation AND reader.relkind <> 'm' AND NOT reader.invoker
		JOIN reads ON reads.reader = reader.relation
		JOIN reader inner_reader ON inner_reader.relation = reads.source
), direct AS MATERIALIZED (
	SELECT reader AS relation, array_agg(source) AS sources
	FROM reads
	WHERE source IN (SELECT unnest(guarded))
	GROUP BY reader
), open AS MATERIALIZED (
	SELECT r.*, direct.sources, e.names
	FROM reader r
		JOIN (SELECT relation, string_agg(DISTINCT cnap.lint_role(grantee) COLLATE "C", ', ') AS names
			FROM exposed GROUP BY relation) e USING (relation)
		LEFT JOIN direct USING (relation)
), closing AS (
	SELECT relation, string_agg(statement, ' ' ORDER BY statement) AS statements
	FROM (SELECT relation, format('REVOKE ALL ON TABLE %s FROM %s%s CASCADE;', relation::regclass, names, granted_by)
		FROM granted
		WHERE granted_by IS NOT NULL
		UNION ALL
		SELECT reads.source, format('ALTER VIEW %s SET (security_invoker = true);', open.relation::regclass)
		FROM open JOIN reads ON reads.reader = open.relation
		WHERE open.relkind = 'v' AND NOT open.invoker) s (relation, statement)
	WHERE relation IN (SELECT relation FROM open WHERE relkind = 'm')
	GROUP BY relation
), dropping AS (
	SELECT r.ev_class AS relation,
		string_agg(DISTINCT format('DROP RULE %I ON %s;', r.rulename, r.ev_class::regclass), ' ') AS statements,
		array_agg(DISTINCT d.refobjid) AS targets
	FROM pg_rewrite r
		JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
			AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> r.ev_class
	WHERE r.ev_class IN (SELECT relation FROM open WHERE relkind <> 'm')
		AND r.ev_type <> '1'
		AND d.refobjid IN (SELECT unnest(guarded))
	GROUP BY r.ev_class
)

SELECT 'error', CASE relkind WHEN 'v' THEN 'view_bypasses' ELSE 'rule_bypasses' END, relation::regclass::text,
	format(CASE relkind WHEN 'v' THEN 'reads %s as %s, which bypasses row-level security, for %s'
			ELSE 'a rule accesses %s as %s, which bypasses row-level security, for %s' END,
		cnap.lint_tables_named(sources), relowner::regrole, names),
	CASE relkind WHEN 'v' THEN format('ALTER VIEW %s SET (security_invoker = true);', relation::regclass)
		ELSE dropping.statements END, 1
FROM open LEFT JOIN dropping USING (relation)
WHERE relkind <> 'm' AND bypasses AND NOT invoker AND sources IS NOT NULL

-- security_invoker is about reading: rules of a view act as its owner anyway
UNION ALL
SELECT 'error', 'rule_bypasses', relation::regclass::text,
	format('a rule accesses %s as %s, which bypasses row-level security, for %s',
		cnap.lint_tables_named(targets), relowner::regrole, names),
	dropping.statements, 1
FROM open JOIN dropping USING (relation)
WHERE relkind = 'v' AND bypasses

UNION ALL
SELECT CASE WHEN bypasses THEN 'error' ELSE 'warning' END, 'materialized_view', relation::regclass::text,
	format('%s can read the protected rows stored in it, from %s, and row-level security does not apply to materialized views', names,
		cnap.lint_tables_named(array(SELECT source FROM reads WHERE reader = open.relation
			AND (source IN (SELECT unnest(guarded)) OR source IN (SELECT relation FROM reaching))))),
	statements, 1
FROM open LEFT JOIN closing USING (relation)
WHERE relkind = 'm'
$$;
COMMENT ON FUNCTION cnap.lint_views(oid[]) IS
'the findings about views and materialized views';

CREATE FUNCTION cnap.lint_functions(guarded oid[]) RETURNS SETOF cnap.finding
LANGUAGE sql STABLE PARALLEL SAFE COST 100000 ROWS 10
SET search_path = pg_catalog, pg_temp
SET enable_nestloop = off
SET jit = off
AS $$
WITH RECURSIVE reads AS MATERIALIZED (
	SELECT * FROM cnap.lint_reads() WHERE passes_on
), source (relation) AS (
	SELECT unnest(guarded)
	UNION
	SELECT reads.reader FROM source JOIN reads ON reads.source = source.relation
), definer AS MATERIALIZED (
	-- somebody else can call it, or fire a trigger that does
	SELECT p.oid AS function, o.rolname, p.prosqlbody IS NOT NULL AS parsed, p.prosrc, p.proconfig,
		o.rolsuper OR o.rolbypassrls AS bypasses,
		cnap.is_trusted(o.oid) AS sets_identity,
		concat_ws(', ', callers.names, CASE WHEN fired.function IS NOT NULL THEN 'triggers' END) AS callers
	FROM pg_proc p
		JOIN pg_roles o ON o.oid = p.proowner
		JOIN pg_language l ON l.oid = p.prolang
		LEFT JOIN (SELECT DISTINCT tgfoid FROM pg_trigger) fired (function) ON fired.function = p.oid
		CROSS JOIN LATERAL (SELECT string_agg(DISTINCT cnap.lint_role(acl.grantee) COLLATE "C", ', ') AS names
			FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) acl LEFT JOIN pg_roles g ON g.oid = acl.grantee
			WHERE acl.grantee <> p.proowner AND g.rolsuper IS NOT TRUE) callers
	WHERE p.prosecdef AND p.oid >= 16384 AND l.lanname NOT IN ('c', 'internal')
		AND (callers.names IS NOT NULL OR fired.function IS NOT NULL)
), word AS MATERIALIZED (
	SELECT function, rolname, callers, replace(coalesce(quoted, lower(word)), '""', '"') AS relname
	FROM definer,
		regexp_matches(cnap.lint_code(prosrc),
			'"((?:[^"]|"")+)"|([^][[:space:][:cntrl:]!"#%&''()*+,./:;<=>?@\\^`{|}~-]+)', 'g') match,
		LATERAL (SELECT match[1], match[2]) part (quoted, word)
	WHERE bypasses AND NOT parsed
)

SELECT 'error', 'function_bypasses', function::regprocedure::text,
	format('accesses %s as %I, which bypasses row-level security, for %s',
		cnap.lint_tables_named(array_agg(DISTINCT d.refobjid)), rolname, callers),
	format('ALTER ROUTINE %s SECURITY INVOKER;', function::regprocedure), 1
FROM definer
	JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = definer.function
		AND d.refclassid = 'pg_class'::regclass
WHERE bypasses AND parsed AND d.refobjid IN (SELECT relation FROM source)
GROUP BY function, rolname, callers

UNION ALL
SELECT 'warning', 'function_may_bypass', function::regprocedure::text,
	format('mentions %s and is executed as %I, which bypasses row-level security, by %s',
		cnap.lint_tables_named(array_agg(DISTINCT c.oid)), rolname, callers),
	format('ALTER ROUTINE %s SECURITY INVOKER;', function::regprocedure), 1
FROM word JOIN pg_class c ON c.relname = word.relname
WHERE c.oid IN (SELECT relation FROM source)
	AND (c.relnamespace <> 'cnap'::regnamespace
		OR EXISTS (SELECT FROM word qualifier
			WHERE qualifier.function = word.function AND qualifier.relname = 'cnap'))
GROUP BY function, rolname, callers

UNION ALL
SELECT 'warning', 'function_sets_identity', function::regprocedure::text,
	format('mentions cnap.user_id and is executed as %I, which can set it, so callers may be able to act as other users: %s',
		rolname, callers),
	format('ALTER ROUTINE %s SECURITY INVOKER;', function::regprocedure), 1
FROM definer
WHERE sets_identity
	AND (array_to_string(proconfig, ' ') LIKE '%cnap.user\_id=%'
		OR CASE WHEN parsed THEN pg_get_function_sqlbody(function) ELSE prosrc END LIKE '%cnap.user\_id%')

UNION ALL
-- a setting whose name is not a constant may be any
SELECT 'warning', 'function_sets_identity', function::regprocedure::text,
	format('calls set_config() for a setting that is not a constant, and is executed as %I, which can set cnap.user_id, so callers may be able to act as other users: %s',
		rolname, callers),
	format('ALTER ROUTINE %s SECURITY INVOKER;', function::regprocedure), 1
FROM definer
WHERE sets_identity
	AND CASE WHEN parsed THEN pg_get_function_sqlbody(function) ELSE prosrc END ~* '\mset_config\s*\(\s*(?!''[^'']*''(::[a-z ]+)?\s*,)\S'
	AND CASE WHEN parsed THEN pg_get_function_sqlbody(function) ELSE prosrc END NOT LIKE '%cnap.user\_id%'

UNION ALL
-- those that not everybody may call, by their number of arguments, because
-- some have overloads about the current user
SELECT 'warning', 'function_answers_for_others', d.function::regprocedure::text,
	format('calls %s, for trusted roles only, and is executed as %I, so callers may learn about other users, or act on them: %s',
		string_agg(DISTINCT p.oid::regprocedure::text COLLATE "C", ', '), d.rolname, d.callers),
	format('ALTER ROUTINE %s SECURITY INVOKER;', d.function::regprocedure), 1
FROM definer d
	JOIN pg_proc p ON CASE WHEN d.parsed THEN pg_get_function_sqlbody(d.function) ELSE d.prosrc END
		~* format('\m%s\M"?\s*\(%s\s*[^[:space:])]', p.proname, repeat('([^;,()]|\([^()]*\))*,', p.pronargs - 1))
	JOIN cnap.lint_members('pg_proc') own (oid) ON own.oid = p.oid
WHERE d.sets_identity AND p.proname LIKE 'cnap\_%' AND p.pronargs > 0
	AND NOT has_function_privilege('public', p.oid, 'EXECUTE')
GROUP BY d.function, d.rolname, d.callers
$$;
COMMENT ON FUNCTION cnap.lint_functions(oid[]) IS
'the findings about functions with SECURITY DEFINER';
