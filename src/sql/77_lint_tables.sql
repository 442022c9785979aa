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
		AND NOT cnap.lint_shard(c.oid)
	ORDER BY a.attrelid, a.atttypid <> 'uuid'::regtype, a.attname <> 'workspace_id',
		reference.relation IS NULL, a.attnum
$$;
COMMENT ON FUNCTION cnap.lint_workspace_columns(name[]) IS
'the tables with a column that appears to refer to a workspace: a foreign key to cnap.workspace, or a uuid named like one or with one of the names; of several columns the best match. An inherited column counts for the parent';

CREATE FUNCTION cnap.lint_tables(under_protection oid[]) RETURNS SETOF cnap.finding
LANGUAGE sql STABLE PARALLEL UNSAFE COST 100000 ROWS 10
SET search_path = pg_catalog, pg_temp
SET enable_nestloop = off
SET jit = off
AS $$
WITH RECURSIVE own AS MATERIALIZED (
	-- names are looked up one by one, as these are few compared with all
	-- columns
	SELECT p.*, (SELECT attname FROM pg_attribute WHERE attrelid = p.relation AND attnum = p.column_number) AS attname
	FROM cnap.protections('@extschema@') p
), reason AS MATERIALIZED (
	SELECT * FROM cnap.protection_reasons('@extschema@')
), offspring AS MATERIALIZED (
	-- what inherits from protected tables
	SELECT relation, other AS top FROM reason WHERE rule IS NULL OR rule = 'partition_unprotected'
), workspace_column AS MATERIALIZED (
	-- where the workspace is the primary key, its name is that of other keys, as
	-- id, so says nothing about other tables
	SELECT * FROM cnap.lint_workspace_columns(array(SELECT DISTINCT attname FROM own
		WHERE parent IS NULL AND NOT EXISTS (SELECT FROM pg_index
			WHERE indrelid = own.relation AND indisprimary AND indnkeyatts = 1 AND indkey[0] = column_number)))
), candidate AS MATERIALIZED (
	SELECT * FROM workspace_column WHERE type = 'uuid'::regtype
), plan AS MATERIALIZED (
	SELECT p.*
	FROM (SELECT coalesce(array_agg(relation), '{}') AS relations, coalesce(array_agg(workspace_column), '{}') AS columns FROM candidate) c,
		cnap.protection_plan(c.relations, c.columns, '@extschema@') p
), key AS MATERIALIZED (
	SELECT f.oid, f.conrelid AS relation, f.confrelid AS parent, f.conname, f.conparentid, k.attnum,
		(SELECT attnotnull FROM pg_attribute WHERE attrelid = f.conrelid AND attnum = k.attnum) AS not_null
	FROM pg_constraint f
		LEFT JOIN pg_constraint original ON original.oid = f.conparentid
		CROSS JOIN unnest(f.conkey) k (attnum)
	WHERE f.contype = 'f' AND original.conrelid IS DISTINCT FROM f.conrelid
), reference AS MATERIALIZED (
	SELECT oid, relation, parent, conname, conparentid, bool_and(not_null) AS not_null
	FROM key
	GROUP BY oid, relation, parent, conname, conparentid
), covered AS MATERIALIZED (
	SELECT relation FROM own
	UNION SELECT relation FROM candidate
	UNION SELECT relation FROM offspring
), uncovered AS MATERIALIZED (
	SELECT r.*
	FROM reference r JOIN pg_class c ON c.oid = r.relation
	WHERE r.relation NOT IN (SELECT relation FROM covered)
		AND r.conparentid = 0 AND r.parent <> r.relation AND c.relpersistence <> 't'
		AND NOT cnap.lint_shard(r.relation)
), behind AS (
	-- tables behind more parents than this are found once their parents are
	-- protected
	SELECT u.oid, u.relation, u.parent, u.not_null, coalesce(o.step, 1) + 1 AS step
	FROM uncovered u LEFT JOIN own o ON o.relation = u.parent
	WHERE u.parent IN (SELECT relation FROM covered)
	UNION
	SELECT u.oid, u.relation, u.parent, u.not_null AND behind.not_null, behind.step + 1
	FROM (SELECT DISTINCT relation, not_null, step FROM behind WHERE step < 20) behind
		JOIN uncovered u ON u.parent = behind.relation
), child AS MATERIALIZED (
	-- by the key that the plan follows, or else the best one
	SELECT coalesce(p.relation, b.relation) AS relation, coalesce(p.key, b.oid) AS key, coalesce(p.parent, b.parent) AS parent,
		coalesce(NOT p.nullable, b.not_null) AS not_null, p.statement, coalesce(p.step, b.step) AS step
	FROM (SELECT DISTINCT ON (b.relation) b.* FROM behind b JOIN reference r USING (oid)
			ORDER BY b.relation, NOT b.not_null, b.step, r.conname) b
		FULL JOIN (SELECT * FROM plan
			WHERE parent IS NOT NULL AND relation NOT IN (SELECT relation FROM covered)) p USING (relation)
), unprotected AS MATERIALIZED (
	SELECT c.relation, c.workspace_column, r.relrowsecurity AND r.relforcerowsecurity
		AND c.relation IN (SELECT unnest(under_protection)) AS handmade
	FROM candidate c JOIN pg_class r ON r.oid = c.relation
	WHERE r.relkind <> 'f' AND c.relation NOT IN (SELECT relation FROM own UNION ALL SELECT relation FROM offspring)
), indexed AS MATERIALIZED (
	SELECT DISTINCT i.indrelid AS relation, i.indkey[0] AS attnum
	FROM pg_index i
		JOIN pg_class c ON c.oid = i.indexrelid
		JOIN pg_am m ON m.oid = c.relam
	WHERE i.indisvalid AND i.indpred IS NULL AND m.amname IN ('btree', 'hash')
), served AS MATERIALIZED (
	-- by an index on any column of the key to the parent
	SELECT DISTINCT o.relation
	FROM own o
		JOIN key k ON (k.relation, k.parent, k.attnum) = (o.relation, o.parent, o.column_number)
		JOIN key other ON other.oid = k.oid
		JOIN indexed i ON (i.relation, i.attnum) = (other.relation, other.attnum)
), handmade AS MATERIALIZED (
	-- a step of its own, so that the expressions of other policies are not
	-- examined
	SELECT p.relation, p.policy, CASE p.command WHEN '*' THEN 'r' ELSE p.command END AS command, q.polqual
	FROM cnap.policies('@extschema@') p JOIN pg_policy q ON (q.polrelid, q.polname) = (p.relation, p.policy)
	WHERE NOT p.in_shape AND p.relation IN (SELECT unnest(under_protection))
), beside AS MATERIALIZED (
	-- what is in one schema with protected tables, and has nothing to be protected by
	SELECT c.oid AS relation, c.relowner, c.relacl
	FROM pg_class c
	WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND NOT c.relrowsecurity
		AND c.relnamespace IN (SELECT r.relnamespace FROM own JOIN pg_class r ON r.oid = own.relation)
		AND c.oid NOT IN (SELECT relation FROM own
			UNION ALL SELECT relation FROM workspace_column
			UNION ALL SELECT relation FROM reason
			UNION ALL SELECT relation FROM child
			UNION ALL SELECT inhrelid FROM pg_inherits
			UNION ALL SELECT objid FROM pg_depend WHERE classid = 'pg_class'::regclass AND deptype = 'e')
		AND NOT cnap.lint_shard(c.oid)
), role AS MATERIALIZED (
	SELECT oid, rolsuper OR rolbypassrls AS bypasses, NOT rolsuper AND cnap.is_trusted(oid) AS trusted FROM pg_roles
), open_to AS (
	-- an owner that is trusted is an application's server, not only who made the table; for who bypasses
	-- policies, none would help
	SELECT b.relation, acl.grantee, string_agg(DISTINCT acl.privilege_type, ', ') AS privileges
	FROM beside b
		JOIN (SELECT relation, coalesce(relacl, acldefault('r', relowner)) FROM beside
			UNION ALL
			SELECT attrelid, attacl FROM pg_attribute WHERE attacl IS NOT NULL) a (relation, items)
			USING (relation)
		CROSS JOIN aclexplode(a.items) acl
		LEFT JOIN role ON role.oid = acl.grantee
	WHERE acl.privilege_type IN ('SELECT', 'UPDATE', 'DELETE')
		AND (acl.grantee = 0 OR role.trusted OR acl.grantee <> b.relowner AND NOT role.bypasses)
	GROUP BY b.relation, acl.grantee
)

-- what is wrong with the tables that are, or were, protected; those without any
-- protection are found below, if there is something to protect them by
SELECT r.severity, r.rule, r.relation::regclass::text, r.reason, coalesce(r.statement, p.statement), r.step
FROM reason r LEFT JOIN plan p ON p.relation = r.lost
WHERE r.rule IS NOT NULL
	AND NOT (r.rule IN ('parent_unprotected', 'ancestor_unprotected')
		AND r.relation IN (SELECT relation FROM unprotected UNION ALL SELECT relation FROM child))

UNION ALL
-- without protection
SELECT CASE WHEN u.handmade AND u.relation NOT IN (SELECT relation FROM reason) THEN 'warning' ELSE 'error' END, 'table_unprotected', u.relation::regclass::text,
	format(CASE WHEN u.handmade
			THEN 'has its own policies instead of those of cnap_protect() for column %I, so another permissive policy can widen access'
			ELSE 'is not protected, although column %I appears to refer to a workspace' END,
		u.workspace_column),
	p.statement, 1
FROM unprotected u LEFT JOIN plan p USING (relation)

UNION ALL
-- no statement: changing the type executes functions of the owner's, as in
-- CHECK constraints, with the rights of whoever changes it
SELECT 'warning', 'column_type', c.relation::regclass::text,
	format('is not protected, and column %I appears to refer to a workspace, but is not of type uuid; let the owner change it', c.workspace_column),
	NULL, 1
FROM workspace_column c JOIN pg_class r ON r.oid = c.relation
WHERE r.relkind <> 'f' AND c.type <> 'uuid'::regtype AND c.relation NOT IN (SELECT relation FROM own)

UNION ALL
SELECT CASE WHEN c.not_null OR c.relation IN (SELECT relation FROM reason) THEN 'error' ELSE 'warning' END, 'child_unprotected', c.relation::regclass::text,
	format('is not protected, although foreign key %I references %s, which is or should be protected',
		f.conname, c.parent::regclass),
	c.statement, c.step
FROM child c JOIN pg_constraint f ON f.oid = c.key

UNION ALL
-- no statement: only people know what may be seen by all
SELECT 'warning', 'table_open', relation::regclass::text,
	format('is not protected, and has no policies of its own, so %s; if all may see them, as in a list of countries, accept the finding',
		string_agg(format(CASE n WHEN 1 THEN '%s is possible with the rows of all customers for %s' ELSE '%s for %s' END,
			privileges, names), ', and ' ORDER BY n)),
	NULL, 1
FROM (SELECT relation, privileges, string_agg(cnap.lint_role(grantee), ', ' ORDER BY cnap.lint_role(grantee) COLLATE "C") AS names,
		row_number() OVER (PARTITION BY relation ORDER BY privileges COLLATE "C") AS n
	FROM open_to
	GROUP BY relation, privileges) granted
GROUP BY relation

UNION ALL
SELECT 'error', 'foreign_table', c.oid::regclass::text,
	format('%s have privileges on it, and row-level security does not apply to foreign tables',
		string_agg(others.names, ', ' ORDER BY others.names COLLATE "C")),
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
SELECT 'warning', 'index_missing', o.relation::regclass::text,
	format('no suitable index has %I as its leading column, so queries may have to scan the whole table', o.attname),
	format('CREATE INDEX CONCURRENTLY ON %s (%I);', o.relation::regclass, o.attname), 1
FROM own o JOIN pg_class r ON r.oid = o.relation
WHERE r.relkind = 'r' AND o.attname IS NOT NULL
	AND (o.relation, o.column_number) NOT IN (SELECT relation, attnum FROM indexed)
	-- PostgreSQL 18 has virtual columns, which cannot have an index
	AND NOT EXISTS (SELECT FROM pg_attribute
		WHERE attrelid = o.relation AND attnum = o.column_number AND attgenerated = 'v')
	AND o.relation NOT IN (SELECT relation FROM served)

UNION ALL
SELECT 'warning', 'policy_without_index', h.relation::regclass::text,
	format('policy %I combines the access check by OR with a condition that involves no column, so no index can be used', h.policy),
	coalesce(o.statement, p.statement), coalesce(o.step, 1)
FROM handmade h
	LEFT JOIN own o USING (relation)
	LEFT JOIN plan p USING (relation)
WHERE h.command <> ALL (coalesce(o.restricted, '{}')) AND cnap.lint_open_alternative(h.polqual)
$$;
COMMENT ON FUNCTION cnap.lint_tables(oid[]) IS
'the findings about tables: without protection, with incomplete protection, without an index';
