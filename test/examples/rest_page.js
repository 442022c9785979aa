/*
 * rest_page.js: the page of examples/rest, in Chromium
 *
 * The story of a vendor and a customer, each in a browser of their own: an install link, consent,
 * access, its end; members, audit log, tokens. And what the page promises: it shows nothing of what
 * was revoked one request ago, data is never code, and people who use a keyboard or a screen reader
 * can use it.
 */
'use strict';

const fs = require('node:fs');
const path = require('node:path');

const { is, ok, test } = require('../clients/lib/tap.js');
const { open, until } = require('./lib/browser.js');
const { accessible, follow, secret, side, signIn } = require('./lib/page.js');
const { request, start } = require('./lib/rest.js');

const PUBLIC = path.join(__dirname, '../../examples/rest/public');
const EVIL = '<img src=x onerror=alert(1)>';

// ---- the way in ----

async function signingIn(browser, server) {
	const person = await browser.person(server.url);

	await person.heading('Sign in');
	await accessible(person, 'signing in');
	await person.fill('Sign in', { token: 'cnap_pat_wrong' });
	await person.says('[role=alert]', 'invalid API key');
	is(await person.text('#sidebar'), '', 'a wrong token shows nothing');
	await signIn(person, server, 'gina');
	await person.heading('Your workspaces');
	is(await side(person, 'Your workspaces'), [], 'gina has no workspace');
	await accessible(person, 'the start');
	await person.fill('Create a workspace', { name: 'Globex' });
	await person.says('nav a', 'Globex');
	is(await side(person, 'Your workspaces'), ['Globex'], 'she creates one');
	is(await side(person, 'Shared with me'), [], 'nothing is shared with her');
	return person;
}

async function vendor(browser, server) {
	const person = await browser.person(server.url);

	await signIn(person, server, 'ann');
	await person.fill('Create an organization', { name: 'Acme' });
	await person.says('nav a', 'Acme');
	await person.click('link', 'Acme');
	await person.heading('Acme');
	await person.fill('Add a member', { user_id: 'ben' });
	await person.says('[role=status]', 'ben is a member now.');
	await person.fill('Add a member', { user_id: 'ben' });
	await person.says('[role=alert]', 'user "ben" is already a member of the organization');
	await person.fill('Create an install link', { label: 'Spring', duration: 'P1Y', max_uses: '2' });
	const url = await secret(person);
	ok(url.includes('#/install/cnap_link_'), 'it is shown');
	await accessible(person, 'an organization');
	await person.click('button', 'Refresh');
	await until(async () => (await person.page.$('.secret')) === null, 'end of the secret');
	ok(!(await person.text('body')).includes(url.slice(-39)), 'the link is shown once');
	return { ann: person, url };
}

async function consent(gina, url) {
	await follow(gina, url);
	await gina.heading('Acme asks to manage a workspace of yours');
	ok((await gina.texts('dd')).includes('admin'), 'as what');
	await accessible(gina, 'consent');
	await gina.fill('Consent', {});
	await gina.heading('Globex');
	await gina.says('[role=status]', 'Acme manages the workspace now.');
	const boxes = (kind) => gina.texts(`svg.ways g:has(rect.${kind}) title`);
	is(await boxes('user'), ['gina', 'ann', 'ben'], 'the picture shows who has access');
	is([await boxes('owner'), (await boxes('organization')).length], [['owner'], 1], 'by which ways');
	is(await boxes('workspace'), ['Globex'], 'to what');
	is((await gina.texts('svg.ways path')).length, 5, 'with a line for each way');
	ok(
		/gina: owner.*ann: org. .*, as admin/.test((await gina.texts('svg.ways desc'))[0]),
		'and says so to those who do not see it',
	);
	await accessible(gina, 'a workspace');
}

// ---- a manager, and the end of the management ----

async function manager(browser, server) {
	const ben = await browser.person(server.url);

	await signIn(ben, server, 'ben');
	is(await side(ben, 'Your workspaces'), [], 'ben has no workspace of his own');
	is(await side(ben, 'Shared with me'), ['Globex'], 'one is shared with him');
	await ben.click('link', 'Globex');
	await ben.heading('Globex');
	is(
		await ben.page.$eval('nav a[aria-current=page]', (one) => one.textContent),
		'Globex',
		'the side says where he is',
	);
	ok((await ben.texts('main .note'))[0].includes('access, administer'), 'what he may do');
	for (const form of ['Add a member', 'Let an organization manage the workspace'])
		ok(!(await ben.has('form', form)), `which is not: ${form}`);
	return ben;
}

async function end(gina, ben) {
	const button = 'Preview and end the management';

	await gina.click('button', button);
	await gina.find('dialog', 'End the management of Globex?');
	is(await gina.texts('dialog td'), ['ann', 'all access', 'ben', 'all access'], 'who would lose access');
	await accessible(gina, 'a question');
	await gina.page.keyboard.press('Escape');
	await until(async () => (await gina.page.$('dialog')) === null, 'end of the question');
	await ben.click('button', 'Refresh');
	await ben.heading('Globex');
	is(await side(ben, 'Shared with me'), ['Globex'], 'Escape ends nothing');

	await gina.click('button', button);
	await gina.find('dialog', 'End the management of Globex?');
	await gina.page.$eval('dialog button[type=submit]', (one) => one.click());
	await gina.says('[role=status]', 'The management has ended.');
	ok(!(await gina.has('button', button)), 'there is nothing more to end');
	ok(
		(await gina.texts('main .note')).includes('No organization manages this workspace.'),
		'and the page says so',
	);

	const requests = [];
	ben.page.on('request', (one) => requests.push(new URL(one.url()).pathname));
	await ben.click('button', 'Refresh');
	await ben.heading('There is nothing here');
	is(await side(ben, 'Shared with me'), [], 'ben sees nothing at the next request');
	ok(!(await ben.page.content()).includes('Globex'), 'nowhere on the page');
	is(
		requests.filter((one) => one.endsWith('/members')),
		[],
		'nor does the page ask for more',
	);
	// the server said no to what he had open
	ok(
		ben.complaints.every((text) => /404/.test(text)),
		'nothing else went wrong',
	);
	ben.complaints.length = 0;
}

async function again(gina, ben, ann, server) {
	const { body } = await request(server, await server.tokenOf('ann'), 'GET', '/v1/organizations');

	await gina.fill('Let an organization manage the workspace', {
		organization: body.data[0].id,
		role: 'member',
	});
	await gina.says('[role=status]', 'The organization manages this workspace now.');
	await ben.click('button', 'Refresh');
	await ben.heading('Globex');
	ok((await ben.texts('main .note'))[0].includes('You may: access.'), 'management again, with less');
	await gina.fill('Let an organization manage the workspace', { organization: 'acme' });
	await gina.says('[role=alert]', 'uuid');
	gina.complaints.length = 0;

	// managers who give a reason
	await gina.click('button', 'Refresh');
	await gina.heading('Globex');
	await gina.fill('Let an organization manage the workspace', {
		organization: body.data[0].id,
		role: 'admin',
		managers: 'activated',
	});
	await gina.says('[role=status]', 'The organization manages this workspace now.');
	ok(
		(await gina.texts('main .note')).some((text) =>
			text.endsWith('manages this workspace. Its members have access after giving a reason, as admin.'),
		),
		'who manages it, and how',
	);
	is(
		(await gina.page.$$('svg.ways path.inactive')).length,
		2,
		'who is not active is drawn with a broken line',
	);
	await ben.click('button', 'Refresh');
	await ben.heading('There is nothing here');
	await ben.click('link', 'Acme');
	await ben.heading('Acme');
	await accessible(ben, 'managers who give a reason');
	await ben.fill('Activate', { reason: 'ticket 17', duration: 'PT1H' });
	await ben.says('[role=status]', 'You have access now.');
	is(await side(ben, 'Shared with me'), ['Globex'], 'with a reason, ben is in');
	await ben.click('link', 'Globex');
	await ben.heading('Globex');
	await gina.click('button', 'Refresh');
	await gina.says('main td', 'ticket 17');
	ok(true, 'and the customer reads it');
	ben.complaints.length = 0;

	// the vendor's side
	await ann.click('button', 'Refresh');
	await ann.says('main td a', 'Globex');
	await ann.click('button', 'Remove ben');
	await ann.says('[role=status]', 'ben is no member any more.');
	await ben.click('button', 'Refresh');
	await ben.heading('There is nothing here');
	is(await side(ben, 'Shared with me'), [], 'who leaves the vendor sees nothing, either');
	ben.complaints.length = 0;
}

// ---- members, the audit log, tokens ----

async function members(gina) {
	await gina.fill('Add a member', { user_id: 'otto', role: 'admin' });
	await gina.says('[role=status]', 'otto has access now.');
	await gina.fill('Change a role', { user_id: 'otto', role: 'member' });
	await gina.says('[role=status]', 'otto is member now.');
	ok((await gina.texts('svg.ways g text')).includes('member, as member'), 'the picture has the new member');
	await gina.click('button', 'Remove otto');
	await gina.says('[role=status]', 'otto is no member any more.');
	ok(!(await gina.texts('svg.ways g text')).includes('otto'), 'until he is removed');
}

async function auditLog(gina, server, workspace) {
	const token = await server.tokenOf('gina');
	const url = `/v1/workspaces/${workspace}`;

	for (const user_id of ['a', 'b', 'c']) {
		await request(server, token, 'POST', `${url}/members`, { user_id });
		await request(server, token, 'DELETE', `${url}/members?user_id=${user_id}`);
	}
	await gina.click('button', 'Refresh');
	await gina.find('button', 'Older entries');
	const { body } = await request(server, token, 'GET', `${url}/audit?limit=100`);
	const whole = body.data.map(({ action }) => action);
	const actions = () =>
		gina.page.evaluate(() => {
			const heading = [...document.querySelectorAll('h2')].find(
				(one) => one.textContent === 'Audit log',
			);
			return [...heading.nextElementSibling.querySelectorAll('tbody tr')].map(
				(row) => row.cells[2].textContent,
			);
		});

	ok(whole.length > 10 && whole.length < 20, 'there are two pages');
	is(await actions(), whole.slice(0, 10), 'the latest entries');
	await gina.click('button', 'Older entries');
	await gina.find('button', 'Latest entries');
	is(await actions(), whole.slice(10), 'older ones');
	await gina.click('button', 'Latest entries');
	await gina.find('button', 'Older entries');
	is(await actions(), whole.slice(0, 10), 'the latest ones again');
}

async function tokens(gina) {
	await gina.click('link', 'Access tokens');
	await gina.heading('Access tokens');
	await accessible(gina, 'tokens');
	await gina.click('button', 'Revoke of gina');
	await gina.heading('Sign in');
	await gina.says('[role=alert]', 'invalid API key');
	is(
		[await gina.text('#sidebar'), await gina.text('#user')],
		['', ''],
		'whose token is revoked sees nothing at the next request',
	);
	is(await gina.page.evaluate(() => sessionStorage.length), 0, 'nor is the token kept');
}

// ---- data is no code ----

async function noCode(browser, server) {
	const eve = await browser.person(server.url);
	const { system } = server;

	await system.query('SELECT cnap_create_workspace($1, owner => $2)', [EVIL, `${EVIL}"'`]);
	await signIn(eve, server, `${EVIL}"'`);
	await eve.click('link', EVIL);
	await eve.heading(EVIL);
	is(await eve.page.$$eval('img, script:not([src])', (all) => all.length), 0, 'markup in data is text');
	ok(
		(await eve.texts('svg.ways text')).some((text) => text.startsWith('<img')),
		'in the picture, too',
	);
	is(eve.complaints, [], 'and nothing is executed');
	is(
		await eve.page.evaluate(() => {
			try {
				document.body.innerHTML = '<p>';
				return 'parsed';
			} catch (error) {
				return error.name;
			}
		}),
		'TypeError',
		'the policy lets no script parse HTML',
	);
	eve.complaints.length = 0;
	await eve.go('#/install/%3Cscript%3E');
	await eve.says('[role=alert]', 'invalid or expired');
	await eve.go(`#/workspaces/${encodeURIComponent('../tokens')}`);
	await eve.says('[role=alert]', 'uuid');
	await eve.go('#/nothing/of/the/kind');
	await eve.heading('Your workspaces');

	for (const file of fs.readdirSync(PUBLIC).filter((name) => name.endsWith('.js')))
		ok(
			!/innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|style=/.test(
				fs.readFileSync(path.join(PUBLIC, file), 'utf8'),
			),
			`${file} makes no code from data`,
		);
	const { headers } = await fetch(server.url);
	const policy = headers.get('content-security-policy');
	ok(/default-src 'none'/.test(policy) && !/unsafe/.test(policy), 'the policy is strict');
	is(headers.get('x-content-type-options'), 'nosniff', 'types are as they are said to be');
}

// ---- the keyboard ----

async function keyboard(browser, server) {
	const kim = await browser.person(server.url);
	const focus = () =>
		kim.page.evaluate(() => document.activeElement.textContent || document.activeElement.name);

	await kim.heading('Sign in');
	await kim.page.focus('input[name=token]');
	await kim.page.keyboard.type(await server.tokenOf('kim'));
	await kim.page.keyboard.press('Enter');
	await kim.heading('Your workspaces');
	is(await focus(), 'Your workspaces', 'after signing in, the focus is on the heading');
	await kim.page.evaluate(() => document.activeElement.blur());
	await kim.page.evaluate(() => document.body.focus());
	await kim.page.focus('#skip');
	await kim.page.keyboard.press('Enter');
	is(
		await kim.page.evaluate(() => document.activeElement.id),
		'main',
		'the first link leads to the content',
	);
	await kim.page.keyboard.press('Tab');
	is(await focus(), 'name', 'where the first form is next');
	await kim.page.keyboard.type('By keyboard');
	await kim.page.keyboard.press('Enter');
	await kim.says('nav a', 'By keyboard');
	is(kim.complaints, [], 'nothing went wrong');
}

test(async () => {
	const server = await start('page');
	const browser = await open();

	const gina = await signingIn(browser, server);
	const { ann, url } = await vendor(browser, server);
	await consent(gina, url);
	const workspace = await gina.page.evaluate(() => location.hash.split('/')[2]);
	const ben = await manager(browser, server);
	await end(gina, ben);
	await again(gina, ben, ann, server);
	await members(gina);
	await auditLog(gina, server, workspace);
	await tokens(gina);
	await noCode(browser, server);
	await keyboard(browser, server);
	is(server.errors(), '', 'the server has logged no error');
	await browser.close();
	await server.stop();
});
