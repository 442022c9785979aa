/*
 * schemas.js: what the objects of /v1 look like, as OpenAPI (JSON Schema) describes them
 */
'use strict';

const text = { type: 'string' };
const nullable = (schema) => ({ ...schema, type: [schema.type, 'null'] });
const id = { type: 'string', format: 'uuid' };
const time = {
	type: 'integer',
	minimum: 0,
	maximum: 253402300799,
	description: 'seconds since 1970, UTC',
};
const duration = { type: 'string', description: 'a period of ISO 8601, such as `P1Y` or `PT8H`' };
const role = { type: 'string', description: '`owner`, `admin`, `member`, or a role of the application' };
const managers = {
	type: 'string',
	enum: ['all', 'assigned', 'activated'],
	description: 'which members of the managing organization get in',
};
const flag = { type: 'boolean' };
const count = { type: 'integer', minimum: 1, maximum: 2147483647 };
const json = { type: 'object' };

// An object that has all of the properties, and no others
function object(description, properties) {
	return {
		type: 'object',
		description,
		properties,
		required: Object.keys(properties),
		additionalProperties: false,
	};
}

const workspace = {
	id,
	name: text,
	section: { type: 'string', enum: ['own', 'shared'] },
	role,
	via: text,
	organization: nullable(id),
};

const settings = {
	owner_id: text,
	managed_by: {
		...nullable(id),
		description: 'the organization; null, as the next five, if there is none',
	},
	managed_role: nullable(role),
	managed_since: nullable(time),
	managed_until: nullable(time),
	managers: { ...nullable(managers), enum: [...managers.enum, null] },
	activation: nullable(duration),
	metadata: json,
	created_at: time,
	updated_at: time,
};

const invitation = {
	id,
	email: nullable(text),
	user_id: nullable(text),
	role,
	state: { type: 'string', enum: ['pending', 'expired', 'accepted', 'declined', 'revoked'] },
	inviter: nullable(text),
	created_at: time,
	expires_at: nullable(time),
	ended_at: nullable(time),
	ended_by: nullable(text),
};

const audit = (about) => ({
	id: { type: 'string', pattern: '^[0-9]+$' },
	occurred_at: time,
	actor: nullable(text),
	database_role: text,
	action: text,
	...about,
	subject: nullable(text),
	path: nullable(text),
	detail: nullable(json),
});

const schemas = {
	User: object('Whose token it is', { user_id: text }),
	OrganizationSummary: object('An organization that the user is a member of', {
		id,
		name: text,
		slug: nullable(text),
		logo: nullable(text),
		role,
		created_at: time,
	}),
	Organization: object('An organization', {
		id,
		name: text,
		slug: nullable(text),
		logo: nullable(text),
		management_email: nullable(text),
		customer_id: nullable(text),
		accepts: { type: 'string', enum: ['anyone', 'links'] },
		metadata: json,
		created_by: nullable(text),
		created_at: time,
		updated_at: time,
		role,
	}),
	OrganizationMember: object('A member of an organization', {
		user_id: text,
		role,
		added_by: nullable(text),
		created_at: time,
	}),
	ManagedWorkspace: object('A workspace that an organization manages', {
		id,
		name: text,
		owner_id: text,
		managed_role: role,
		managed_since: time,
		managed_until: nullable(time),
		managers,
		activation: nullable(duration),
		assigned: {
			...nullable({ type: 'array', items: text }),
			description: 'who is in now; null if all are',
		},
	}),
	WorkspaceSummary: object('A workspace to which the user has access', workspace),
	Workspace: object('A workspace, and what the user may do there', {
		...workspace,
		...settings,
		permissions: { type: 'array', items: text },
	}),
	Billing: object('Who is billed for a workspace', {
		billing_email: nullable(text),
		customer_id: nullable(text),
	}),
	WayIn: object('A user with access to a workspace, and one way in', {
		user_id: text,
		role,
		via: text,
		organization: nullable(id),
		since: nullable(time),
		until: nullable(time),
		active: { ...flag, description: 'false for those who could activate it, and have not' },
	}),
	Activation: object('Until when the user has access', { until: nullable(time) }),
	Revocation: object('A user with access through the managing organization, and what would be left', {
		user_id: text,
		organization: id,
		role,
		loses_access: flag,
		remaining_role: nullable(role),
		assigned: { ...flag, description: 'by an assignment or activation, which would be gone' },
	}),
	InstallLink: object('An install link of an organization, without its token', {
		id,
		label: nullable(text),
		role,
		duration: nullable(duration),
		max_uses: nullable(count),
		uses: { type: 'integer', minimum: 0 },
		expires_at: nullable(time),
		created_by: nullable(text),
		created_at: time,
		revoked_at: nullable(time),
		managers,
		activation: nullable(duration),
	}),
	Offer: object('Who is asking by an install link, and for what', {
		organization: id,
		name: text,
		slug: nullable(text),
		logo: nullable(text),
		role,
		until: nullable(time),
		expires_at: nullable(time),
		managers,
		activation: nullable(duration),
	}),
	Invitation: object('An invitation, without its token', invitation),
	Invited: object('What an invitation is to', {
		kind: { type: 'string', enum: ['organization', 'workspace'] },
		id,
		name: text,
		role,
		inviter: nullable(text),
		email: nullable(text),
		expires_at: nullable(time),
	}),
	Secret: object('A token, which is not shown again', { token: text }),
	AccessToken: object('An access token of the user, without the token itself', {
		id,
		name: text,
		created_at: time,
		expires_at: nullable(time),
		last_used_at: nullable(time),
		revoked_at: nullable(time),
		workspaces: nullable({ type: 'array', items: id }),
		permissions: nullable({ type: 'array', items: text }),
	}),
	OrganizationAudit: object(
		'An entry of the audit log of an organization',
		audit({ workspace_id: nullable(id) }),
	),
	WorkspaceAudit: object(
		'An entry of the audit log of a workspace',
		audit({ organization_id: nullable(id) }),
	),
	RolePermission: object('A permission that a role has in a workspace', {
		role: text,
		permission: text,
		delegable: flag,
		built_in: flag,
	}),
	Pagination: object('Where the next page begins', { cursor: nullable(text), has_more: flag }),
	Error: object('What went wrong', {
		error: {
			type: 'object',
			properties: { code: text, message: text, sqlstate: text, detail: text, hint: text },
			required: ['code', 'message'],
			additionalProperties: false,
		},
	}),
};

module.exports = { count, duration, flag, id, json, managers, nullable, role, schemas, text, time };
