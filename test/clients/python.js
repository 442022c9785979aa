/*
 * python.js: drivers and mappers of Python, with the functions of doc/clients.md
 *
 * Those of Debian's packages, which Debian's own Python finds. lib/python_clients.py uses them: many
 * users at once on a pool of three connections, errors and a cancelled statement in the middle.
 */
'use strict';

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const { createDatabase } = require('./lib/database.js');
const { check, run, worldOf } = require('./lib/program.js');
const { renamed } = require('./lib/readme.js');
const { atExit, is, test } = require('./lib/tap.js');

const PYTHON = '/usr/bin/python3';

// How each shows a result of type void
const CLIENTS = { psycopg: '', asyncpg: null, SQLAlchemy: '', Django: '' };

const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'python.'));
atExit(() => fs.rmSync(directory, { recursive: true }));

// The functions of the guide as a module
function writeRecipes() {
	const functions = [
		renamed({}, 'python', 'def as_user_of_psycopg'),
		renamed({}, 'python', 'def as_user_of_asyncpg'),
		renamed({}, 'python', 'def as_user_of_sqlalchemy'),
		renamed({}, 'python', 'def as_user_of_django'),
	];

	fs.writeFileSync(
		path.join(directory, 'recipes.py'),
		['from contextlib import asynccontextmanager, contextmanager', 'from sqlalchemy import text']
			.concat(functions)
			.join('\n'),
	);
}

test(async () => {
	const world = await createDatabase('python');
	const { system } = world;
	const program = path.join(__dirname, 'lib/python_clients.py');

	writeRecipes();
	for (const [name, nothing] of Object.entries(CLIENTS)) {
		const args = ['-B', program, JSON.stringify(worldOf(world, 'python_app')), name];
		const seen = await run(system, PYTHON, args, { PYTHONPATH: directory });

		check(name, seen, [[nothing]]);
		if (name === 'Django') is(seen.nested, 'refused', `${name}: it cannot be nested`);
	}
	await system.end();
});
