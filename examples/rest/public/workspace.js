/*
 * workspace.js: a workspace: who has access, who manages it, what happened
 */

import { get, list, path, send } from './api.js';
import { auditLog } from './audit.js';
import {
	action,
	choice,
	confirm,
	form,
	h,
	highestFirst,
	note,
	table,
	textField,
	time,
	timeField,
} from './dom.js';
import { draw } from './draw.js';
import { invitations } from './invitations.js';
import { ownership } from './ownership.js';

async function namesOfOrganizations() {
	const names = new Map((await list('/v1/organizations')).map(({ id, name }) => [id, name]));

	return (id) => names.get(id) ?? `org. ${id.slice(0, 8)}…`;
}

// The roles that can be given in a workspace
async function rolesOf() {
	const roles = new Set((await list('/v1/roles')).map(({ role }) => role));

	roles.delete('owner');
	return [...roles].map((role) => [role]);
}

function access(ways, nameOf) {
	return table(
		'Everybody with access, and each of their ways in',
		{
			User: ({ user_id }) => user_id,
			Role: ({ role }) => role,
			By: ({ via, organization, active }) =>
				`${organization === null ? via : nameOf(organization)}${active ? '' : ', not active'}`,
			Since: ({ since }) => time(since),
			Until: ({ until }) => time(until),
		},
		ways,
	);
}

// ---- direct members ----

// The roles that somebody with these permissions can give
const rolesFor = (permissions, roles) => (permissions.includes('manage_roles') ? roles : [['member']]);

function membership({ id, permissions }, ways, roles, changed) {
	const members = path('workspaces', id, 'members');
	const direct = ways.filter(({ via }) => via === 'member');

	return [
		h('h2', {}, 'Direct members'),
		table(
			'Direct members',
			{
				User: ({ user_id }) => user_id,
				Role: ({ role }) => role,
				Remove: ({ user_id }) =>
					action(
						'Remove',
						() =>
							changed(`${user_id} is no member any more.`, () =>
								send('DELETE', `${members}?user_id=${encodeURIComponent(user_id)}`),
							),
						{ danger: true, name: `Remove ${user_id}` },
					),
			},
			direct,
			'There are none.',
		),
		form({
			label: 'Add a member',
			fields: [
				textField('User', 'user_id', { required: true }),
				choice('Role', 'role', rolesFor(permissions, roles)),
			],
			button: 'Add member',
			submit: (values) =>
				changed(`${values.user_id} has access now.`, () => send('POST', members, values), true),
		}),
		permissions.includes('manage_roles') &&
			direct.length > 0 &&
			form({
				label: 'Change a role',
				fields: [
					choice(
						'Member',
						'user_id',
						direct.map(({ user_id }) => [user_id]),
					),
					choice('New role', 'role', roles),
				],
				button: 'Change role',
				submit: (values) =>
					changed(
						`${values.user_id} is ${values.role} now.`,
						() => send('PATCH', members, values),
						true,
					),
			}),
	].filter(Boolean);
}

// ---- management ----

async function revoke({ id, name }, organization, changed) {
	const rows = await list(path('workspaces', id, 'management', 'revocation'));
	const done = await confirm({
		title: `End the management of ${name}?`,
		content: [
			note(`This ends all access through ${organization}, at once.`),
			table(
				'Who would lose access',
				{
					User: ({ user_id }) => user_id,
					Loses: ({ loses_access, remaining_role }) =>
						loses_access ? 'all access' : `remains as ${remaining_role}`,
				},
				rows,
				'Nobody has access through it at the moment.',
			),
		],
		button: 'End the management',
		submit: () => send('DELETE', path('workspaces', id, 'management')),
	});

	if (done) await changed('The management has ended.');
}

// How the members of the managing organization get in
const ENTRY = {
	all: 'All its members have access',
	assigned: 'Those have access whom it assigns',
	activated: 'Its members have access after giving a reason',
};

function management(workspace, roles, nameOf, changed) {
	const { id, permissions, managed_by, managed_role, managed_until, managers } = workspace;

	return [
		h('h2', {}, 'Management'),
		managed_by === null
			? note('No organization manages this workspace.')
			: note(
					`${nameOf(managed_by)} (${managed_by}) manages this workspace. ${ENTRY[managers]}, as ${managed_role}`,
					...(managed_until === null ? [] : [', until ', time(managed_until)]),
					'.',
				),
		permissions.includes('manage_delegation') &&
			form({
				label: 'Let an organization manage the workspace',
				fields: [
					textField('Organization (id)', 'organization', {
						required: true,
						value: managed_by,
					}),
					choice('Role', 'role', [['admin'], ...roles.filter(([role]) => role !== 'admin')]),
					timeField('Until', 'until'),
					choice('Who gets in', 'managers', [
						['all', 'all its members'],
						['assigned', 'those it assigns'],
						['activated', 'those who give a reason'],
					]),
					choice('For how long at a time', 'activation', [
						['PT8H', '8 hours'],
						['PT1H', 'an hour'],
						['P1D', 'a day'],
					]),
				],
				button: 'Grant management',
				submit: (values) =>
					changed(
						'The organization manages this workspace now.',
						() => send('PUT', path('workspaces', id, 'management'), values),
						true,
					),
			}),
		permissions.includes('manage_delegation') &&
			managed_by !== null &&
			action('Preview and end the management', () => revoke(workspace, nameOf(managed_by), changed), {
				danger: true,
			}),
	].filter(Boolean);
}

// ---- the whole ----

export async function workspaceView(page, id) {
	const { changed } = page;
	const workspace = await get(path('workspaces', id));
	const ways = highestFirst(await list(path('workspaces', id, 'members')));
	const nameOf = await namesOfOrganizations();
	const roles = await rolesOf();
	const may = (permission) => workspace.permissions.includes(permission);

	return {
		title: workspace.name,
		content: [
			note(
				workspace.section === 'own'
					? 'Your own workspace.'
					: `Shared with you, as ${workspace.role}.`,
				` You may: ${workspace.permissions.join(', ')}.`,
			),
			note('Id: ', h('code', {}, workspace.id)),
			h('h2', {}, 'Who has access'),
			draw(workspace.name, ways, nameOf),
			access(ways, nameOf),
			...(may('manage_members') ? membership(workspace, ways, roles, changed) : []),
			...(may('manage_members')
				? await invitations(path('workspaces', id), rolesFor(workspace.permissions, roles), page)
				: []),
			...management(workspace, roles, nameOf, changed),
			...(await ownership(workspace, ways, page)),
			...(may('manage_members') ? await auditLog(path('workspaces', id, 'audit')) : []),
		],
	};
}
