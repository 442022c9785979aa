/*
 * rest.js: a running examples/rest, for the tests
 *
 * start(NAME) makes the database examples_NAME, and starts the server with "npm start" as the role
 * NAME_rest, which is trusted with nothing. It returns { url, system, tokenOf, ... }; tokenOf(USER) is
 * an access token of a user, made as the trusted role NAME_app, and tokenByCommand(USER) one that
 * "npm run token" has made.
 *
 * request(server, TOKEN, METHOD, PATH, BODY) -> { status, body, headers }, which checks every answer
 * against the server's own description of it.
 *
 * curl(...ARGUMENTS) -> { status, body }
 */
'use strict';

const { execFile, spawn } = require('node:child_process');
const path = require('node:path');
const { promisify } = require('node:util');

const { atExit } = require('../../clients/lib/tap.js');

const EXAMPLE = path.join(__dirname, '../../../examples/rest');
const local = (name) => require(require.resolve(name, { paths: [EXAMPLE] }));

const pg = local('pg');
const Ajv = local('ajv/dist/2020');

const run = promisify(execFile);
const { PGHOST, PGPORT, PGUSER } = process.env;
const connection = (database, user = PGUSER) => ({ host: PGHOST, port: PGPORT, database, user });

async function connect(options) {
	const client = new pg.Client(options);

	client.on('error', () => {});
	await client.connect();
	return client;
}

async function createDatabase(name) {
	const database = `examples_${name}`;
	const maintenance = await connect(connection('postgres'));

	await maintenance.query(`DROP DATABASE IF EXISTS ${database} WITH (FORCE)`);
	for (const role of [`${name}_app`, `${name}_rest`]) {
		const { rowCount } = await maintenance.query('SELECT FROM pg_roles WHERE rolname = $1', [role]);
		if (rowCount > 0) await maintenance.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
		await maintenance.query(`CREATE ROLE ${role} LOGIN`);
	}
	await maintenance.query(`CREATE DATABASE ${database} TEMPLATE template0`);
	await maintenance.end();

	const system = await connect(connection(database));
	await system.query(`CREATE EXTENSION cnap_org; SELECT cnap_trust('${name}_app')`);
	return { database, system };
}

// "npm start" in a process group of its own, since npm is a parent of the server
function startServer(env) {
	const child = spawn('npm', ['start', '--silent'], { cwd: EXAMPLE, env, detached: true });
	let errors = '';

	const stop = (signal = 'SIGTERM') => {
		try {
			process.kill(-child.pid, signal);
		} catch {
			// it has ended
		}
	};
	atExit(() => stop('SIGKILL'));
	child.stderr.on('data', (data) => {
		errors += data;
	});
	return new Promise((resolve, reject) => {
		child.stdout.once('data', (data) => {
			resolve({
				url: String(data).trim().replace(/\/$/, ''),
				errors: () => errors,
				stop: () => {
					const ended = new Promise((done) => child.once('exit', done));
					stop();
					return ended;
				},
			});
		});
		child.once('exit', (code) => reject(new Error(`the server ended with ${code}: ${errors}`)));
	});
}

async function start(name, settings = {}) {
	const { database, system } = await createDatabase(name);
	const env = {
		...process.env,
		...settings,
		PGDATABASE: database,
		PGUSER: `${name}_rest`,
		TRUSTED_USER: `${name}_app`,
		PORT: '0',
	};
	const server = await startServer(env);

	const trusted = await connect(connection(database, `${name}_app`));
	const tokens = new Map();

	const tokenOf = async (user) => {
		if (!tokens.has(user)) {
			const { rows } = await trusted.query(
				'SELECT cnap_create_access_token($2) AS token FROM set_config($3, $1, true)',
				[user, `of ${user}`, 'cnap.user_id'],
			);
			tokens.set(user, rows[0].token);
		}
		return tokens.get(user);
	};
	const tokenByCommand = async (...args) => {
		const command = ['run', '--silent', 'token', '--', ...args];

		return (await run('npm', command, { cwd: EXAMPLE, env })).stdout.trim();
	};
	const document = await (await fetch(`${server.url}/v1/openapi.json`)).json();
	return {
		...server,
		name,
		database,
		system,
		tokenOf,
		tokenByCommand,
		document,
		check: checkerOf(document),
		stop: async () => {
			await server.stop();
			await trusted.end();
			await system.end();
		},
	};
}

// ---- requests ----

// Checks answers against the description: -> what is wrong, or undefined
function checkerOf(document) {
	const ajv = new Ajv({ strict: false, validateFormats: false });
	const compiled = new Map();

	ajv.addSchema(document, 'openapi');
	const validatorOf = (pointer) => {
		if (!compiled.has(pointer)) compiled.set(pointer, ajv.compile({ $ref: `openapi#${pointer}` }));
		return compiled.get(pointer);
	};
	const patterns = Object.keys(document.paths).map((template) => ({
		template,
		pattern: new RegExp(`^${template.replace(/\{\w+\}/g, '[^/]+')}/?$`),
	}));

	return (method, url, status, body) => {
		const { pathname } = new URL(url, 'http://x');
		// a literal path before one with a parameter
		const found = patterns
			.filter(({ pattern }) => pattern.test(pathname))
			.sort((a, b) => a.template.split('{').length - b.template.split('{').length)[0];
		const described = found && document.paths[found.template][method.toLowerCase()];
		if (described === undefined) return undefined;
		const code = status < 400 ? status : 'default';
		const response = described.responses[code];

		if (response === undefined) return `${method} ${pathname}: there is no answer ${code}`;
		if (response.content === undefined) return body === undefined ? undefined : 'a body';
		const pointer = [
			'paths',
			found.template,
			method.toLowerCase(),
			'responses',
			code,
			'content',
			'application/json',
			'schema',
		]
			.map((part) => encodeURIComponent(String(part).replaceAll('~', '~0').replaceAll('/', '~1')))
			.join('/');
		const valid = validatorOf(`/${pointer}`);

		return valid(body) ? undefined : `${method} ${pathname}: ${ajv.errorsText(valid.errors)}`;
	};
}

async function request(server, token, method, target, body, headers = {}) {
	const response = await fetch(`${server.url}${target}`, {
		method,
		headers: { ...(token && { authorization: `Bearer ${token}` }), ...headers },
		body: body === undefined || typeof body === 'string' ? body : JSON.stringify(body),
	});
	const text = await response.text();
	const answer = text === '' ? undefined : JSON.parse(text);
	const wrong = server.check(method, target, response.status, answer);

	if (wrong !== undefined) throw new Error(`not as described: ${wrong}: ${text}`);
	return { status: response.status, body: answer, headers: response.headers };
}

async function curl(...args) {
	const { stdout } = await run('curl', ['-sS', '-w', '\n%{http_code}', ...args]);
	const end = stdout.lastIndexOf('\n');
	const text = stdout.slice(0, end);

	return { status: Number(stdout.slice(end + 1)), body: text === '' ? undefined : JSON.parse(text) };
}

module.exports = { connect, connection, curl, request, start };
