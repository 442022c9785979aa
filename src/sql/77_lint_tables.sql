/*
 * Findings about tables: those without protection, and those whose protection
 * is incomplete.
 */
CREATE FUNCTION cnap.lint_workspace_columns(names name[])
RETURNS TABLE (relation oid, workspace_column name, type oid)
LANGUAGE sql STABLE PARALLEL SAFE COST 10000 ROWS 100
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT DISTINCT ON (a.attrelid) a.attrelid, a.attname, a.atttypid
	FROM pg_attribute a
		JOIN pg_class c ON c.oid = a.attrelid
		JOIN pg_type t ON t.oid = a.atttypid
		LEFT JOIN (SELECT f.conrelid, f.conkey[1]
			FROM pg_constraint f
			WHERE f.contype = 'f' AND f.confrelid = 'cnap.workspace'::regclass)
			reference (relation, attnum) ON (reference.relation, reference.attnum) = (a.attrelid, a.attnum)
	WHERE c.relkind IN ('r', 'p', 'f') AND c.relpersistence <> 't' AND c.oid >= 16384
		AND a.attnum > 0 AND NOT a.attisdropped AND a.attinhcount = 0
		AND (reference.relation IS NOT NULL
			OR 'uuid'::regtype IN (a.atttypid, t.typbasetype)
				AND (a.attname LIKE '%workspace%' AND translate(a.attname, '_', '') ~ 'workspace(id|uuid)?$'
					OR a.attname = ANY (names))
			OR a.attname = 'workspace_id' AND t.typcategory = 'S')
		AND c.oid NOT IN (SELECT cnap.lint_members('pg_class'))
	ORDER BY a.attrelid, a.atttypid <> 'uuid'::regtype, a.attname <> 'workspace_id',
		reference.relation IS NULL, a.attnum
$$;
COMMENT ON FUNCTION cnap.lint_workspace_columns(name[]) IS
'the tables with a column that appears to refer to a workspace: a foreign key to cnap.workspace, or a uuid named like one or with one of the names; of several columns the best match. An inherited column counts for the parent';

CREATE FUNCTION cnap.lint_tables(under_protection oid[]) RETURNS SETOF cnap.finding
LANGUAGE sql STABLE PARALLEL RESTRICTED COST 100000 ROWS 10
SET search_path = pg_catalog, pg_temp
SET enable_nestloop = off
SET jit = off
AS $$
WITH RECURSIVE command (place, code, name) AS (
	VALUES (1, 'r'::"char", 'select'), (2, 'a', 'insert'), (3, 'w', 'update'), (4, 'd', 'delete')
), own AS MATERIALIZED (
	-- names are looked up one by one, as these are few compared with all
	-- columns
	SELECT p.*, (SELECT attname FROM pg_attribute WHERE attrelid = p.relation AND attnum = p.column_number) AS attname
	FROM cnap.protections('@extschema@') p
), workspace_column AS MATERIALIZED (
	-- where the workspace is the primary key, its name is that of other keys, as
	-- id, so says nothing about other tables
	SELECT * FROM cnap.lint_workspace_columns(array(SELECT DISTINCT attname FROM own
		WHERE parent IS NULL AND NOT EXISTS (SELECT FROM pg_index
			WHERE indrelid = own.relation AND indisprimary AND indnkeyatts = 1 AND indkey[0] = column_number)))
), candidate AS MATERIALIZED (
	SELECT * FROM workspace_column WHERE type = 'uuid'::regtype
), key AS MATERIALIZED (
	-- a column that belongs to only one foreign key identifies it for
	-- cnap_protect_child()
	SELECT f.oid, f.conrelid AS relation, f.confrelid AS parent, f.conname, f.conparentid, k.attnum,
		-- PostgreSQL 18 has keys of periods, which refer to a constraint
		-- WITHOUT OVERLAPS
		f.convalidated AND NOT i.indisexclusion AS usable,
		(SELECT attname FROM pg_attribute WHERE attrelid = f.conrelid AND attnum = k.attnum) AS attname,
		(SELECT attnotnull FROM pg_attribute WHERE attrelid = f.conrelid AND attnum = k.attnum) AS not_null,
		count(*) OVER (PARTITION BY f.conrelid, k.attnum) = 1 AS sole
	FROM pg_constraint f
		JOIN pg_index i ON i.indexrelid = f.conindid
		LEFT JOIN pg_constraint original ON original.oid = f.conparentid
		CROSS JOIN unnest(f.conkey) k (attnum)
	WHERE f.contype = 'f' AND original.conrelid IS DISTINCT FROM f.conrelid
), reference AS MATERIALIZED (
	SELECT oid, relation, parent, conname, conparentid,
		min(attname) FILTER (WHERE sole AND usable) AS column_name,
		bool_and(not_null) AS not_null
	FROM key
	GROUP BY oid, relation, parent, conname, conparentid
), shape AS MATERIALIZED (
	SELECT DISTINCT ON (own.relation) own.relation, c.relkind, c.relispartition, c.relrowsecurity, c.relforcerowsecurity,
		own.torn, own.restricted, own.denied, own.altered, own.undefined,
		own.column_number AS attnum, own.attname, reference.oid AS reference,
		CASE WHEN own.column_number IS NOT NULL THEN own.parent
			WHEN candidate.relation IS NULL THEN reference.parent END AS parent,
		-- while a permission does not exist, nobody knows what to require instead
		CASE WHEN cardinality(own.undefined) > 0 THEN NULL
			WHEN own.column_number IS NOT NULL AND own.parent IS NULL THEN own.attname
			ELSE coalesce(candidate.workspace_column, reference.column_name) END AS column_name,
		coalesce(own.write_permission, 'access') AS write_permission, coalesce(own.read_permission, 'access') AS read_permission
	FROM own
		JOIN pg_class c ON c.oid = own.relation
		LEFT JOIN candidate ON candidate.relation = own.relation AND own.column_number IS NULL
		LEFT JOIN key ON key.relation = own.relation
			AND CASE WHEN own.column_number IS NULL THEN key.parent <> own.relation AND key.parent IN (SELECT relation FROM own)
				ELSE (key.parent, key.attnum) = (own.parent, own.column_number) AND key.usable END
		LEFT JOIN reference ON reference.oid = key.oid
	ORDER BY own.relation, NOT reference.not_null, reference.column_name
), generation AS (
	SELECT relation, 1 AS step FROM shape WHERE parent IS NULL
	UNION ALL
	SELECT shape.relation, generation.step + 1 FROM generation JOIN shape ON shape.parent = generation.relation
), lineage AS (
	SELECT relation, relation AS ancestor FROM own
	UNION
	SELECT i.inhrelid, l.ancestor
	FROM lineage l JOIN pg_inherits i ON i.inhparent = l.relation
), topmost AS MATERIALIZED (
	SELECT l.relation, l.ancestor AS top, shape.parent, shape.column_name, shape.write_permission, shape.read_permission
	FROM lineage l JOIN shape ON shape.relation = l.ancestor
	WHERE l.ancestor NOT IN (SELECT relation FROM lineage WHERE relation <> ancestor)
), family AS MATERIALIZED (
	-- protecting the topmost table protects all of them; of several, the
	-- others have to follow the one with the strictest protection
	SELECT DISTINCT ON (relation) relation, top
	FROM topmost
	ORDER BY relation, write_permission DESC, read_permission DESC, top
), protection AS MATERIALIZED (
	SELECT shape.*, top.relation AS top, top.parent AS top_parent, top.column_name AS top_column,
		top.write_permission AS top_write, top.read_permission AS top_read, coalesce(generation.step, 1) AS step
	FROM shape
		JOIN family USING (relation)
		JOIN shape top ON top.relation = family.top
		LEFT JOIN generation ON generation.relation = family.top
), offspring AS (
	SELECT relation, top FROM family WHERE relation NOT IN (SELECT relation FROM own)
), ancestor AS (
	SELECT i.inhparent AS relation, i.inhrelid AS heir
	FROM pg_inherits i
	WHERE i.inhrelid IN (SELECT relation FROM own) AND i.inhparent NOT IN (SELECT relation FROM own)
	UNION
	SELECT i.inhparent, a.heir
	FROM ancestor a JOIN pg_inherits i ON i.inhrelid = a.relation
	WHERE i.inhparent NOT IN (SELECT relation FROM own)
), covered AS MATERIALIZED (
	SELECT relation FROM own
	UNION SELECT relation FROM workspace_column
	UNION SELECT relation FROM offspring
), uncovered AS MATERIALIZED (
	SELECT r.*
	FROM reference r JOIN pg_class c ON c.oid = r.relation
	WHERE r.relation NOT IN (SELECT relation FROM covered)
		AND r.conparentid = 0 AND r.parent <> r.relation AND c.relpersistence <> 't'
), child AS (
	-- tables behind more parents than this are found once their parents are
	-- protected
	SELECT u.relation, u.parent, u.conname, u.column_name, u.not_null, coalesce(p.step, 1) + 1 AS step
	FROM uncovered u LEFT JOIN protection p ON p.relation = u.parent
	WHERE u.parent IN (SELECT relation FROM covered)
	UNION
	SELECT u.relation, u.parent, u.conname, u.column_name, u.not_null AND child.not_null, child.step + 1
	FROM (SELECT DISTINCT relation, not_null, step FROM child WHERE step < 20) child
		JOIN uncovered u ON u.parent = child.relation
), indexed AS MATERIALIZED (
	SELECT DISTINCT i.indrelid AS relation, i.indkey[0] AS attnum
	FROM pg_index i
		JOIN pg_class c ON c.oid = i.indexrelid
		JOIN pg_am m ON m.oid = c.relam
	WHERE i.indisvalid AND i.indpred IS NULL AND m.amname IN ('btree', 'hash')
), handmade AS MATERIALIZED (
	-- a step of its own, so that the expressions of other policies are not
	-- examined
	SELECT p.relation, p.policy, CASE p.command WHEN '*' THEN 'r' ELSE p.command END AS command, q.polqual
	FROM cnap.policies('@extschema@') p JOIN pg_policy q ON (q.polrelid, q.polname) = (p.relation, p.policy)
	WHERE p.permission IS NULL AND p.relation IN (SELECT unnest(under_protection))
)

-- row-level security disabled or not forced
SELECT 'error', CASE WHEN relrowsecurity THEN 'row_security_not_forced' ELSE 'row_security_disabled' END,
	relation::regclass::text,
	CASE WHEN relrowsecurity THEN 'row-level security is not forced, so it does not apply to the owner of the table'
		ELSE 'row-level security is disabled, so the policies have no effect' END,
	format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;', relation::regclass), step
FROM protection
WHERE NOT (relrowsecurity AND relforcerowsecurity)

UNION ALL
-- policies changed by hand
SELECT CASE WHEN array_to_string(altered, ' ') LIKE '%\_restrictive%' THEN 'error' ELSE 'warning' END,
	'policy_altered', relation::regclass::text,
	'policies differ from those that cnap_protect() creates: ' || array_to_string(array(
		SELECT quote_ident(name) FROM unnest(altered) name ORDER BY name), ', '),
	cnap.lint_protect_call(top, top_parent, top_column, top_write, top_read), step
FROM protection
WHERE cardinality(altered) > 0

UNION ALL
SELECT 'error', 'policy_missing', relation::regclass::text,
	'has no restrictive policy of cnap_protect() for ' || string_agg(upper(c.name), ', ' ORDER BY c.place),
	cnap.lint_protect_call(top, top_parent, top_column, top_write, top_read), step
FROM protection p, command c
WHERE c.code <> ALL (p.restricted) AND format('cnap_%s_restrictive', c.name) <> ALL (p.altered)
GROUP BY relation, top, top_parent, top_column, top_write, top_read, step

UNION ALL
SELECT 'warning', 'policy_missing_permissive', relation::regclass::text,
	format('has no permissive policy for %s, so access to every row is denied',
		string_agg(upper(c.name), ', ' ORDER BY c.place)),
	cnap.lint_protect_call(top, top_parent, top_column, top_write, top_read), step
FROM protection p
	CROSS JOIN unnest(p.denied) denied (code)
	JOIN command c ON c.code = denied.code
WHERE format('cnap_%s_permissive', c.name) <> ALL (p.altered)
GROUP BY relation, top, top_parent, top_column, top_write, top_read, step

UNION ALL
SELECT 'error', 'policy_disagreement', relation::regclass::text,
	'the policies check different columns or parents, or require inconsistent permissions',
	cnap.lint_protect_call(top, top_parent, top_column, top_write, top_read), step
FROM protection
WHERE torn

UNION ALL
SELECT 'error', 'permission_undefined', relation::regclass::text,
	format('policies name permissions that do not exist, so that statements fail: %s; define them by cnap_define_permission(), or name others in cnap_protect()',
		array_to_string(undefined, ', ')), NULL, 1
FROM protection
WHERE cardinality(undefined) > 0

UNION ALL
-- without protection
SELECT CASE WHEN handmade THEN 'warning' ELSE 'error' END, 'table_unprotected', relation::regclass::text,
	format(CASE WHEN handmade
			THEN 'has its own policies instead of those of cnap_protect() for column %I, so another permissive policy can widen access'
			ELSE 'is not protected, although column %I appears to refer to a workspace' END,
		workspace_column),
	(SELECT cnap.lint_protect_call(c.relation, NULL, c.workspace_column, max(p.write_permission), max(p.read_permission))
		FROM ancestor a JOIN protection p ON p.relation = a.heir
		WHERE a.relation = c.relation), 1
FROM (SELECT c.*, r.relrowsecurity AND r.relforcerowsecurity
			AND c.relation IN (SELECT unnest(under_protection)) AS handmade
		FROM candidate c JOIN pg_class r ON r.oid = c.relation
		WHERE r.relkind <> 'f') c
WHERE relation NOT IN (SELECT relation FROM family)

UNION ALL
-- no statement: changing the type executes functions of the owner's, as in
-- CHECK constraints, with the rights of whoever changes it
SELECT 'warning', 'column_type', c.relation::regclass::text,
	format('is not protected, and column %I appears to refer to a workspace, but is not of type uuid; let the owner change it', c.workspace_column),
	NULL, 1
FROM workspace_column c JOIN pg_class r ON r.oid = c.relation
WHERE r.relkind <> 'f' AND c.type <> 'uuid'::regtype AND c.relation NOT IN (SELECT relation FROM own)

UNION ALL
SELECT CASE WHEN not_null THEN 'error' ELSE 'warning' END, 'child_unprotected', relation::regclass::text,
	format('is not protected, although foreign key %I references %s, which is or should be protected',
		conname, parent::regclass),
	cnap.lint_protect_call(relation, parent, column_name, NULL, NULL), step
FROM (SELECT DISTINCT ON (relation) * FROM child
		ORDER BY relation, NOT not_null, step, column_name IS NULL, conname) nearest

UNION ALL
SELECT DISTINCT 'error', 'parent_unprotected', parent::regclass::text,
	'is not protected, although the protection of other tables depends on it', NULL, 1
FROM protection
WHERE parent NOT IN (SELECT relation FROM covered UNION ALL SELECT relation FROM child)

UNION ALL
SELECT 'error', 'parent_disagreement', p.relation::regclass::text,
	format('requires a different permission for writing than its parent %s', p.parent::regclass),
	cnap.lint_protect_call(p.top, p.top_parent, p.top_column, NULL, NULL), p.step
FROM protection p JOIN protection parent ON parent.relation = p.parent
WHERE p.write_permission <> parent.write_permission AND p.attnum IS NOT NULL

UNION ALL
SELECT 'warning', 'parent_without_key', relation::regclass::text,
	format('is protected through %s, but the columns in its policies have no valid foreign key to it', parent::regclass), NULL, 1
FROM protection
WHERE parent IS NOT NULL AND attnum IS NOT NULL AND reference IS NULL

UNION ALL
SELECT 'error', 'partition_unprotected', o.relation::regclass::text,
	format('is protected only when accessed through %s, not when accessed directly', p.relation::regclass),
	coalesce(cnap.lint_protect_call(p.relation, p.parent, p.column_name, p.write_permission, p.read_permission),
		CASE WHEN p.parent IS NULL OR c.relispartition
			THEN cnap.lint_protect_call(o.relation, p.parent, p.column_name, p.write_permission, p.read_permission) END), p.step
FROM offspring o
	JOIN protection p ON p.relation = o.top
	JOIN pg_class c ON c.oid = o.relation
WHERE c.relkind <> 'f'

UNION ALL
SELECT 'error', 'partition_disagreement', c.relation::regclass::text,
	format('is protected by another column or parent than %s, from which it inherits, or requires different permissions', p.relation::regclass),
	(SELECT CASE WHEN bool_and((t.parent, t.column_name) IS NOT DISTINCT FROM (c.top_parent, c.top_column))
			THEN coalesce(
				string_agg(cnap.lint_protect_call(t.top, t.parent, t.column_name, c.top_write, c.top_read), ' ' ORDER BY t.top::regclass::text)
					FILTER (WHERE (t.write_permission, t.read_permission) <> (c.top_write, c.top_read)),
				cnap.lint_protect_call(c.top, c.top_parent, c.top_column, c.top_write, c.top_read)) END
		FROM topmost t WHERE t.relation = c.relation), c.step
FROM protection c
	JOIN pg_inherits i ON i.inhrelid = c.relation
	JOIN protection p ON p.relation = i.inhparent
WHERE c.attnum IS NOT NULL AND p.attnum IS NOT NULL
	AND (c.attname, c.parent, c.write_permission, c.read_permission)
		IS DISTINCT FROM (p.attname, p.parent, p.write_permission, p.read_permission)

UNION ALL
SELECT 'error', 'ancestor_unprotected', relation::regclass::text,
	format('is not protected, although %s, which inherits from it, is: queries of it are not subject to the policies of that', min(heir)::regclass),
	NULL, 1
FROM ancestor
WHERE relation NOT IN (SELECT relation FROM covered UNION ALL SELECT relation FROM child)
GROUP BY relation

UNION ALL
SELECT 'error', 'foreign_table', c.oid::regclass::text,
	'other roles have privileges on it, and row-level security does not apply to foreign tables',
	string_agg(format('REVOKE ALL ON TABLE %s FROM %s', c.oid::regclass, others.names) || others.granted_by || ' CASCADE;',
		' ' ORDER BY others.granted_by DESC), 1
FROM pg_class c,
	LATERAL (SELECT string_agg(DISTINCT cnap.lint_role(acl.grantee), ', ') AS names,
			cnap.lint_granted_by(acl.grantor, c.relowner) AS granted_by
		FROM aclexplode(c.relacl) acl
		WHERE acl.grantee <> c.relowner
		GROUP BY 2) others
WHERE c.relkind = 'f'
	AND c.oid IN (SELECT relation FROM workspace_column UNION ALL SELECT relation FROM offspring)
GROUP BY c.oid

UNION ALL
-- PostgreSQL evaluates the policies of the table that a statement names for the
-- rows that it finds in a foreign table, but not for those that it writes there
SELECT 'error', 'foreign_partition', c.oid::regclass::text,
	format('is a foreign table, so the policies of %s do not check rows that are written to it through that', o.top::regclass),
	CASE (SELECT proname FROM pg_proc WHERE oid = w.fdwhandler) WHEN 'postgres_fdw_handler'
		THEN format('ALTER FOREIGN TABLE %s OPTIONS (%s updatable ''false'');', c.oid::regclass,
			CASE WHEN EXISTS (SELECT FROM pg_options_to_table(f.ftoptions) WHERE option_name = 'updatable')
				THEN 'SET' ELSE 'ADD' END) END, 1
FROM offspring o
	JOIN pg_class c ON c.oid = o.relation
	JOIN pg_foreign_table f ON f.ftrelid = c.oid
	JOIN pg_foreign_server s ON s.oid = f.ftserver
	JOIN pg_foreign_data_wrapper w ON w.oid = s.srvfdw
WHERE CASE WHEN w.fdwhandler <> 0 THEN pg_relation_is_updatable(c.oid, false) <> 0 END

UNION ALL
-- slow; each partition by itself, since CREATE INDEX on a partitioned table
-- would keep out all writers until it is done
SELECT 'warning', 'index_missing', relation::regclass::text,
	format('no suitable index has %I as its leading column, so queries may have to scan the whole table', attname),
	format('CREATE INDEX CONCURRENTLY ON %s (%I);', relation::regclass, attname), 1
FROM protection p
WHERE relkind = 'r' AND attname IS NOT NULL
	AND (relation, attnum) NOT IN (SELECT relation, attnum FROM indexed)
	-- PostgreSQL 18 has virtual columns, which cannot have an index
	AND NOT EXISTS (SELECT FROM pg_attribute
		WHERE attrelid = p.relation AND attnum = p.attnum AND attgenerated = 'v')
	AND (reference IS NULL OR reference NOT IN (
		SELECT key.oid FROM key JOIN indexed USING (relation, attnum)))

UNION ALL
SELECT 'warning', 'policy_without_index', h.relation::regclass::text,
	format('policy %I combines the access check by OR with a condition that involves no column, so no index can be used', h.policy),
	cnap.lint_protect_call(coalesce(p.top, h.relation), p.top_parent, coalesce(p.top_column, c.workspace_column), p.top_write, p.top_read),
	coalesce(p.step, 1)
FROM handmade h
	LEFT JOIN protection p USING (relation)
	LEFT JOIN candidate c USING (relation)
WHERE h.command <> ALL (coalesce(p.restricted, '{}')) AND cnap.lint_open_alternative(h.polqual)
$$;
COMMENT ON FUNCTION cnap.lint_tables(oid[]) IS
'the findings about tables: without protection, with incomplete protection, without an index';
