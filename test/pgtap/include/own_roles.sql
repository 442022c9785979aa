/*
 * Roles and permissions of the application's own beside the built-in ones, as a part of the
 * matrix.  To be included after workspace_matrix.sql.
 *
 * They are defined as it is written here; a role has its permissions by its own definition or by
 * theirs.  setup.sql has defined own_permission.
 */
CREATE TABLE test.own_permission (permission text PRIMARY KEY, roles text[], delegable boolean);
INSERT INTO test.own_permission VALUES
	('deploy', '{admin}', true), ('read_logs', '{member,clerk}', true), ('secrets', '{admin}', false), ('own_permission', '{}', true);
CREATE TABLE test.own_role (role text PRIMARY KEY, permissions text[]);
INSERT INTO test.own_role VALUES
	('operator', '{administer,deploy}'), ('keeper', '{manage_members,secrets}'), ('clerk', '{read_logs}'), ('guest', '{}');
SELECT cnap_define_role(role, '{}') FROM test.own_role;
SELECT cnap_define_permission(permission, roles, delegable) FROM test.own_permission;
SELECT cnap_define_role(role, permissions) FROM test.own_role;

-- the rows that they add to the matrix
INSERT INTO test.matrix
SELECT permission, true, 'admin' = ANY (roles), 'member' = ANY (roles), 'admin' = ANY (roles) AND delegable, 'member' = ANY (roles) AND delegable
FROM test.own_permission;

/* A way is one of the columns, or a role of the application's own, held directly or by a 'managing' one. */
CREATE OR REPLACE FUNCTION test.allows(way text, permission text) RETURNS boolean STABLE
RETURN (SELECT CASE WHEN $1 IS NULL THEN false
		WHEN to_jsonb(m) ? $1 THEN (to_jsonb(m) ->> $1)::boolean
		ELSE ($2 = 'access' OR $2 = ANY (r.permissions)) AND ($1 NOT LIKE 'managing %' OR $2 IN ('access', 'administer') OR coalesce(o.delegable, false)) END
	FROM test.matrix m
		LEFT JOIN test.own_role r ON r.role = replace($1, 'managing ', '')
		LEFT JOIN test.own_permission o ON o.permission = m.permission
	WHERE m.permission = $2);

/* The highest role that a way gives */
CREATE FUNCTION test.own_role_of(way text) RETURNS text STABLE
RETURN coalesce(test.role_of(way), replace(way, 'managing ', ''));
