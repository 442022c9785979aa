/*
 * postgrest.js: what PostgREST sends, with the recipes of doc/identity.md and doc/api.md
 *
 * PostgREST itself is in no registry that the tests use. For each request it opens a transaction,
 * and first executes a statement that sets the search path, the role, the claims of the JSON web
 * token that it has verified, and the data of the request, for the transaction. This test does
 * the same.
 */
'use strict';

const pg = require('pg');

const {
	IDS,
	connect,
	connection,
	createDatabase,
	everybody,
	itemsOf,
	user,
	value,
} = require('./lib/database.js');
const { renamed } = require('./lib/readme.js');
const { is, ok, refused, test } = require('./lib/tap.js');

const ROLE = 'postgrest_web_user';
const ANONYMOUS = 'postgrest_anonymous';
const BEGINNING = `SELECT set_config('search_path', 'app, public', true), set_config('role', $1, true),
	set_config('request.jwt.claims', $2, true), set_config('request.method', 'GET', true),
	set_config('request.path', '/item', true), set_config('request.headers', $3, true),
	set_config('request.cookies', '{}', true)`;

// A transaction that begins as PostgREST's do
async function requestAs(pool, role, claims, headers, work) {
	const client = await pool.connect();

	try {
		await client.query('BEGIN');
		await client.query(BEGINNING, [role, claims, JSON.stringify(headers)]);
		const result = await work(client);
		await client.query('COMMIT');
		return result;
	} catch (error) {
		await client.query('ROLLBACK');
		throw error;
	} finally {
		client.release();
	}
}

// A request with these claims, to which PostgREST adds the role
const request = (pool, claims, text, values, headers = {}) =>
	requestAs(pool, ROLE, JSON.stringify({ ...claims, role: ROLE }), headers, (client) =>
		value(client, text, values),
	);

// A request without a JSON web token, before which PostgREST calls the function of doc/api.md
const preRequest = (pool, text, headers) =>
	requestAs(pool, ANONYMOUS, '', headers, async (client) => {
		await client.query('SELECT "api"."cnap_pre_request"()');
		return value(client, text);
	});

async function accessTokens(pool, system) {
	await system.query(
		renamed(
			{ anonymous: ANONYMOUS, authenticator: 'postgrest_authenticator' },
			'sql',
			'FUNCTION api.cnap_pre_request',
		),
	);
	await system.query(`GRANT USAGE ON SCHEMA app TO ${ANONYMOUS}; GRANT SELECT ON app.item TO ${ANONYMOUS}`);
	const tokens = {};
	for (const n of everybody)
		tokens[n] = await value(
			system,
			"SELECT cnap_create_access_token('api') FROM set_config('cnap.user_id', $1, true)",
			[user(n)],
		);
	const come = (token) => preRequest(pool, IDS, token === undefined ? {} : { 'x-access-token': token });

	const crowd = [...everybody, null, ...everybody, null];
	is(
		await Promise.all(crowd.map((n) => come(n ? tokens[n] : undefined))),
		crowd.map((n) => (n ? itemsOf(n) : [])),
		`${crowd.length} requests at once with access tokens, each sees the rows of its user`,
	);
	for (const token of ['cnap_pat_wrong', '', `${tokens[1]} `])
		await refused(come(token), 'PT401', `the token "${token.slice(0, 10)}"`, /^invalid API key$/);
	is(await preRequest(pool, IDS, { 'x-user': user(1) }), [], 'another header says nothing');
}

test(async () => {
	const { database, system, workspaces } = await createDatabase('postgrest');

	await system.query(
		renamed(
			{ app: database, authenticator: 'postgrest_authenticator', web_user: ROLE },
			'sql',
			'CREATE ROLE authenticator',
		),
	);
	await system.query(`GRANT USAGE ON SCHEMA app TO ${ROLE};
		GRANT SELECT, INSERT, UPDATE ON app.item TO ${ROLE}`);
	const pool = new pg.Pool({ ...connection(database, 'postgrest_authenticator'), max: 2 });
	const as = (n, text, ...more) => request(pool, n && { sub: user(n) }, text, ...more);

	const crowd = [...everybody, null, ...everybody, null];
	is(
		await Promise.all(crowd.map((n) => as(n, IDS))),
		crowd.map((n) => (n ? itemsOf(n) : [])),
		`${crowd.length} requests at once, each sees the rows of its user`,
	);

	await accessTokens(pool, system);

	is(
		await as(1, 'SELECT cnap_can_access(workspace => $1)', [workspaces[1]]),
		true,
		'a function, with named arguments',
	);
	is(
		await as(1, 'SELECT cnap_can_access(workspace => $1)', [workspaces[20]]),
		false,
		'about the workspace of somebody else',
	);
	await refused(
		as(1, 'SELECT cnap_can_access(user_id => $1::text, workspace => $2)', [user(20), workspaces[20]]),
		'42501',
		'but none about somebody else',
	);
	const insert = 'INSERT INTO app.item (workspace_id, body) VALUES ($1, $2) RETURNING version';
	is(await as(1, insert, [workspaces[1], 'new']), 0, 'a new row');
	await refused(
		as(1, insert, [workspaces[20], 'new']),
		'42501',
		'but none in the workspace of somebody else',
	);
	await refused(as(null, insert, [workspaces[1], 'new']), '42501', 'nor by nobody');

	for (const [name, claims] of Object.entries({
		'no claim of that name': { user_id: user(1) },
		'a claim in another one': { app: { sub: user(1) } },
		'no user id': { sub: ` ${user(1)}` },
		null: { sub: null },
		'an array': { sub: [user(1)] },
	}))
		is(await request(pool, claims, IDS), [], `${name}: nobody`);
	is(
		await as(null, IDS, [], { sub: user(1), 'request.jwt.claims': `{"sub": "${user(1)}"}` }),
		[],
		'nor do the headers of a request say who it is',
	);

	await refused(as(1, 'SELECT 1 / 0'), '22012', 'a request that fails');
	const left = await Promise.all(
		[1, 2, 3, 4].map(() =>
			value(
				pool,
				"SELECT concat_ws(',', current_user, nullif(current_setting('request.jwt.claims', true), ''), cnap_current_user())",
			),
		),
	);
	is(left, Array(4).fill('postgrest_authenticator'), 'nothing is left on the connections');

	// the warning of doc/identity.md: a client who can send SQL
	const forge = "SELECT set_config('request.jwt.claims', $1, false)";
	const forged = JSON.stringify({ sub: user(1) });
	const person = await connect(connection(database, 'postgrest_plain'));
	await person.query(forge, [forged]);
	is(await value(person, IDS), [], 'another login cannot forge claims');
	await person.query('SET ROLE postgrest_web');
	is(await value(person, IDS), [], 'nor as another role');
	await person.end();

	const gateway = await connect(connection(database, 'postgrest_authenticator'));
	await gateway.query(forge, [forged]);
	await gateway.query(`SET ROLE ${ROLE}`);
	ok((await value(gateway, IDS)).length > 0, 'but the login of the gateway can');
	await gateway.end();

	await pool.end();
	await system.end();
});
