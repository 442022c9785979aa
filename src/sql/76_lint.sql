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
RETURNS TABLE (relation oid, policy name, command "char", own boolean, in_shape boolean)
LANGUAGE C STABLE STRICT PARALLEL RESTRICTED COST 1000 ROWS 1000
AS 'MODULE_PATHNAME', 'cnap_policies';
COMMENT ON FUNCTION cnap.policies(regnamespace) IS
'every policy of the database; own: one that cnap_protect() replaces; in_shape: one as cnap_protect() and cnap_protect_child() create them, whatever its name. checks: the schema of the public functions';

CREATE FUNCTION cnap.protections(checks regnamespace)
RETURNS TABLE (relation oid, column_number smallint, parent oid, restricted "char"[], statement text, step integer)
LANGUAGE C STABLE STRICT PARALLEL RESTRICTED COST 10000 ROWS 1000
AS 'MODULE_PATHNAME', 'cnap_protections';
COMMENT ON FUNCTION cnap.protections(regnamespace) IS
'how each table is protected that has a policy of cnap_protect() or cnap_protect_child(): the column that holds the workspace or refers to the parent (the first of several; null if all policies were altered), and the parent; the commands, as in pg_policy, that have their restrictive policy; the statement that protects it again, and its step. checks: the schema of the public functions';

CREATE FUNCTION cnap.protection_reasons(checks regnamespace)
RETURNS TABLE (relation oid, severity text, rule text, reason text, statement text, step integer, other oid, lost oid)
LANGUAGE C STABLE STRICT PARALLEL RESTRICTED COST 100000 ROWS 100
AS 'MODULE_PATHNAME', 'cnap_protection_reasons';
COMMENT ON FUNCTION cnap.protection_reasons(regnamespace) IS
'why the protection of tables is not as it should be, and the statement that removes the reason; rule: null for foreign tables that inherit from a protected one; other: the table that the reason is about as well; lost: a table of which no policy is left that tells how it was protected, so that its plan has the statement. checks: the schema of the public functions';

CREATE FUNCTION cnap.protection_plan(relations oid[], columns name[], checks regnamespace)
RETURNS TABLE (relation oid, parent oid, key oid, nullable boolean, statement text, step integer)
LANGUAGE C STABLE STRICT PARALLEL UNSAFE COST 100000 ROWS 100
AS 'MODULE_PATHNAME', 'cnap_protection_plan';
COMMENT ON FUNCTION cnap.protection_plan(oid[], name[], regnamespace) IS
'the statements that protect the tables of the database that are not protected yet: those given, by the column that holds the workspace, and those behind them by their foreign keys, with the parent, the key, and whether that can be null. checks: the schema of the public functions';

CREATE FUNCTION cnap.lint_open_alternative(expression pg_node_tree) RETURNS boolean
LANGUAGE C STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'cnap_lint_open_alternative';
COMMENT ON FUNCTION cnap.lint_open_alternative(pg_node_tree) IS
'whether the expression of a policy is a check or something that is the same for all rows, so that no index can serve it';

CREATE FUNCTION cnap.lint_shard(relation oid) RETURNS boolean
LANGUAGE C STABLE STRICT PARALLEL RESTRICTED COST 1000
AS 'MODULE_PATHNAME', 'cnap_lint_shard';
COMMENT ON FUNCTION cnap.lint_shard(oid) IS
'whether a table is a shard of a distributed table of Citus, which is protected with that';

CREATE FUNCTION cnap.lint_planned(relation oid) RETURNS boolean
LANGUAGE C STABLE STRICT PARALLEL RESTRICTED COST 1000
AS 'MODULE_PATHNAME', 'cnap_lint_planned';
COMMENT ON FUNCTION cnap.lint_planned(oid) IS
'whether planning any query of a table, or of one of its partitions, executes what a role that is no superuser may have defined';

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
	SELECT array(
		SELECT relation FROM cnap.policies('@extschema@') WHERE own
		UNION
		SELECT p.polrelid
		FROM pg_policy p
			JOIN pg_depend d ON d.classid = 'pg_policy'::regclass AND d.objid = p.oid AND d.refclassid = 'pg_proc'::regclass
			JOIN cnap.lint_members('pg_proc') own (oid) ON d.refobjid = own.oid)
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

CREATE FUNCTION cnap.lint_tables_named(relations oid[]) RETURNS text
LANGUAGE sql STABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT string_agg(DISTINCT relation::regclass::text COLLATE "C", ', ') FROM unnest(relations) relation
$$;
COMMENT ON FUNCTION cnap.lint_tables_named(oid[]) IS 'relations, as a list in a finding';

CREATE FUNCTION cnap.lint_code(source text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $$
	-- a comment that contains another one ends with that, so more is left, not less
	SELECT pg_catalog.regexp_replace(source, '(''(?:[^'']|'''')*''|"(?:[^"]|"")*")|--[^\n]*|/\*(?:[^*]|\*+[^*/])*\*+/', '\1 ', 'g')
$$;
COMMENT ON FUNCTION cnap.lint_code(text) IS 'the source of a function without its comments';

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

/*
 * What reads relations as somebody else, or for somebody else: views, rules, and from
 * PostgreSQL 19 on property graphs, whose elements are tables and views.  A query reads these
 * as the role that executes it, also within a view.
 */
CREATE FUNCTION cnap.lint_reads() RETURNS TABLE (reader oid, source oid, passes_on boolean)
LANGUAGE sql STABLE PARALLEL SAFE COST 10000 ROWS 1000
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT DISTINCT r.ev_class, d.refobjid, c.relkind IN ('v', 'm')
	FROM pg_depend d
		JOIN pg_rewrite r ON r.oid = d.objid
		JOIN pg_class c ON c.oid = r.ev_class
	WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass
		AND d.refobjid <> r.ev_class
	UNION ALL
	SELECT DISTINCT graph.refobjid, element.refobjid, true
	FROM pg_depend element
		JOIN pg_depend graph USING (classid, objid, refclassid)
		JOIN pg_class c ON c.oid = graph.refobjid
	WHERE element.classid = to_regclass('pg_catalog.pg_propgraph_element')
		AND element.refclassid = 'pg_class'::regclass AND element.refobjid <> graph.refobjid
		AND c.relkind = 'g'
$$;
COMMENT ON FUNCTION cnap.lint_reads() IS
'which views, rules and property graphs read what, and whether what they read can be had from them in turn';
