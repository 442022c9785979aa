/*
 * What is open around protected tables.
 */
CREATE FUNCTION cnap.policies(checks regnamespace)
RETURNS TABLE (relation oid, policy name, command "char", permissive boolean, own boolean,
	workspace_column smallint, permission cnap.permission, parent oid)
LANGUAGE C STABLE STRICT PARALLEL RESTRICTED COST 1000 ROWS 1000
AS 'MODULE_PATHNAME', 'cnap_policies';
REVOKE ALL ON FUNCTION cnap.policies(regnamespace) FROM PUBLIC;
COMMENT ON FUNCTION cnap.policies(regnamespace) IS
'every policy of the database; own: one that cnap_protect() replaces; the permission that it tests, and the column or the parent, are null for a policy in another shape than those of cnap_protect() and cnap_protect_child(). checks: the schema of the public functions';
