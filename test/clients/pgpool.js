/*
 * pgpool.js: pgpool-II between the clients and the server, as doc/clients.md tells
 *
 * Each of its processes serves one client at a time, and keeps the connection to the server for the
 * next one. Many clients, each with transactions of several users, share three of them: some fail, are
 * cancelled, or hang up in the middle. What a client has left in its session is gone for the next one,
 * as long as pgpool may reset it.
 */
'use strict';

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

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
const { startProgram } = require('./lib/pool.js');
const { renamed } = require('./lib/readme.js');
const { is, ok, refused, test } = require('./lib/tap.js');

const PROCESSES = 3;
const PORT = 9999;

// Starts a pgpool that listens on a socket, with the settings of the guide, and stops it at the end.
// -> the parameters of a connection
async function startPool(database, settings) {
	const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'pgpool.'));
	const target = connection(database, 'pgpool_app');
	const config = path.join(dir, 'pgpool.conf');

	fs.writeFileSync(path.join(dir, 'pcp.conf'), '');
	fs.writeFileSync(
		config,
		[
			"backend_clustering_mode = 'raw'",
			`backend_hostname0 = '${target.host}'`,
			`backend_port0 = ${target.port}`,
			"listen_addresses = ''",
			`port = ${PORT}`,
			`socket_dir = '${dir}'`,
			`unix_socket_directories = '${dir}'`,
			`pcp_socket_dir = '${dir}'`,
			"pcp_listen_addresses = ''",
			`pid_file_name = '${dir}/pid'`,
			`logdir = '${dir}'`,
			`num_init_children = ${PROCESSES}`,
			'max_pool = 1',
			renamed({}, 'conf', 'memory_cache_enabled'),
			...settings,
			'',
		].join('\n'),
	);
	// by this signal it ends its processes
	await startProgram('pgpool', ['-n', '-f', config, '-F', path.join(dir, 'pcp.conf')], dir, PORT, 'SIGINT');
	return { ...target, host: dir, port: PORT };
}

// Work with a client, that says goodbye, or hangs up if it returns 'hang up'
async function visit(options, work) {
	const client = await connect(options);
	const ending = await work(client);

	if (ending === 'hang up') client.connection.stream.destroy();
	else await client.end();
	return ending;
}

async function begin(client, n) {
	await client.query('BEGIN');
	await client.query("SELECT set_config('cnap.user_id', $1, true)", [user(n)]);
}

// ---- many clients ----

const endings = [
	(client) => client.query('COMMIT'),
	(client) => client.query('ROLLBACK'),
	async (client) => {
		await refused(client.query('SELECT 1 / 0'), '22012', 'an error comes through');
		await client.query('COMMIT');
	},
	async (client, system) => {
		const pid = await value(client, 'SELECT pg_backend_pid()');
		let code;
		const sleeping = client.query('SELECT pg_sleep(300)').catch((error) => {
			({ code } = error);
		});

		while (code === undefined)
			// and not what pgpool asks before
			await system.query(
				`SELECT pg_cancel_backend(pid) FROM pg_stat_activity
				WHERE pid = $1 AND state = 'active' AND query LIKE '%pg_sleep(300)%'`,
				[pid],
			);
		await sleeping;
		await client.query('ROLLBACK');
		return code;
	},
	() => 'hang up',
];

async function crowd(options, system) {
	const wrong = [];
	const pids = new Set();
	const see = async (client, n, what) => {
		const ids = await value(client, IDS);

		pids.add(await value(client, 'SELECT pg_backend_pid()'));
		if (ids.join() !== (n ? itemsOf(n) : []).join()) wrong.push(`${n} ${what}: ${ids}`);
	};
	const client = (n) =>
		visit(options, async (one) => {
			let left;

			await see(one, 0, 'before');
			for (const [who, end] of [
				[n, endings[0]],
				[(n % everybody.length) + 1, endings[n % endings.length]],
			]) {
				await begin(one, who);
				await see(one, who, 'in a transaction');
				left = await end(one, system);
				if (left !== 'hang up') await see(one, 0, 'after');
			}
			return left;
		});
	const queue = [...everybody];
	const ends = [];
	const worker = async () => {
		for (let n = queue.shift(); n !== undefined; n = queue.shift()) ends.push(await client(n));
	};

	// the others wait until a process is free
	await Promise.all(Array.from({ length: 2 * PROCESSES }, worker));
	is(wrong, [], `${everybody.length} clients see the rows of each transaction's user`);
	is(ends.filter((one) => one === 'hang up').length, everybody.length / endings.length, 'some hang up');
	is(
		ends.filter((one) => one === '57014').length,
		everybody.length / endings.length,
		'statements are cancelled',
	);
	ok(pids.size < everybody.length, 'they share connections');
}

// ---- what a session leaves ----

const NOBODY = 'SELECT cnap_current_user() IS NULL AND NOT EXISTS (SELECT FROM app.item) AS nobody';

// The rows of a query from as many clients as there are processes, all of which are connected at once
async function onAll(options, text) {
	const clients = await Promise.all(Array.from({ length: PROCESSES }, () => connect(options)));
	const answers = await Promise.all(clients.map((client) => client.query(text)));

	await Promise.all(clients.map((client) => client.end()));
	return answers.flatMap(({ rows }) => rows);
}

const nobody = async (options) => (await onAll(options, NOBODY)).every((row) => row.nobody);

const mistakes = {
	'a plain SET': (client) => client.query(`SET cnap.user_id = '${user(1)}'`),
	'a sign-in that is not local': async (client, token) => {
		await client.query('SELECT cnap_authenticate($1, false)', [token]);
	},
};

async function sessions(options, token, name, expected) {
	for (const [what, make] of Object.entries(mistakes)) {
		await visit(options, async (client) => {
			await make(client, token);
			is(await value(client, IDS), itemsOf(1), `${what} is good for the session`);
		});
		is(await nobody(options), expected, `${what}: ${name}`);
		await onAll(options, 'DISCARD ALL');
	}
}

test(async () => {
	const { database, system } = await createDatabase('pgpool');
	const pool = await startPool(database, []);

	await system.query('BEGIN');
	await begin(system, 1);
	const token = await value(system, "SELECT cnap_create_access_token('script')");
	await system.query('COMMIT');

	await crowd(pool, system);
	ok(await nobody(pool), 'nobody is left on a connection');
	await sessions(pool, token, 'the next client finds nothing', true);

	const careless = await startPool(database, ["reset_query_list = 'ABORT'"]);
	await sessions(careless, token, 'it is found where pgpool does not reset', false);
	await system.end();
});
