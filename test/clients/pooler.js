/*
 * pooler.js: a transaction pooler between the clients and the server
 *
 * pgbouncer lets many clients share a few server connections, each for one transaction at a time.
 * Some of them are application servers, which set the user of each transaction as a trusted role.
 * Others are scripts, which sign in with an access token in each transaction.
 *
 * - Many clients, whose transactions act for changing users, share a few connections, while some
 *   of them fail, disconnect or are killed. Each transaction must see exactly the rows of its
 *   user, and those without a user must see none.
 * - With a single connection, each transaction finds what the previous one left behind: after each
 *   way in which a transaction can end, one without a user must see nothing.
 */
'use strict';

const { fork } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const {
	IDS,
	USERS,
	connect,
	connection,
	createDatabase,
	everybody,
	itemsOf,
	user,
	value,
} = require('./lib/database.js');
const { startProgram } = require('./lib/pool.js');
const { diag, is, ok, refused, test } = require('./lib/tap.js');

const TRANSACTIONS = 10_000;
const KILLED = 6;

// The pools: their clients, roles, and numbers of connections and clients
const POOLS = {
	servers: { role: 'pooler_app', size: 4, clients: 40 },
	scripts: { role: 'pooler_plain', size: 2, clients: 10 },
};

// A sequence of pseudo-random numbers below a limit, the same in each run
function numbers(seed) {
	let state = seed;

	return (limit) => {
		state = (Math.imul(state, 1103515245) + 12345) >>> 0;
		return (state >>> 8) % limit;
	};
}

// Starts a pgbouncer that listens on a socket, and stops it at the end. pools contains for each
// name the role to connect as, and the maximum number of connections.  Returns a function from the
// name of a pool to its connection parameters.
async function startPooler(database, pools) {
	const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'pooler.'));
	const target = connection(database);
	const config = path.join(dir, 'pgbouncer.ini');

	fs.writeFileSync(
		config,
		[
			'[databases]',
			...Object.entries(pools).map(
				([name, { role, size }]) =>
					`${name} = host=${target.host} port=${target.port} dbname=${database} user=${role} pool_size=${size}`,
			),
			'[pgbouncer]',
			'pool_mode = transaction',
			'listen_addr =',
			'listen_port = 6432',
			`unix_socket_dir = ${dir}`,
			'auth_type = any',
			'admin_users = somebody',
			'max_client_conn = 200',
			'',
		].join('\n'),
	);

	await startProgram('pgbouncer', [config], dir, 6432, 'SIGKILL');
	return (pool) => ({ host: dir, port: 6432, database: pool, user: 'somebody' });
}

// ---- the current user ----

const tokens = {};

// The ways in which a client sets the user of a transaction
const bySetting = (client, n) => client.query(`SET LOCAL cnap.user_id = ${client.escapeLiteral(user(n))}`);
const byParameter = (client, n) => client.query("SELECT set_config('cnap.user_id', $1, true)", [user(n)]);
const byToken = (client, n) => client.query('SELECT cnap_authenticate($1)', [tokens[n]]);

const identities = { servers: [bySetting, byParameter], scripts: [byToken] };

async function createTokens(system) {
	for (const n of everybody) {
		await system.query('BEGIN');
		await bySetting(system, n);
		tokens[n] = await value(system, "SELECT cnap_create_access_token('script')");
		await system.query('COMMIT');
	}
}

// ---- many clients ----

// A client: it executes transactions until there are none left, and records errors.
class Client {
	constructor(options, identities, shared) {
		Object.assign(this, { options, identities, shared, number: numbers(shared.clients++) });
	}

	async run() {
		this.client = await connect(this.options);
		while (this.shared.left-- > 0) {
			const n = this.number(USERS) + 1;

			try {
				await this.transaction(n);
			} catch (error) {
				this.wrong(n, error.stack);
			}
		}
		await this.client.end();
	}

	wrong(n, what) {
		this.shared.wrong.push(`${n ? user(n) : 'nobody'}: ${what}`);
	}

	async expect(n, what) {
		const {
			rows: [{ pid, ids }],
		} = await this.client.query(`SELECT pg_backend_pid() AS pid, (${IDS}) AS ids`);
		const expected = n ? itemsOf(n) : [];

		if (ids.join() !== expected.join())
			this.wrong(n, `${what} sees ${ids.join()}, expected ${expected.join()}`);
		this.shared.served(pid, n);
	}

	async fail() {
		const error = await this.client.query('SELECT 1 / 0').then(
			() => undefined,
			(reason) => reason,
		);

		if (error?.code !== '22012') throw error ?? new Error('no error');
	}

	// The outcome of a transaction is random, mostly a commit.
	async transaction(n) {
		const chance = this.number(100);

		if (chance < 10) await this.expect(0, 'no transaction block');
		await this.client.query('BEGIN');
		await this.identities[this.number(this.identities.length)](this.client, n);
		await this.expect(n, 'a transaction');
		if (chance < 80) return this.client.query('COMMIT');
		if (chance < 88) {
			await this.fail();
			return this.client.query(chance < 84 ? 'ROLLBACK' : 'COMMIT');
		}
		if (chance < 93) {
			await this.write(n);
			return this.client.query('ROLLBACK');
		}
		if (chance < 98) {
			await this.client.query('SAVEPOINT a');
			await this.fail();
			await this.client.query('ROLLBACK TO a');
			await this.expect(n, 'a transaction after a savepoint');
			return this.client.query('COMMIT');
		}
		// disconnects, in every other case while a statement is running
		if (chance < 99) this.client.query('SELECT pg_sleep(0.05)').catch(() => {});
		this.client.connection.stream.destroy();
		this.client = await connect(this.options);
		this.shared.hangups++;
	}

	// Users change their own rows, and nobody else's.
	async write(n) {
		const { rows } = await this.client.query(
			'UPDATE app.item SET version = version + 1 WHERE id <> $1 RETURNING id',
			[0],
		);

		if (
			rows
				.map(({ id }) => id)
				.sort((a, b) => a - b)
				.join() !== itemsOf(n).join()
		)
			this.wrong(n, 'has changed other rows');
	}
}

// A separate process, which is killed by its parent when it has begun a transaction
async function victim(options, n) {
	const client = await connect(options);

	await client.query('BEGIN');
	await bySetting(client, n);
	process.send(await value(client, IDS));
	await new Promise(() => setInterval(() => {}, 1000));
}

async function kill(options, n, shared) {
	const child = fork(__filename, ['victim', JSON.stringify(options), n]);
	const seen = await new Promise((resolve, reject) => {
		child.on('message', resolve);
		child.on('exit', () => reject(new Error('the process to be killed has ended')));
	});

	if (seen.join() !== itemsOf(n).join())
		shared.wrong.push(`${user(n)}: the process to be killed sees ${seen.join()}`);
	child.removeAllListeners('exit');
	const gone = new Promise((resolve) => child.on('exit', resolve));
	child.kill('SIGKILL');
	await gone;
}

async function manyClients(pool) {
	const usersOf = new Map();
	const shared = {
		left: TRANSACTIONS,
		clients: 0,
		hangups: 0,
		wrong: [],
		served(pid, n) {
			if (!usersOf.has(pid)) usersOf.set(pid, { users: new Set(), changes: 0, last: n });
			const connection = usersOf.get(pid);

			connection.users.add(n);
			connection.changes += connection.last !== n;
			connection.last = n;
		},
	};
	const work = Object.entries(POOLS).flatMap(([name, { clients }]) =>
		Array.from({ length: clients }, () => new Client(pool(name), identities[name], shared).run()),
	);

	for (let n = 1; n <= KILLED; n++) await kill(pool('servers'), n, shared);
	const admin = await connect(pool('pgbouncer'));
	const { rows: servers } = await admin.query('SHOW SERVERS');

	await Promise.all([...work, admin.end()]);
	is(shared.wrong.slice(0, 10), [], `${TRANSACTIONS} transactions see the rows of their users`);
	for (const [name, { role, size, clients }] of Object.entries(POOLS)) {
		const connections = servers.filter(({ database }) => database === name).length;
		ok(
			connections > 0 && connections <= size,
			`${clients} clients share ${size} connections of ${role}`,
		) || diag(connections);
	}
	ok(shared.hangups > TRANSACTIONS / 100, 'of which many hang up');
	const changes = [...usersOf.values()].reduce((sum, connection) => sum + connection.changes, 0);
	ok(changes > TRANSACTIONS / 2, 'the users take turns on the connections') ||
		diag(`${changes} changes of the user, ${usersOf.size} connections`);
}

// ---- one connection ----

// What a transaction without a user finds on the pool's only connection
async function left(options) {
	const client = await connect(options);

	try {
		const {
			rows: [{ pid, who, setting, ids }],
		} = await client.query(
			`SELECT pg_backend_pid() AS pid, cnap_current_user() AS who,
				current_setting('cnap.user_id') AS setting, (${IDS}) AS ids`,
		);
		return { pid, found: { who, setting, ids } };
	} finally {
		await client.end();
	}
}

const NOTHING = { who: null, setting: '', ids: [] };

// Each of these gets a client in whose transaction user(1) has been set, and has seen rows, and
// the way in which that was done.  If the connection survives, the pooler has to use it again.
const endings = {
	COMMIT: { same: true, end: (client) => client.query('COMMIT') },
	ROLLBACK: { same: true, end: (client) => client.query('ROLLBACK') },
	'an error and ROLLBACK': {
		same: true,
		async end(client) {
			await refused(client.query('SELECT 1 / 0'), '22012', 'an error in the middle');
			await client.query('ROLLBACK');
		},
	},
	'an error and COMMIT': {
		same: true,
		async end(client) {
			await refused(client.query('SELECT 1 / 0'), '22012', 'an error in the middle');
			await client.query('COMMIT');
		},
	},
	'an error at COMMIT': {
		same: true,
		async end(client) {
			await client.query(`CREATE TEMPORARY TABLE once (
				id integer UNIQUE DEFERRABLE INITIALLY DEFERRED) ON COMMIT DROP`);
			await client.query('INSERT INTO once VALUES (1), (1)');
			await refused(client.query('COMMIT'), '23505', 'an error at COMMIT');
		},
	},
	'a savepoint that was rolled back': {
		same: true,
		async end(client, { identify }) {
			await client.query('SAVEPOINT a');
			await identify(client, 7);
			is(await value(client, IDS), itemsOf(7), 'a user for the time of a savepoint');
			await client.query('ROLLBACK TO a');
			is(await value(client, IDS), itemsOf(1), 'the user of before the savepoint is back');
			await client.query('COMMIT');
		},
	},
	'a second user in the same transaction': {
		same: true,
		async end(client, { identify }) {
			await identify(client, 7);
			is(await value(client, IDS), itemsOf(7), 'the second user sees the own rows');
			await client.query('COMMIT');
		},
	},
	'a client that says goodbye': { end: (client) => client.end() },
	'a client that hangs up': { end: (client) => client.connection.stream.destroy() },
	'a client that hangs up after an error': {
		async end(client) {
			await refused(client.query('SELECT 1 / 0'), '22012', 'an error in the middle');
			client.connection.stream.destroy();
		},
	},
	'a client that hangs up during a statement': {
		async end(client) {
			client.query('SELECT pg_sleep(1)').catch(() => {});
			await new Promise((resolve) => setTimeout(resolve, 100));
			client.connection.stream.destroy();
		},
	},
	'a server process that was terminated': {
		async end(client, { system }) {
			const pid = await value(client, 'SELECT pg_backend_pid()');
			const broken = client.query('SELECT pg_sleep(10)').then(
				() => false,
				() => true,
			);

			await system.query('SELECT pg_terminate_backend($1, 10000)', [pid]);
			ok(await broken, 'the client learns of it');
		},
	},
};

async function oneConnection(options, identify, system) {
	for (const [name, { same, end }] of Object.entries(endings)) {
		const client = await connect(options);

		await client.query('BEGIN');
		await identify(client, 1);
		is(await value(client, IDS), itemsOf(1), `before ${name}: the rows of the user`);
		const pid = await value(client, 'SELECT pg_backend_pid()');
		await end(client, { identify, system });

		const after = await left(options);
		is(after.found, NOTHING, `after ${name}: nothing`);
		if (same) is(after.pid, pid, `after ${name}: the same connection`);
		client.connection.stream.destroy();
	}
}

// Statements prepared by one user's client stay on the connection, and may be found by another.
async function preparedStatements(options) {
	const named = { name: 'a name', text: `SELECT (${IDS}) AS ids` };
	const first = await connect(options);
	const second = await connect(options);

	for (const mode of ['force_custom_plan', 'force_generic_plan']) {
		await first.query('BEGIN');
		await bySetting(first, 1);
		await first.query(`SET LOCAL plan_cache_mode = ${mode}; PREPARE mine AS ${IDS}`);
		is(await value(first, 'EXECUTE mine'), itemsOf(1), `${mode}: the rows of who prepared it`);
		await first.query('COMMIT');

		await second.query(`BEGIN; SET LOCAL plan_cache_mode = ${mode}`);
		is(
			await value(second, 'EXECUTE mine'),
			[],
			`${mode}: somebody else's statement shows nobody nothing`,
		);
		for (const n of [7, 30]) {
			await bySetting(second, n);
			is(await value(second, 'EXECUTE mine'), itemsOf(n), `${mode}: and each user their own`);
		}
		await second.query('COMMIT; DEALLOCATE mine');
	}

	// By the protocol: pgbouncer before 1.21 does not distinguish the names of two clients.
	await first.query('BEGIN');
	await bySetting(first, 1);
	is((await first.query(named)).rows[0].ids, itemsOf(1), 'a named statement: the rows of the user');
	await first.query('COMMIT');
	await second.query('BEGIN');
	await bySetting(second, 7);
	const answer = await second.query(named).then(
		({ rows }) => rows[0].ids,
		(error) => error.code,
	);
	is(
		answer === '42P05' ? itemsOf(7) : answer,
		itemsOf(7),
		'the same one of another client: an error, or the rows of that one',
	);
	await second.query('ROLLBACK');
	await first.end();
	await second.end();
}

// These are the mistakes that doc/identity.md warns about.
async function mistakes(options) {
	let client = await connect(options);
	await bySetting(client, 1);
	is((await left(options)).found, NOTHING, 'SET LOCAL outside of a transaction does nothing');

	await client.query("SET cnap.user_id = 'auth0|1'");
	await client.end();
	is((await left(options)).found.ids, itemsOf(1), 'a plain SET is found by whoever comes next');
	client = await connect(options);
	await client.query('RESET cnap.user_id');

	await client.query('SELECT cnap_authenticate($1, false)', [tokens[1]]);
	await client.end();
	is((await left(options)).found.ids, itemsOf(1), 'and so is a sign-in that is not local');
	client = await connect(options);
	await client.query('BEGIN');
	await refused(bySetting(client, 2), '55000', 'which is told who states another user');
	await client.query('ROLLBACK');
	await client.query('DISCARD ALL');
	is((await left(options)).found, NOTHING, 'until it is discarded');

	await client.query('BEGIN');
	await bySetting(client, 1);
	await client.query(`DECLARE held CURSOR WITH HOLD FOR ${IDS}`);
	await client.query('COMMIT');
	await client.end();
	client = await connect(options);
	is(await value(client, 'FETCH held'), itemsOf(1), 'and so is a cursor that is held');
	await client.query('CLOSE held');
	await client.end();
	is((await left(options)).found, NOTHING, 'nothing is left of the mistakes');
}

async function main() {
	const { database, system } = await createDatabase('pooler');
	const pool = await startPooler(database, {
		...POOLS,
		server: { role: 'pooler_app', size: 1 },
		script: { role: 'pooler_plain', size: 1 },
	});

	is(
		everybody.filter((n) => itemsOf(n).length === 0),
		[],
		'everybody has rows to see',
	);
	await createTokens(system);
	await oneConnection(pool('server'), bySetting, system);
	await oneConnection(pool('script'), byToken, system);
	await preparedStatements(pool('server'));
	await mistakes(pool('server'));
	await manyClients(pool);
	await system.end();
}

if (process.argv[2] === 'victim') victim(JSON.parse(process.argv[3]), Number(process.argv[4]));
else test(main);
