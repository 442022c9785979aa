/*
 * Every public function, with every argument null, empty, blank, too long, as
 * long as allowed, and with ids that do not exist or belong to somebody else;
 * named arguments, defaults, and untyped literals.
 */
BEGIN;
\ir include/setup.sql
\ir include/functions.sql

SELECT no_plan();

-- the lists are complete

SELECT set_eq('SELECT oid::regprocedure::text FROM test.public_function',
	'SELECT signature FROM test.function', 'every public function has a row, and every row is about a public function');
SELECT set_eq($$
	SELECT f.oid::regprocedure::text, n::integer, f.proargnames[n], n > f.pronargs - f.pronargdefaults
	FROM test.public_function f, generate_series(1, f.pronargs) n
	$$, 'SELECT signature, position, name, has_default FROM test.argument',
	'the arguments have the names and the defaults that they should have');
SELECT is_empty('SELECT f.oid::regprocedure FROM test.public_function f WHERE obj_description(f.oid) IS NULL',
	'every function has a comment');

-- valid calls: a failure here would make the rest meaningless

SELECT is(test.line(o.state, o.message, NULL), test.line('00000', NULL, NULL), how || ': ' || statement)
FROM test.function f,
	LATERAL (VALUES
		('named', coalesce(test.named_call(f.signature, true), 'SELECT * FROM ' || f.signature)),
		('with defaults', coalesce(test.named_call(f.signature, false), 'SELECT * FROM ' || f.signature)),
		('untyped literals', coalesce(test.positional_call(f.signature), 'SELECT * FROM ' || f.signature))
	) variant (how, statement),
	LATERAL test.attempt(test.caller(f), f.actor, statement) o
WHERE f.signature <> 'cnap_position()'	-- is refused in a transaction like this one
ORDER BY f.signature, how;

/*
 * The probes.  {argument} in a message is the argument's name, {object} the
 * kind of object that the function is about, {id} the probed id.  Result is
 * that of a function which answers: 'denied' stands for false, no role, and no
 * workspaces.
 */
CREATE TABLE test.probe (
	kind text,
	what text,
	literal text,
	state text NOT NULL,
	message text,
	result text,
	PRIMARY KEY (kind, what)
);

-- values that are refused for every user id, and for every name
INSERT INTO test.probe (kind, what, literal, state, message)
	SELECT kind, what, literal, '22023', 'invalid {argument}'
	FROM unnest(ARRAY['user', 'user before', 'new member', 'organization member', 'workspace member', 'owner', 'successor', 'invited user',
			'assigned manager']) kind,
		(VALUES ('empty', ''''''), ('blank', ''' '''), ('blank at the start', ''' nina'''),
			('blank at the end', '''nina '''), ('line feed at the end', 'E''nina\n'''),
			('no-break space at the end', 'E''nina\u00a0'''), ('zero-width space at the start', 'E''\u200bnina'''),
			('256 bytes', 'repeat(''x'', 256)'), ('256 bytes of 128 characters', 'repeat(''ä'', 128)')) bad (what, literal);
INSERT INTO test.probe (kind, what, literal, state, message)
	SELECT kind, what, literal, '22023', message
	FROM unnest(ARRAY['name', 'new name']) kind,
		(VALUES ('empty', '''''', 'name is required'), ('blank', ''' ''', 'name is required'),
			('white space', 'E'' \t\n''', 'name is required'),
			('white space of Unicode', 'E''\u00a0\u2003\u3000''', 'name is required'),
			('line feed', 'E''Acme\nInc''', 'invalid name'), ('escape', 'E''Acme\x1b[2J''', 'invalid name'),
			('zero-width space', 'E''Ac\u200bme''', 'invalid name'), ('direction', 'E''Acme\u202e''', 'invalid name'),
			('a megabyte', 'repeat(''x'', 1000000)', 'name is too long'),
			('256 bytes', 'repeat(''x'', 256)', 'name is too long'),
			('256 characters', 'repeat(''ä'', 256)', 'name is too long')) bad (what, literal, message);
INSERT INTO test.probe (kind, what, literal, state, message)
	SELECT kind, what, literal, '22023', 'invalid {argument}'
	FROM (VALUES
		('slug', 'blank', ''' '''), ('slug', '256 bytes', 'repeat(''x'', 256)'), ('slug', '64 bytes', 'repeat(''x'', 64)'),
		('slug', 'upper case', '''New'''), ('slug', 'hyphen first', '''-new'''), ('slug', 'hyphen last', '''new-'''),
		('slug', 'another letter', '''ä'''), ('slug', 'underscore', '''a_b'''),
		('logo', 'blank', ''' '''), ('logo', 'http', '''http://new.example/'''), ('logo', 'no host', '''https://'''),
		('logo', 'script', '''javascript:alert(1)'''), ('logo', 'quote', '''https://new.example/"'''),
		('logo', 'a user', '''https://acme.example@new.example/'''), ('logo', 'another script', '''https://аcme.example/'''),
		('logo', 'zero-width space', 'E''https://new.example/\u200b'''),
		('logo', '2049 bytes', '''https://'' || repeat(''x'', 2041)'),
		('email', 'blank', ''' '''), ('email', 'no @', '''new.example'''), ('email', 'two @', '''a@b@new.example'''),
		('email', 'nobody', '''@new.example'''), ('email', 'nowhere', '''a@'''), ('email', 'blank inside', '''a b@new.example'''),
		('email', '256 bytes', 'repeat(''x'', 244) || ''@new.example'''),
		('email', 'zero-width space', 'E''a@new.example\u200b'''),
		('text', 'blank', ''' '''), ('text', '256 bytes', 'repeat(''x'', 256)'), ('text', 'line feed', 'E''a\nb'''),
		('label', 'direction', 'E''\u202ea'''), ('label', 'blank', ''' '''), ('label', '256 bytes', 'repeat(''x'', 256)'),
		('accepts', 'empty', ''''''), ('accepts', 'blank', ''' '''), ('accepts', '256 bytes', 'repeat(''x'', 256)'), ('accepts', 'another case', '''Links'''),
		('managers', 'empty', ''''''), ('managers', 'blank', ''' '''), ('managers', '256 bytes', 'repeat(''x'', 256)'),
		('managers', 'another case', '''All'''),
		('reason of a manager', 'empty', ''''''), ('reason of a manager', 'blank', ''' '''),
		('reason of a manager', '256 bytes', 'repeat(''x'', 256)'), ('reason of a manager', 'line feed', 'E''a\nb'''),
		('activation', 'zero', '''0'''), ('activation', 'negative', '''-1 day'''), ('activation', 'too long', '''1001 years'''),
		('duration', 'zero', '''0'''), ('duration', 'negative', '''-1 day'''),
		('duration', 'partly negative', '''1 month -29 days'''), ('duration', 'too long', '''1001 years'''),
		('age', 'negative', '''-1 day'''), ('age', 'partly negative', '''1 month -29 days'''),
		('age', 'too long', '''1001 years'''),
		('metadata', 'array', '''[]'''), ('metadata', 'JSON null', '''null'''), ('metadata', 'string', '''"a"'''),
		('reason', 'blank', ''' '''), ('reason', '1001 characters', 'repeat(''x'', 1001)'),
		('metadata', 'number', '''1'''), ('metadata', '65537 bytes', 'jsonb_build_object(''a'', repeat(''x'', 65528))')) bad (kind, what, literal);
CREATE FUNCTION test.value(literal text) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
	value text;
BEGIN
	EXECUTE 'SELECT ' || test.expand(literal) INTO value;
	RETURN value;
END
$$;

-- null, where it is not allowed
INSERT INTO test.probe (kind, what, literal, state, message)
	SELECT kind, 'null', 'null', '22023', '{argument} is required'
	FROM unnest(ARRAY['organization', 'workspace', 'explained workspace', 'manager', 'user', 'new member',
		'organization member', 'workspace member', 'organization role', 'workspace role', 'name',
		'database role', 'relation', 'parent column', 'schema', 'access token', 'array of tables',
		'finding', 'access token id', 'install link', 'install link id', 'invitation', 'invitation id', 'age', 'required boolean',
		'position', 'time', 'managers', 'assigned manager']) kind;
INSERT INTO test.probe (kind, what, literal, state, message)
	SELECT 'position', what, literal, '22023', 'invalid position'
	FROM (VALUES ('empty', ''''''), ('blank', ''' '''), ('256 bytes', 'repeat(''x'', 256)'), ('no place', '''1/2'''),
		('too long a place', '''1/2@123456789/0'''), ('more', '''1/2@0/0x''')) bad (what, literal);
-- null and empty, where they are allowed; and values of maximal length
INSERT INTO test.probe (kind, what, literal, state)
	SELECT kind, what, literal, '00000'
	FROM (VALUES
		('new name', 'null', 'null'), ('slug', 'null', 'null'), ('logo', 'null', 'null'), ('email', 'null', 'null'),
		('text', 'null', 'null'), ('metadata', 'null', 'null'), ('accepts', 'null', 'null'), ('invited user', 'null', 'null'), ('owner', 'null', 'null'), ('until', 'null', 'null'),
		('rows', 'null', 'null'), ('any number', 'null', 'null'), ('any text', 'null', 'null'), ('any text', 'empty', ''''''),
		('any text', 'blank', ''' '''), ('any text', '256 bytes', 'repeat(''x'', 256)'),
		('before', 'null', 'null'), ('user before', 'null', 'null'), ('workspace before', 'null', 'null'), ('max rows', 'null', 'null'), ('cursor', 'null', 'null'), ('label', 'null', 'null'),
		('max uses', 'null', 'null'), ('duration', 'null', 'null'), ('activation', 'null', 'null'),
		('activation', 'all that is allowed', '''8 hours'''), ('reason of a manager', '255 characters', 'repeat(''ä'', 255)'),
		('optional column', 'null', 'null'), ('optional permission', 'null', 'null'), ('successor', 'null', 'null'),
		('age', 'zero', '''0'''), ('age', '1000 years', '''1000 years'''),
		('label', 'empty', ''''''), ('label', '255 characters', 'repeat(''ä'', 255)'),
		('duration', '1000 years', '''1000 years'''), ('duration', 'a moment', '''1 us'''),
		('slug', 'empty', ''''''), ('logo', 'empty', ''''''), ('email', 'empty', ''''''), ('text', 'empty', ''''''),
		('new member', '255 bytes', 'repeat(''x'', 255)'),
		('new member', 'blank inside', '''auth0|a b'''),
		('new member', 'quotes', '$q$a''b"c\d$q$'),
		('user', '255 bytes', 'repeat(''x'', 255)'), ('user before', '255 bytes', 'repeat(''x'', 255)'),
		('name', '255 bytes', 'repeat(''x'', 255)'), ('name', '255 characters', 'repeat(''ä'', 255)'),
		('new name', '255 bytes', 'repeat(''x'', 255)'), ('new name', '255 characters', 'repeat(''ä'', 255)'),
		('slug', '63 bytes', 'repeat(''x'', 63)'), ('slug', 'one byte', '''x'''), ('slug', 'hyphens', '''a--b'''),
		('logo', '255 bytes', 'rpad(''https://new.example/'', 255, ''x'')'),
		('logo', '256 bytes', 'rpad(''https://new.example/'', 256, ''x'')'),
		('logo', '2048 bytes', 'rpad(''https://new.example/'', 2048, ''x'')'),
		('email', '254 bytes', 'repeat(''x'', 242) || ''@new.example'''),
		('text', '255 bytes', 'repeat(''x'', 255)'), ('invited user', '255 bytes', 'repeat(''x'', 255)'),
		('metadata', 'empty object', '''{}'''), ('metadata', '65536 bytes', 'jsonb_build_object(''a'', repeat(''x'', 65527))'),
		('before', 'zero', '''0'''), ('before', 'negative', '''-1'''),
		('until', 'infinity', '''infinity''')) good (kind, what, literal);
INSERT INTO test.probe VALUES
	('max rows', 'zero', '''0''', '22023', 'max_rows must be positive'),
	('max rows', 'negative', '''-1''', '22023', 'max_rows must be positive'),
	('kind of rows', 'null', 'null', '22023', 'kind is required'),
	('kind of rows', 'empty', '''''', '22023', 'invalid kind'),
	('kind of rows', 'blank', ''' ''', '22023', 'invalid kind'),
	('kind of rows', '256 bytes', 'repeat(''x'', 256)', '22023', 'invalid kind'),
	('rows', 'an object', '''{}''', '22023', 'invalid rows'),
	('cursor', 'empty', '''''', '22023', 'invalid cursor'),
	('cursor', 'a number', '''1''', '22023', 'invalid cursor'),
	('cursor', 'a snapshot', '''10:20:10,14,15''', '22023', 'invalid cursor'),
	('cursor', 'something else', '''a/b/c''', '22023', 'invalid cursor'),
	('cursor', 'without a snapshot', '''a/1/::''', '22023', 'invalid cursor'),
	('cursor', 'with transactions out of order', '''a/1/10:20:15,14''', '22023', 'invalid cursor'),
	('cursor', 'of another history', '''00000000-0000-4000-8000-000000000000/1/10:10:''', '55000', 'the cursor belongs to another history of the database'),
	('reason of a manager', 'null', 'null', '22023', 'reason is required'),
	('activation', 'more than is allowed', '''8 hours 1 us''', '22023', 'duration is too long'),
	('max uses', 'zero', '''0''', '22023', 'max_uses must be positive'),
	('successor', 'the same', '''dave''', '22023', 'successor must be somebody else'),
	('max uses', 'negative', '''-1''', '22023', 'max_uses must be positive'),
	('until', 'now', 'now()', '22023', '{argument} must be in the future'),
	('until', 'the past', '''2000-01-01''', '22023', '{argument} must be in the future'),
	('until', '-infinity', '''-infinity''', '22023', '{argument} must be in the future'),
	('workspace role', 'owner', '''owner''', '22023', 'invalid role'),
	('workspace role', 'another case', '''Admin''', '22023', 'role "Admin" does not exist'),
	('organization role', 'another case', '''Owner''', '22023', 'role "Owner" does not exist'),
	('optional permission', 'another case', '''ACCESS''', '22023', 'permission "ACCESS" does not exist'),
	('asked permission', 'another case', '''ACCESS''', '22023', 'permission "ACCESS" does not exist'),
	('owner', 'somebody else', '''nina''', '42501', 'only the system can name another owner'),
	('owner', '255 bytes of somebody else', 'repeat(''x'', 255)', '42501', 'only the system can name another owner');
INSERT INTO test.probe (kind, what, literal, state, message)
	SELECT 'optional workspaces', what, format('ARRAY[{ws}, %s]::uuid[]', literal), '42704',
		format('workspace "%s" does not exist', test.value(literal))
	FROM (VALUES ('unknown id', '{unknown}'), ('somebody else''s', '{foreign}'),
		('id of an organization', '{vendor}')) bad (what, literal);
-- ids that do not exist, or belong to somebody else
INSERT INTO test.probe (kind, what, literal, state, message) VALUES
	('organization', 'unknown id', '{unknown}', '42704', 'organization "{id}" does not exist'),
	('organization', 'somebody else''s', '{rival}', '42704', 'organization "{id}" does not exist'),
	('organization', 'id of a workspace', '{ws}', '42704', 'organization "{id}" does not exist'),
	('workspace', 'unknown id', '{unknown}', '42704', 'workspace "{id}" does not exist'),
	('workspace', 'somebody else''s', '{foreign}', '42704', 'workspace "{id}" does not exist'),
	('workspace', 'id of an organization', '{vendor}', '42704', 'workspace "{id}" does not exist'),
	('workspace before', 'unknown id', '{unknown}', '42704', 'workspace "{id}" does not exist'),
	('workspace before', 'somebody else''s', '{foreign}', '42704', 'workspace "{id}" does not exist'),
	('workspace before', 'id of an organization', '{vendor}', '42704', 'workspace "{id}" does not exist'),
	('manager', 'unknown id', '{unknown}', '42704', 'organization "{id}" does not exist'),
	('manager', 'somebody else''s', '{rival}', '00000', NULL),
	('explained workspace', 'unknown id', '{unknown}', '00000', NULL),
	('explained workspace', 'somebody else''s', '{foreign}', '00000', NULL),
	('organization member', 'unknown id', '''nina''', '42704', 'user "{id}" is not a member of the organization'),
	('organization member', 'another organization''s', '''rita''', '42704', 'user "{id}" is not a member of the organization'),
	('organization member', '255 bytes', 'repeat(''x'', 255)', '42704', 'user "{id}" is not a member of the organization'),
	('assigned manager', 'another manager', '''max''', '42704', 'user "{id}" is not assigned to the workspace'),
	('assigned manager', 'unknown id', '''nina''', '42704', 'user "{id}" is not assigned to the workspace'),
	('workspace member', 'unknown id', '''nina''', '42704', 'user "{id}" is not a member of the workspace'),
	('workspace member', 'a manager', '''olga''', '42704', 'user "{id}" is not a member of the workspace'),
	('workspace member', '255 bytes', 'repeat(''x'', 255)', '42704', 'user "{id}" is not a member of the workspace');
-- names that are not defined; a message shows no more than 63 bytes of them
INSERT INTO test.probe (kind, what, literal, state, message)
	SELECT kind, what, literal, '22023', format('%s "%s" does not exist',
		CASE WHEN kind LIKE '%role' THEN 'role' ELSE 'permission' END, left(test.value(literal), 63))
	FROM unnest(ARRAY['organization role', 'workspace role', 'optional permission', 'asked permission']) kind,
		(VALUES ('empty', ''''''), ('blank', ''' '''), ('256 bytes', 'repeat(''x'', 256)')) bad (what, literal);
INSERT INTO test.probe (kind, what, literal, state, message)
	SELECT kind, what, literal, '22023',
		CASE what WHEN 'null' THEN '{argument} is required' ELSE 'invalid name of a ' || split_part(kind, ' ', 2) END
	FROM unnest(ARRAY['definable role', 'definable permission', 'own role', 'own permission']) kind,
		(VALUES ('null', 'null'), ('empty', ''''''), ('blank', ''' '''), ('256 bytes', 'repeat(''x'', 256)'),
			('built in', '''member'''), ('another case', '''Deploy''')) bad (what, literal);
INSERT INTO test.probe VALUES
	('array of names', 'null', 'null', '22023', '{argument} is required'),
	('array of names', 'null inside', 'ARRAY[NULL]::text[]', '22023', '{argument} must not contain nulls'),
	('optional workspaces', 'null', 'null', '00000', NULL),
	('optional workspaces', 'empty array', '''{}''', '00000', NULL),
	('optional workspaces', 'null inside', 'ARRAY[NULL]::uuid[]', '22023', '{argument} must not contain nulls'),
	('optional workspaces', 'two dimensions', 'ARRAY[ARRAY[{ws}, {ws}]]::uuid[]', '22023', '{argument} must be a list'),
	('optional workspaces', 'twice the same', 'ARRAY[{ws}, {ws}]::uuid[]', '00000', NULL),
	('optional workspaces', '1000', 'array_fill({ws}::uuid, ARRAY[1000])', '00000', NULL),
	('optional workspaces', '1001', 'array_fill({ws}::uuid, ARRAY[1001])', '22023', 'too many workspaces'),
	('optional permissions', 'null', 'null', '00000', NULL),
	('optional permissions', 'empty array', '''{}''', '00000', NULL),
	('optional permissions', 'null inside', 'ARRAY[NULL]::text[]', '22023', '{argument} must not contain nulls'),
	('optional permissions', 'two dimensions', 'ARRAY[ARRAY[''access'', ''access'']]', '22023', '{argument} must be a list'),
	('optional permissions', 'twice the same', 'ARRAY[''access'', ''access'']', '00000', NULL),
	('optional permissions', 'another case', 'ARRAY[''ACCESS'']', '22023', 'permission "ACCESS" does not exist'),
	('optional permissions', 'a role', 'ARRAY[''admin'']', '22023', 'permission "admin" does not exist'),
	('optional permissions', 'empty inside', 'ARRAY['''']', '22023', 'permission "" does not exist'),
	('array of tables', 'null inside', 'ARRAY[NULL]::regclass[]', '22023', '{argument} must not contain nulls'),
	('own role', 'unknown', '''unknown''', '22023', 'role "unknown" does not exist'),
	('own permission', 'unknown', '''unknown''', '22023', 'permission "unknown" does not exist');
-- tokens
INSERT INTO test.probe (kind, what, literal, state, message)
	SELECT 'access token', what, literal, '28000', 'invalid API key'
	FROM test.bad_token('cnap_pat_3kseszoe3npgduxsx5yuo3h6qilmsmdne6ftx3q');
INSERT INTO test.probe (kind, what, literal, state, message)
	SELECT 'install link', what, literal, '22023', 'invalid or expired invitation'
	FROM (SELECT * FROM test.bad_token('cnap_link_7bqk4xv2mzt3hnwc5ydroi6paeujsgflqhbi5zq')
		UNION ALL VALUES ('unknown', '''cnap_link_aaaabbbbccccddddeeeeffffgggghhhh3bqsc5y'''),
			('an access token', '''cnap_pat_3kseszoe3npgduxsx5yuo3h6qilmsmdne6ftx3q''')) bad;
INSERT INTO test.probe (kind, what, literal, state, message)
	SELECT 'invitation', what, literal, '22023', 'invalid or expired invitation'
	FROM (SELECT * FROM test.bad_token('cnap_invite_p2xw4hq7zk3mvb6ntcy5rdsjaeoiugfmxkwvcqi')
		UNION ALL VALUES ('unknown', '''cnap_invite_aaaabbbbccccddddeeeeffffgggghhhhrzxy5ma'''),
			('an install link', '''cnap_link_7bqk4xv2mzt3hnwc5ydroi6paeujsgflqhbi5zq''')) bad;
INSERT INTO test.probe (kind, what, literal, state, message) VALUES
	('invitation id', 'unknown id', '{unknown}', '42704', 'invitation "{id}" does not exist'),
	('invitation id', 'somebody else''s', '{foreign_invitation}', '42704', 'invitation "{id}" does not exist'),
	('invitation id', 'id of an organization', '{vendor}', '42704', 'invitation "{id}" does not exist'),
	('install link id', 'unknown id', '{unknown}', '42704', 'install link "{id}" does not exist'),
	('install link id', 'somebody else''s', '{foreign_link}', '42704', 'install link "{id}" does not exist'),
	('install link id', 'id of an organization', '{vendor}', '42704', 'install link "{id}" does not exist'),
	('access token id', 'unknown id', '{unknown}', '42704', 'access token "{id}" does not exist'),
	('access token id', 'somebody else''s', '{foreign_token}', '42704', 'access token "{id}" does not exist'),
	('access token id', 'id of a workspace', '{ws}', '42704', 'access token "{id}" does not exist');
-- the results of the checks
INSERT INTO test.probe (kind, what, literal, state, result) VALUES
	('asked workspace', 'null', 'null', '00000', 'denied'),
	('asked workspace', 'unknown id', '{unknown}', '00000', 'denied'),
	('asked workspace', 'somebody else''s', '{foreign}', '00000', 'denied'),
	('asked workspace', 'id of an organization', '{vendor}', '00000', 'denied'),
	('asked permission', 'null', 'null', '00000', 'denied'),
	('asked uuid', 'null', 'null', '00000', 'denied'),
	('asked uuid', 'unknown id', '{unknown}', '00000', 'denied'),
	('asked user', 'null', 'null', '00000', 'denied'),
	('asked user', 'empty', '''''', '00000', 'denied'),
	('asked user', 'blank', ''' ''', '00000', 'denied'),
	('asked user', '255 bytes', 'repeat(''x'', 255)', '00000', 'denied'),
	('asked user', '256 bytes', 'repeat(''x'', 256)', '00000', 'denied'),
	('asked user', 'blank at the end', '''wanda ''', '00000', 'denied'),
	('asked user', 'another case', '''Wanda''', '00000', 'denied'),
	('asked user', 'somebody else', '''fred''', '00000', NULL);
-- about PostgreSQL's own objects
INSERT INTO test.probe (kind, what, literal, state, message) VALUES
	('database role', 'unknown id', '4242', '42704', 'invalid role OID: 4242'),
	('database role', 'everybody', '''public''', '42704', 'role "public" does not exist'),
	('role to count as', 'null', 'null', '00000', NULL),
	('role to count as', 'somebody else''s', '''cnap_test_visitor''', '42501', 'permission denied to set role "cnap_test_visitor"'),
	('schema to count', 'null', 'null', '00000', NULL), ('schema to count', 'empty', '''''', '00000', NULL),
	('schema to count', 'blank', ''' ''', '00000', NULL), ('schema to count', '256 bytes', 'repeat(''x'', 256)', '00000', NULL),
	('relation', 'unknown id', '4242', '42P01', 'relation with OID 4242 does not exist'),
	('relation', 'somebody else''s', '''test.somebodys''', '42501', 'must be owner of table somebodys'),
	('relation', 'the extension''s own', '''cnap.workspace''', '42809', '"workspace" is a table of the extension itself'),
	('any name', 'null', 'null', '00000', NULL),
	('kept column', 'null', 'null', '00000', NULL),
	('kept column', 'of another type', '''folder_id''', '42804', 'column "folder_id" of relation "entry" is of type integer, not uuid'),
	('schema', 'empty', '''''', '3F000', 'schema "" does not exist'),
	('schema', 'unknown', '''nowhere''', '3F000', 'schema "nowhere" does not exist'),
	('parent column', 'empty', '''''', '42703', 'column "" of relation "entry" does not exist'),
	('optional column', 'empty', '''''', '42703', 'column "" of relation "document" does not exist'),
	('optional column', 'blank', ''' ''', '42703', 'column " " of relation "document" does not exist'),
	('optional column', '256 bytes', 'repeat(''x'', 256)', '42703', format('column "%s" of relation "document" does not exist', repeat('x', 63)));

-- Types other than text refuse these anyway.
INSERT INTO test.probe (kind, what, literal, state)
	SELECT DISTINCT a.kind, bad.what, bad.literal, t.state
	FROM test.argument a
		JOIN (VALUES ('uuid', '22P02'), ('jsonb', '22P02'),
			('bigint', '22P02'), ('integer', '22P02'), ('boolean', '22P02'), ('timestamp with time zone', '22007'),
			('regrole', '42602'), ('text[]', '22P02'), ('uuid[]', '22P02'), ('name[]', '22P02'), ('regclass[]', '22P02'), ('regclass', '42602'), ('interval', '22007')) t (type, state) ON t.type = test.type_of(a),
		(VALUES ('empty', ''''''), ('blank', ''' ''')) bad (what, literal);
INSERT INTO test.probe (kind, what, literal, state)
	SELECT DISTINCT a.kind, '256 bytes', quote_literal(repeat('x', 256)), t.state
	FROM test.argument a
		JOIN (VALUES ('uuid', '22P02'), ('jsonb', '22P02'),
			('bigint', '22P02'), ('integer', '22P02'), ('boolean', '22P02'), ('timestamp with time zone', '22007'),
			('regrole', '42704'), ('text[]', '22P02'), ('uuid[]', '22P02'), ('name[]', '22P02'), ('regclass[]', '22P02'), ('regclass', '42P01'), ('interval', '22007')) t (type, state) ON t.type = test.type_of(a);

SELECT is_empty($$
	SELECT a.signature, a.name, what
	FROM test.argument a, unnest(ARRAY['null', 'empty', 'blank', '256 bytes']) what
	WHERE NOT EXISTS (SELECT FROM test.probe p WHERE p.kind = a.kind AND p.what = what)
	$$, 'every kind of argument is probed with null, empty, blank and 256 bytes');

-- "Denied", in the words of the function
CREATE FUNCTION test.denied(signature text) RETURNS text IMMUTABLE
RETURN CASE
	WHEN signature LIKE 'cnap_accessible_workspaces%' THEN '{}'
	WHEN signature NOT LIKE 'cnap_workspace_role%' THEN 'false'
END;

SELECT is(
	o.state || coalesce(' ' || CASE WHEN p.message IS NOT NULL OR o.state = '22023' THEN o.message END, '')
		|| CASE WHEN p.result IS NOT NULL THEN ' ' || coalesce(o.result, 'null') ELSE '' END,
	p.state || coalesce(' ' || replace(replace(p.message, '{argument}', a.name), '{id}', coalesce(test.value(p.literal), '')), '')
		|| CASE WHEN p.result IS NOT NULL THEN ' ' || coalesce(test.denied(a.signature), 'null') ELSE '' END,
	format('%s: %s %s', a.signature, a.name, p.what))
FROM test.function f
	JOIN test.argument a USING (signature)
	JOIN test.probe p USING (kind),
	LATERAL test.attempt(test.caller(f), f.actor, test.call_with(a.signature, a.position, p.literal)) o
ORDER BY a.signature, a.position, p.what;

-- null means unchanged, '' clears

CREATE FUNCTION test.settings_after(who text, statement text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	settings text;
BEGIN
	BEGIN
		PERFORM set_config('cnap.user_id', who, true);
		EXECUTE test.expand(statement);
		SELECT string_agg(concat_ws(' ', name, slug, logo, management_email, metadata, customer_id, accepts), '; ')
			INTO settings
		FROM cnap.organization WHERE id = test.id('vendor');
		SELECT concat_ws('; ', settings, concat_ws(' ', name, billing_email, customer_id, metadata))
			INTO settings
		FROM cnap.workspace WHERE id = test.id('ws');
		RAISE SQLSTATE 'UNDO0';
	EXCEPTION WHEN SQLSTATE 'UNDO0' THEN
		NULL;
	END;
	RETURN settings;
END
$$;

SELECT is(test.settings_after(who, statement), expected, statement)
FROM (VALUES
	('olga', 'SELECT cnap_update_organization({vendor})',
		'Vendor vendor https://vendor.example/logo.png manage@vendor.example {"plan": "pro"} anyone; Managed pay@customer.example {}'),
	('olga', 'SELECT cnap_update_organization({vendor}, ''New'', ''new'', ''https://new.example/'', ''a@new.example'', ''{"a": 1}'')',
		'New new https://new.example/ a@new.example {"a": 1} anyone; Managed pay@customer.example {}'),
	('olga', 'SELECT cnap_update_organization({vendor}, slug => '''', logo => '''', management_email => '''', metadata => ''{}'')',
		'Vendor {} anyone; Managed pay@customer.example {}'),
	('olga', 'SELECT cnap_update_organization({vendor}, accepts => ''links'')',
		'Vendor vendor https://vendor.example/logo.png manage@vendor.example {"plan": "pro"} links; Managed pay@customer.example {}'),
	('olga', 'SELECT cnap_update_organization({vendor}, accepts => ''links''), cnap_update_organization({vendor}, ''New''),
			cnap_update_organization({vendor}, accepts => ''anyone'')',
		'New vendor https://vendor.example/logo.png manage@vendor.example {"plan": "pro"} anyone; Managed pay@customer.example {}'),
	('wanda', 'SELECT cnap_update_workspace({ws}, metadata => ''{"a": 1}'')',
		'Vendor vendor https://vendor.example/logo.png manage@vendor.example {"plan": "pro"} anyone; Managed pay@customer.example {"a": 1}'),
	('wanda', 'SELECT cnap_set_workspace_billing({ws}, customer_id => ''c-1'')',
		'Vendor vendor https://vendor.example/logo.png manage@vendor.example {"plan": "pro"} anyone; Managed pay@customer.example c-1 {}'),
	('wanda', 'SELECT cnap_set_workspace_billing({ws}, billing_email => '''', customer_id => '''')',
		'Vendor vendor https://vendor.example/logo.png manage@vendor.example {"plan": "pro"} anyone; Managed {}')
) t (who, statement, expected);

SELECT is(test.line(o.state, o.message, o.changed), test.line('23505', 'slug "rival" is taken', false), 'a slug that is taken: ' || statement)
FROM (VALUES
	('olga', 'SELECT cnap_update_organization({vendor}, slug => ''rival'')'),
	('nina', 'SELECT cnap_create_organization(''New'', ''rival'')')) t (who, statement),
	LATERAL test.attempt('cnap_test_app', who, statement) o;

SELECT finish();
ROLLBACK;
