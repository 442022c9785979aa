/*
 * The linter, which finds gaps in the protection: helpers of the rules of
 * cnap_lint().
 *
 * A rule reads only the catalogs, as the caller: they are readable by
 * everybody.  The statements join whole catalogs, and look up the names of
 * objects only for findings, so that thousands of tables cost no more than a
 * few scans.  The planner cannot estimate how many rows one step passes to the
 * next, and nested loops would be the wrong choice, so they are turned off;
 * nor is JIT compilation worthwhile.
 *
 * The search path is pinned, so regclass and the like qualify and quote every
 * name that is not in pg_catalog; anything else must go into a statement by %I
 * or %L.
 */
CREATE TYPE cnap.finding AS (
	severity text,
	rule text,
	object text,
	finding text,
	remedy text,
	step integer		-- parents before the tables protected through them
);
COMMENT ON TYPE cnap.finding IS 'a row of cnap_lint()';

CREATE FUNCTION cnap.policies(checks regnamespace)
RETURNS TABLE (relation oid, policy name, command "char", permissive boolean, own boolean,
	permission text, column_number smallint, parent oid)
LANGUAGE C STABLE STRICT PARALLEL RESTRICTED COST 1000 ROWS 1000
AS 'MODULE_PATHNAME', 'cnap_policies';
COMMENT ON FUNCTION cnap.policies(regnamespace) IS
'every policy of the database; own: one that cnap_protect() replaces; the following columns are null for a policy with a shape other than those of cnap_protect() and cnap_protect_child(): the permission that it requires, the column that holds the workspace or refers to the parent (the first of several), and the parent. checks: the schema of the public functions';

CREATE FUNCTION cnap.protections(checks regnamespace)
RETURNS TABLE (relation oid, column_number smallint, parent oid, write_permission text, read_permission text,
	torn boolean, restricted "char"[], denied "char"[], altered text[], undefined text[])
LANGUAGE C STABLE STRICT PARALLEL RESTRICTED COST 10000 ROWS 1000
AS 'MODULE_PATHNAME', 'cnap_protections';
COMMENT ON FUNCTION cnap.protections(regnamespace) IS
'what the policies of each table amount to that has any of cnap_protect() or cnap_protect_child(): the column that holds the workspace or refers to the parent (the first of several), and the parent; the permissions; torn: the policies disagree about these; the commands, as in pg_policy, that have their restrictive policy, and those that no policy permits; the policies that were altered, and the permissions that do not exist. checks: the schema of the public functions';

CREATE FUNCTION cnap.lint_open_alternative(expression pg_node_tree) RETURNS boolean
LANGUAGE C STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'cnap_lint_open_alternative';
COMMENT ON FUNCTION cnap.lint_open_alternative(pg_node_tree) IS
'whether the expression of a policy is a check or something that is the same for all rows, so that no index can serve it';

CREATE FUNCTION cnap.lint_members(class regclass) RETURNS SETOF oid
LANGUAGE sql STABLE STRICT PARALLEL SAFE ROWS 100
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT d.objid
	FROM pg_depend d
		JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
	WHERE e.extname = 'cnap_org' AND d.deptype = 'e' AND d.classid = class
$$;
COMMENT ON FUNCTION cnap.lint_members(regclass) IS
'the objects of that catalog that belong to the extension';

CREATE FUNCTION cnap.lint_protected() RETURNS oid[]
LANGUAGE sql STABLE PARALLEL RESTRICTED COST 10000
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT coalesce(array_agg(DISTINCT p.polrelid), '{}')
	FROM pg_policy p
	WHERE p.polname IN ('cnap_select_restrictive', 'cnap_insert_restrictive', 'cnap_update_restrictive',
			'cnap_delete_restrictive', 'cnap_select_permissive', 'cnap_insert_permissive',
			'cnap_update_permissive', 'cnap_delete_permissive')
		OR p.oid IN (
			SELECT d.objid
			FROM pg_depend d
				JOIN cnap.lint_members('pg_proc') own (oid) ON d.refobjid = own.oid
			WHERE d.classid = 'pg_policy'::regclass AND d.refclassid = 'pg_proc'::regclass)
$$;
COMMENT ON FUNCTION cnap.lint_protected() IS
'the tables that somebody meant to protect: those with a policy that has one of our names, or calls one of our functions';

CREATE FUNCTION cnap.lint_role(role oid) RETURNS text
LANGUAGE sql STABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE role WHEN 0 THEN 'PUBLIC' ELSE role::regrole::text END
$$;
COMMENT ON FUNCTION cnap.lint_role(oid) IS 'a grantee as in GRANT and REVOKE';

CREATE FUNCTION cnap.lint_granted_by(grantor oid, owner oid) RETURNS text
LANGUAGE sql STABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	-- PostgreSQL 19 (dd1398f1378) records any grantor that GRANT is given, and
	-- one who has the owner's rights needs no grant option that could fall
	SELECT CASE WHEN grantor = owner THEN ''
		WHEN current_setting('server_version_num')::int >= 190000 AND pg_has_role(grantor, owner, 'USAGE')
			THEN format(' GRANTED BY %s', grantor::regrole) END
$$;
COMMENT ON FUNCTION cnap.lint_granted_by(oid, oid) IS
'the clause with which REVOKE takes what a grantor has granted on an object of that owner; null for a grantor whose grants fall with the grant option';

CREATE FUNCTION cnap.lint_protect_call(relation oid, parent oid, column_name name,
	write_permission text, read_permission text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	-- all arguments have exactly the types of our function, so that no overload
	-- that somebody has created beside it is chosen
	SELECT CASE WHEN parent IS NOT NULL
			THEN format('SELECT %s.cnap_protect_child(%L::regclass, %L::name, NULL::name);',
				'@extschema@', relation::regclass, column_name)
		ELSE format('SELECT %s.cnap_protect(%L::regclass, %L::name, %L::text, %L::text);',
			'@extschema@', relation::regclass, column_name, coalesce(write_permission, 'access'),
			coalesce(read_permission, 'access'))
		END
	WHERE column_name IS NOT NULL
		-- foreign tables among the heirs are refused, and by
		-- cnap_protect_child() also inheritance children without the foreign
		-- key
		AND NOT EXISTS (
			WITH RECURSIVE heir (relation) AS (
				SELECT inhrelid FROM pg_inherits WHERE inhparent = lint_protect_call.relation
				UNION
				SELECT i.inhrelid FROM heir JOIN pg_inherits i ON i.inhparent = heir.relation
			)
			SELECT FROM heir JOIN pg_class c ON c.oid = heir.relation
			WHERE c.relkind = 'f'
				OR parent IS NOT NULL AND NOT c.relispartition AND NOT EXISTS (
					SELECT FROM pg_constraint f
						JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = ANY (f.conkey)
					WHERE f.contype = 'f' AND f.convalidated AND f.conrelid = c.oid
						AND f.confrelid = parent AND a.attname = column_name))
$$;
COMMENT ON FUNCTION cnap.lint_protect_call(oid, oid, name, text, text) IS
'the statement that protects a table: through its parent, if it has one, otherwise by the workspace column; null without a column, if a partition or inheritance child is a foreign table, and if an inheritance child lacks the foreign key';
