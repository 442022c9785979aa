/*
 * Findings about the other nodes of a cluster of Citus.
 */
CREATE FUNCTION cnap.lint_node() RETURNS jsonb
LANGUAGE sql STABLE PARALLEL RESTRICTED COST 1000
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT jsonb_build_object('freshness', cnap.lint_freshness(),
		'trusted', (SELECT coalesce(jsonb_agg(r.rolname ORDER BY r.rolname), '[]')
			FROM pg_parameter_acl p, aclexplode(p.paracl) a JOIN pg_roles r ON r.oid = a.grantee
			WHERE p.parname = 'cnap.user_id' AND a.privilege_type = 'SET' AND NOT r.rolsuper))
$$;
COMMENT ON FUNCTION cnap.lint_node() IS
'what cnap_lint() asks each node: how fresh its access data is, and who was granted cnap.user_id';

CREATE FUNCTION cnap.lint_nodes() RETURNS TABLE (node text, success boolean, result text)
LANGUAGE C STABLE PARALLEL UNSAFE COST 100000 ROWS 10
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cnap_lint_nodes';
COMMENT ON FUNCTION cnap.lint_nodes() IS
'on the coordinator of Citus: what cnap.lint_node() returns on each of the other nodes, or the error; executed there as the caller';

CREATE FUNCTION cnap.lint_citus() RETURNS SETOF cnap.finding
LANGUAGE sql STABLE PARALLEL UNSAFE COST 100000 ROWS 10
SET search_path = pg_catalog, pg_temp
AS $$
WITH here AS MATERIALIZED (
	SELECT cnap.lint_node() AS state
), node AS MATERIALIZED (
	SELECT format('node %s', n.node) AS name, n.success, n.result,
		CASE WHEN n.success THEN n.result::jsonb END AS state
	FROM cnap.lint_nodes() n
)
SELECT 'warning', 'node_unknown', name, format('what it knows about access could not be asked: %s', result), NULL, 1
FROM node
WHERE NOT success
UNION ALL
SELECT 'error', 'node_stale', name,
	CASE state ->> 'freshness' WHEN 'kept' THEN 'does not follow the access data of this node, and answers by what it has itself'
		ELSE 'the access data there is not known to be fresh: access to the rows there is denied' END, NULL, 1
FROM node
WHERE state ->> 'freshness' IN ('kept', 'stale')
UNION ALL
SELECT 'warning', 'node_stale', name,
	'cnap.max_staleness is -1 there: access that was revoked is granted for as long as replication does not run', NULL, 1
FROM node
WHERE state ->> 'freshness' = 'unlimited'
UNION ALL
SELECT 'warning', 'node_without_trust', name,
	format('%I is trusted here, but not there: what it does in a user''s name fails there', trusted.role),
	format('SELECT %s.cnap_trust(%L::regrole);', '@extschema@', quote_ident(trusted.role)), 1
FROM node, here, jsonb_array_elements_text(here.state -> 'trusted') trusted (role)
WHERE NOT node.state -> 'trusted' ? trusted.role
UNION ALL
SELECT 'error', 'node_trusts', name,
	format('%I is trusted there, but not here: it can act as any user there', trusted.role),
	format('SELECT %s.cnap_distrust(%L::regrole);', '@extschema@', quote_ident(trusted.role)), 1
FROM node, here, jsonb_array_elements_text(node.state -> 'trusted') trusted (role)
WHERE NOT here.state -> 'trusted' ? trusted.role
UNION ALL
SELECT 'warning', 'identity_not_sent', r.oid::regrole::text,
	'citus.propagate_set_commands is not local for it, so whom it acts for does not reach other nodes: they show no rows',
	format('ALTER ROLE %I IN DATABASE %I SET citus.propagate_set_commands = ''local'';', r.rolname, current_database()), 1
FROM pg_roles r
WHERE EXISTS (SELECT FROM pg_extension WHERE extname = 'citus')
	AND r.rolcanlogin AND NOT r.rolsuper AND cnap.is_trusted(r.oid)
	AND NOT EXISTS (SELECT FROM pg_db_role_setting s
		WHERE s.setrole IN (0, r.oid) AND s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
			AND 'citus.propagate_set_commands=local' = ANY (s.setconfig))
	AND NOT EXISTS (SELECT FROM pg_settings
		WHERE name = 'citus.propagate_set_commands' AND setting = 'local' AND source = 'configuration file')
$$;
COMMENT ON FUNCTION cnap.lint_citus() IS
'the findings about a cluster of Citus: what its other nodes lack, and roles whose settings do not reach them';
