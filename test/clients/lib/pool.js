/*
 * pool.js: programs between the clients and the server
 */
'use strict';

const { spawn } = require('node:child_process');
const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');

const { atExit } = require('./tap.js');

// Does somebody listen on a socket? It exists before that.
function listens(socket) {
	return new Promise((resolve) => {
		const connection = net.connect(socket);

		connection.on('connect', () => {
			connection.destroy();
			resolve(true);
		});
		connection.on('error', () => resolve(false));
	});
}

// Starts a program that listens on a socket with that port in a directory, waits until it does, and at
// the end sends a signal to the program, and removes the directory.
async function startProgram(program, args, dir, port, signal) {
	const log = path.join(dir, 'log');
	const file = fs.openSync(log, 'w');
	const child = spawn(program, args, {
		detached: true,
		stdio: ['ignore', file, file],
		env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/usr/local/sbin` },
	});
	let failure;

	child.on('error', (error) => (failure = error));
	child.on('exit', () => (failure ??= new Error(fs.readFileSync(log, 'utf8'))));
	atExit(() => {
		const socket = path.join(dir, `.s.PGSQL.${port}`);

		child.kill(signal);
		if (signal !== 'SIGKILL') {
			// the socket is removed when it ends; no process of its own may outlive it
			for (let i = 0; i < 50 && fs.existsSync(socket); i++) {
				Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
			}
			try {
				process.kill(-child.pid, 'SIGKILL');
			} catch {
				// there is none
			}
		}
		fs.rmSync(dir, { recursive: true, maxRetries: 10 });
	});
	while (!(await listens(path.join(dir, `.s.PGSQL.${port}`)))) {
		if (failure) throw failure;
		await new Promise((resolve) => setTimeout(resolve, 20));
	}
}

module.exports = { startProgram };
