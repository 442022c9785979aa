/*
 * tap.js: results in the Test Anything Protocol
 *
 * test(async () => { ... }) runs a whole file. An exception counts as a failure, and functions
 * passed to atExit() are called however the file ends, unless it is killed.
 */
'use strict';

const { isDeepStrictEqual, inspect } = require('node:util');

const TIMEOUT = 300_000;

let count = 0;
let failed = 0;
const cleanups = [];

function say(text) {
	process.stdout.write(`${text}\n`);
}

function diag(text) {
	process.stderr.write(`# ${String(text).replaceAll('\n', '\n# ')}\n`);
}

function ok(condition, name) {
	count++;
	if (!condition) failed++;
	say(`${condition ? '' : 'not '}ok ${count} - ${name.replaceAll('#', '\\#')}`);
	if (!condition) diag(`failed: ${name}`);
	return condition;
}

function is(got, expected, name) {
	const equal = isDeepStrictEqual(got, expected);

	if (!ok(equal, name)) diag(`got:      ${inspect(got)}\nexpected: ${inspect(expected)}`);
	return equal;
}

// The promise must be rejected, with an error of this SQLSTATE, and of this message if one is given.
async function refused(promise, code, name, message) {
	const error = await promise.then(
		() => undefined,
		(reason) => reason,
	);

	if (error === undefined) return ok(false, `${name} (no error)`);
	if (message !== undefined && !message.test(error.message)) return is(error.message, message, name);
	return is(error.code, code, name) || diag(error.stack);
}

function atExit(cleanup) {
	cleanups.unshift(cleanup);
}

function test(main) {
	process.on('exit', () => cleanups.forEach((cleanup) => cleanup()));
	for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(1));
	setTimeout(() => {
		diag(`not done after ${TIMEOUT / 1000} s`);
		process.exit(1);
	}, TIMEOUT).unref();
	main()
		.catch((error) => {
			ok(false, 'no exception');
			diag(error.stack);
		})
		.then(() => {
			say(`1..${count}`);
			process.exit(failed > 0 ? 1 : 0);
		});
}

module.exports = { atExit, diag, is, ok, refused, test };
