/*
 * rest_owners.js: what owners do on the page of examples/rest, in Chromium
 *
 * Invitations to a workspace and to an organization, whose links are shown once: accepted, declined,
 * replaced, revoked. Billing, giving a workspace to somebody else, leaving, and deleting, for which the
 * name has to be typed. Errors are shown with their details and hints.
 */
'use strict';

const { is, ok, test } = require('../clients/lib/tap.js');
const { open, until } = require('./lib/browser.js');
const { accessible, follow, secret, side, signIn } = require('./lib/page.js');
const { request, start } = require('./lib/rest.js');

const gone = (person, selector) =>
	until(async () => (await person.page.$(selector)) === null, `end of ${selector}`);

async function signedIn(browser, server, user) {
	const person = await browser.person(server.url);

	await signIn(person, server, user);
	return person;
}

async function create(person, what, name) {
	await person.fill(what, { name });
	await person.says('nav a', name);
	await person.click('link', name);
	await person.heading(name);
}

// Answers the question that a dialog asks
async function answer(person, title, values = {}) {
	await person.find('dialog', title);
	await person.fill(title, values);
}

const states = async (person) => {
	const table = await person.find('table', 'Invitations');

	return table.$$eval('tbody tr', (rows) =>
		rows.map(({ cells }) => `${cells[0].textContent}: ${cells[4].textContent}`).sort(),
	);
};

// ---- invitations ----

async function toWorkspace(gina, otto, server) {
	await gina.fill('Invite somebody', { role: 'admin', email: 'otto@globex.example' });
	const first = await secret(gina);
	ok(first.includes('#/invitation/cnap_invite_'), 'an invitation is a link');
	await accessible(gina, 'an invitation has been made');
	await gina.click('button', 'Refresh');
	await gone(gina, '.secret');
	await gina.heading('Globex');
	ok(!(await gina.page.content()).includes(first.slice(-39)), 'which is shown once');
	is(await states(gina), ['otto@globex.example: pending'], 'the invitation is listed');

	await gina.click('button', 'New link for otto@globex.example');
	const second = await secret(gina, first);
	await follow(otto, first);
	await otto.says('[role=alert]', 'invalid or expired invitation');
	ok(true, 'with a new link, the former one is worth nothing');
	await follow(otto, second);
	await otto.heading('You are invited to Globex');
	is((await otto.texts('dd')).slice(2, 4), ['admin', 'gina'], 'as what, and by whom');
	await accessible(otto, 'an invitation');
	await otto.fill('Accept the invitation', {});
	await otto.heading('Globex');
	await otto.says('[role=status]', 'You are admin of Globex now.');
	is(await side(otto, 'Shared with me'), ['Globex'], 'who accepts is in');

	for (const user_id of ['otto', 'eve'])
		await request(
			server,
			await server.tokenOf('gina'),
			'POST',
			`/v1/workspaces/${await idOf(gina)}/invitations`,
			{ user_id },
		);
	await gina.click('button', 'Refresh');
	await gina.find('button', 'Revoke the invitation of eve');
	await gina.click('button', 'Revoke the invitation of eve');
	await gina.says('[role=status]', 'The invitation is worth nothing now.');
	await gina.click('button', 'New link for otto');
	const third = await secret(gina);
	await follow(otto, third);
	await otto.heading('You are invited to Globex');
	await otto.fill('Decline the invitation', {});
	await otto.heading('Your workspaces');
	await gina.click('button', 'Refresh');
	await gone(gina, '.secret');
	await gina.heading('Globex');
	is(
		await states(gina),
		['eve: revoked', 'otto: declined', 'otto@globex.example: accepted'],
		'one was revoked, one declined',
	);
	ok(!(await gina.has('button', 'New link for eve')), 'and nothing more can be done about these');
	otto.complaints.length = 0;
}

const idOf = (person) => person.page.evaluate(() => location.hash.split('/')[2]);

async function toOrganization(ann, otto) {
	await ann.fill('Invite somebody', { role: 'admin', user_id: 'otto' });
	const link = await secret(ann);
	await follow(otto, link);
	await otto.heading('You are invited to Acme');
	await otto.fill('Accept the invitation', {});
	await otto.heading('Acme');
	is(await side(otto, 'Organizations'), ['Acme'], 'an invitation to an organization');
	const form = await otto.find('form', 'Invite somebody');
	is(
		await form.$$eval('option', (all) => all.map(({ value }) => value)),
		['member'],
		'an admin can invite members',
	);
	const roles = await form.$('select');
	await roles.evaluate((select) => select.options[0].setAttribute('value', 'owner'));
	await otto.fill('Invite somebody', {});
	await otto.says(
		'[role=alert]',
		'owner role required. The role of the current user in this organization is "admin".',
	);
	ok(true, 'an error is shown with its detail');
	otto.complaints.length = 0;
}

// ---- billing and ownership ----

async function billing(gina, otto, server) {
	const workspace = await idOf(gina);
	const stored = async () =>
		(
			await server.system.query('SELECT billing_email, customer_id FROM cnap.workspace WHERE id = $1', [
				workspace,
			])
		).rows[0];
	const shown = async () => {
		const form = await gina.find('form', 'Change who is billed');

		return form.$$eval('input', (inputs) => inputs.map(({ value }) => value));
	};
	const change = async (values) => {
		await gina.fill('Change who is billed', values);
		await gina.says('[role=status]', 'The billing data is changed.');
	};

	is(await shown(), ['', ''], 'no billing data');
	await change({ billing_email: 'pay@globex.example', customer_id: 'cus_1' });
	is(await shown(), ['pay@globex.example', 'cus_1'], 'the billing data is shown');
	await change({ customer_id: 'cus_2' });
	is(
		await stored(),
		{ billing_email: 'pay@globex.example', customer_id: 'cus_2' },
		'billing data, one by one',
	);
	await gina.fill('Change who is billed', { billing_email: 'nobody' });
	await gina.says('[role=alert]', 'It must be an e-mail address');
	await change({ billing_email: '', customer_id: '' });
	is(await stored(), { billing_email: null, customer_id: null }, 'and none');
	gina.complaints.length = 0;

	await otto.click('link', 'Globex');
	await otto.heading('Globex');
	for (const form of ['Change who is billed', 'Give the workspace to somebody else'])
		ok(!(await otto.has('form', form)), `an admin is not offered: ${form}`);
	ok(!(await otto.has('button', 'Delete the workspace')), 'nor to delete it');
}

async function transfer(gina, otto) {
	const title = 'Make otto the owner of Globex?';

	await gina.fill('Give the workspace to somebody else', { new_owner: 'otto' });
	await gina.find('dialog', title);
	await gina.click('button', 'Cancel');
	await gone(gina, 'dialog');
	is(await side(gina, 'Your workspaces'), ['Globex'], 'cancelling changes nothing');
	await gina.fill('Give the workspace to somebody else', { new_owner: 'otto' });
	await answer(gina, title);
	await gina.says('[role=status]', 'otto owns the workspace now.');
	is(
		[await side(gina, 'Your workspaces'), await side(gina, 'Shared with me')],
		[[], ['Globex']],
		'the former owner stays, as one with whom it is shared',
	);
	await gina.click('button', 'Leave the workspace');
	await answer(gina, 'Leave Globex?');
	await gina.says('[role=status]', 'You have left Globex.');
	await gina.heading('Your workspaces');
	is(await side(gina, 'Shared with me'), [], 'until she leaves');
	await otto.click('button', 'Refresh');
	await otto.find('button', 'Delete the workspace');
	ok(!(await otto.has('button', 'Leave the workspace')), 'the owner does not leave');
}

async function deletion(otto, ann, server) {
	await otto.click('button', 'Delete the workspace');
	await otto.find('dialog', 'Delete Globex?');
	await accessible(otto, 'a question with a text to type');
	for (const typed of ['', 'globex']) {
		await answer(otto, 'Delete Globex?', { typed });
		await otto.says('dialog [role=alert]', 'What you typed is not Globex.');
	}
	const { rowCount } = await server.system.query("SELECT FROM cnap.workspace WHERE name = 'Globex'");
	is(rowCount, 1, 'without its name, nothing is deleted');
	await answer(otto, 'Delete Globex?', { typed: 'Globex' });
	await otto.says('[role=status]', 'Globex is deleted.');
	await otto.heading('Your workspaces');
	is(await side(otto, 'Your workspaces'), [], 'with its name, the workspace is');

	await otto.click('link', 'Acme');
	await otto.heading('Acme');
	ok(!(await otto.has('button', 'Delete the organization')), 'an admin deletes no organization');
	await otto.click('button', 'Leave the organization');
	await answer(otto, 'Leave Acme?');
	await otto.says('[role=status]', 'You have left Acme.');
	is(await side(otto, 'Organizations'), [], 'but leaves it');

	await ann.click('button', 'Refresh');
	await ann.click('button', 'Leave the organization');
	await answer(ann, 'Leave Acme?');
	await ann.says('dialog [role=alert]', 'would lose its last owner');
	ok(true, 'which the last owner cannot');
	ann.complaints.length = 0;
	await ann.click('button', 'Cancel');
	await gone(ann, 'dialog');
	await ann.click('button', 'Delete the organization');
	await answer(ann, 'Delete Acme?', { typed: 'Acme' });
	await ann.says('[role=status]', 'Acme is deleted.');
	is(await side(ann, 'Organizations'), [], 'she can delete it');
}

test(async () => {
	const server = await start('owners');
	const browser = await open();
	const gina = await signedIn(browser, server, 'gina');
	const otto = await signedIn(browser, server, 'otto');
	const ann = await signedIn(browser, server, 'ann');

	await create(gina, 'Create a workspace', 'Globex');
	await create(ann, 'Create an organization', 'Acme');
	await toWorkspace(gina, otto, server);
	await toOrganization(ann, otto);
	await billing(gina, otto, server);
	await transfer(gina, otto);
	await deletion(otto, ann, server);
	is(
		[gina, otto, ann].flatMap(({ complaints }) => complaints),
		[],
		'nothing went wrong on the page',
	);
	is(server.errors(), '', 'the server has logged no error');
	await browser.close();
	await server.stop();
});
