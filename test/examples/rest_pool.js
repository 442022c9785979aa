/*
 * rest_pool.js: the users of examples/rest share a pool of two connections
 *
 * - many requests at once, with errors among them: each is answered for its own user
 * - statements that are cancelled, connections that are terminated, clients that go away
 * - nobody is left signed in on a connection, whatever happened on it
 * - a database that is not available
 */
'use strict';

const { is, ok, test } = require('../clients/lib/tap.js');
const { connection, request, start } = require('./lib/rest.js');
const { createDatabase } = require('../../examples/rest/lib/database.js');

const USERS = Array.from({ length: 12 }, (_, i) => `user ${i + 1}`);

// Each user owns a workspace of their name.
async function populate(server) {
	for (const user of USERS)
		await server.system.query('SELECT cnap_create_workspace($1, owner => $1)', [user]);
	for (const user of USERS) await server.tokenOf(user);
}

async function namesOf(server, user) {
	const { body } = await request(server, await server.tokenOf(user), 'GET', '/v1/workspaces');

	return body.data?.map(({ name }) => name) ?? body.error.code;
}

async function crowd(server, name) {
	const all = USERS.concat(USERS, USERS);
	const seen = await Promise.all(
		all.map(async (user, i) => {
			// one in three is an error of some kind
			const token = i % 6 === 1 ? 'cnap_pat_wrong' : await server.tokenOf(user);
			if (i % 6 === 1) return (await request(server, token, 'GET', '/v1/me')).status;
			if (i % 6 === 4) return (await request(server, token, 'GET', '/v1/workspaces/none')).status;
			return namesOf(server, user);
		}),
	);

	is(
		seen,
		all.map((user, i) => (i % 6 === 1 ? 401 : i % 6 === 4 ? 400 : [user])),
		name,
	);
}

// Waits until a statement of the server's waits for a lock; -> the process ids
async function waiting({ system, name }) {
	for (;;) {
		const { rows } = await system.query(
			"SELECT pid FROM pg_stat_activity WHERE usename = $1 AND wait_event_type = 'Lock'",
			[`${name}_rest`],
		);
		if (rows.length > 0) return rows.map(({ pid }) => pid);
		await new Promise((resolve) => setTimeout(resolve, 20));
	}
}

// A request that waits for a lock, while interrupt(PIDS, ABORT) is done to it
async function interrupted(server, interrupt) {
	const [user] = USERS;
	const { system } = server;
	const { rows } = await system.query('SELECT id FROM cnap.workspace WHERE name = $1', [user]);
	const aborter = new AbortController();

	await system.query('BEGIN');
	await system.query('SELECT FROM cnap.workspace WHERE id = $1 FOR UPDATE', [rows[0].id]);
	const answer = fetch(`${server.url}/v1/workspaces/${rows[0].id}`, {
		method: 'PATCH',
		headers: { authorization: `Bearer ${await server.tokenOf(user)}` },
		body: '{"metadata": {"a": 1}}',
		signal: aborter.signal,
	}).then(
		async (response) => [response.status, await response.json()],
		(error) => [error.name],
	);
	await interrupt(await waiting(server), aborter);
	const result = await answer;
	await system.query('ROLLBACK');
	return result;
}

async function interruptions(server) {
	const { system } = server;
	const unavailable = [
		503,
		{ error: { code: 'unavailable', message: 'the database is not available', sqlstate: '57014' } },
	];

	is(
		await interrupted(server, ([pid]) => system.query('SELECT pg_cancel_backend($1)', [pid])),
		unavailable,
		'a statement that is cancelled',
	);
	await crowd(server, 'everybody else is served');
	const [status] = await interrupted(server, ([pid]) =>
		system.query('SELECT pg_terminate_backend($1)', [pid]),
	);
	is(status, 503, 'a connection that is terminated');
	await crowd(server, 'everybody else is served, too');
	is(
		await interrupted(server, (pids, aborter) => aborter.abort()),
		['AbortError'],
		'a client that goes away',
	);
	await crowd(server, 'it takes nobody with it');

	const { rows } = await system.query(
		'SELECT count(*)::int AS connections FROM pg_stat_activity WHERE usename = $1',
		[`${server.name}_rest`],
	);
	ok(rows[0].connections <= 2, 'there are no more connections than the pool may have');
}

// The same pool, from within: who is the current user on a connection that was given back?
async function givenBack(server) {
	const { PGDATABASE, PGUSER } = process.env;
	const { database, user } = connection(server.database, `${server.name}_rest`);

	Object.assign(process.env, { PGDATABASE: database, PGUSER: user, POOL_SIZE: '1' });
	const pool = createDatabase();
	const left = async () => (await pool.pool.query('SELECT cnap_current_user() AS user')).rows[0].user;
	const token = await server.tokenOf(USERS[0]);

	is(
		await pool.asOwnerOf(token, (db) => db.call('cnap_current_user')),
		USERS[0],
		'within a request, the user is the owner of the token',
	);
	is(await left(), null, 'after it, nobody is');
	await pool.asOwnerOf(token, (db) => db.query('SELECT 1 / 0')).catch(() => {});
	is(await left(), null, 'nor after an error');
	await pool
		.asOwnerOf(token, async () => {
			throw new Error('not of the database');
		})
		.catch(() => {});
	is(await left(), null, 'nor after one of the program');
	await pool.asOwnerOf('cnap_pat_wrong', () => {}).catch(() => {});
	is(await left(), null, 'nor after a wrong token');
	await pool
		.asOwnerOf(token, (db) => db.query('SELECT pg_terminate_backend(pg_backend_pid())'))
		.catch(() => {});
	is(await left(), null, 'nor on the connection that replaces a lost one');
	await pool.end();
	Object.assign(process.env, { PGDATABASE, PGUSER });
}

async function unavailable(server) {
	const { system, database, name } = server;
	const token = await server.tokenOf(USERS[0]);

	await system.query(`ALTER ROLE ${name}_rest NOLOGIN`);
	await system.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1', [
		`${name}_rest`,
	]);
	const down = await request(server, token, 'GET', '/v1/me');
	is(
		[down.status, down.body.error.message, down.headers.get('retry-after')],
		[503, 'the database is not available', '1'],
		`no connection to ${database}`,
	);
	await system.query(`ALTER ROLE ${name}_rest LOGIN`);
	is((await request(server, token, 'GET', '/v1/me')).status, 200, 'when it is back, so is the server');

	await system.query('SET cnap.guard = off; ALTER FUNCTION cnap_workspaces RENAME TO cnap_workspaces_away');
	const broken = await request(server, token, 'GET', '/v1/workspaces');
	is(
		[broken.status, broken.body],
		[500, { error: { code: 'internal_error', message: 'internal error' } }],
		'what the client can do nothing about is not explained to it',
	);
	ok(/function cnap_workspaces\(\) does not exist/.test(server.errors()), 'but logged');
	ok(!server.errors().includes(token), 'without the token');
	await system.query('ALTER FUNCTION cnap_workspaces_away RENAME TO cnap_workspaces; RESET cnap.guard');
}

test(async () => {
	const server = await start('pool', { POOL_SIZE: '2' });

	await populate(server);
	await crowd(server, 'many requests at once, each is answered for its user');
	await interruptions(server);
	await givenBack(server);
	await unavailable(server);
	is(await namesOf(server, USERS[3]), [USERS[3]], 'in the end, all is as before');
	await server.stop();
});
