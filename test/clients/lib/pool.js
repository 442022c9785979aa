/*
 * pool.js: programs between the clients and the server
 */
'use strict';

const { spawn } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

const { atExit } = require('./tap.js');

// Starts a program that listens on a socket with that port in a directory, waits for the socket, and at
// the end sends a signal to the program, and removes the directory.
async function startProgram(program, args, dir, port, signal) {
	const log = path.join(dir, 'log');
	const file = fs.openSync(log, 'w');
	const child = spawn(program, args, {
		stdio: ['ignore', file, file],
		env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/usr/local/sbin` },
	});
	let failure;

	child.on('error', (error) => (failure = error));
	child.on('exit', () => (failure ??= new Error(fs.readFileSync(log, 'utf8'))));
	atExit(() => {
		child.kill(signal);
		// the program's own processes may still be writing
		fs.rmSync(dir, { recursive: true, maxRetries: 10 });
	});
	while (!fs.existsSync(path.join(dir, `.s.PGSQL.${port}`))) {
		if (failure) throw failure;
		await new Promise((resolve) => setTimeout(resolve, 20));
	}
}

module.exports = { startProgram };
