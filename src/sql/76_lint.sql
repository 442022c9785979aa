/*
 * What is open around protected tables.
 */
CREATE FUNCTION cnap.policies(checks regnamespace)
RETURNS TABLE (relation oid, policy name, command "char", permissive boolean, own boolean,
	workspace_column smallint, permission cnap.permission)
LANGUAGE C STABLE STRICT PARALLEL RESTRICTED COST 1000 ROWS 1000
AS 'MODULE_PATHNAME', 'cnap_policies';
REVOKE ALL ON FUNCTION cnap.policies(regnamespace) FROM PUBLIC;
COMMENT ON FUNCTION cnap.policies(regnamespace) IS
'every policy of the database; own: one that cnap_protect() replaces; the column and the permission that it tests are null for a policy in another shape than that of cnap_protect(). checks: the schema of the public functions';
