/*
 * postgraphile.js: a GraphQL server that exposes a protected schema to browsers
 *
 * PostGraphile executes each request in a transaction, and sets its user by pgSettings, as a
 * trusted role, or by the claims of a JSON web token, which the extension reads if a superuser has
 * turned that on. In each of these ways users must see exactly their own rows, be able to change
 * only these, and without a user there must be no access.
 *
 * Version 4 is the one for Node.js 18; version 5 needs 22.
 */
'use strict';

const fs = require('node:fs');
const http = require('node:http');
const os = require('node:os');
const path = require('node:path');
const { createRequire } = require('node:module');
const pg = require('pg');
const { postgraphile } = require('postgraphile');

const { connection, createDatabase, everybody, itemsOf, user, value } = require('./lib/database.js');
const { defined, renamed } = require('./lib/readme.js');
const { atExit, is, ok, test } = require('./lib/tap.js');

const jwt = createRequire(require.resolve('postgraphile'))('jsonwebtoken');

const SECRET = 'known to the gateway alone';
const PEOPLE = [1, 7, 30];

const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'graphql.'));
atExit(() => fs.rmSync(directory, { recursive: true }));

function quiet(pool, schema, options) {
	return postgraphile(pool, schema, { ...options, disableQueryLog: true });
}

// The user who sends a request, as determined by the application
function userOf(request) {
	return request.headers['x-user'];
}

// Makes a request handler a server on a socket. ask(user, query) is one request to it.
async function listen(name, handler) {
	const socketPath = path.join(directory, name);
	const server = http.createServer(handler).listen(socketPath);

	await new Promise((resolve) => server.on('listening', resolve));
	const post = (headers, query, variables) =>
		new Promise((resolve, reject) => {
			const request = http.request(
				{
					socketPath,
					method: 'POST',
					path: '/graphql',
					agent: false,
					headers: { 'content-type': 'application/json', ...headers },
				},
				async (response) => {
					let body = '';
					for await (const part of response) body += part;
					resolve(JSON.parse(body));
				},
			);
			request.on('error', reject);
			request.end(JSON.stringify({ query, variables }));
		});
	return { post, close: () => new Promise((resolve) => server.close(resolve)) };
}

function asHeader(id) {
	return id === null ? {} : { 'x-user': id };
}

function asToken(id) {
	return id === null
		? {}
		: { authorization: `Bearer ${jwt.sign({ user_id: id }, SECRET, { audience: 'postgraphile' })}` };
}

// ---- what must hold for each way ----

const READ = '{ allItems(orderBy: ID_ASC) { nodes { id } } }';
const CREATE = `mutation ($workspace: UUID!) {
	createItem(input: { item: { workspaceId: $workspace, body: "new" } }) { item { id } } }`;
const UPDATE = `mutation ($id: Int!) {
	updateItemById(input: { id: $id, itemPatch: { body: "changed" } }) { item { id body } } }`;
const MOVE = `mutation ($id: Int!, $workspace: UUID!) {
	updateItemById(input: { id: $id, itemPatch: { workspaceId: $workspace } }) { item { id } } }`;
const DELETE = 'mutation ($id: Int!) { deleteItemById(input: { id: $id }) { item { id } } }';

async function serves(way, { post }, headersOf, { workspaces, system }) {
	const ask = (n, query, variables) => post(headersOf(n && user(n)), query, variables);
	const read = async (n) => {
		const { data, errors } = await ask(n, READ);
		return errors ?? data.allItems.nodes.map(({ id }) => id);
	};
	const refused = async (n, query, variables) => {
		const { data, errors } = await ask(n, query, variables);
		return errors !== undefined && Object.values(data).every((result) => result === null);
	};
	const bodies = () => value(system, 'SELECT array_agg(body ORDER BY id) FROM app.item');

	const crowd = [...everybody, null, ...everybody, null];
	is(
		await Promise.all(crowd.map(read)),
		crowd.map((n) => (n ? itemsOf(n) : [])),
		`${way}: ${crowd.length} requests at once, each sees the rows of its user`,
	);

	const before = await bodies();
	const [own] = itemsOf(30);
	const [foreign] = itemsOf(20);
	for (const n of [30, null]) {
		const who = n ? 'somebody else' : 'nobody';

		ok(await refused(n, UPDATE, { id: foreign }), `${way}: ${who} cannot update a row`);
		ok(await refused(n, DELETE, { id: foreign }), `${way}: ${who} cannot delete a row`);
		ok(await refused(n, CREATE, { workspace: workspaces[20] }), `${way}: ${who} cannot create a row`);
	}
	is(
		(await ask(30, MOVE, { id: own, workspace: workspaces[30] })).data?.updateItemById.item,
		{ id: own },
		`${way}: a row stays where it is`,
	);
	ok(
		await refused(30, MOVE, { id: own, workspace: workspaces[20] }),
		`${way}: nor can a row be moved to the workspace of somebody else`,
	);
	is(await bodies(), before, `${way}: nothing has changed`);

	is(
		(await ask(30, UPDATE, { id: own })).data?.updateItemById.item,
		{ id: own, body: 'changed' },
		`${way}: but the own rows can be updated`,
	);
	const created = (await ask(30, CREATE, { workspace: workspaces[30] })).data?.createItem.item.id;
	is(await read(30), [...itemsOf(30), created], `${way}: created`);
	is((await ask(30, DELETE, { id: created })).data?.deleteItemById.item.id, created, `${way}: and deleted`);

	await system.query("UPDATE app.item SET body = 'text'");
	for (const n of PEOPLE) {
		const { data } = await ask(n, '{ who allMyWorkspaces { nodes { name section } } }');
		is(data?.who, user(n), `${way}: ${user(n)} is the current user`);
		ok(
			data?.allMyWorkspaces.nodes.some(
				({ name, section }) => name === `workspace ${n}` && section === 'own',
			),
			`${way}: a view of the application on the extension's functions`,
		);
	}
}

// ---- the ways ----

// A pool, and the texts and parameters of all queries that it sends
function recordedPool(database, role) {
	const pool = new pg.Pool({ ...connection(database, role), max: 2 });
	const sent = [];

	pool.on('connect', (client) => {
		const query = client.query;
		client.query = (...args) => {
			sent.push({ text: args[0].text ?? args[0], values: args[0].values });
			return query.apply(client, args);
		};
	});
	return { pool, sent };
}

async function way(name, world, role, makeHandler, headersOf) {
	const { pool, sent } = recordedPool(world.database, role);
	const server = await listen(name.replaceAll(' ', '_'), makeHandler(pool));

	await serves(name, server, headersOf, world);
	await server.close();
	await pool.end();
	return sent.filter(({ text }) => /set_config/.test(text)).map(({ values }) => values);
}

async function main() {
	const world = await createDatabase('graphql');
	const words = { app: world.database, graphql: 'graphql_login', web_user: 'graphql_web' };
	let settings;

	await world.system.query(`
		CREATE FUNCTION app.who() RETURNS text LANGUAGE sql STABLE AS 'SELECT cnap_current_user()';
		CREATE TYPE app.token AS (role text, user_id text);
		CREATE VIEW app.my_workspace AS SELECT id, name, section::text FROM cnap_workspaces();
		GRANT SELECT ON app.my_workspace TO graphql_app, graphql_plain, graphql_web`);

	await way(
		'trusted login',
		world,
		'graphql_app',
		(pool) => defined('graphql', { postgraphile: quiet, pool, userOf }, { web_user: 'graphql_web' }),
		asHeader,
	);
	settings = await way(
		'role before user',
		world,
		'graphql_app',
		(pool) =>
			quiet(pool, 'app', {
				pgSettings: (request) => ({ role: 'graphql_web', 'cnap.user_id': userOf(request) }),
			}),
		asHeader,
	);
	is(
		settings.find((values) => values.includes('cnap.user_id')).filter((_, i) => i % 2 === 0),
		['cnap.user_id', 'role'],
		'the role comes last, so the right to set the user is that of the login',
	);

	await world.system.query(renamed(words, 'sql', 'CREATE ROLE graphql'));
	await way(
		'a claim',
		world,
		'graphql_login',
		(pool) =>
			quiet(pool, 'app', {
				pgSettings: (request) => ({ role: 'graphql_web', 'jwt.claims.user_id': userOf(request) }),
			}),
		asHeader,
	);
	settings = await way(
		'a token that PostGraphile checks',
		world,
		'graphql_login',
		(pool) =>
			quiet(pool, 'app', {
				jwtSecret: SECRET,
				jwtPgTypeIdentifier: 'app.token',
				pgDefaultRole: 'graphql_web',
			}),
		asToken,
	);
	is(
		settings
			.find((values) => values.includes('jwt.claims.user_id'))
			.filter((_, i) => i % 2 === 0)
			.slice(0, 2),
		['role', 'jwt.claims.user_id'],
		'here claims come after the role, which need not be trusted for them',
	);

	await world.system.query(
		`ALTER ROLE graphql_plain IN DATABASE ${world.database} SET cnap.claims_setting = 'request.jwt.claims'`,
	);
	await way(
		'claims',
		world,
		'graphql_plain',
		(pool) =>
			quiet(pool, 'app', {
				pgSettings: (request) => ({
					role: 'graphql_web',
					'request.jwt.claims': JSON.stringify({ sub: userOf(request), role: 'graphql_web' }),
				}),
			}),
		asHeader,
	);
	await world.system.end();
}

test(main);
