/*
 * Findings about what protected rows reveal in spite of the policies: by their
 * columns and keys, by copies, and by functions that see them too early.
 */
CREATE FUNCTION cnap.lint_rows(under_protection oid[], guarded oid[]) RETURNS SETOF cnap.finding
LANGUAGE sql STABLE PARALLEL RESTRICTED COST 100000 ROWS 10
SET search_path = pg_catalog, pg_temp
SET enable_nestloop = off
SET jit = off
AS $$
WITH protection AS MATERIALIZED (
	-- the column holds the workspace, or refers to the parent
	SELECT p.relation, p.column_number AS attnum, p.parent IS NOT NULL AS has_parent
	FROM cnap.protections('@extschema@') p
		JOIN pg_class c ON c.oid = p.relation
	WHERE p.column_number IS NOT NULL AND NOT c.relispartition
), direct AS MATERIALIZED (
	SELECT p.relation, p.attnum, a.attname, a.attnotnull
	FROM protection p JOIN pg_attribute a ON (a.attrelid, a.attnum) = (p.relation, p.attnum)
	WHERE NOT p.has_parent
), followed AS MATERIALIZED (
	-- columns that follow those of a parent
	SELECT tgrelid AS relation, tgattr[array_upper(tgattr, 1)] AS attnum, tgattr::int2[] AS columns
	FROM pg_trigger
	WHERE tgfoid = 'cnap.fill_workspace()'::regprocedure
), referring AS MATERIALIZED (
	SELECT f.conrelid AS relation, k.attnum
	FROM pg_constraint f CROSS JOIN unnest(f.conkey) k (attnum)
	WHERE f.contype = 'f' AND f.convalidated
		AND (f.confrelid = 'cnap.workspace'::regclass OR f.confrelid IN (SELECT unnest(under_protection)) AND cardinality(f.conkey) > 1)
), key AS MATERIALIZED (
	SELECT i.indexrelid, p.relation, p.attnum,
		coalesce(bool_and(a.attnum IS NOT NULL AND (a.atttypid = 'uuid'::regtype OR a.attidentity <> ''
			OR coalesce(pg_get_expr(d.adbin, d.adrelid), '') LIKE 'nextval(%')), false) AS is_generated
	FROM protection p
		JOIN pg_index i ON i.indrelid = p.relation
		CROSS JOIN unnest(i.indkey) WITH ORDINALITY k (attnum, position)
		LEFT JOIN pg_attribute a ON (a.attrelid, a.attnum) = (p.relation, k.attnum)
		LEFT JOIN pg_attrdef d ON (d.adrelid, d.adnum) = (a.attrelid, a.attnum)
	WHERE (i.indisunique OR i.indisexclusion) AND NOT i.indisprimary AND k.position <= i.indnkeyatts
		AND p.attnum <> ALL (i.indkey[0:i.indnkeyatts - 1])
		-- nor the parent's key, which determines the workspace
		AND NOT EXISTS (SELECT FROM followed f
			WHERE f.relation = p.relation AND f.columns && (i.indkey[0:i.indnkeyatts - 1])::int2[])
	GROUP BY i.indexrelid, p.relation, p.attnum
), visible AS MATERIALIZED (
	-- tables without protection that other roles can read
	SELECT c.oid AS relation, c.relname
	FROM pg_class c
	WHERE c.relkind IN ('r', 'p', 'f', 'm') AND c.oid >= 16384 AND c.oid NOT IN (SELECT unnest(guarded))
		AND EXISTS (SELECT FROM aclexplode(c.relacl) acl LEFT JOIN pg_roles g ON g.oid = acl.grantee
			WHERE acl.privilege_type = 'SELECT' AND acl.grantee <> c.relowner AND g.rolsuper IS NOT TRUE)
), word AS MATERIALIZED (
	SELECT t.tgrelid, t.tgname, p.oid AS function, replace(coalesce(match[1], lower(match[2])), '""', '"') AS relname
	FROM pg_trigger t
		JOIN pg_proc p ON p.oid = t.tgfoid,
		regexp_matches(cnap.lint_code(p.prosrc),
			'"((?:[^"]|"")+)"|([^][[:space:][:cntrl:]!"#%&''()*+,./:;<=>?@\\^`{|}~-]+)', 'g') match
	WHERE NOT t.tgisinternal AND t.tgparentid = 0 AND t.tgrelid IN (SELECT unnest(under_protection))
		AND p.prosrc ~* '\m(insert|update|merge|copy)\M'
), loopback AS MATERIALIZED (
	SELECT f.ftrelid AS relation, target.oid AS target
	FROM pg_foreign_table f
		JOIN pg_class c ON c.oid = f.ftrelid
		JOIN pg_foreign_server s ON s.oid = f.ftserver
		JOIN pg_foreign_data_wrapper w ON w.oid = s.srvfdw
		JOIN pg_proc handler ON handler.oid = w.fdwhandler AND handler.proname = 'postgres_fdw_handler'
		CROSS JOIN LATERAL (SELECT
			coalesce((SELECT option_value FROM pg_options_to_table(f.ftoptions) WHERE option_name = 'table_name'), c.relname) AS relname,
			coalesce((SELECT option_value FROM pg_options_to_table(f.ftoptions) WHERE option_name = 'schema_name'),
				c.relnamespace::regnamespace::text) AS nspname,
			coalesce((SELECT option_value FROM pg_options_to_table(s.srvoptions) WHERE option_name = 'dbname'),
				current_database()) AS dbname) remote
		JOIN pg_class target ON target.relname = remote.relname
		JOIN pg_namespace n ON n.oid = target.relnamespace AND n.nspname = remote.nspname
	WHERE target.oid IN (SELECT unnest(guarded)) AND remote.dbname = current_database()
)

SELECT 'notice', 'column_nullable', relation::regclass::text,
	format('column %I can be null, and nobody can see the rows in which it is', attname), NULL, 1
FROM direct
WHERE NOT attnotnull AND (relation, attnum) NOT IN (SELECT relation, attnum FROM followed)

UNION ALL
SELECT 'notice', 'column_without_key', relation::regclass::text,
	format('column %I has no foreign key to cnap.workspace, so the rows of a workspace that is deleted, or does not exist, stay', attname),
	NULL, 1
FROM direct
WHERE (relation, attnum) NOT IN (SELECT relation, attnum FROM referring)

UNION ALL
SELECT 'notice', 'key_spans_workspaces', key.relation::regclass::text,
	format('%I does not contain column %I, so an error tells that another workspace has the same values',
		c.relname, (SELECT attname FROM pg_attribute WHERE attrelid = key.relation AND attnum = key.attnum)), NULL, 1
FROM key JOIN pg_class c ON c.oid = key.indexrelid
WHERE NOT key.is_generated

UNION ALL
SELECT 'warning', 'rule_copies', format('%I on %s', r.rulename, r.ev_class::regclass),
	format('the rule accesses %s, which is not protected, and which other roles can read',
		cnap.lint_tables_named(array_agg(v.relation))), NULL, 1
FROM pg_rewrite r
	JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_class'::regclass
	JOIN visible v ON v.relation = d.refobjid
WHERE r.ev_class IN (SELECT unnest(under_protection)) AND r.ev_type <> '1'
GROUP BY r.rulename, r.ev_class

UNION ALL
SELECT 'warning', 'trigger_copies', format('%I on %s', w.tgname, w.tgrelid::regclass),
	format('%s mentions %s, which is not protected, and which other roles can read', w.function::regprocedure,
		cnap.lint_tables_named(array_agg(v.relation))), NULL, 1
FROM word w JOIN visible v USING (relname)
GROUP BY w.tgname, w.tgrelid, w.function

UNION ALL
SELECT 'warning', 'foreign_loopback', l.relation::regclass::text,
	format('appears to read %s as the user of a user mapping, whose rows other roles see', l.target::regclass),
	(SELECT string_agg(DISTINCT g.revocation, ' ')
		FROM cnap.lint_revocations(c.relacl, c.relowner, 'TABLE ' || c.oid::regclass::text) g), 1
FROM loopback l
	JOIN pg_class c ON c.oid = l.relation
WHERE EXISTS (SELECT FROM aclexplode(c.relacl) acl WHERE acl.grantee <> c.relowner)

UNION ALL
SELECT 'warning', 'function_leakproof', p.oid::regprocedure::text,
	'is marked LEAKPROOF, so that PostgreSQL may call it with values of rows that the policies hide',
	format('ALTER FUNCTION %s NOT LEAKPROOF;', p.oid::regprocedure), 1
FROM pg_proc p
WHERE p.proleakproof AND p.oid >= 16384 AND cardinality(under_protection) > 0
	AND p.oid NOT IN (SELECT cnap.lint_members('pg_proc'))
$$;
COMMENT ON FUNCTION cnap.lint_rows(oid[], oid[]) IS
'the findings about what protected rows reveal in spite of the policies';
