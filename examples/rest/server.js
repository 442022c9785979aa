/*
 * server.js: starts the server
 *
 * PORT and HOST say where it listens, 127.0.0.1:8080 by default; libpq's environment variables, which
 * database it uses (lib/database.js).
 */
'use strict';

const { createApp } = require('./lib/app.js');
const { createDatabase } = require('./lib/database.js');

const database = createDatabase();
const server = createApp(database).listen(process.env.PORT ?? 8080, process.env.HOST ?? '127.0.0.1');

// how long a client may take to send a request, in ms
server.requestTimeout = 30_000;
server.headersTimeout = 10_000;

server.on('error', (error) => {
	process.stderr.write(`${error.message}\n`);
	process.exit(1);
});
server.on('listening', () => {
	const { address, family, port } = server.address();

	process.stdout.write(`http://${family === 'IPv6' ? `[${address}]` : address}:${port}/\n`);
});

for (const signal of ['SIGINT', 'SIGTERM'])
	process.once(signal, () => {
		server.close(() => database.end());
		server.closeIdleConnections();
	});
