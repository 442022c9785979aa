/*
 * page.js: what all tests of the page of examples/rest do
 */
'use strict';

const axe = require('axe-core');

const { is } = require('../../clients/lib/tap.js');
const { until } = require('./browser.js');

async function signIn(person, server, user) {
	await person.heading('Sign in');
	await person.fill('Sign in', { token: await server.tokenOf(user) });
	await until(
		async () => (await person.text('#user'))?.includes(`Signed in as ${user}`),
		`sign-in of ${user}`,
	);
}

// What stands below a heading on the side
function side(person, title) {
	return person.page.evaluate((wanted) => {
		const heading = [...document.querySelectorAll('nav h2')].find((one) => one.textContent === wanted);
		return [...heading.nextElementSibling.querySelectorAll('a')].map((one) => one.textContent);
	}, title);
}

async function accessible(person, name) {
	await person.page.evaluate(axe.source);
	for (const scheme of ['light', 'dark']) {
		await person.page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
		const violations = await person.page.evaluate(async () =>
			(await globalThis.axe.run(document)).violations.map(
				({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`,
			),
		);
		is(violations, [], `accessible, ${scheme}: ${name}`);
	}
}

// The link that is shown once, when it is not the former one any more
async function secret(person, former) {
	let link;

	await until(async () => {
		link = await person.text('.secret');
		return link !== undefined && link !== former;
	}, 'new secret');
	return link;
}

// An address of the page, as a person who has been given it
async function follow(person, url) {
	await person.page.goto('about:blank');
	await person.page.goto(url);
}

module.exports = { accessible, follow, secret, side, signIn };
