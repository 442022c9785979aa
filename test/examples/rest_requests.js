/*
 * rest_requests.js: all requests of examples/rest under /v1
 *
 * - the description is valid OpenAPI, each answer is as described, and each operation is requested
 * - organizations, workspaces and their members, management, install links, invitations, tokens,
 *   audit logs: as their owners, and as those who may not
 * - what is malformed: JSON, parameters, ids, methods, sizes, encodings
 */
'use strict';

const { is, ok, test } = require('../clients/lib/tap.js');
const { request, start } = require('./lib/rest.js');

const UNKNOWN = '00000000-0000-4000-8000-000000000000';
const DAY = 86_400;

const now = () => Math.floor(Date.now() / 1000);

// as(USER) -> send(METHOD, PATH, BODY), which returns [status, body]
function sender(server, requested) {
	return (user) => async (method, path, body) => {
		const token = user && (await server.tokenOf(user));
		const answer = await request(server, token, method, path, body);

		requested.add(`${method} ${path.replace(/\?.*/, '')}`);
		return [answer.status, answer.body];
	};
}

const failed = ([status, body]) => [status, body?.error.message];
const summary = (rows, ...names) => rows.map((row) => names.map((name) => row[name]));

// ---- the description ----

async function description({ document }) {
	const { Validator } = await import('@seriousme/openapi-schema-validator');
	const { valid, errors } = await new Validator().validate(structuredClone(document));

	ok(valid, 'the description is valid') || is(errors, undefined, 'its errors');
	is(document.openapi, '3.1.0', 'OpenAPI 3.1');
}

// Has each operation that is described been requested?
function everything({ document }, requested) {
	const missing = [];

	for (const [template, operations] of Object.entries(document.paths)) {
		const pattern = new RegExp(`^${template.replace(/\{\w+\}/g, '[0-9a-f-]{36}')}$`);
		for (const method of Object.keys(operations)) {
			const hit = [...requested].some((one) => {
				const [verb, path] = one.split(' ');
				return verb.toLowerCase() === method && pattern.test(path);
			});
			if (!hit && template !== '/organization') missing.push(`${method} ${template}`);
		}
	}
	is(missing, [], 'each operation has been requested');
}

// ---- organizations ----

async function organizations(as) {
	const [ann, ben, eve] = ['ann', 'ben', 'eve'].map(as);

	is(await ann('GET', '/v1/me'), [200, { user_id: 'ann' }], 'who am I');
	const [, acme] = await ann('POST', '/v1/organizations', {
		name: 'Acme',
		slug: 'acme',
		management_email: null,
	});
	const path = `/v1/organizations/${acme.id}`;
	ok(Math.abs(acme.created_at - now()) < 3600, 'times are seconds since 1970');
	is(await ann('GET', path), [200, acme], 'what is created is what is shown');
	is(
		failed(await eve('POST', '/v1/organizations', { name: 'Copy', slug: 'acme' }))[0],
		409,
		'a slug that is taken',
	);
	is(
		failed(await eve('GET', path)),
		[404, `organization "${acme.id}" does not exist`],
		'for others, it does not exist',
	);

	const logo = 'https://acme.example/logo.png';
	const change = { name: 'Acme Inc', logo, metadata: { tier: ['gold'] }, accepts: 'links' };
	const [, changed] = await ann('PATCH', path, change);
	is(
		{ ...changed, updated_at: 0 },
		{ ...acme, ...change, updated_at: 0 },
		'change it: the answer is the organization',
	);
	const [, cleared] = await ann('PATCH', path, { logo: null, slug: null, accepts: 'anyone' });
	is([cleared.logo, cleared.slug, cleared.name], [null, null, 'Acme Inc'], 'null clears');

	const members = `${path}/members`;
	const [status, member] = await ann('POST', members, { user_id: 'ben' });
	is([status, member.user_id, member.role, member.added_by], [201, 'ben', 'member', 'ann'], 'add a member');
	is(
		failed(await ann('POST', members, { user_id: 'ben' })),
		[409, 'user "ben" is already a member of the organization'],
		'twice',
	);
	is(
		(await ben('POST', members, { user_id: 'eve' }))[1].error,
		{
			code: 'forbidden',
			message: 'admin role required',
			sqlstate: '42501',
			detail: 'The role of the current user in this organization is "member".',
		},
		'as a member',
	);
	is(
		failed(await ben('PATCH', path, { name: 'Mine' })),
		[403, 'admin role required'],
		'nor may he rename it',
	);
	const [, promoted] = await ann('PATCH', members, { user_id: 'ben', role: 'admin' });
	is([promoted.user_id, promoted.role], ['ben', 'admin'], 'change a role');
	is(
		failed(await ben('PATCH', members, { user_id: 'ben', role: 'owner' })),
		[403, 'owner role required'],
		'nobody raises themselves',
	);
	is(
		failed(await ann('PATCH', members, { user_id: 'eve', role: 'admin' })),
		[404, 'user "eve" is not a member of the organization'],
		'the role of a stranger',
	);

	// ids that are anything but plain
	for (const user_id of ['..', '.', 'auth0|5f/7c', 'a b', 'ä&=?#%2e', '"'.repeat(255)]) {
		const [, odd] = await ann('POST', members, { user_id });
		is(odd.user_id, user_id, `a user named ${user_id.slice(0, 10)}`);
		is(
			await ann('DELETE', `${members}?user_id=${encodeURIComponent(user_id)}`),
			[204, undefined],
			'is removed, and nothing else',
		);
	}
	const [, { data, pagination }] = await ben('GET', members);
	is(
		summary(data, 'user_id', 'role'),
		[
			['ann', 'owner'],
			['ben', 'admin'],
		],
		'list the members',
	);
	is(pagination, { cursor: null, has_more: false }, 'all of them');

	is(
		failed(await ann('POST', `${path}/leave`)),
		[409, `organization "${acme.id}" would lose its last owner`],
		'the last owner cannot leave',
	);
	is(await ben('POST', `${path}/leave`), [204, undefined], 'others can');
	is((await ben('GET', '/v1/organizations'))[1].data, [], 'and it is gone from their list');
	is(
		summary((await ann('GET', '/v1/organizations'))[1].data, 'name', 'role'),
		[['Acme Inc', 'owner']],
		'but not from others',
	);
	return acme.id;
}

// ---- workspaces ----

async function workspaces(as) {
	const [gina, otto, eve] = ['gina', 'otto', 'eve'].map(as);
	const [status, globex] = await gina('POST', '/v1/workspaces', { name: 'Globex' });
	const path = `/v1/workspaces/${globex.id}`;

	is(
		[status, globex.section, globex.role, globex.via],
		[201, 'own', 'owner', 'owner'],
		'create a workspace',
	);
	is(globex.permissions.length, 8, 'with all permissions');
	is(await gina('GET', path), [200, globex], 'show it');
	is(
		await gina('GET', path.toUpperCase().replace('V1/WORKSPACES', 'v1/workspaces')),
		[200, globex],
		'in capitals',
	);
	for (const id of [globex.id, UNKNOWN])
		is(
			failed(await eve('GET', `/v1/workspaces/${id}`)),
			[404, `workspace "${id}" does not exist`],
			'what is hidden and what is absent',
		);

	is(
		[globex.owner_id, globex.managed_by, globex.managers, globex.metadata],
		['gina', null, null, {}],
		'with its settings, and nobody who manages it',
	);
	const metadata = { icon: 'star' };
	const [, renamed] = await gina('PATCH', path, { name: 'Globex Inc', metadata });
	is(
		renamed,
		{ ...globex, name: 'Globex Inc', metadata, updated_at: renamed.updated_at },
		'rename it, and give it an icon',
	);
	ok(renamed.updated_at >= globex.updated_at, 'which changes its time');
	const billing = { billing_email: 'pay@globex.example', customer_id: null };
	is(
		await gina('PATCH', `${path}/billing`, { billing_email: 'pay@globex.example' }),
		[200, billing],
		'say who is billed',
	);
	is(await gina('GET', `${path}/billing`), [200, billing], 'and see it');
	is(failed(await eve('GET', `${path}/billing`))[0], 404, 'a stranger does not');

	const members = `${path}/members`;
	const [, added] = await gina('POST', members, { user_id: 'otto', role: 'admin' });
	is(summary(added.data, 'user_id', 'role', 'via'), [['otto', 'admin', 'member']], 'add a member');
	is(
		summary((await otto('GET', '/v1/workspaces'))[1].data, 'name', 'section', 'role'),
		[['Globex Inc', 'shared', 'admin']],
		'who has it shared with them',
	);
	is(
		(await otto('GET', path))[1].permissions,
		['access', 'administer', 'manage_members'],
		'and may do what an admin may',
	);
	is(failed(await otto('DELETE', path)), [403, 'owner role required'], 'which is not to delete it');
	is(failed(await otto('PATCH', `${path}/billing`, {}))[0], 403, 'nor to say who is billed');
	is(failed(await otto('GET', `${path}/billing`)), [403, 'owner role required'], 'nor to see it');
	const [, lowered] = await gina('PATCH', members, { user_id: 'otto', role: 'member' });
	is(summary(lowered.data, 'role'), [['member']], 'change a role');
	is(failed(await otto('POST', members, { user_id: 'eve' }))[0], 403, 'a member adds nobody');
	is(
		failed(await gina('DELETE', `${members}?user_id=gina`)),
		[409, 'user "gina" is the owner of the workspace'],
		'the owner cannot be removed',
	);
	is(await gina('DELETE', `${members}?user_id=otto`), [204, undefined], 'a member can');
	is((await otto('GET', '/v1/workspaces'))[1].data, [], 'and sees nothing at the next request');
	await gina('POST', members, { user_id: 'otto' });
	is(await otto('POST', `${path}/leave`), [204, undefined], 'or leave');
	is(failed(await otto('GET', members))[0], 404, 'and sees nothing, either');

	const [, other] = await gina('POST', '/v1/workspaces', { name: 'For Otto' });
	await gina('POST', `/v1/workspaces/${other.id}/members`, { user_id: 'otto' });
	const [, given] = await gina('POST', `/v1/workspaces/${other.id}/transfer`, { new_owner: 'otto' });
	is([given.section, given.role], ['shared', 'admin'], 'transfer one');
	is(await otto('DELETE', `/v1/workspaces/${other.id}`), [204, undefined], 'whose new owner deletes it');
	return globex.id;
}

// ---- management ----

async function management(as, organization, workspace) {
	const [ann, ben, gina, eve] = ['ann', 'ben', 'gina', 'eve'].map(as);
	const path = `/v1/workspaces/${workspace}/management`;

	await ann('POST', `/v1/organizations/${organization}/members`, { user_id: 'ben' });
	await gina('POST', `/v1/workspaces/${workspace}/members`, { user_id: 'ben' });
	is(failed(await ben('PUT', path, { organization }))[0], 403, 'only the owner grants management');
	const until = now() + 30 * DAY;
	const [status, ways] = await gina('PUT', path, { organization, role: 'admin', until });
	is(
		[status, ...summary(ways.data, 'user_id', 'role', 'via', 'organization', 'until')],
		[
			200,
			['ann', 'admin', 'organization', organization, until],
			['ben', 'member', 'member', null, null],
			['ben', 'admin', 'organization', organization, until],
			['gina', 'owner', 'owner', null, null],
		],
		'the answer is who has access now, and each of their ways in',
	);
	is(
		summary(
			(await ann('GET', `/v1/organizations/${organization}/workspaces`))[1].data,
			'id',
			'managed_until',
		),
		[[workspace, until]],
		'the vendor sees what it manages',
	);
	const [, other] = await eve('POST', '/v1/organizations', { name: 'Umbrella' });
	is(
		failed(await gina('PUT', path, { organization: other.id })),
		[409, 'workspace is already managed'],
		'one organization at a time',
	);
	is(failed(await gina('PUT', path, { organization: UNKNOWN }))[0], 404, 'and one that exists');
	is(
		failed(await ann('GET', `${path}/revocation`)),
		[403, 'owner role required'],
		'a preview is for the owner',
	);
	is(
		summary(
			(await gina('GET', `${path}/revocation`))[1].data,
			'user_id',
			'loses_access',
			'remaining_role',
		),
		[
			['ann', true, null],
			['ben', false, 'member'],
		],
		'who would lose access',
	);
	is(
		summary((await ann('GET', '/v1/workspaces'))[1].data, 'id', 'section', 'via'),
		[[workspace, 'shared', 'organization']],
		'ann has access',
	);
	is(await gina('DELETE', path), [204, undefined], 'revoke');
	is((await ann('GET', '/v1/workspaces'))[1].data, [], 'and has none at the next request');
	is(failed(await ann('GET', `/v1/workspaces/${workspace}`))[0], 404, 'for her, it does not exist');
	is(failed(await gina('DELETE', path)), [409, 'workspace is not managed'], 'it cannot be revoked again');

	await gina('PUT', path, { organization, role: 'member' });
	is((await ann('GET', `/v1/workspaces/${workspace}`))[1].permissions, ['access'], 'capped to member');
	is(failed(await eve('DELETE', path))[0], 404, 'a stranger revokes nothing');
	is(await ann('DELETE', path), [204, undefined], 'the vendor can release it');
}

// Managers who get in one by one
async function someManagers(as, organization, workspace) {
	const [ann, ben, gina, eve] = ['ann', 'ben', 'gina', 'eve'].map(as);
	const path = `/v1/workspaces/${workspace}/management`;
	const activation = `${path}/activation`;
	const assignments = `${path}/assignments`;
	const managed = async () =>
		summary(
			(await ann('GET', `/v1/organizations/${organization}/workspaces`))[1].data,
			'managers',
			'assigned',
		);

	await gina('DELETE', `/v1/workspaces/${workspace}/members?user_id=ben`);
	const [, ways] = await gina('PUT', path, { organization, managers: 'activated', activation: 'PT2H' });
	is(
		summary(ways.data, 'user_id', 'active'),
		[
			['ann', false],
			['ben', false],
			['gina', true],
		],
		'managers who have to give a reason are not in yet',
	);
	is((await ben('GET', '/v1/workspaces'))[1].data, [], 'nor do they see anything');
	is(failed(await eve('POST', activation, { reason: 'curious' }))[0], 404, 'strangers cannot');
	is(
		failed(await ben('POST', activation, {})),
		[400, 'reason is required'],
		'without a reason, nobody can',
	);
	is(
		failed(await ben('POST', activation, { reason: 'x', duration: 'P1D' }))[0],
		400,
		'nor for longer than is allowed',
	);
	const [status, { until }] = await ben('POST', activation, { reason: 'ticket 17', duration: 'PT1H' });
	ok(status === 200 && until > now() && until < now() + 2 * 3600, 'with one, for a time');
	is((await ben('GET', '/v1/workspaces'))[1].data.length, 1, 'ben is in');
	is((await ann('GET', '/v1/workspaces'))[1].data.length, 0, 'ann is not');
	const [, log] = await gina('GET', `/v1/workspaces/${workspace}/audit?limit=1`);
	ok(JSON.stringify(log.data[0]).includes('ticket 17'), 'the customer reads the reason');
	is(
		summary((await gina('GET', `${path}/revocation`))[1].data, 'user_id', 'assigned'),
		[['ben', true]],
		'and would end it by revoking',
	);
	is(await managed(), [['activated', ['ben']]], 'the vendor sees who is in');
	is(await ben('DELETE', `${assignments}?user_id=ben`), [204, undefined], 'he can end it himself');
	is((await ben('GET', '/v1/workspaces'))[1].data, [], 'and is out at the next request');
	is(failed(await ann('PUT', assignments, { user_id: 'ben' }))[0], 409, 'nobody is assigned there');

	await gina('PUT', path, { organization, managers: 'assigned' });
	is(
		failed(await ben('PUT', assignments, { user_id: 'ben' }))[0] >= 403,
		true,
		'members do not assign themselves',
	);
	is(
		await ann('PUT', assignments, { user_id: 'ben', until: now() + DAY }),
		[204, undefined],
		'an admin of the vendor assigns them',
	);
	is(await managed(), [['assigned', ['ben']]], 'one is assigned');
	is(failed(await ben('POST', activation, { reason: 'x' }))[0], 409, 'reasons are for other managers');
	is(await ann('DELETE', `${assignments}?user_id=ben`), [204, undefined], 'until that is ended');
	is(failed(await ann('DELETE', `${assignments}?user_id=ben`))[0], 404, 'once');
	is(await gina('DELETE', path), [204, undefined], 'the customer ends it all');
}

async function installLinks(as, organization, workspace) {
	const [ann, gina, eve] = ['ann', 'gina', 'eve'].map(as);
	const links = `/v1/organizations/${organization}/install-links`;

	const [status, { token }] = await ann('POST', links, {
		label: 'Spring',
		max_uses: 1,
		expires_at: now() + DAY,
		duration: 'P1Y2M',
		managers: 'all',
	});
	ok(status === 201 && /^cnap_link_\w{39}$/.test(token), 'create an install link');
	const [, offer] = await gina('POST', '/v1/install-links/show', { token });
	is(
		[offer.organization, offer.name, offer.role, offer.managers],
		[organization, 'Acme Inc', 'admin', 'all'],
		'who is asking',
	);
	ok(offer.until > now() + 400 * DAY, 'until when');
	is(
		failed(await eve('POST', '/v1/install-links/redeem', { token, workspace }))[0],
		404,
		'nobody redeems it for the workspace of somebody else',
	);
	const [, redeemed] = await gina('POST', '/v1/install-links/redeem', { token, workspace });
	is(redeemed.id, workspace, 'consent');
	is((await ann('GET', '/v1/workspaces'))[1].data.length, 1, 'the vendor has access');
	const [, { data }] = await ann('GET', links);
	is(
		summary(data, 'label', 'uses', 'max_uses', 'duration'),
		[['Spring', 1, 1, 'P1Y2M']],
		'list them, with the duration in ISO 8601',
	);
	ok(!JSON.stringify(data).includes(token), 'without the token');
	is(failed(await eve('GET', links))[0], 404, 'strangers list nothing');
	is(failed(await eve('POST', '/v1/install-links/show', { token }))[0], 400, 'it is used up');
	is(
		failed(await gina('DELETE', `/v1/install-links/${data[0].id}`))[0],
		404,
		'the customer cannot revoke it',
	);
	is(await ann('DELETE', `/v1/install-links/${data[0].id}`), [204, undefined], 'the vendor can');
	is(failed(await ann('DELETE', `/v1/install-links/${data[0].id}`))[0], 409, 'once');
	is(failed(await ann('POST', links, { duration: 'a year or so' }))[0], 400, 'a duration that is none');
}

async function invitations(as, organization, workspace) {
	const [ann, gina, ivan, eve] = ['ann', 'gina', 'ivan', 'eve'].map(as);
	const toOrganization = `/v1/organizations/${organization}/invitations`;
	const toWorkspace = `/v1/workspaces/${workspace}/invitations`;

	const [status, { token }] = await ann('POST', toOrganization, {
		role: 'admin',
		email: 'ivan@acme.example',
	});
	ok(status === 201 && /^cnap_invite_\w{39}$/.test(token), 'invite to an organization');
	const [, invited] = await ivan('POST', '/v1/invitations/show', { token });
	is(
		[invited.kind, invited.id, invited.role, invited.inviter],
		['organization', organization, 'admin', 'ann'],
		'to what',
	);
	is(await ivan('POST', '/v1/invitations/accept', { token }), [204, undefined], 'accept it');
	is(
		failed(await eve('POST', '/v1/invitations/accept', { token })),
		[400, 'invalid or expired invitation'],
		'once',
	);
	is((await ivan('GET', `/v1/organizations/${organization}`))[1].role, 'admin', 'he is an admin');

	const [, second] = await gina('POST', toWorkspace, { user_id: 'ivan', expires_at: now() + DAY });
	is(
		failed(await eve('POST', '/v1/invitations/decline', second))[0],
		400,
		'an invitation of somebody else',
	);
	is(await ivan('POST', '/v1/invitations/decline', second), [204, undefined], 'decline one');
	await gina('POST', toWorkspace, {});
	const [, { data }] = await gina('GET', toWorkspace);
	is(
		summary(data, 'state', 'user_id').sort(),
		[
			['declined', 'ivan'],
			['pending', null],
		],
		'list them',
	);
	const { id } = data.find(({ state }) => state === 'pending');
	const [, again] = await gina('POST', `/v1/invitations/${id}/resend`);
	ok(/^cnap_invite_/.test(again.token), 'resend one');
	is(failed(await eve('DELETE', `/v1/invitations/${id}`))[0], 404, 'strangers revoke nothing');
	is(await gina('DELETE', `/v1/invitations/${id}`), [204, undefined], 'revoke it');
	is(failed(await eve('POST', '/v1/invitations/accept', again))[0], 400, 'and it is worth nothing');
	is(
		summary((await ivan('GET', toOrganization))[1].data, 'state', 'email'),
		[['accepted', 'ivan@acme.example']],
		'list those of the organization',
	);
}

// ---- lists in pages ----

// The pages of a list, of that many rows, put together
async function inPages(send, path, limit) {
	const rows = [];

	for (let cursor = '', more = true; more;) {
		const [, { data, pagination }] = await send('GET', `${path}?limit=${limit}${cursor}`);
		rows.push(...data);
		cursor = `&cursor=${encodeURIComponent(pagination.cursor)}`;
		more = pagination.has_more && rows.length < 1000;
	}
	return rows;
}

async function lists(as, organization, workspace) {
	const [ann, gina] = ['ann', 'gina'].map(as);
	const added = [];

	for (const name of ['Same', 'Same', 'Another']) {
		const [, { id }] = await gina('POST', '/v1/workspaces', { name });
		added.push(`/v1/workspaces/${id}`);
		await gina('PUT', `/v1/workspaces/${id}/management`, { organization });
	}
	await gina('PUT', `/v1/workspaces/${workspace}/management`, { organization });
	for (const user_id of ['a&b', 'ä ö', 'ben'])
		await gina('POST', `/v1/workspaces/${workspace}/members`, { user_id });
	for (const [send, path, rows] of [
		[gina, '/v1/workspaces', 4],
		[gina, `/v1/workspaces/${workspace}/members`, 7],
		[ann, `/v1/organizations/${organization}/members`, 3],
		[ann, `/v1/organizations/${organization}/workspaces`, 4],
	]) {
		const [, whole] = await send('GET', path);

		is([whole.data.length, whole.pagination.has_more], [rows, false], `${path}: all rows by default`);
		for (const limit of [1, 3, 100])
			is(await inPages(send, path, limit), whole.data, `${path}: in pages of ${limit}`);
	}
	const [, page] = await gina('GET', `/v1/workspaces/${workspace}/members?limit=3`);
	is(
		summary(page.data, 'user_id', 'via'),
		[
			['a&b', 'member'],
			['ann', 'organization'],
			['ben', 'member'],
			['ben', 'organization'],
		],
		'all ways of a user are on one page',
	);
	is(page.pagination, { cursor: 'ben', has_more: true }, 'and the next one begins after them');
	is(
		failed(await gina('GET', `/v1/workspaces?cursor=${UNKNOWN}`)),
		[404, `workspace "${UNKNOWN}" does not exist`],
		'a page that begins nowhere',
	);
	for (const path of added) await gina('DELETE', path);
}

// ---- the audit log, tokens ----

async function audit(as, organization, workspace) {
	const [ann, ben, gina] = ['ann', 'ben', 'gina'].map(as);

	for (const [owner, path] of [
		[ann, `/v1/organizations/${organization}/audit`],
		[gina, `/v1/workspaces/${workspace}/audit`],
	]) {
		const [, whole] = await owner('GET', `${path}?limit=100`);

		ok(whole.data.length > 6 && !whole.pagination.has_more, 'an audit log');
		is((await owner('GET', `${path}?limit=3`))[1].data, whole.data.slice(0, 3), 'its first page');
		is(await inPages(owner, path, 3), whole.data, 'its pages are the whole');
	}
	is(
		failed(await ben('GET', `/v1/organizations/${organization}/audit`)),
		[403, 'admin role required'],
		'plain members do not read it',
	);
	const [, { data }] = await gina('GET', `/v1/workspaces/${workspace}/audit`);
	const granted = data.find(({ action }) => action === 'management.grant');
	is([granted.actor, granted.path], ['gina', 'as owner of the workspace'], 'who, and by what right');

	for (const [owner, path] of [
		[ann, `/v1/organizations/${organization}`],
		[gina, `/v1/workspaces/${workspace}`],
	]) {
		for (let n = 0; n < 51; n++) await owner('PATCH', path, { metadata: { n } });
		const [, whole] = await owner('GET', `${path}/audit?limit=100`);
		const [, page] = await owner('GET', `${path}/audit`);
		const last = whole.data[49];

		is(page.data.length, 50, '50 entries are a page by default');
		is(page.pagination, { cursor: last.id, has_more: true }, 'and there are more');
	}
}

async function tokens(server, as) {
	const kim = as('kim');

	const token = await server.tokenByCommand('kim', 'a laptop');
	const mine = async () => (await request(server, token, 'GET', '/v1/tokens')).body.data;
	is(
		summary((await kim('GET', '/v1/tokens'))[1].data, 'id'),
		summary(await mine(), 'id'),
		'whichever of your tokens you come with, you see all',
	);
	is(
		summary(await mine(), 'name', 'revoked_at').sort(),
		[
			['a laptop', null],
			['of kim', null],
		],
		'list your tokens, one of them made by the command',
	);
	const { id, expires_at } = (await mine()).find(({ name }) => name === 'a laptop');
	ok(expires_at > now() && expires_at < now() + 2 * DAY, 'which expires');
	is(failed(await as('eve')('DELETE', `/v1/tokens/${id}`))[0], 404, 'strangers revoke none');
	is(await kim('DELETE', `/v1/tokens/${id}`), [204, undefined], 'revoke it');
	const answer = await request(server, token, 'GET', '/v1/me');
	is(
		[answer.status, answer.body.error.message, answer.headers.get('www-authenticate')],
		[401, 'invalid API key', 'Bearer'],
		'it is refused at the next request',
	);
	const [, { data }] = await kim('GET', '/v1/roles');
	ok(
		data.some(({ role, permission }) => role === 'admin' && permission === 'administer'),
		'list the roles',
	);
}

// A token for one workspace, and for looking only
async function limitedToken(server, as, workspace) {
	const lea = as('lea');
	const [, other] = await lea('POST', '/v1/workspaces', { name: 'Closed' });
	const [, open] = await lea('POST', '/v1/workspaces', { name: 'Open' });
	const { rows } = await server.system.query(
		`SELECT cnap_create_access_token('CI', workspaces => $1, permissions => '{access}') AS token
		FROM set_config('cnap.user_id', 'lea', true)`,
		[[open.id]],
	);
	const send = async (...args) => {
		const { status, body } = await request(server, rows[0].token, ...args);
		return [status, body];
	};

	is(
		summary((await send('GET', '/v1/workspaces'))[1].data, 'id'),
		[[open.id]],
		'a limited token shows its workspace',
	);
	is((await send('GET', `/v1/workspaces/${open.id}`))[1].permissions, ['access'], 'with its permissions');
	for (const id of [other.id, workspace])
		is(failed(await send('GET', `/v1/workspaces/${id}`))[0], 404, 'and no other');
	is(
		failed(await send('POST', '/v1/organizations', { name: 'x' })),
		[403, 'access token is limited'],
		'it creates nothing',
	);
	is(failed(await send('DELETE', `/v1/workspaces/${open.id}`))[0], 403, 'nor deletes');
	const [, { data }] = await lea('GET', '/v1/tokens');
	is(
		summary(data, 'name', 'workspaces', 'permissions').sort(),
		[
			['CI', [open.id], ['access']],
			['of lea', null, null],
		],
		'its limits are listed',
	);
}

// ---- what is malformed ----

async function malformed(server, as) {
	const path = '/v1/organizations';
	const token = await server.tokenOf('mal');
	const send = async (method, target, body, headers) => {
		const answer = await request(server, token, method, target, body, headers);
		return [answer.status, answer.body?.error?.message];
	};

	for (const body of ['{', '{"name": "x"', "{'name': 1}", '\u0000', '{"name": "x"} {}'])
		is(
			await send('POST', path, body),
			[400, 'the body is no valid JSON'],
			`the body ${JSON.stringify(body)}`,
		);
	for (const [body, message] of [
		['', 'name is required'],
		['null', 'the body must be object'],
		['[]', 'the body must be object'],
		['"x"', 'the body must be object'],
		['{"name": 1}', 'name must be string'],
		['{"name": null}', 'name must be string'],
		['{"name": ["x"]}', 'name must be string'],
		['{"name": "x", "owner": "ann"}', 'there is no parameter "owner"'],
		['{"name": "x", "__proto__": {"slug": "x"}}', 'there is no parameter "__proto__"'],
		['{"name": "x", "organization": "x"}', 'there is no parameter "organization"'],
		['{"name": " "}', 'name is required'],
	])
		is(await send('POST', path, body), [400, message], `the body ${body}`);
	is((await send('POST', path, '{"name": "\\u0000"}'))[0], 400, 'a character that no text can have');
	is((await send('POST', path, { name: 'x', slug: 'No Slug' }))[0], 400, 'a slug that is none');

	for (const id of ['org-id', '..%2f', '%00', "'", '1'])
		is((await send('GET', `${path}/${id}`))[0], 400, `the id ${id}`);
	is((await send('GET', `${path}/%ff`))[0], 400, 'a path that is not encoded as it should be');
	is((await send('GET', `${path}/${UNKNOWN}`))[0], 404, 'an id that does not exist');
	is(await send('GET', '/v1/nothing'), [404, 'there is no /v1/nothing'], 'a path that does not exist');
	for (const [query, message] of [
		['?limit=0', 'limit must be >= 1'],
		['?limit=101', 'limit must be <= 100'],
		['?limit=x', 'limit must be integer'],
		['?limit=1&limit=2', 'limit must be integer'],
		['?cursor=-1', 'cursor must match pattern "^[0-9]{1,18}$"'],
		['?page=1', 'there is no parameter "page"'],
	])
		is(await send('GET', `${path}/${UNKNOWN}/audit${query}`), [400, message], `the query ${query}`);
	is(
		await send('DELETE', `${path}/${UNKNOWN}/members`),
		[400, 'user_id is required'],
		'a query without what is required',
	);

	for (const method of ['PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
		const answer = await request(server, token, method, path);
		is([answer.status, answer.headers.get('allow')], [405, 'GET, POST'], `the method ${method}`);
	}
	is((await send('POST', path, { name: 'x'.repeat(600_000) }))[0], 413, 'a body of 600 kB');
	const metadata = { text: '\u0001'.repeat(10_000) };
	const [, mine] = await as('mal')('POST', path, { name: 'Large' });
	is((await send('PATCH', `${path}/${mine.id}`, { metadata }))[0], 200, 'one of 60 kB');
	is(
		(await send('PATCH', `${path}/${mine.id}`, { metadata: { text: 'x'.repeat(100_000) } }))[0],
		400,
		'more than the database takes',
	);
	is((await send('POST', path, 'x', { 'content-encoding': 'gzip' }))[0], 415, 'a compressed body');
	for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'application/octet-stream'])
		is(
			(await send('POST', path, '{"name": "x"}', { 'content-type': type }))[0],
			201,
			`JSON that says it is ${type}`,
		);

	for (const authorization of [
		'',
		'Bearer',
		'Basic YW5uOng=',
		`Bearer ${token} x`,
		`Bearer ${token}x`,
		'cnap_pat_',
	])
		is(
			(await request(server, undefined, 'GET', path, undefined, authorization && { authorization }))
				.status,
			401,
			`the header ${JSON.stringify(authorization.slice(0, 14))}`,
		);
	is(
		(await request(server, undefined, 'GET', path, undefined, { authorization: `bearer  ${token}` }))
			.status,
		200,
		'a scheme is not case-sensitive',
	);
	is(
		(await request(server, undefined, 'GET', `${path}?authorization=${token}`)).status,
		401,
		'a token in the URL is none',
	);
}

test(async () => {
	const server = await start('requests');
	const requested = new Set();
	const as = sender(server, requested);

	await description(server);
	const organization = await organizations(as);
	const workspace = await workspaces(as);
	await management(as, organization, workspace);
	await someManagers(as, organization, workspace);
	await installLinks(as, organization, workspace);
	await invitations(as, organization, workspace);
	await audit(as, organization, workspace);
	await lists(as, organization, workspace);
	await tokens(server, as);
	await limitedToken(server, as, workspace);
	await malformed(server, as);

	const [ann, gina] = ['ann', 'gina'].map(as);
	is(await ann('DELETE', `/v1/organizations/${organization}`), [204, undefined], 'delete the organization');
	is(
		summary((await gina('GET', '/v1/workspaces'))[1].data, 'id'),
		[[workspace]],
		'its customers keep their workspaces',
	);
	everything(server, requested);
	is(server.errors(), '', 'the server has logged no error');
	await server.stop();
});
