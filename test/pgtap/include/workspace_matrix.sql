/*
 * The specification of the permissions on a workspace, and what follows from
 * it.  To be included after setup.sql.
 */
CREATE TABLE test.matrix (
	permission text PRIMARY KEY,
	owner boolean,
	admin boolean,				-- direct
	member boolean,				-- direct
	manager boolean,			-- through managed_by, managed_role admin
	capped boolean				-- through managed_by, managed_role member
);
INSERT INTO test.matrix VALUES
	--					   owner admin  member manager capped
	('access',			   true, true,  true,  true,   true),
	('administer',		   true, true,  false, true,   false),
	('manage_members',	   true, true,  false, false,  false),
	('manage_roles',	   true, false, false, false,  false),
	('manage_delegation',  true, false, false, false,  false),
	('billing',			   true, false, false, false,  false),
	('transfer',		   true, false, false, false,  false),
	('delete',			   true, false, false, false,  false);

CREATE FUNCTION test.allows(way text, permission text) RETURNS boolean STABLE
RETURN (SELECT (to_jsonb(m) ->> $1)::boolean FROM test.matrix m WHERE m.permission = $2);

/* The permissions that any of the ways gives, in the order of the type. */
CREATE FUNCTION test.permissions(VARIADIC ways text[]) RETURNS text STABLE
RETURN (SELECT string_agg(m.permission, ' ' ORDER BY m.permission::text)
	FROM test.matrix m
	WHERE EXISTS (SELECT FROM unnest(ways) way WHERE test.allows(way, m.permission)));

/* The highest role that any of the ways gives. */
CREATE FUNCTION test.role_of(VARIADIC ways text[]) RETURNS text IMMUTABLE
RETURN CASE
	WHEN 'owner' = ANY (ways) THEN 'owner'
	WHEN ways && ARRAY['admin', 'manager'] THEN 'admin'
	WHEN ways && ARRAY['member', 'capped'] THEN 'member'
END;
