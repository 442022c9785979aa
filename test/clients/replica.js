/*
 * replica.js: node-postgres with a primary and a replica, by the functions of doc/scaling.md
 *
 * The replica is a standby of the server of the tests, whose replay is paused and resumed. Whoever has
 * changed something, and brings the cookie, finds it changed, whichever server answers.
 */
'use strict';

const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const pg = require('pg');

const { connect, connection, createDatabase, user, value } = require('./lib/database.js');
const { defined } = require('./lib/readme.js');
const { atExit, is, refused, test } = require('./lib/tap.js');

const ROUNDS = 50;
const PORT = 65431;

const asUser = defined('asUser');
const changeAs = defined('changeAs', { asUser });
const readAs = defined('readAs', { asUser });

// A standby on a socket in a directory of its own -> its host
async function startStandby(system) {
	const bindir = await value(system, "SELECT setting FROM pg_config() WHERE name = 'BINDIR'");
	const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'replica.'));
	const data = path.join(directory, 'data');
	const { host, port, user: superuser } = connection('postgres');
	const run = (program, ...args) =>
		execFileSync(path.join(bindir, program), args, { stdio: ['ignore', 'ignore', 'inherit'] });

	atExit(() => fs.rmSync(directory, { recursive: true }));
	run('pg_basebackup', '-h', host, '-p', port, '-U', superuser, '-D', data, '-R', '-c', 'fast');
	fs.appendFileSync(
		path.join(data, 'postgresql.auto.conf'),
		`port = ${PORT}\nlisten_addresses = ''\nunix_socket_directories = '${directory}'\nhot_standby_feedback = on\n`,
	);
	atExit(() => run('pg_ctl', '-s', '-D', data, '-m', 'immediate', 'stop'));
	run('pg_ctl', '-s', '-w', '-D', data, '-l', path.join(directory, 'log'), 'start');
	return directory;
}

// The cookies of a browser: what responses have set, for the next request
function browser() {
	const signedCookies = {};

	return {
		signedCookies,
		cookie(name, content, options) {
			if (!options.signed || !options.httpOnly) throw new Error('anybody could make it');
			signedCookies[name] = content;
		},
	};
}

test(async () => {
	const { database, system, workspaces } = await createDatabase('replica');
	await system.query(`ALTER DATABASE ${database} SET cnap.max_staleness = '1h'`);
	await system.query('SELECT cnap_beat()');
	const host = await startStandby(system);
	const there = { host, port: PORT, database };
	const control = await connect({ ...there, user: connection(database).user });
	const primary = new pg.Pool({ ...connection(database, 'replica_app'), max: 2 });
	const replica = new pg.Pool({ ...there, user: 'replica_app', max: 2 });
	const [workspace, owner, member] = [workspaces[30], user(30), user(31)];
	const add = (client) => client.query('SELECT cnap_add_workspace_member($1, $2)', [workspace, member]);
	const remove = (client) =>
		client.query('SELECT cnap_remove_workspace_member($1, $2)', [workspace, member]);
	const look = async (client) => {
		const { rows } = await client.query(
			'SELECT cnap_can_access($1) AS access, pg_is_in_recovery() AS replica',
			[workspace],
		);
		return `${rows[0].access} at the ${rows[0].replica ? 'replica' : 'primary'}`;
	};
	const read = (request) => readAs(primary, replica, member, request, look);

	const visitor = browser();
	is(await read(visitor), 'false at the replica', 'who has changed nothing reads at the replica');
	await control.query('SELECT pg_wal_replay_pause()');
	await changeAs(primary, owner, visitor, add);
	is(await read(browser()), 'false at the replica', 'which is behind');
	is(await read(visitor), 'true at the primary', 'and too far so for whoever brings the cookie');
	const waiting = read(visitor);
	await control.query('SELECT pg_wal_replay_resume()');
	is(/^true at/.test(await waiting), true, 'one who waits');
	is(await read(visitor), 'true at the replica', 'and later');

	const wrong = [];
	for (let round = 1; round <= ROUNDS; round++) {
		await changeAs(primary, owner, visitor, remove);
		const after = await read(visitor);
		if (!after.startsWith('false')) wrong.push(`${round}: removed: ${after}`);
		await changeAs(primary, owner, visitor, add);
		const again = await read(visitor);
		if (!again.startsWith('true')) wrong.push(`${round}: added: ${again}`);
	}
	is(wrong, [], `${2 * ROUNDS} changes, and what was read after each`);

	await refused(
		readAs(primary, replica, member, visitor, (client) => client.query('SELECT 1 / 0')),
		'22012',
		'errors come through',
	);
	await refused(changeAs(primary, member, visitor, add), '42501', 'and so do those of changes');
	visitor.signedCookies.position = 'x';
	await refused(read(visitor), '22023', 'as does a cookie that is none');

	for (const pool of [primary, replica]) await pool.end();
	for (const client of [control, system]) await client.end();
});
