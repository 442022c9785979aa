/*
 * The linter.
 */
CREATE FUNCTION @extschema@.cnap_lint()
RETURNS TABLE (severity text, rule text, object text, finding text, remedy text)
LANGUAGE sql STABLE PARALLEL RESTRICTED COST 1000000 ROWS 10
SET search_path = pg_catalog, pg_temp
AS $$
	WITH protected (tables) AS MATERIALIZED (
		SELECT cnap.lint_protected()
	), guarded (relations) AS MATERIALIZED (
		SELECT tables || array(SELECT cnap.lint_members('pg_class')) FROM protected
	)
	SELECT f.severity, f.rule, f.object, f.finding, f.remedy
	FROM (SELECT f.* FROM protected, cnap.lint_tables(tables) f
		UNION ALL SELECT f.* FROM guarded, cnap.lint_views(relations) f
		UNION ALL SELECT f.* FROM guarded, cnap.lint_functions(relations) f
		UNION ALL SELECT f.* FROM cnap.lint_references() f
		UNION ALL SELECT f.* FROM protected, cnap.lint_grants(tables) f
		UNION ALL SELECT f.* FROM protected, cnap.lint_roles(tables) f
		UNION ALL SELECT f.* FROM cnap.lint_settings() f
		UNION ALL SELECT f.* FROM cnap.lint_own() f) f
	ORDER BY array_position(ARRAY['error', 'warning', 'notice'], f.severity),
		f.step, f.rule COLLATE "C", f.object COLLATE "C"
$$;
COMMENT ON FUNCTION @extschema@.cnap_lint() IS
'gaps in the protection of tables, worst first: severity (error, warning or notice), the name of the rule, the object, the finding, and the statement that remedies it, or null if there is none. Reads only the catalogs';
