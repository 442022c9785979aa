/*
 * ruby.js: Active Record, with the function of doc/clients.md
 *
 * That of Debian's packages. lib/ruby_clients.rb uses it: many users at once on a pool of three
 * connections, errors and a cancelled statement in the middle, and the query cache.
 */
'use strict';

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const { createDatabase, itemsOf } = require('./lib/database.js');
const { check, run, worldOf } = require('./lib/program.js');
const { renamed } = require('./lib/readme.js');
const { atExit, is, test } = require('./lib/tap.js');

const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'ruby.'));
atExit(() => fs.rmSync(directory, { recursive: true }));

test(async () => {
	const world = await createDatabase('ruby');
	const { system } = world;
	const recipe = path.join(directory, 'recipe.rb');
	const { connection, ...rest } = worldOf(world, 'ruby_app');
	const { dbname, user, ...address } = connection;
	const parameters = { ...rest, connection: { ...address, database: dbname, username: user } };

	fs.writeFileSync(recipe, renamed({}, 'ruby', 'def as_user'));
	const seen = await run(system, '/usr/bin/ruby', [
		path.join(__dirname, 'lib/ruby_clients.rb'),
		JSON.stringify(parameters),
		recipe,
	]);

	check('Active Record', seen, ['']);
	is(
		seen.cached,
		[1, 2, 3].map((n) => [itemsOf(n)]),
		'with the query cache, each user sees the own rows',
	);
	is(seen.trap, [itemsOf(1), itemsOf(1)], 'without emptying it, one is shown those of another');
	await system.end();
});
