/*
 * token.js: creates an access token for a user, and prints it
 *
 *   npm run --silent token -- USER [NAME]
 *
 * In an application, this happens where users have signed in by the identity provider. It connects
 * as a role that is trusted to say who the user is: $TRUSTED_USER, by default app_server.
 */
'use strict';

const pg = require('pg');

const { connection } = require('./lib/database.js');

async function main(user, name = 'examples/rest') {
	if (user === undefined) throw new Error('usage: npm run --silent token -- USER [NAME]');

	const client = new pg.Client({ ...connection(), user: process.env.TRUSTED_USER ?? 'app_server' });
	await client.connect();
	try {
		await client.query('BEGIN');
		await client.query("SELECT set_config('cnap.user_id', $1, true)", [user]);
		const { rows } = await client.query(
			"SELECT cnap_create_access_token($1, expires_at => now() + interval '1 day') AS token",
			[name],
		);
		await client.query('COMMIT');
		process.stdout.write(`${rows[0].token}\n`);
	} finally {
		await client.end();
	}
}

main(...process.argv.slice(2)).catch((error) => {
	process.stderr.write(`${error.message}\n`);
	process.exitCode = 1;
});
