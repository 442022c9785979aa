/*
 * rest_documents.js: the requests of the two published APIs that examples/rest serves, sent by curl
 * as their documentation shows them
 *
 * Among the peculiarities: the first sends JSON without saying so, as curl -d does by default; the
 * second has the token alone in the header, and its paths end in a slash.
 */
'use strict';

const { is, ok, test } = require('../clients/lib/tap.js');
const { curl, start } = require('./lib/rest.js');

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const UNKNOWN = '00000000-0000-4000-8000-000000000000';

async function vendorsAndWorkspaces({ url, system, tokenOf }) {
	const organizations = `${url}/v1/organizations`;
	const bearer = async (user) => ['-H', `Authorization: Bearer ${await tokenOf(user)}`];
	const ann = await bearer('ann');

	const created = await curl(
		'-X',
		'POST',
		organizations,
		...ann,
		'-d',
		'{"name": "Acme Corp", "slug": "acme"}',
	);
	is(
		[created.status, created.body.name, created.body.slug, created.body.role],
		[201, 'Acme Corp', 'acme', 'owner'],
		'create an organization',
	);
	const { id } = created.body;
	ok(UUID.test(id), 'it has an id');

	const listed = await curl(organizations, ...ann);
	is(listed.status, 200, 'list your organizations');
	is(
		listed.body.data.map(({ id, name, slug }) => ({ id, name, slug })),
		[{ id, name: 'Acme Corp', slug: 'acme' }],
		'there it is',
	);

	const added = await curl(
		...['-X', 'POST', `${organizations}/${id}/members`, ...ann],
		...['-d', '{"user_id": "user-id", "role": "admin"}'],
	);
	is(
		[added.status, added.body.user_id, added.body.role, added.body.added_by],
		[201, 'user-id', 'admin', 'ann'],
		'add a team member',
	);

	await system.query("SELECT cnap_grant_management(cnap_create_workspace($1, owner => 'gina'), $2)", [
		'Globex',
		id,
	]);
	for (const user of ['ann', 'user-id']) {
		const seen = await curl(`${organizations}/${id}/workspaces`, ...(await bearer(user)));
		is(
			[
				seen.status,
				seen.body.data.map(({ name, owner_id, managed_role }) => [name, owner_id, managed_role]),
			],
			[200, [['Globex', 'gina', 'admin']]],
			`the customers' workspaces that you manage, to ${user}`,
		);
	}

	const stranger = await curl(`${organizations}/${id}/workspaces`, ...(await bearer('eve')));
	is(
		[stranger.status, stranger.body.error.code, stranger.body.error.message],
		[404, 'not_found', `organization "${id}" does not exist`],
		'to a stranger, the organization does not exist',
	);
	const placeholder = await curl(`${organizations}/org-id/workspaces`, ...ann);
	is([placeholder.status, placeholder.body.error.code], [400, 'bad_request'], 'org-id is no id');
	const wrong = await curl(organizations, '-H', 'Authorization: Bearer cnap_pat_...');
	is([wrong.status, wrong.body.error.message], [401, 'invalid API key'], 'cnap_pat_... is no token');
}

async function organizationsAndApps({ url, system, tokenOf }) {
	const path = `${url}/organization/`;
	const json = ['-H', 'Content-Type: application/json'];
	const key = async (user) => ['-H', `authorization: ${await tokenOf(user)}`];
	const kim = await key('kim');

	const created = await curl('-X', 'POST', ...kim, ...json, '-d', '{\n"name": "New Organization"\n}', path);
	const { id } = created.body;
	is(created, { status: 200, body: { status: 'Organization created', id } }, 'create an organization');
	ok(UUID.test(id), 'its id');

	await system.query("UPDATE cnap.organization SET customer_id = 'cus_123' WHERE id = $1", [id]);
	const one = await curl(...kim, `${path}?orgId=${id}`);
	const { created_at, updated_at } = one.body.data;
	const organization = {
		id,
		created_by: 'kim',
		created_at,
		updated_at,
		logo: null,
		name: 'New Organization',
		management_email: '',
		customer_id: 'cus_123',
	};
	is(one, { status: 200, body: { data: organization } }, 'get a specific organization');
	is(
		[created_at, updated_at].map((time) => new Date(time).toISOString()),
		[created_at, updated_at],
		'with times in ISO 8601',
	);
	is(await curl(...kim, path), { status: 200, body: { data: [organization] } }, 'get all organizations');
	is(
		await curl(...kim, path.replace(/\/$/, '')),
		{ status: 200, body: { data: [organization] } },
		'without the slash',
	);

	const update = (data, who = kim) => curl('-X', 'PUT', ...who, ...json, '-d', JSON.stringify(data), path);
	const updated = await update({ orgId: id, name: 'New Company Name', management_email: '' });
	is(
		[updated.status, updated.body.status, updated.body.data.id, updated.body.data.name],
		[200, 'Organization updated', id, 'New Company Name'],
		'update it',
	);
	is(updated.body.data.management_email, '', 'an empty address clears it');
	const mail = { orgId: id, management_email: 'team@acme.example', logo: 'https://acme.example/logo.png' };
	const addressed = await update(mail);
	is(
		[addressed.body.data.name, addressed.body.data.management_email, addressed.body.data.logo],
		['New Company Name', mail.management_email, mail.logo],
		'what is not named stays',
	);

	// errors
	const ko = (status, error) => ({ status, body: { error, status: 'KO' } });
	is(await curl('-H', 'authorization: your-api-key', path), ko(401, 'Invalid API key'), 'a wrong key');
	is(await curl(path), ko(401, 'Invalid API key'), 'no key');
	for (const body of ['{}', '{"name": ""}', ''])
		is(
			await curl('-X', 'POST', ...kim, ...json, '-d', body, path),
			ko(400, 'Name is required'),
			`the body ${body}`,
		);
	await system.query("SELECT cnap_add_organization_member($1, 'mia')", [id]);
	await system.query("SELECT cnap_add_organization_member($1, 'adam', 'admin')", [id]);
	const mia = await key('mia');
	is(
		await update({ orgId: id, name: 'Mine' }, mia),
		ko(403, 'Admin role required'),
		'a member cannot update',
	);
	const remove = (who, target = id) => curl('-X', 'DELETE', ...who, `${path}?orgId=${target}`);
	is(await remove(mia), ko(403, 'Owner role required'), 'nor delete');
	is(await remove(await key('adam')), ko(403, 'Owner role required'), 'nor can an admin');
	is(
		await remove(await key('eve')),
		ko(404, `Organization "${id}" does not exist`),
		'for a stranger, it does not exist',
	);
	is(
		await remove(kim, UNKNOWN),
		ko(404, `Organization "${UNKNOWN}" does not exist`),
		'as one that does not exist',
	);
	is((await remove(kim, 'org_123')).status, 400, 'org_123 is no id');
	is(
		await curl('-X', 'DELETE', ...kim, path),
		ko(400, 'orgId is required'),
		'without an id, nothing is deleted',
	);

	is(
		await remove(kim),
		{ status: 200, body: { status: 'Organization deleted', id } },
		'delete it, as its owner',
	);
	is(await curl(...kim, path), { status: 200, body: { data: [] } }, 'it is gone');
}

test(async () => {
	const server = await start('documents');

	await vendorsAndWorkspaces(server);
	await organizationsAndApps(server);
	is(server.errors(), '', 'the server has logged no error');
	await server.stop();
});
