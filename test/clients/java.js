/*
 * java.js: JDBC, with the function of doc/clients.md
 *
 * The driver and the pool (HikariCP) are those of Debian's packages. lib/JavaClients.java uses them: many
 * users at once on a pool of three connections, errors and a cancelled statement in the middle; ids as
 * parameters, and results of type void.
 */
'use strict';

const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const { connection, createDatabase, everybody, user } = require('./lib/database.js');
const { check, run } = require('./lib/program.js');
const { renamed } = require('./lib/readme.js');
const { atExit, is, test } = require('./lib/tap.js');

const JARS = ['postgresql', 'HikariCP', 'slf4j-api', 'slf4j-nop'].map(
	(name) => `/usr/share/java/${name}.jar`,
);
const SOURCES = ['JavaClients', 'UnixSockets'].map((name) => path.join(__dirname, `lib/${name}.java`));

const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'java.'));
atExit(() => fs.rmSync(directory, { recursive: true }));

const classPath = [directory, ...JARS].join(':');

// The function of the guide as a class, and all others
function compile() {
	const recipe = path.join(directory, 'Recipe.java');

	fs.writeFileSync(
		recipe,
		[
			'import java.sql.Connection;',
			'import java.sql.PreparedStatement;',
			'import java.sql.SQLException;',
			'import javax.sql.DataSource;',
			`class Recipe {\n${renamed({}, 'java', 'asUser')}}`,
		].join('\n'),
	);
	execFileSync('javac', ['-Xlint', '-Werror', '-cp', classPath, '-d', directory, recipe, ...SOURCES], {
		stdio: 'inherit',
	});
}

// The driver itself does not know Unix sockets
function urlOf(database) {
	const { host, port } = connection(database);
	const socket = encodeURIComponent(path.join(host, `.s.PGSQL.${port}`));

	return `jdbc:postgresql://localhost/${database}?socketFactory=UnixSockets&socketFactoryArg=${socket}&gssEncMode=disable`;
}

test(async () => {
	const { database, system, workspaces } = await createDatabase('java');

	compile();
	const seen = await run(system, 'java', [
		'-cp',
		classPath,
		'JavaClients',
		urlOf(database),
		'java_app',
		workspaces[30],
		user(30),
		...everybody.map(user),
	]);

	check('JDBC', seen, ['']);
	is(seen.update, '0100E', 'executeUpdate() refuses a result of type void');
	is(seen.ids, [true, true], 'an id as UUID, or as text with a cast');
	is(seen.text, '42883', 'text alone is of the wrong type');
	is(seen.untyped, [true], 'unless its type is left open');
	await system.end();
});
