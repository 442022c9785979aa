/*
 * readme.js: the code that README.md and the guides in doc/ show, so that tests can execute it
 */
'use strict';

const fs = require('node:fs');
const path = require('node:path');

const root = path.join(__dirname, '../../..');
const guides = fs.readdirSync(path.join(root, 'doc')).map((name) => path.join('doc', name));
const text = ['README.md', ...guides]
	.map((name) => fs.readFileSync(path.join(root, name), 'utf8'))
	.join('\n');

// The fenced block of a language in which there is a text, or what matches an expression; there must
// be one
function block(language, contents) {
	const found = (code) => (contents instanceof RegExp ? contents.test(code) : code.includes(contents));
	const blocks = [...text.matchAll(/^```(\w+)\n(.*?)^```$/gms)].filter(
		(match) => match[1] === language && found(match[2]),
	);

	if (blocks.length !== 1)
		throw new Error(`there are ${blocks.length} blocks of ${language} with "${contents}"`);
	return blocks[0][2];
}

// Likewise, with some words replaced: renamed({ from: to }, LANGUAGE, TEXT)
function renamed(words, ...which) {
	return block(...which).replace(/\w+/g, (word) => words[word] ?? word);
}

// The value of a name after executing a block of JavaScript with these variables
function defined(name, variables = {}, words = {}) {
	return new Function(
		...Object.keys(variables),
		`${renamed(words, 'js', new RegExp(`^(async )?(function|const) ${name}\\b`, 'm'))}; return ${name};`,
	)(...Object.values(variables));
}

module.exports = { defined, renamed };
