/*
 * node_postgres.js: the most common driver of Node.js, connected to the server itself
 *
 * - the functions of doc/identity.md: a pool of connections, shared by changing users, and signing in by
 *   a token
 * - parameters, also of overloaded functions, and named prepared statements
 * - the types of results: uuid, arrays, roles, timestamps, JSON
 * - the SQLSTATEs of the README's table of errors, as err.code
 * - access tokens, used by a script that connects directly
 * - LISTEN on the channel cnap
 */
'use strict';

const pg = require('pg');

const {
	USERS,
	connect,
	connection,
	createDatabase,
	everybody,
	itemsOf,
	user,
	value,
} = require('./lib/database.js');
const { is, ok, refused, test } = require('./lib/tap.js');
const { defined } = require('./lib/readme.js');

const asUser = defined('asUser');
const signIn = defined('signIn');

const SELECT_IDS = 'SELECT id FROM app.item ORDER BY id';
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const UNKNOWN = '00000000-0000-4000-8000-000000000000';

async function ids(client, query) {
	return (await client.query(query)).rows.map(({ id }) => id);
}

// ---- a pool ----

async function poolOfConnections(pool) {
	const seen = await Promise.all(
		everybody.concat(everybody).map((n) => asUser(pool, user(n), (client) => ids(client, SELECT_IDS))),
	);

	is(
		seen,
		everybody.concat(everybody).map(itemsOf),
		`${2 * USERS} transactions at once: the rows of their users`,
	);
	is(await ids(pool, SELECT_IDS), [], 'a query of the pool itself has no user');

	// users whose transactions fail, at the first statement, in the middle and at the end
	const failing = everybody.map((n) =>
		asUser(pool, user(n), async (client) => {
			if (n % 3 !== 0) await ids(client, SELECT_IDS);
			await client.query(n % 2 ? 'SELECT 1 / 0' : 'SELECT nothing');
		}).catch(({ code }) => code),
	);
	is(
		await Promise.all(failing),
		everybody.map((n) => (n % 2 ? '22012' : '42703')),
		'errors come through',
	);
	is(
		await Promise.all(everybody.map(() => ids(pool, SELECT_IDS))),
		everybody.map(() => []),
		'and leave no user on a connection',
	);
	ok(pool.totalCount > 0 && pool.totalCount <= pool.options.max, 'nor is the pool any larger');

	const broken = asUser(pool, user(1), (client) =>
		client.query('SELECT pg_terminate_backend(pg_backend_pid())'),
	);
	await refused(broken, '57P01', 'a connection that was terminated');
	is(
		await asUser(pool, user(2), (client) => ids(client, SELECT_IDS)),
		itemsOf(2),
		'the pool has another one',
	);
}

// ---- parameters and prepared statements ----

async function parameters(pool, { workspaces }) {
	for (const id of ["o'brien", 'a\\b', '"', '$1', 'grüße|€', "'; RESET cnap.user_id; --", '0'.repeat(255)])
		is(
			await asUser(pool, id, (client) => value(client, 'SELECT cnap_current_user()')),
			id,
			`the user id ${id.slice(0, 30)}`,
		);
	for (const id of [' a', 'a ', '0'.repeat(256)])
		await refused(
			asUser(pool, id, () => {}),
			'22023',
			`"${id.slice(0, 3)}" is no user id`,
		);
	for (const id of ['', null])
		is(
			await asUser(pool, id, (client) => value(client, 'SELECT cnap_current_user()')),
			null,
			`${JSON.stringify(id)} is nobody`,
		);

	await asUser(pool, user(1), async (client) => {
		const check = 'SELECT cnap_can_access($1)';
		is(await value(client, check, [workspaces[1]]), true, 'a uuid as a parameter');
		is(await value(client, check, [workspaces[20]]), false, 'the workspace of somebody else');
		is(await value(client, check, [null]), false, 'null as a parameter');
		is(
			await value(client, 'SELECT cnap_can_access($1, $2)', [user(20), workspaces[20]]),
			true,
			'a user and a workspace',
		);
		is(
			await value(client, 'SELECT cnap_has_permission($1, $2, $3)', [
				user(20),
				workspaces[20],
				'billing',
			]),
			true,
			'a permission',
		);
		is(
			await ids(client, {
				text: 'SELECT id FROM app.item WHERE workspace_id = ANY ($1) ORDER BY id',
				values: [[workspaces[1], workspaces[6], workspaces[20]]],
			}),
			itemsOf(1).filter((id) => itemsOf(6).includes(id) || id <= 2),
			'an array of uuid',
		);
	});
}

async function preparedStatements({ database }) {
	const client = await connect(connection(database, 'node_app'));
	const named = { name: 'items', text: 'SELECT id FROM app.item WHERE id > $1 ORDER BY id', values: [0] };

	is(await ids(client, named), [], 'a named statement, prepared by nobody');
	// often enough for PostgreSQL to consider a generic plan
	for (let turn = 1; turn <= 8; turn++) {
		const wrong = [];

		for (const n of [1, 7, 30]) {
			await client.query('BEGIN');
			await client.query("SELECT set_config('cnap.user_id', $1, true)", [user(n)]);
			if ((await ids(client, named)).join() !== itemsOf(n).join()) wrong.push(user(n));
			await client.query('COMMIT');
			if ((await ids(client, named)).length > 0) wrong.push(`after ${user(n)}`);
		}
		is(wrong, [], `the users take turns at it, ${turn}`);
	}
	is(
		await value(client, "SELECT count(*)::integer FROM pg_prepared_statements WHERE name = 'items'"),
		1,
		'it was prepared once',
	);
	await client.end();
}

// ---- types ----

async function types(pool) {
	const row = async (client, text, values) => (await client.query(text, values)).rows[0];

	await asUser(pool, 'typist', async (client) => {
		const organization = await value(client, 'SELECT cnap_create_organization($1, slug => $2)', [
			'Types',
			'types',
		]);
		const workspace = await value(client, 'SELECT cnap_create_workspace($1)', ['Types']);
		ok(UUID.test(organization) && UUID.test(workspace), 'uuid: a string');

		is(
			await value(client, 'SELECT cnap_accessible_workspaces()'),
			[workspace],
			'uuid[]: an array of strings',
		);
		is(await value(client, 'SELECT cnap_workspace_role($1)', [workspace]), 'owner', 'a role: a string');
		is(await value(client, 'SELECT cnap_workspace_role($1)', [UNKNOWN]), null, 'or null');
		for (const type of ['', '::text', '::varchar']) {
			is(
				await value(client, `SELECT cnap_has_permission($1, $2${type})`, [workspace, 'billing']),
				true,
				`a permission${type}: a string`,
			);
			is(
				await value(client, `SELECT cnap_add_workspace_member($1, $2, $3${type})`, [
					workspace,
					`colleague${type}`,
					'admin',
				]),
				'',
				`a role${type}: a string`,
			);
		}
		is(await value(client, 'SELECT cnap_can_access($1)', [workspace]), true, 'boolean');
		is(
			await value(client, 'SELECT cnap_update_organization($1, metadata => $2)', [
				organization,
				{ tier: ['gold'] },
			]),
			'',
			'void: an empty string; and an object as jsonb',
		);

		const one = await row(client, 'SELECT * FROM cnap_organization($1)', [organization]);
		is(
			{ ...one, id: null, created_at: null, updated_at: null },
			{
				id: null,
				name: 'Types',
				slug: 'types',
				logo: null,
				management_email: null,
				customer_id: null,
				accepts: 'anyone',
				metadata: { tier: ['gold'] },
				created_by: 'typist',
				created_at: null,
				updated_at: null,
			},
			'a row with an object of jsonb',
		);
		ok(
			one.created_at instanceof Date && Math.abs(Date.now() - one.created_at) < 3_600_000,
			'timestamptz: a date',
		);

		is(
			await row(client, 'SELECT name, role, section, via, organization FROM cnap_workspaces()'),
			{ name: 'Types', role: 'owner', section: 'own', via: 'owner', organization: null },
			'a row of a set',
		);

		const until = new Date(Date.now() + 86_400_000);
		await client.query('SELECT cnap_grant_management($1, $2, until => $3)', [
			workspace,
			organization,
			until,
		]);
		is(
			(await row(client, 'SELECT managed_until FROM cnap_organization_workspaces($1)', [organization]))
				.managed_until,
			until,
			'a date as timestamptz, there and back',
		);

		const entry = await row(client, 'SELECT * FROM cnap_workspace_audit($1, max_rows => $2)', [
			workspace,
			1,
		]);
		is(
			{ id: typeof entry.id, action: entry.action, actor: entry.actor, detail: typeof entry.detail },
			{ id: 'string', action: 'management.grant', actor: 'typist', detail: 'object' },
			'bigint: a string',
		);
	});
}

// ---- errors ----

// Each is an error of the README's table: its SQLSTATE and message, the user, and the statement.
function errors({ workspaces: w, vendor }) {
	return [
		['28000', 'no current user', null, 'SELECT cnap_create_workspace($1)', ['x']],
		['42501', 'admin role required', 2, 'SELECT cnap_update_organization($1, name => $2)', [vendor, 'x']],
		['42501', 'owner role required', 2, 'SELECT cnap_delete_organization($1)', [vendor]],
		[
			'42501',
			'only the system can name another owner',
			2,
			'SELECT cnap_create_workspace($1, owner => $2)',
			['x', user(3)],
		],
		[
			'42501',
			'new row violates row-level security policy',
			2,
			'INSERT INTO app.item (workspace_id, body) VALUES ($1, $2)',
			[w[20], 'x'],
		],
		[
			'42704',
			`organization "${vendor}" does not exist`,
			20,
			'SELECT * FROM cnap_organization($1)',
			[vendor],
		],
		[
			'42704',
			`workspace "${w[20]}" does not exist`,
			21,
			'SELECT cnap_update_workspace($1, $2)',
			[w[20], 'x'],
		],
		[
			'42704',
			`workspace "${UNKNOWN}" does not exist`,
			21,
			'SELECT cnap_update_workspace($1, $2)',
			[UNKNOWN, 'x'],
		],
		[
			'42704',
			'is not a member of the organization',
			1,
			'SELECT cnap_remove_organization_member($1, $2)',
			[vendor, user(20)],
		],
		['22023', 'name is required', 1, 'SELECT cnap_create_workspace($1)', [null]],
		['22023', 'invalid slug', 1, 'SELECT cnap_update_organization($1, slug => $2)', [vendor, 'No Slug']],
		[
			'23505',
			'is already a member of the organization',
			1,
			'SELECT cnap_add_organization_member($1, $2)',
			[vendor, user(2)],
		],
		['23001', 'would lose its last owner', 1, 'SELECT cnap_leave_organization($1)', [vendor]],
		[
			'23001',
			'is the owner of the workspace',
			6,
			'SELECT cnap_remove_workspace_member($1, $2)',
			[w[6], user(6)],
		],
		['23001', 'workspace is already managed', 6, 'SELECT cnap_grant_management($1, $2)', [w[6], vendor]],
		['23503', 'violates foreign key constraint', 20, 'SELECT cnap_delete_workspace($1)', [w[20]]],
		['55000', 'workspace is not managed', 20, 'SELECT cnap_revoke_management($1)', [w[20]]],
		['28000', 'invalid API key', null, 'SELECT cnap_authenticate($1)', ['cnap_pat_x']],
		[
			'42704',
			`access token "${UNKNOWN}" does not exist`,
			20,
			'SELECT cnap_revoke_access_token($1)',
			[UNKNOWN],
		],
		['22P02', 'invalid input syntax for type uuid', 20, 'SELECT cnap_can_access($1)', ['x']],
	];
}

async function errorCodes(pool, world) {
	await world.system.query(`CREATE TABLE app.invoice (workspace_id uuid REFERENCES cnap.workspace)`);
	await world.system.query('INSERT INTO app.invoice VALUES ($1)', [world.workspaces[20]]);
	for (const [code, message, n, text, values] of errors(world)) {
		const error = await asUser(pool, n && user(n), (client) => client.query(text, values)).then(
			() => ({ code: 'none', message: '' }),
			(reason) => reason,
		);

		is(error.code, code, `${code} ${message.replace(/"[^"]*"/, '"…"')}`);
		ok(error.message.includes(message), 'with its message') || is(error.message, message, text);
	}
}

// ---- access tokens ----

async function accessTokens(pool, { database }) {
	const create = 'SELECT cnap_create_access_token($1, expires_at => $2)';
	const tomorrow = new Date(Date.now() + 86_400_000);
	const token = await asUser(pool, user(7), (client) => value(client, create, ['backup', tomorrow]));
	ok(/^cnap_pat_\w{39}$/.test(token), 'a token: a string');

	const script = await connect(connection(database, 'node_plain'));
	await script.query('BEGIN');
	is(await value(script, 'SELECT cnap_authenticate($1)', [token]), user(7), 'it signs its user in');
	is(await ids(script, SELECT_IDS), itemsOf(7), 'who sees the own rows');
	await refused(script.query(create, ['another', null]), '42501', 'it cannot create another one');
	await script.query('ROLLBACK');
	is(await ids(script, SELECT_IDS), [], 'and signs in for the transaction');

	await signIn(script, token);
	ok(
		!(await value(script, "SELECT string_agg(query, '') FROM pg_stat_activity")).includes(token),
		'nobody sees the token',
	);
	is(await ids(script, SELECT_IDS), itemsOf(7), 'or for the session');
	const {
		rows: [row],
	} = await asUser(pool, user(7), (client) => client.query('SELECT * FROM cnap_access_tokens()'));
	is(
		[row.name, row.expires_at, row.revoked_at, row.last_used_at instanceof Date],
		['backup', tomorrow, null, true],
		'its row, with dates',
	);

	await asUser(pool, user(7), (client) => client.query('SELECT cnap_revoke_access_token($1)', [row.id]));
	is(await ids(script, SELECT_IDS), [], 'until it is revoked');
	await refused(script.query('SELECT cnap_workspaces()'), '28000', 'which the session is told');
	await refused(script.query('SELECT cnap_authenticate($1)', [token]), '28000', 'as is who signs in');
	await refused(
		asUser(pool, user(7), (client) => client.query('SELECT cnap_revoke_access_token($1)', [row.id])),
		'55000',
		'nor can it be revoked again',
	);
	await script.end();
}

// ---- notifications ----

async function notifications(pool, { database, workspaces }) {
	const listener = await connect(connection(database, 'node_plain'));
	const heard = [];

	listener.on('notification', ({ channel, payload }) => heard.push([channel, JSON.parse(payload)]));
	await listener.query('LISTEN cnap');
	const arrived = (count) =>
		new Promise((resolve) => {
			const look = () => (heard.length >= count ? resolve() : setTimeout(look, 10));
			look();
		});

	await asUser(pool, user(20), async (client) => {
		await client.query('SELECT cnap_add_workspace_member($1, $2)', [workspaces[20], user(21)]);
		await client.query('SAVEPOINT a');
		await client.query('SELECT cnap_add_workspace_member($1, $2)', [workspaces[20], user(22)]);
		await client.query('ROLLBACK TO a');
		await client.query('SELECT cnap_remove_workspace_member($1, $2)', [workspaces[20], user(21)]);
	});
	await arrived(2);
	const about = { workspace: workspaces[20], subject: user(21), actor: user(20) };
	is(
		heard,
		[
			['cnap', { action: 'workspace_member.add', ...about }],
			['cnap', { action: 'workspace_member.remove', ...about }],
		],
		'each change that was committed is heard, as JSON',
	);
	await listener.end();
}

test(async () => {
	const world = await createDatabase('node');
	await world.system.query(`ALTER DATABASE ${world.database} SET cnap.notify = on`);
	const pool = new pg.Pool({ ...connection(world.database, 'node_app'), max: 3 });

	// without a handler, losing a connection that is in use would end the process
	pool.on('connect', (client) => client.on('error', () => {}));
	await poolOfConnections(pool);
	await parameters(pool, world);
	await preparedStatements(world);
	await types(pool);
	await errorCodes(pool, world);
	await accessTokens(pool, world);
	await notifications(pool, world);
	await pool.end();
	await world.system.end();
});
