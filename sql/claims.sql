/*
 * Gateway claims: the current user according to a gateway's setting, if a
 * superuser has turned that on.
 */
CREATE EXTENSION cnap_org;
SET client_min_messages = warning;
\pset format unaligned
\pset tuples_only on
CREATE ROLE regress_cnap_gateway;
SELECT cnap_create_workspace('Alice''s', owner => 'alice') AS w1 \gset
SELECT cnap_create_workspace('Bob''s', owner => 'bob') AS w2 \gset
CREATE TABLE note (workspace_id uuid NOT NULL, content text);
INSERT INTO note VALUES (:'w1', 'of alice'), (:'w2', 'of bob');
SELECT cnap_protect('note');
GRANT SELECT ON note TO regress_cnap_gateway;

-- ---- off, unless a superuser turns it on ----

SET request.jwt.claims = '{"sub": "alice"}';
SELECT cnap_current_user() IS NULL, (SELECT count(*) FROM note);
SET ROLE regress_cnap_gateway;
SELECT cnap_current_user() IS NULL, (SELECT count(*) FROM note);
SET cnap.claims_setting = 'request.jwt.claims';
SET cnap.claims_key = 'name';
ALTER ROLE regress_cnap_gateway SET cnap.claims_setting = 'request.jwt.claims';
RESET ROLE;
SET cnap.claims_setting = 'request.jwt.claims';
SET ROLE regress_cnap_gateway;
SET cnap.claims_setting = '';
RESET cnap.claims_key;

-- ---- a check that has been answered is asked again when it is turned on or off ----

RESET ROLE;
SET request.jwt.claims = '{"sub": "alice", "name": "bob"}';
SET cnap.claims_setting = '';
SELECT cnap_can_access(:'w1'), cnap_can_access(:'w2');
SET cnap.claims_setting = 'request.jwt.claims';
SELECT cnap_can_access(:'w1'), cnap_can_access(:'w2');
SET cnap.claims_key = 'name';
SELECT cnap_can_access(:'w1'), cnap_can_access(:'w2');
SET cnap.claims_setting = '';
SELECT cnap_can_access(:'w1'), cnap_can_access(:'w2');
RESET cnap.claims_key;
SET cnap.claims_setting = 'request.jwt.claims';
SET ROLE regress_cnap_gateway;

-- ---- the contents of claims ----

CREATE FUNCTION pg_temp.claim(claims text) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM set_config('request.jwt.claims', claims, true);
	RETURN coalesce(cnap_current_user(), 'nobody') || ' sees '
		|| coalesce((SELECT string_agg(content, ', ') FROM note), 'nothing');
END
$$;
SELECT what || ': ' || regexp_replace(pg_temp.claim(claims), 'x{255}', '255 times x')
FROM (VALUES
	(1, 'a user', '{"sub": "alice"}'),
	(2, 'another', '{"sub": "bob"}'),
	(3, 'among others', '{"iss": "https://id.example", "aud": ["a", "b"], "sub": "alice", "exp": 4102444800, "x": {"sub": "bob"}}'),
	(4, 'blanks', E' {\n\t"sub" : "alice"\r\n} '),
	(5, 'escapes', '{"\u0073ub": "a\u006cice"}'),
	(6, 'a number', '{"sub": 42}'),
	(7, 'with quotes', '{"sub": "a\"b''c"}'),
	(8, 'the last of two', '{"sub": "alice", "sub": "bob"}'),
	(9, 'the last of two, which is none', '{"sub": "alice", "sub": null}'),
	(10, 'the last of two, which is an object', '{"sub": "alice", "sub": {"sub": "alice"}}'),
	(11, 'empty', ''),
	(12, 'blank', ' '),
	(13, 'no object', '"alice"'),
	(14, 'null', 'null'),
	(15, 'an array', '["sub", "alice"]'),
	(16, 'an object in an array', '[{"sub": "alice"}]'),
	(17, 'no such member', '{"user": "alice"}'),
	(18, 'another case', '{"SUB": "alice"}'),
	(19, 'a null member', '{"sub": null}'),
	(20, 'true', '{"sub": true}'),
	(21, 'an array member', '{"sub": ["alice"]}'),
	(22, 'an object member', '{"sub": {"sub": "alice"}}'),
	(23, 'an empty member', '{"sub": ""}'),
	(24, 'a blank at the end', '{"sub": "alice "}'),
	(25, '255 bytes', format('{"sub": "%s"}', repeat('x', 255))),
	(26, '256 bytes', format('{"sub": "%s"}', repeat('x', 256))),
	(27, 'cut off', '{"sub": "alice"'),
	(28, 'a comma too many', '{"sub": "alice",}'),
	(29, 'more behind it', '{"sub": "alice"} {"sub": "bob"}'),
	(30, 'single quotes', '{''sub'': ''alice''}'),
	(31, 'no quotes', '{sub: alice}'),
	(32, 'a zero byte', '{"sub": "alice\u0000"}'),
	(33, 'half a surrogate pair', '{"sub": "alice", "x": "\ud83d"}'),
	(34, 'a bad escape', '{"sub": "alice", "x": "\x"}'),
	(35, 'a control character', E'{"sub": "ali\001ce"}'),
	(36, 'nested deeply behind the user', '{"sub": "alice", "x": ' || repeat('[', 100000) || repeat(']', 100000) || '}'),
	(37, 'nested deeply, and cut off', repeat('{"sub":', 100000)),
	(38, 'nested within reason', '{"sub": "alice", "x": ' || repeat('[', 100) || repeat(']', 100) || '}'),
	(39, '1 MB', format('{"x": "%s", "sub": "alice"}', repeat('x', 1024 * 1024)))
) c (number, what, claims)
ORDER BY number;

-- a change is noticed within a statement, and undone by a rollback to a
-- savepoint
SET request.jwt.claims = '{"sub": "alice"}';
SELECT cnap_current_user(), set_config('request.jwt.claims', '{"sub": "bob"}', false) IS NOT NULL, cnap_current_user();
BEGIN;
SAVEPOINT s;
SET LOCAL request.jwt.claims = '{"sub": "alice"}';
SELECT content FROM note;
ROLLBACK TO s;
SELECT content FROM note;
COMMIT;
PREPARE notes AS SELECT content FROM note;
EXECUTE notes;
SET request.jwt.claims = '{"sub": "alice"}';
EXECUTE notes;
RESET request.jwt.claims;
EXECUTE notes;
DEALLOCATE notes;

-- an access token, and cnap.user_id, come first
RESET ROLE;
SET request.jwt.claims = '{"sub": "alice"}';
SET cnap.user_id = 'bob';
SET ROLE regress_cnap_gateway;
SELECT cnap_current_user();
SELECT cnap_create_access_token('script') AS token \gset
RESET ROLE;
SET cnap.user_id = '';
SET ROLE regress_cnap_gateway;
SELECT cnap_current_user();
BEGIN;
SELECT cnap_authenticate(:'token');
SELECT cnap_current_user(), content FROM note;
COMMIT;
SELECT cnap_current_user();

-- with a key, and without
RESET ROLE;
SET cnap.claims_key = 'user id';
SET request.jwt.claims = '{"sub": "alice", "user id": "bob"}';
SELECT cnap_current_user();
SET cnap.claims_setting = 'jwt.claims.user_id';
SET cnap.claims_key = '';
SELECT cnap_current_user() IS NULL;
SET jwt.claims.user_id = 'alice';
SELECT cnap_current_user();
SET jwt.claims.user_id = '{"sub": "bob"}';
SELECT cnap_current_user();
SET jwt.claims.user_id = ' alice';
SELECT cnap_current_user() IS NULL;

-- a superuser with claims that name no user is not the system
SET jwt.claims.user_id = '';
SELECT count(*) FROM cnap_workspace_members(:'w1');
SET jwt.claims.user_id = ' nobody';
SELECT count(*) FROM cnap_workspace_members(:'w1');
SET cnap.claims_key = 'sub';
SET jwt.claims.user_id = '{"role": "anonymous"}';
SELECT count(*) FROM cnap_workspace_members(:'w1');

-- a built-in setting, one that does not exist, and no setting at all
SET cnap.claims_setting = 'work_mem';
SELECT cnap_current_user() IS NULL;
SET cnap.claims_setting = 'no such; setting';
SELECT cnap_current_user() IS NULL;
SET cnap.claims_setting = '';
SELECT cnap_current_user() IS NULL;

DROP TABLE note;
DROP FUNCTION pg_temp.claim(text);
DROP ROLE regress_cnap_gateway;
DROP EXTENSION cnap_org;
