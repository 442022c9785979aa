/*
 * operations.js: the requests of /v1, and what each does in the database
 *
 * An operation says all about a request: the method and the path; what the query and the body may
 * contain, as JSON Schema; what it answers, by the name of a schema; and run(db, args), which
 * does it in a transaction of the user and returns the answer. From these, app.js makes the routes
 * and openapi.js the description.
 *
 * Users' ids are in the query or the body, never in the path: they can be any text, and a client
 * that normalizes paths turns /members/.. into another request.
 *
 * Single objects are answered as they are, lists as { data, pagination }. Times are seconds since
 * 1970. In PATCH, null clears a value.
 */
'use strict';

const { HttpError } = require('./errors.js');
const { count, duration, id, json, managers, nullable, role, schemas, text, time } = require('./schemas.js');

const PAGE = 50;

const operations = [];

function operation(method, path, summary, rest) {
	operations.push({
		method,
		path,
		summary,
		status: 200,
		query: {},
		body: undefined,
		required: [],
		...rest,
	});
}

// ---- from and to the database ----

const columns = (schema) => Object.keys(schemas[schema].properties);

const seconds = (value) =>
	value instanceof Date
		? Math.floor(value.getTime() / 1000)
		: // infinity
			typeof value === 'number' && !Number.isFinite(value)
			? null
			: value;

const shown = (row) => Object.fromEntries(Object.entries(row).map(([name, value]) => [name, seconds(value)]));

// seconds since 1970, as a parameter; undefined and null as they are
const at = (value) => (typeof value === 'number' ? new Date(value * 1000) : value);

// what an update function takes for nothing
const cleared = (value) => (value === null ? '' : value);

const whole = (rows) => ({ data: rows.map(shown), pagination: { cursor: null, has_more: false } });

// list(SCHEMA, FUNCTION, ARGUMENTS): answers with all rows of a function, called with those arguments
function list(schema, name, ...names) {
	return async (db, args) =>
		whole(
			await db.select(columns(schema), name, Object.fromEntries(names.map((key) => [key, args[key]]))),
		);
}

// The row in which a column has a value, or an error like that of the database
async function one(db, schema, [name, args], [column, value], missing) {
	const rows = await db.select(columns(schema), name, args);
	const row = rows.find((candidate) => candidate[column] === value);

	if (row === undefined) throw new HttpError(404, missing);
	return shown(row);
}

async function organizationOf(db, organization) {
	const names = columns('Organization').filter((name) => name !== 'role');
	const [row] = await db.select(names, 'cnap_organization', { organization });
	const mine = await db.select(['id', 'role'], 'cnap_organizations');

	return { ...shown(row), role: mine.find((candidate) => candidate.id === row.id).role };
}

const organizationMember = (db, { organization, user_id }) =>
	one(
		db,
		'OrganizationMember',
		['cnap_organization_members', { organization }],
		['user_id', user_id],
		`user "${user_id}" is not a member of the organization`,
	);

async function workspaceOf(db, workspace) {
	const mine = columns('WorkspaceSummary');
	const others = columns('Workspace').filter((name) => name !== 'permissions' && !mine.includes(name));
	const [row] = await db.query(`SELECT ${mine.join(', ')} FROM cnap_workspaces() WHERE id = $1`, workspace);

	if (row === undefined) throw new HttpError(404, `workspace "${workspace}" does not exist`);
	const [settings] = await db.select(others, 'cnap_workspace', { workspace });
	const permissions = await db.query(
		'SELECT DISTINCT permission FROM cnap_roles() WHERE cnap_has_permission($1, permission) ORDER BY 1',
		workspace,
	);
	return {
		...shown({ ...row, ...settings }),
		permissions: permissions.map(({ permission }) => permission),
	};
}

async function billingOf(db, { workspace }) {
	const [row] = await db.select(columns('Billing'), 'cnap_workspace_billing', { workspace });

	return row;
}

// All ways in of one user
async function waysIn(db, { workspace, user_id }) {
	const rows = await db.select(columns('WayIn'), 'cnap_workspace_members', { workspace });

	return whole(rows.filter((row) => row.user_id === user_id));
}

/*
 * pages(SCHEMA, FUNCTION, ARGUMENT, { from, key }): answers with a page of the rows of a function. The
 * cursor is the key of the last row of the page before, and the function's argument FROM. Rows with the
 * same key are on one page, as are a user's ways in, of which there are three kinds: so three rows more are
 * asked for, two that may belong to the page and one to see whether there is another page.
 */
function pages(schema, name, about, { from = 'after', key }) {
	return async (db, { [about]: subject, limit, cursor }) => {
		const rows = await db.select(columns(schema), name, {
			...(about && { [about]: subject }),
			[from]: cursor,
			max_rows: limit && limit + 3,
		});
		const fits = (row, i) => limit === undefined || i < limit || row[key] === rows[limit - 1][key];
		const page = rows.filter(fits);
		const more = page.length < rows.length;

		return {
			data: page.map(shown),
			pagination: { cursor: more ? page.at(-1)[key] : null, has_more: more },
		};
	};
}

const AUDIT = { from: 'before', key: 'id' };
const USERS = { key: 'user_id' };
const WORKSPACES = { key: 'id' };

const LIMIT = { type: 'integer', minimum: 1, maximum: 100 };
const CURSOR = { type: 'string', description: 'of the page before' };

const PAGING = {
	limit: { ...LIMIT, default: PAGE },
	cursor: { ...CURSOR, pattern: '^[0-9]{1,18}$' },
};
const OPTIONAL = { ...LIMIT, description: 'all rows, if it is left out' };
const BY_USER = { limit: OPTIONAL, cursor: CURSOR };
const BY_WORKSPACE = { limit: OPTIONAL, cursor: { ...id, description: CURSOR.description } };

// ---- the user ----

operation('get', '/v1/me', 'Who the token belongs to', {
	id: 'getUser',
	answer: 'User',
	run: async (db) => ({ user_id: await db.call('cnap_current_user') }),
});
operation('get', '/v1/tokens', 'List your access tokens', {
	id: 'listTokens',
	list: 'AccessToken',
	run: list('AccessToken', 'cnap_access_tokens'),
});
operation('delete', '/v1/tokens/{token_id}', 'Revoke one of your access tokens', {
	id: 'revokeToken',
	run: (db, { token_id }) => db.call('cnap_revoke_access_token', { token_id }),
});
operation('get', '/v1/roles', 'List the permissions of all roles in workspaces', {
	id: 'listRoles',
	list: 'RolePermission',
	run: list('RolePermission', 'cnap_roles'),
});

// ---- organizations ----

const ORGANIZATION = '/v1/organizations/{organization}';

operation('get', '/v1/organizations', 'List your organizations', {
	id: 'listOrganizations',
	list: 'OrganizationSummary',
	run: list('OrganizationSummary', 'cnap_organizations'),
});
operation('post', '/v1/organizations', 'Create an organization, of which you become an owner', {
	id: 'createOrganization',
	body: { name: text, slug: nullable(text), logo: nullable(text), management_email: nullable(text) },
	required: ['name'],
	status: 201,
	answer: 'Organization',
	run: async (db, args) => organizationOf(db, await db.call('cnap_create_organization', args)),
});
operation('get', ORGANIZATION, 'Show an organization', {
	id: 'getOrganization',
	answer: 'Organization',
	run: (db, { organization }) => organizationOf(db, organization),
});
operation('patch', ORGANIZATION, 'Change an organization', {
	id: 'updateOrganization',
	body: {
		name: text,
		slug: nullable(text),
		logo: nullable(text),
		management_email: nullable(text),
		metadata: json,
		accepts: { type: 'string', enum: ['anyone', 'links'] },
	},
	answer: 'Organization',
	run: async (db, { organization, slug, logo, management_email, ...rest }) => {
		await db.call('cnap_update_organization', {
			organization,
			slug: cleared(slug),
			logo: cleared(logo),
			management_email: cleared(management_email),
			...rest,
		});
		return organizationOf(db, organization);
	},
});
operation('delete', ORGANIZATION, 'Delete an organization; the workspaces it managed remain', {
	id: 'deleteOrganization',
	run: (db, { organization }) => db.call('cnap_delete_organization', { organization }),
});
operation('post', `${ORGANIZATION}/leave`, 'Leave an organization', {
	id: 'leaveOrganization',
	run: (db, { organization }) => db.call('cnap_leave_organization', { organization }),
});
operation('get', `${ORGANIZATION}/members`, 'List the members', {
	id: 'listOrganizationMembers',
	query: BY_USER,
	list: 'OrganizationMember',
	run: pages('OrganizationMember', 'cnap_organization_members', 'organization', USERS),
});
operation('post', `${ORGANIZATION}/members`, 'Add a member', {
	id: 'addOrganizationMember',
	body: { user_id: text, role },
	required: ['user_id'],
	status: 201,
	answer: 'OrganizationMember',
	run: async (db, args) => {
		await db.call('cnap_add_organization_member', args);
		return organizationMember(db, args);
	},
});
operation('patch', `${ORGANIZATION}/members`, 'Change the role of a member', {
	id: 'setOrganizationRole',
	body: { user_id: text, role },
	required: ['user_id', 'role'],
	answer: 'OrganizationMember',
	run: async (db, args) => {
		await db.call('cnap_set_organization_role', args);
		return organizationMember(db, args);
	},
});
operation('delete', `${ORGANIZATION}/members`, 'Remove a member', {
	id: 'removeOrganizationMember',
	query: { user_id: text },
	required: ['user_id'],
	run: (db, args) => db.call('cnap_remove_organization_member', args),
});
operation('get', `${ORGANIZATION}/workspaces`, 'List the workspaces that the organization manages', {
	id: 'listManagedWorkspaces',
	query: BY_WORKSPACE,
	list: 'ManagedWorkspace',
	run: pages('ManagedWorkspace', 'cnap_organization_workspaces', 'organization', WORKSPACES),
});
operation('get', `${ORGANIZATION}/audit`, 'Read the audit log, the latest entries first', {
	id: 'readOrganizationAudit',
	query: PAGING,
	list: 'OrganizationAudit',
	run: pages('OrganizationAudit', 'cnap_organization_audit', 'organization', AUDIT),
});

// ---- workspaces ----

const WORKSPACE = '/v1/workspaces/{workspace}';

operation('get', '/v1/workspaces', 'List the workspaces to which you have access', {
	id: 'listWorkspaces',
	query: BY_WORKSPACE,
	list: 'WorkspaceSummary',
	run: pages('WorkspaceSummary', 'cnap_workspaces', undefined, WORKSPACES),
});
operation('post', '/v1/workspaces', 'Create a workspace, of which you become the owner', {
	id: 'createWorkspace',
	body: { name: text },
	required: ['name'],
	status: 201,
	answer: 'Workspace',
	run: async (db, args) => workspaceOf(db, await db.call('cnap_create_workspace', args)),
});
operation('get', WORKSPACE, 'Show a workspace, and what you may do there', {
	id: 'getWorkspace',
	answer: 'Workspace',
	run: (db, { workspace }) => workspaceOf(db, workspace),
});
operation('patch', WORKSPACE, 'Change a workspace', {
	id: 'updateWorkspace',
	body: { name: text, metadata: json },
	answer: 'Workspace',
	run: async (db, args) => {
		await db.call('cnap_update_workspace', args);
		return workspaceOf(db, args.workspace);
	},
});
operation('delete', WORKSPACE, 'Delete a workspace', {
	id: 'deleteWorkspace',
	run: (db, { workspace }) => db.call('cnap_delete_workspace', { workspace }),
});
operation('post', `${WORKSPACE}/leave`, 'Leave a workspace', {
	id: 'leaveWorkspace',
	run: (db, { workspace }) => db.call('cnap_leave_workspace', { workspace }),
});
operation('post', `${WORKSPACE}/transfer`, 'Make one of the direct members the owner', {
	id: 'transferWorkspace',
	body: { new_owner: text },
	required: ['new_owner'],
	answer: 'Workspace',
	run: async (db, args) => {
		await db.call('cnap_transfer_workspace', args);
		return workspaceOf(db, args.workspace);
	},
});
operation('get', `${WORKSPACE}/billing`, 'Show who is billed', {
	id: 'getBilling',
	answer: 'Billing',
	run: billingOf,
});
operation('patch', `${WORKSPACE}/billing`, 'Change who is billed', {
	id: 'setBilling',
	body: { billing_email: nullable(text), customer_id: nullable(text) },
	answer: 'Billing',
	run: async (db, { workspace, billing_email, customer_id }) => {
		await db.call('cnap_set_workspace_billing', {
			workspace,
			billing_email: cleared(billing_email),
			customer_id: cleared(customer_id),
		});
		return billingOf(db, { workspace });
	},
});
operation('get', `${WORKSPACE}/members`, 'List everybody with access, and each of their ways in', {
	id: 'listWaysIn',
	query: BY_USER,
	list: 'WayIn',
	run: pages('WayIn', 'cnap_workspace_members', 'workspace', USERS),
});
operation('post', `${WORKSPACE}/members`, 'Add a direct member', {
	id: 'addWorkspaceMember',
	body: { user_id: text, role },
	required: ['user_id'],
	status: 201,
	list: 'WayIn',
	run: async (db, args) => {
		await db.call('cnap_add_workspace_member', args);
		return waysIn(db, args);
	},
});
operation('patch', `${WORKSPACE}/members`, 'Change the role of a direct member', {
	id: 'setWorkspaceRole',
	body: { user_id: text, role },
	required: ['user_id', 'role'],
	list: 'WayIn',
	run: async (db, args) => {
		await db.call('cnap_set_workspace_role', args);
		return waysIn(db, args);
	},
});
operation('delete', `${WORKSPACE}/members`, 'Remove a direct member', {
	id: 'removeWorkspaceMember',
	query: { user_id: text },
	required: ['user_id'],
	run: (db, args) => db.call('cnap_remove_workspace_member', args),
});
operation('get', `${WORKSPACE}/audit`, 'Read the audit log, the latest entries first', {
	id: 'readWorkspaceAudit',
	query: PAGING,
	list: 'WorkspaceAudit',
	run: pages('WorkspaceAudit', 'cnap_workspace_audit', 'workspace', AUDIT),
});

// ---- management ----

operation('put', `${WORKSPACE}/management`, 'Let an organization manage the workspace', {
	id: 'grantManagement',
	body: { organization: id, role, until: nullable(time), managers, activation: duration },
	required: ['organization'],
	list: 'WayIn',
	run: async (db, { until, ...args }) => {
		await db.call('cnap_grant_management', { ...args, until: at(until) });
		return whole(
			await db.select(columns('WayIn'), 'cnap_workspace_members', { workspace: args.workspace }),
		);
	},
});
operation('get', `${WORKSPACE}/management/revocation`, 'Preview who would lose access', {
	id: 'previewRevocation',
	list: 'Revocation',
	run: list('Revocation', 'cnap_preview_revocation', 'workspace'),
});
operation('delete', `${WORKSPACE}/management`, 'End the management, as the customer or as the vendor', {
	id: 'revokeManagement',
	run: (db, { workspace }) => db.call('cnap_revoke_management', { workspace }),
});

operation(
	'post',
	`${WORKSPACE}/management/activation`,
	'Get in, for a time, as a manager who gives a reason',
	{
		id: 'activateManagement',
		body: { reason: text, duration: nullable(duration) },
		required: ['reason'],
		answer: 'Activation',
		run: async (db, { workspace, reason, duration: period }) =>
			shown({
				until: await db.call('cnap_activate_management', { workspace, reason, duration: period }),
			}),
	},
);
operation('put', `${WORKSPACE}/management/assignments`, 'Let a member of the managing organization in', {
	id: 'assignManager',
	body: { user_id: text, until: nullable(time) },
	required: ['user_id'],
	run: (db, { workspace, user_id, until }) =>
		db.call('cnap_assign_manager', { workspace, user_id, until: at(until) }),
});
operation('delete', `${WORKSPACE}/management/assignments`, 'End an assignment or an activation', {
	id: 'unassignManager',
	query: { user_id: text },
	required: ['user_id'],
	run: (db, args) => db.call('cnap_unassign_manager', args),
});

// ---- install links; their tokens are in bodies, since URLs are logged ----

operation('get', `${ORGANIZATION}/install-links`, 'List the install links', {
	id: 'listInstallLinks',
	list: 'InstallLink',
	run: list('InstallLink', 'cnap_install_links', 'organization'),
});
operation('post', `${ORGANIZATION}/install-links`, 'Create an install link', {
	id: 'createInstallLink',
	body: {
		label: nullable(text),
		max_uses: nullable(count),
		expires_at: nullable(time),
		role,
		duration: nullable(duration),
		managers,
		activation: duration,
	},
	status: 201,
	answer: 'Secret',
	run: async (db, { expires_at, ...args }) => ({
		token: await db.call('cnap_create_install_link', { ...args, expires_at: at(expires_at) }),
	}),
});
operation('post', '/v1/install-links/show', 'Show who is asking, and for what', {
	id: 'showInstallLink',
	body: { token: text },
	required: ['token'],
	answer: 'Offer',
	run: async (db, { token }) =>
		shown((await db.select(columns('Offer'), 'cnap_install_link', { token }))[0]),
});
operation('post', '/v1/install-links/redeem', 'Consent: let that organization manage a workspace of yours', {
	id: 'redeemInstallLink',
	body: { token: text, workspace: id },
	required: ['token', 'workspace'],
	answer: 'Workspace',
	run: async (db, args) => {
		await db.call('cnap_redeem_install_link', args);
		return workspaceOf(db, args.workspace);
	},
});
operation('delete', '/v1/install-links/{link_id}', 'Revoke an install link', {
	id: 'revokeInstallLink',
	run: (db, { link_id }) => db.call('cnap_revoke_install_link', { link_id }),
});

// ---- invitations ----

const INVITATION = { role, email: nullable(text), expires_at: nullable(time), user_id: nullable(text) };

function invite(name) {
	return async (db, { expires_at, ...args }) => ({
		token: await db.call(name, { ...args, expires_at: at(expires_at) }),
	});
}

operation('get', `${ORGANIZATION}/invitations`, 'List the invitations to an organization', {
	id: 'listInvitations',
	list: 'Invitation',
	run: list('Invitation', 'cnap_invitations', 'organization'),
});
operation('post', `${ORGANIZATION}/invitations`, 'Invite somebody to an organization', {
	id: 'inviteToOrganization',
	body: INVITATION,
	status: 201,
	answer: 'Secret',
	run: invite('cnap_invite_to_organization'),
});
operation('get', `${WORKSPACE}/invitations`, 'List the invitations to a workspace', {
	id: 'listWorkspaceInvitations',
	list: 'Invitation',
	run: list('Invitation', 'cnap_workspace_invitations', 'workspace'),
});
operation('post', `${WORKSPACE}/invitations`, 'Invite somebody to a workspace', {
	id: 'inviteToWorkspace',
	body: INVITATION,
	status: 201,
	answer: 'Secret',
	run: invite('cnap_invite_to_workspace'),
});
operation('post', '/v1/invitations/show', 'Show what an invitation is to', {
	id: 'showInvitation',
	body: { token: text },
	required: ['token'],
	answer: 'Invited',
	run: async (db, { token }) =>
		shown((await db.select(columns('Invited'), 'cnap_invitation', { token }))[0]),
});
operation('post', '/v1/invitations/accept', 'Accept an invitation', {
	id: 'acceptInvitation',
	body: { token: text },
	required: ['token'],
	run: (db, { token }) => db.call('cnap_accept_invitation', { token }),
});
operation('post', '/v1/invitations/decline', 'Decline an invitation', {
	id: 'declineInvitation',
	body: { token: text },
	required: ['token'],
	run: (db, { token }) => db.call('cnap_decline_invitation', { token }),
});
operation('delete', '/v1/invitations/{invitation_id}', 'Revoke an invitation', {
	id: 'revokeInvitation',
	run: (db, { invitation_id }) => db.call('cnap_revoke_invitation', { invitation_id }),
});
operation('post', '/v1/invitations/{invitation_id}/resend', 'Replace the token of an invitation', {
	id: 'resendInvitation',
	answer: 'Secret',
	run: async (db, { invitation_id }) => ({
		token: await db.call('cnap_resend_invitation', { invitation_id }),
	}),
});

module.exports = { operations };
