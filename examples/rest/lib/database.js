/*
 * database.js: a pool of connections, each request a transaction of its user
 *
 * The server's role needs no trust: it becomes, for the length of one transaction, the user whose
 * access token the request brought, and nobody else. The connection is given back to the pool
 * without a user, or closed if that cannot be made sure.
 */
'use strict';

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const pg = require('pg');

const { HttpError } = require('./errors.js');

// as in test/demo
const DEMO = process.env.CNAP_CLUSTER ?? path.join('/tmp', `cnap_org-demo-${os.userInfo().uid}`);

// intervals are left as PostgreSQL writes them
const INTERVAL = 1186;
const types = {
	getTypeParser: (oid, format) => (oid === INTERVAL ? String : pg.types.getTypeParser(oid, format)),
};

// Begins as the owner of a token; intervals are written as in ISO 8601: P1Y, PT8H.
const SIGN_IN = "SELECT cnap_authenticate($1), set_config('IntervalStyle', 'iso_8601', true)";

// Where libpq's environment variables point to, and without any the database of "make demo"
function connection() {
	const named = ['PGHOST', 'PGPORT', 'PGDATABASE', 'PGUSER'].some((name) => process.env[name]);

	if (named || !fs.existsSync(DEMO)) return {};
	return { host: DEMO, database: 'demo', user: 'rest_server' };
}

// What an operation can do within the transaction of its request
class Session {
	#client;

	constructor(client) {
		this.#client = client;
	}

	async query(text, ...values) {
		return (await this.#client.query({ text, values })).rows;
	}

	// Columns of the rows that a function returns; an argument that is undefined takes its default.
	// All names come from our own code, never from a client.
	select(columns, name, args = {}) {
		const given = Object.entries(args).filter(([, value]) => value !== undefined);
		const list = given.map(([argument], i) => `${argument} => $${i + 1}`);

		return this.query(
			`SELECT ${columns.join(', ')} FROM ${name}(${list.join(', ')})`,
			...given.map(([, value]) => value),
		);
	}

	// The value that a function returns
	async call(name, args) {
		const [row] = await this.select(['*'], name, args);

		return row[name];
	}
}

function createDatabase() {
	const pool = new pg.Pool({
		...connection(),
		types,
		application_name: 'cnap_org examples/rest',
		max: Number(process.env.POOL_SIZE ?? 10),
		connectionTimeoutMillis: 5_000,
		statement_timeout: 10_000,
		idle_in_transaction_session_timeout: 10_000,
	});

	// without handlers, losing a connection would end the process
	pool.on('error', () => {});
	pool.on('connect', (client) => client.on('error', () => {}));

	return {
		pool,
		end: () => pool.end(),

		// Executes work as the owner of an access token.
		async asOwnerOf(token, work) {
			const client = await pool.connect().catch((cause) => {
				throw new HttpError(503, 'the database is not available', { cause });
			});
			let broken;

			try {
				await client.query('BEGIN');
				await client.query(SIGN_IN, [token]);
				const result = await work(new Session(client));
				await client.query('COMMIT');
				return result;
			} catch (error) {
				await client.query('ROLLBACK').catch((reason) => {
					broken = reason;
				});
				throw error;
			} finally {
				client.release(broken);
			}
		},
	};
}

module.exports = { connection, createDatabase };
