/*
 * schema_tools.js: tools that make a database equal to a model
 *
 * Each tool connects as the owner of a protected table, to a database of its own:
 *
 * - With a model that does not know the protection, what the tool does to it by default is
 *   refused, and the table is protected as before.
 * - With the model of doc/protection.md, it adds a column.
 * - While a superuser has turned cnap.guard off, the first model does end the protection, so that
 *   the first part would fail without the guard.
 *
 * Alembic and Django are those of Debian's packages, which Debian's own Python finds.
 */
'use strict';

const { spawn } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const { IDS, connect, connection, createDatabase, itemsOf, user, value } = require('./lib/database.js');
const { renamed } = require('./lib/readme.js');
const { atExit, diag, is, ok, test } = require('./lib/tap.js');

const PYTHON = '/usr/bin/python3';
const REFUSAL = '"item" is protected, and this command would leave it less protected';
const REMEDY = "SELECT cnap_unprotect('public.item') ends the protection";

// The names in the guide, and those in the databases
const WORDS = {
	task: 'item',
	title: 'body',
	task_workspace_id_fkey: 'item_workspace_id_fkey',
	task_workspace_id_idx: 'item_workspace_id_idx',
};

// All that the protection consists of, and the indexes
const PROTECTION = `
	SELECT jsonb_build_object(
		'table', (SELECT jsonb_build_array(relrowsecurity, relforcerowsecurity) FROM pg_class WHERE oid = 'item'::regclass),
		'policies', (SELECT jsonb_agg(p ORDER BY policyname) FROM pg_policies p WHERE tablename = 'item'),
		'keys', (SELECT jsonb_agg(pg_get_constraintdef(oid)) FROM pg_constraint
			WHERE conrelid = 'item'::regclass AND contype = 'f'),
		'indexes', (SELECT jsonb_agg(indexdef ORDER BY indexname) FROM pg_indexes WHERE tablename = 'item'))`;

const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'tools.'));
atExit(() => fs.rmSync(directory, { recursive: true }));

// Runs a program in the directory of the tools. Returns its output and errors as one text.
function run(program, ...args) {
	return new Promise((resolve, reject) => {
		const child = spawn(program, args, { cwd: directory, stdio: ['ignore', 'pipe', 'pipe'] });
		let output = '';

		for (const stream of [child.stdout, child.stderr])
			stream.setEncoding('utf8').on('data', (text) => {
				output += text;
			});
		child.on('error', reject);
		child.on('close', () => resolve(output));
	});
}

function write(name, contents) {
	fs.mkdirSync(path.join(directory, path.dirname(name)), { recursive: true });
	fs.writeFileSync(path.join(directory, name), contents);
}

async function idsAs(client, n) {
	await client.query("SELECT set_config('cnap.user_id', $1, false)", [n && user(n)]);
	return value(client, IDS.replace('app.item', 'item'));
}

// Tests a tool, which is { name, careless, careful }: functions that use it with a model that does
// not know the protection, and with that of the guide. Both get the parameters of a connection,
// and return what the tool reports. What PostgreSQL itself refuses, with the message refusal, is
// not for the guard.
async function tool({ name, careless, careful, refusal }) {
	const role = `${name}_app`;
	const { database, system } = await createDatabase(name);

	await system.query(`
		ALTER TABLE app.item SET SCHEMA public;
		ALTER TABLE item DROP COLUMN version;
		ALTER TABLE item OWNER TO ${role};
		GRANT CREATE ON SCHEMA public TO ${role}`);
	const protection = await value(system, PROTECTION);
	const options = connection(database, role);
	const client = await connect(options);
	const isProtected = async (when) => {
		is(await value(system, PROTECTION), protection, `${name}: the protection is as before, ${when}`);
		for (const n of [1, 30, null])
			is(
				await idsAs(client, n),
				n ? itemsOf(n) : [],
				`${name}: so is what ${n ? user(n) : 'nobody'} sees`,
			);
	};

	const refused = await careless(options);
	ok(refused.includes(refusal ?? REFUSAL), `${name}: refused`) || diag(refused);
	if (refusal === undefined)
		ok(refused.includes(REMEDY), `${name}: with the function that ends the protection`) || diag(refused);
	await isProtected('after a careless model');

	const report = await careful(options);
	ok(
		await value(
			system,
			"SELECT count(*) = 1 FROM pg_attribute WHERE attrelid = 'item'::regclass AND attname = 'note'",
		),
		`${name}: a new column`,
	) || diag(report);
	await isProtected('after a careful model');

	if (refusal === undefined) {
		await system.query(`ALTER DATABASE ${database} SET cnap.guard = off`);
		const harm = await careless(options);
		ok(
			JSON.stringify(await value(system, PROTECTION)) !== JSON.stringify(protection),
			`${name}: the guard is what kept it`,
		) || diag(harm);
	}

	await client.end();
	await system.end();
}

// ---- drizzle-kit ----

const CARELESS_DRIZZLE = `
	const { integer, pgTable, text, uuid } = require('drizzle-orm/pg-core');
	exports.item = pgTable('item', {
		id: integer('id').primaryKey().generatedByDefaultAsIdentity(),
		workspaceId: uuid('workspace_id').notNull(),
		body: text('body').notNull(),
	});`;

async function push({ host, user, database }, model) {
	write('model.js', model);
	write(
		'drizzle.config.js',
		`module.exports = ${JSON.stringify({
			dialect: 'postgresql',
			schema: './model.js',
			dbCredentials: { host, user, database, ssl: false },
		})}`,
	);
	return run(process.execPath, path.join(__dirname, 'node_modules/drizzle-kit/bin.cjs'), 'push');
}

const drizzle = {
	name: 'drizzle',
	careless: (options) => push(options, CARELESS_DRIZZLE),
	careful: (options) => push(options, renamed(WORDS, 'js', 'pgPolicy')),
};

// ---- TypeORM ----

const CARELESS_TYPEORM = `
	const { EntitySchema } = require('typeorm');
	const item = new EntitySchema({
		name: 'item',
		columns: {
			id: { type: 'integer', primary: true, generated: 'identity', generatedIdentity: 'BY DEFAULT' },
			workspace: { name: 'workspace_id', type: 'uuid' },
			body: { type: 'text' },
		},
	});`;

// Likewise for a model that defines these entities
async function synchronize({ host, port, user, database }, model, entities) {
	write(
		'typeorm.js',
		`${model}
		const { DataSource } = require('typeorm');
		new DataSource({
			type: 'postgres', host: '${host}', port: ${port}, username: '${user}', database: '${database}',
			entities: [${entities}], synchronize: true,
		}).initialize().then((source) => source.destroy());`,
	);
	return run(process.execPath, 'typeorm.js');
}

const typeorm = {
	name: 'typeorm',
	careless: (options) => synchronize(options, CARELESS_TYPEORM, ['item']),
	careful: (options) => synchronize(options, renamed(WORDS, 'js', 'EntitySchema'), ['item', 'workspace']),
};

// ---- Sequelize ----

async function sequelize({ host, port, user, database }, use) {
	write(
		'sequelize.js',
		`
		const { DataTypes, Sequelize } = require('sequelize');
		const sequelize = new Sequelize({
			dialect: 'postgres', host: '${host}', port: ${port}, username: '${user}', database: '${database}',
			logging: false,
		});
		const item = sequelize.define('item', {
			id: { type: DataTypes.INTEGER, primaryKey: true, autoIncrement: true },
			workspace_id: { type: DataTypes.UUID, allowNull: false },
			body: { type: DataTypes.TEXT, allowNull: false },
		}, { tableName: 'item', timestamps: false });
		${use}.then(() => sequelize.close());`,
	);
	return run(process.execPath, 'sequelize.js');
}

const synchronized = {
	name: 'sequelize',
	refusal: 'cannot alter type of a column used in a policy definition',
	careless: (options) => sequelize(options, 'item.sync({ alter: true })'),
	careful: (options) =>
		sequelize(options, "sequelize.getQueryInterface().addColumn('item', 'note', DataTypes.TEXT)"),
};

// ---- Alembic ----

const CARELESS_ALEMBIC = `
from sqlalchemy import Column, Identity, Integer, MetaData, Table, Text
from sqlalchemy.dialects.postgresql import UUID
metadata = MetaData()
Table("item", metadata, Column("id", Integer, Identity(), primary_key=True),
    Column("workspace_id", UUID(as_uuid=True), nullable=False), Column("body", Text, nullable=False))
include_object = None
`;

// Makes a revision from the difference to the model, and executes it.
async function revise({ host, port, user, database }, revision, model) {
	const alembic = (...args) => run(PYTHON, '-B', '-m', 'alembic.config', ...args);

	write('model.py', model);
	write('alembic.ini', '[alembic]\nscript_location = alembic_scripts\nprepend_sys_path = .\n');
	write(
		'alembic_scripts/script.py.mako',
		`\${imports or ""}
from alembic import op
import sqlalchemy as sa
revision = \${repr(up_revision)}
down_revision = \${repr(down_revision)}
def upgrade():
    \${upgrades}
`,
	);
	write(
		'alembic_scripts/env.py',
		`
from alembic import context
from sqlalchemy import create_engine
import model
url = "postgresql+psycopg2://${user}@/${database}?host=${host}&port=${port}"
with create_engine(url).connect() as connection:
    context.configure(connection=connection, target_metadata=model.metadata, include_object=model.include_object)
    with context.begin_transaction():
        context.run_migrations()
`,
	);
	fs.mkdirSync(path.join(directory, 'alembic_scripts/versions'), { recursive: true });
	return (
		(await alembic('revision', '--autogenerate', '--rev-id', revision)) +
		(await alembic('upgrade', 'head'))
	);
}

const alembic = {
	name: 'alembic',
	careless: async (options) => {
		const report = await revise(options, 'careless', CARELESS_ALEMBIC);

		fs.rmSync(path.join(directory, 'alembic_scripts/versions/careless_.py'), { force: true });
		return report;
	},
	careful: (options) => revise(options, 'careful', renamed(WORDS, 'python', 'include_object')),
};

// ---- Django ----

const django = (...args) =>
	run(PYTHON, '-B', '-m', 'django', ...args, '--settings=settings', '--pythonpath=.');

// Makes migrations from the difference to the former model, and executes them.
async function migrate(name, model, ...options) {
	write('shop/models.py', model);
	return (
		(await django('makemigrations', 'shop', '--name', name)) +
		(await django('migrate', 'shop', ...options))
	);
}

function models(edit = (model) => model) {
	return edit(renamed(WORDS, 'python', 'models.Model'));
}

const withoutNote = (model) => model.replace(/^ *note =.*\n/m, '');
const withoutKey = (model) =>
	withoutNote(model).replace('models.CASCADE', 'models.CASCADE, db_constraint=False');

const migrated = {
	name: 'django',
	careless: async ({ host, port, user, database }) => {
		if (!fs.existsSync(path.join(directory, 'settings.py'))) {
			write('shop/__init__.py', '');
			write(
				'settings.py',
				`
SECRET_KEY = "a test's"
INSTALLED_APPS = ["shop"]
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql",
    "HOST": "${host}", "PORT": "${port}", "USER": "${user}", "NAME": "${database}"}}
`,
			);
			// the table as it is
			await migrate('initial', models(withoutNote), '--fake');
		}
		const report = await migrate('careless', models(withoutKey));

		fs.rmSync(path.join(directory, 'shop/migrations/0002_careless.py'), { force: true });
		return report;
	},
	careful: () => migrate('careful', models()),
};

test(async () => {
	fs.symlinkSync(path.join(__dirname, 'node_modules'), path.join(directory, 'node_modules'));
	for (const each of [drizzle, typeorm, synchronized, alembic, migrated]) await tool(each);
});
