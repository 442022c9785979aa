/*
 * organization.js: the requests of /organization
 *
 * They have one path, with the id in the query or the body; answers are { data }, or { status } with
 * what was done. Operations as in operations.js.
 */
'use strict';

const PATH = '/organization';

const text = { type: 'string' };
const nullable = { type: ['string', 'null'] };

const PROPERTIES = {
	id: { type: 'string', format: 'uuid' },
	created_by: nullable,
	created_at: { type: 'string', format: 'date-time' },
	updated_at: { type: 'string', format: 'date-time' },
	logo: nullable,
	name: text,
	management_email: { type: 'string', description: 'empty if there is none' },
	customer_id: nullable,
};

const properties = (names) => Object.fromEntries(names.map((name) => [name, PROPERTIES[name] ?? text]));

function answer(...names) {
	return { type: 'object', properties: properties(names), required: names, additionalProperties: false };
}

const ONE = { $ref: '#/components/schemas/OrganizationData' };

const schemas = {
	OrganizationData: answer(...Object.keys(PROPERTIES)),
	OrganizationError: answer('error', 'status'),
};

const data = (row) => ({ ...row, management_email: row.management_email ?? '' });

const COLUMNS = Object.keys(PROPERTIES)
	.map((name) => `o.${name}`)
	.join(', ');

async function show(db, organization) {
	return data((await db.query(`SELECT ${COLUMNS} FROM cnap_organization($1) o`, organization))[0]);
}

async function showAll(db) {
	const rows = await db.query(
		`SELECT ${COLUMNS} FROM cnap_organizations() mine, cnap_organization(mine.id) o ORDER BY o.name, o.id`,
	);

	return rows.map(data);
}

const operations = [
	{
		method: 'get',
		path: PATH,
		id: 'getOrganizationData',
		summary: 'Show one organization, or all of yours',
		query: { orgId: text },
		required: [],
		status: 200,
		schema: {
			type: 'object',
			properties: { data: { anyOf: [ONE, { type: 'array', items: ONE }] } },
			required: ['data'],
			additionalProperties: false,
		},
		run: async (db, { orgId }) => ({
			data: orgId === undefined ? await showAll(db) : await show(db, orgId),
		}),
	},
	{
		method: 'post',
		path: PATH,
		id: 'createOrganizationData',
		summary: 'Create an organization',
		query: {},
		body: { name: text },
		required: ['name'],
		status: 200,
		schema: answer('status', 'id'),
		run: async (db, { name }) => ({
			status: 'Organization created',
			id: await db.call('cnap_create_organization', { name }),
		}),
	},
	{
		method: 'put',
		path: PATH,
		id: 'updateOrganizationData',
		summary: 'Change an organization',
		query: {},
		body: { orgId: text, logo: text, name: text, management_email: text },
		required: ['orgId'],
		status: 200,
		schema: {
			type: 'object',
			properties: { status: text, data: ONE },
			required: ['status', 'data'],
			additionalProperties: false,
		},
		run: async (db, { orgId, ...values }) => {
			await db.call('cnap_update_organization', { organization: orgId, ...values });
			return { status: 'Organization updated', data: await show(db, orgId) };
		},
	},
	{
		method: 'delete',
		path: PATH,
		id: 'deleteOrganizationData',
		summary: 'Delete an organization',
		query: { orgId: text },
		required: ['orgId'],
		status: 200,
		schema: answer('status', 'id'),
		run: async (db, { orgId }) => {
			await db.call('cnap_delete_organization', { organization: orgId });
			return { status: 'Organization deleted', id: orgId };
		},
	},
];

module.exports = { PATH, operations, schemas };
