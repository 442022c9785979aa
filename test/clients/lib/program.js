/*
 * program.js: tests of clients that are programs in another language
 *
 * A program gets, as JSON, the parameters of a connection, the users with the ids that each of them
 * must see, and a workspace with its owner. It prints as JSON what it has seen: check() says what that
 * must be.
 */
'use strict';

const { spawn } = require('node:child_process');

const { connection, everybody, itemsOf, user } = require('./database.js');
const { atExit, is } = require('./tap.js');

function worldOf({ database, workspaces }, role) {
	const { host, port } = connection(database);

	return {
		connection: { host, port, dbname: database, user: role },
		expected: Object.fromEntries(everybody.map((n) => [user(n), itemsOf(n)])),
		owner: user(30),
		workspace: workspaces[30],
	};
}

// Runs a program; meanwhile cancels whatever sleeps. -> what it has printed
async function run(system, program, args, env = {}) {
	const child = spawn(program, args, {
		env: { ...process.env, ...env },
		stdio: ['ignore', 'pipe', 'inherit'],
	});
	let output = '';
	let ended = false;

	atExit(() => child.kill('SIGKILL'));
	child.stdout.setEncoding('utf8').on('data', (text) => {
		output += text;
	});
	const end = new Promise((resolve, reject) => {
		child.on('error', reject);
		child.on('close', resolve);
	}).finally(() => {
		ended = true;
	});
	while (!ended) {
		await system.query(`SELECT pg_cancel_backend(pid) FROM pg_stat_activity
			WHERE query LIKE '%pg_sleep(300)%' AND state = 'active' AND pid <> pg_backend_pid()`);
		await new Promise((resolve) => setTimeout(resolve, 50));
	}
	await end;
	return JSON.parse(output || '{}');
}

// nothing is how the client shows a result of type void
function check(name, seen, nothing) {
	const all = everybody.concat(everybody).map(itemsOf);

	is(seen.crowd, all, `${name}: ${all.length} transactions at once, each sees the rows of its user`);
	is(
		seen.errors,
		everybody.map((n) => (n % 2 === 1 ? 'division by zero' : 'of the program')),
		`${name}: errors come through`,
	);
	is(seen.left, Array(12).fill(true), `${name}: nobody is left on a connection`);
	is(seen.cancelled, 'canceling statement', `${name}: a statement is cancelled`);
	is(seen['left again'], Array(12).fill(true), `${name}: nobody is left then, either`);
	is(seen['crowd again'], all, `${name}: and each sees the own rows again`);
	is(seen.void, nothing, `${name}: void is shown as ${JSON.stringify(nothing)}`);
}

module.exports = { check, run, worldOf };
