/*
 * query_builders.js: drivers, query builders and mappers of Node.js, with the functions of doc/clients.md
 *
 * For each: many users at once on a pool of three connections; errors and cancelled statements in
 * the middle; nobody is left on a connection. And the traps of the guide: nesting by savepoints,
 * results of type void, COPY, and a cache of results.
 */
'use strict';

const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

const { drizzle } = require('drizzle-orm/node-postgres');
const drizzleOrm = require('drizzle-orm');
const knex = require('knex');
const kysely = require('kysely');
const pg = require('pg');
const postgres = require('postgres');
const { Sequelize } = require('sequelize');
const { DataSource } = require('typeorm');

const { USERS, connection, createDatabase, everybody, itemsOf, user, value } = require('./lib/database.js');
const { defined } = require('./lib/readme.js');
const { atExit, is, ok, refused, test } = require('./lib/tap.js');

const POOL = 3;
const SELECT = 'SELECT id FROM app.item ORDER BY id';

const idsOf = (rows) => rows.map(({ id }) => id);

// ---- the clients ----

// Each returns { asUser(USER, WORK), query(HANDLE, TEXT) -> rows, outside(TEXT) -> rows, end() }, where WORK
// is called with the handle.
const clients = {
	'postgres.js': (options) => {
		const sql = postgres({ ...options, max: POOL, onnotice: () => {} });
		const asUser = defined('asUserOfPostgres');

		return {
			asUser: (userId, work) => asUser(sql, userId, work),
			query: (transaction, text) => transaction.unsafe(text),
			outside: (text) => sql.unsafe(text),
			end: () => sql.end(),
		};
	},
	Drizzle: (options) => {
		const pool = new pg.Pool({ ...options, max: POOL });
		const db = drizzle(pool);
		const asUser = defined('asUserOfDrizzle', { sql: drizzleOrm.sql });

		return {
			asUser: (userId, work) => asUser(db, userId, work),
			query: async (transaction, text) => (await transaction.execute(drizzleOrm.sql.raw(text))).rows,
			outside: async (text) => (await db.execute(drizzleOrm.sql.raw(text))).rows,
			end: () => pool.end(),
		};
	},
	Kysely: (options) => {
		const pool = new pg.Pool({ ...options, max: POOL });
		const db = new kysely.Kysely({ dialect: new kysely.PostgresDialect({ pool }) });
		const asUser = defined('asUserOfKysely', { sql: kysely.sql });
		const query = async (handle, text) => (await kysely.sql.raw(text).execute(handle)).rows;

		return {
			asUser: (userId, work) => asUser(db, userId, work),
			query,
			outside: (text) => query(db, text),
			end: () => db.destroy(),
		};
	},
	Knex: (options) => {
		const db = knex({ client: 'pg', connection: options, pool: { min: 0, max: POOL } });
		const asUser = defined('asUserOfKnex');

		return {
			asUser: (userId, work) => asUser(db, userId, work),
			query: async (transaction, text) => (await transaction.raw(text)).rows,
			outside: async (text) => (await db.raw(text)).rows,
			end: () => db.destroy(),
		};
	},
	Sequelize: (options) => {
		const sequelize = new Sequelize(options.database, options.user, '', {
			dialect: 'postgres',
			host: options.host,
			port: options.port,
			logging: false,
			pool: { max: POOL },
		});
		const asUser = defined('asUserOfSequelize');
		const query = async (transaction, text) => (await sequelize.query(text, { transaction }))[0];

		return {
			asUser: (userId, work) => asUser(sequelize, userId, work),
			query,
			outside: (text) => query(null, text),
			end: () => sequelize.close(),
		};
	},
	TypeORM: async (options) => {
		const dataSource = await openTypeOrm(options);
		const asUser = defined('asUserOfTypeOrm');

		return {
			asUser: (userId, work) => asUser(dataSource, userId, work),
			query: (manager, text) => manager.query(text),
			outside: (text) => dataSource.query(text),
			end: () => dataSource.destroy(),
		};
	},
	Prisma: (options) => {
		const { PrismaClient } = generatePrisma();
		const { PrismaPg } = require('@prisma/adapter-pg');
		const prisma = new PrismaClient({
			adapter: new PrismaPg({ ...options, max: POOL }),
			// by default, a transaction may wait 2 s for a connection, and last 5 s
			transactionOptions: { maxWait: 120_000, timeout: 120_000 },
		});
		const asUser = defined('asUserOfPrisma');

		return {
			asUser: (userId, work) => asUser(prisma, userId, work),
			query: (transaction, text) => transaction.$queryRawUnsafe(text),
			outside: (text) => prisma.$queryRawUnsafe(text),
			end: () => prisma.$disconnect(),
			execute: (transaction, text) => transaction.$executeRawUnsafe(text),
		};
	},
};

function openTypeOrm({ host, port, user: username, database }, more) {
	return new DataSource({
		type: 'postgres',
		host,
		port: Number(port),
		username,
		database,
		poolSize: POOL,
		...more,
	}).initialize();
}

// Prisma's client is made from a schema. The engines for other purposes would be downloaded if they
// were not named.
function generatePrisma() {
	const modules = fs.realpathSync(path.join(__dirname, 'node_modules'));
	const directory = fs.mkdtempSync(path.join(modules, '.prisma-test-'));

	atExit(() => fs.rmSync(directory, { recursive: true }));
	fs.writeFileSync(
		path.join(directory, 'schema.prisma'),
		`generator client {
			provider = "prisma-client-js"
			engineType = "client"
			output = "./client"
		}
		datasource db {
			provider = "postgresql"
			url = env("NOWHERE")
		}
		model item {
			id Int @id
		}`,
	);
	execFileSync(
		process.execPath,
		[path.join(modules, 'prisma/build/index.js'), 'generate', '--schema', 'schema.prisma', '--no-hints'],
		{
			cwd: directory,
			env: {
				...process.env,
				PRISMA_SCHEMA_ENGINE_BINARY: '/bin/true',
				PRISMA_QUERY_ENGINE_LIBRARY: '/bin/true',
				CHECKPOINT_DISABLE: '1',
			},
			stdio: 'ignore',
		},
	);
	return require(path.join(directory, 'client'));
}

// ---- what is asked of all ----

async function crowd(name, client) {
	const all = everybody.concat(everybody);
	const seen = await Promise.all(
		all.map((n) => client.asUser(user(n), async (handle) => idsOf(await client.query(handle, SELECT)))),
	);

	is(seen, all.map(itemsOf), `${name}: ${all.length} transactions at once, each sees the rows of its user`);
}

async function nobodyLeft(name, client) {
	const left = await Promise.all(
		Array.from({ length: 2 * POOL }, () =>
			client.outside(
				'SELECT cnap_current_user() AS id, (SELECT count(*) FROM app.item)::int AS rows, pg_sleep(0.02)::text',
			),
		),
	);

	is(
		left.map(([row]) => [row.id, row.rows]),
		Array(2 * POOL).fill([null, 0]),
		`${name}: nobody is left on a connection`,
	);
}

// An error somewhere in the middle, of the database or of the program
async function errors(name, client) {
	const outcomes = await Promise.all(
		everybody.map((n) =>
			client
				.asUser(user(n), async (handle) => {
					if (n % 4 !== 0) await client.query(handle, SELECT);
					if (n % 2 === 0) await client.query(handle, 'SELECT 1 / 0 AS id');
					throw new Error('of the program');
				})
				.then(
					() => 'none',
					(error) =>
						/of the program|division by zero/.exec(`${error} ${error.cause}`)?.[0] ?? error,
				),
		),
	);

	is(
		outcomes.filter((outcome) => outcome === 'of the program').length,
		USERS / 2,
		`${name}: errors of the program come through`,
	);
	ok(
		outcomes.every((outcome) => typeof outcome === 'string' && outcome !== 'none'),
		`${name}: and those of the database`,
	) || is(outcomes, [], name);
}

async function cancelled(name, client, { system }) {
	const asleep = `cancel ${name}`;
	const sleeping = client
		.asUser(user(1), (handle) => client.query(handle, `SELECT pg_sleep(300)::text AS "${asleep}"`))
		.then(
			() => 'slept',
			() => 'cancelled',
		);

	for (;;) {
		const { rows } = await system.query(
			"SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query LIKE $1 AND state = 'active' AND pid <> pg_backend_pid()",
			[`%"${asleep}"%`],
		);
		if (rows.length > 0) break;
		await new Promise((resolve) => setTimeout(resolve, 20));
	}
	is(await sleeping, 'cancelled', `${name}: a statement is cancelled`);
}

// A function that returns void, to whoever can read that
async function nothing(name, client, { workspaces }) {
	const text = `SELECT cnap_update_workspace('${workspaces[30]}', name => 'by ${name}')`;

	await client.asUser(user(30), (handle) => (client.execute ?? client.query)(handle, text));
	is(
		await client.asUser(
			user(30),
			async (handle) => (await client.query(handle, 'SELECT name FROM cnap_workspaces()'))[0].name,
		),
		`by ${name}`,
		`${name}: a function that returns void`,
	);
}

// ---- the traps ----

async function nesting(pool) {
	const asUser = defined('asUser');
	const asOther = defined('asOther');
	const who = (client) => value(client, 'SELECT cnap_current_user()');

	await asUser(pool, user(1), async (client) => {
		await client.query('SAVEPOINT nested');
		await client.query("SELECT set_config('cnap.user_id', $1, true)", [user(2)]);
		await client.query('RELEASE SAVEPOINT nested');
		is(await who(client), user(2), 'nested by a savepoint, the inner user stays');
	});
	await asUser(pool, user(1), async (client) => {
		is(await asOther(client, user(2), who), user(2), 'asOther: another user within');
		is(await who(client), user(1), 'and the former one afterwards');
		await refused(
			asOther(client, user(2), () => client.query('SELECT 1 / 0')),
			'22012',
			'an error comes through',
		);
		is(await who(client), user(1), 'and restores the former user');
	});
	is(await who(pool), null, 'nobody is left');
}

async function copying(pool) {
	const asUser = defined('asUser');

	await refused(
		asUser(pool, user(1), (client) => client.query('COPY app.item (workspace_id, body) FROM STDIN')),
		'0A000',
		'COPY FROM is refused',
	);
}

// TypeORM's cache of results. Nothing expires while the test lasts.
async function resultCache(options, { system, vendor }) {
	const HOUR = 3_600_000;
	const asUser = defined('asUserOfTypeOrm');
	const cachedForUser = defined('cachedForUser');
	const plain = (builder) => builder;
	const unsafe = (builder) => builder.cache(HOUR);
	const safe = (builder, userId) => cachedForUser(builder, userId, HOUR);
	const seen = (dataSource, n, cached) =>
		asUser(dataSource, user(n), async (manager) => {
			const query = manager
				.createQueryBuilder()
				.select('item.id', 'id')
				.from('app.item', 'item')
				.orderBy('item.id');

			return idsOf(await cached(query, user(n)).getRawMany());
		});

	// for TypeORM's table
	await system.query(`GRANT CREATE ON SCHEMA public TO ${options.user}`);
	const caching = await openTypeOrm(options, { cache: true, synchronize: true });
	is(await seen(caching, 1, unsafe), itemsOf(1), "TypeORM's cache: who is first sees the own rows");
	is(await seen(caching, 30, unsafe), itemsOf(1), 'and the next one those, too: the guide warns of that');
	for (const n of [1, 2, 30, 30, 2, 1])
		is(await seen(caching, n, safe), itemsOf(n), `cachedForUser: ${user(n)} sees the own rows`);

	await system.query('SELECT cnap_remove_organization_member($1, $2)', [vendor, user(2)]);
	ok((await seen(caching, 2, plain)).length < itemsOf(2).length, 'after a revocation there are fewer');
	is(await seen(caching, 2, safe), itemsOf(2), 'but the cache still shows all, as the guide says');
	await caching.destroy();

	const without = await openTypeOrm(options);
	is(await seen(without, 1, unsafe), itemsOf(1), "without TypeORM's cache, the one sees the own rows");
	is(await seen(without, 30, unsafe), itemsOf(30), 'and so does the next');
	await without.destroy();
}

test(async () => {
	const world = await createDatabase('builders');
	const options = connection(world.database, 'builders_app');

	for (const [name, open] of Object.entries(clients)) {
		const client = await open(options);

		await crowd(name, client);
		await errors(name, client);
		await nobodyLeft(name, client);
		await cancelled(name, client, world);
		await nobodyLeft(name, client);
		await crowd(name, client);
		await nothing(name, client, world);
		if (client.execute)
			await client
				.asUser(user(30), (handle) =>
					client.query(
						handle,
						`SELECT cnap_update_workspace('${world.workspaces[30]}', name => 'x')`,
					),
				)
				.then(
					() => ok(false, `${name}: void cannot be read`),
					(error) => ok(/void/.test(String(error)), `${name}: void cannot be read`),
				);
		await client.end();
	}
	const pool = new pg.Pool({ ...options, max: POOL });
	await nesting(pool);
	await copying(pool);
	await resultCache(options, world);
	await pool.end();
	await world.system.end();
});
