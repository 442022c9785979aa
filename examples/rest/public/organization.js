/*
 * organization.js: an organization: its members, the workspaces that it manages, its install links
 */

import { get, list, path, send } from './api.js';
import { auditLog } from './audit.js';
import {
	action,
	choice,
	form,
	h,
	highestFirst,
	link,
	note,
	numberField,
	table,
	textField,
	time,
	timeField,
} from './dom.js';
import { invitations } from './invitations.js';
import { endOfOrganization } from './ownership.js';

// The roles that somebody with a role can give
const rolesFor = (mine) => (mine === 'owner' ? [['member'], ['admin'], ['owner']] : [['member']]);

function membership({ id, role: mine }, members, changed) {
	const url = path('organizations', id, 'members');
	const admin = mine !== 'member';
	const columns = {
		User: ({ user_id }) => user_id,
		Role: ({ role }) => role,
		'Added by': ({ added_by }) => added_by,
	};

	if (admin)
		columns.Remove = ({ user_id, role }) =>
			(role === 'member' || mine === 'owner') &&
			action(
				'Remove',
				() =>
					changed(`${user_id} is no member any more.`, () =>
						send('DELETE', `${url}?user_id=${encodeURIComponent(user_id)}`),
					),
				{ danger: true, name: `Remove ${user_id}` },
			);
	return [
		h('h2', {}, 'Members'),
		table('Members', columns, members),
		admin &&
			form({
				label: 'Add a member',
				fields: [
					textField('User', 'user_id', { required: true }),
					choice('Role', 'role', rolesFor(mine)),
				],
				button: 'Add member',
				submit: (values) =>
					changed(`${values.user_id} is a member now.`, () => send('POST', url, values), true),
			}),
	].filter(Boolean);
}

const MANAGERS = { all: 'all members', assigned: 'those assigned', activated: 'those who give a reason' };

// How members get into workspaces that do not let all of them in
function gettingIn(workspaces, members, admin, changed) {
	const of = (kind) =>
		workspaces.filter(({ managers }) => managers === kind).map(({ id, name }) => [id, name]);
	const [activated, assigned] = [of('activated'), of('assigned')];

	return [
		activated.length > 0 &&
			form({
				label: 'Activate',
				fields: [
					choice('Workspace to enter', 'workspace', activated),
					textField('Reason, which the customer reads', 'reason', { required: true }),
					choice('For', 'duration', [
						['', 'as long as allowed'],
						['PT1H', 'an hour'],
						['PT15M', '15 minutes'],
					]),
				],
				button: 'Activate',
				submit: ({ workspace, ...values }) =>
					changed(
						'You have access now.',
						() => send('POST', path('workspaces', workspace, 'management', 'activation'), values),
						true,
					),
			}),
		admin &&
			assigned.length > 0 &&
			form({
				label: 'Assign a manager',
				fields: [
					choice('Workspace to let in to', 'workspace', assigned),
					choice(
						'Member',
						'user_id',
						members.map(({ user_id }) => [user_id]),
					),
					timeField('Assigned until', 'until'),
				],
				button: 'Assign',
				submit: ({ workspace, ...values }) =>
					changed(
						`${values.user_id} has access now.`,
						() => send('PUT', path('workspaces', workspace, 'management', 'assignments'), values),
						true,
					),
			}),
	].filter(Boolean);
}

// Who is in, each with a button that ends that
function inside({ id, name, assigned }, admin, changed) {
	if (assigned === null) return 'all members';
	return assigned.map((user_id) => [
		`${user_id} `,
		admin &&
			action(
				'End',
				() =>
					changed(`${user_id} has no access any more.`, () =>
						send(
							'DELETE',
							`${path('workspaces', id, 'management', 'assignments')}?user_id=${encodeURIComponent(user_id)}`,
						),
					),
				{ danger: true, name: `End the access of ${user_id} to ${name}` },
			),
	]);
}

function managed(workspaces, members, admin, changed) {
	return [
		h('h2', {}, 'Managed workspaces'),
		table(
			'Workspaces that the organization manages',
			{
				Workspace: ({ id, name }) => link(name, 'workspaces', id),
				Owner: ({ owner_id }) => owner_id,
				'Managers are': ({ managed_role }) => managed_role,
				Until: ({ managed_until }) => time(managed_until),
				'Who gets in': ({ managers }) => MANAGERS[managers],
				'Who is in': (workspace) => inside(workspace, admin, changed),
			},
			workspaces,
			'It manages none.',
		),
		...gettingIn(workspaces, members, admin, changed),
	];
}

function installLinks(id, links, { changed, showLink }) {
	return [
		h('h2', {}, 'Install links'),
		note('Customers who follow such a link see who is asking, and can let you manage a workspace.'),
		table(
			'Install links',
			{
				Label: ({ label }) => label,
				Role: ({ role }) => role,
				For: ({ duration }) => duration ?? 'no end',
				Uses: ({ uses, max_uses }) => (max_uses === null ? uses : `${uses} of ${max_uses}`),
				Expires: ({ expires_at }) => time(expires_at),
				Revoke: ({ id: link_id, label, revoked_at }) =>
					revoked_at === null
						? action(
								'Revoke',
								() =>
									changed('The link is worth nothing now.', () =>
										send('DELETE', path('install-links', link_id)),
									),
								{ danger: true, name: `Revoke ${label ?? 'the link'}` },
							)
						: 'revoked',
			},
			links,
			'There are none.',
		),
		form({
			label: 'Create an install link',
			fields: [
				textField('Label', 'label'),
				choice('Role', 'role', [['admin'], ['member']]),
				choice('Manage for', 'duration', [
					['', 'no end'],
					['P30D', '30 days'],
					['P1Y', 'a year'],
				]),
				choice('Who gets in', 'managers', Object.entries(MANAGERS)),
				numberField('Uses', 'max_uses'),
				timeField('Expires', 'expires_at'),
			],
			button: 'Create link',
			submit: (values) =>
				showLink(
					'install',
					() => send('POST', path('organizations', id, 'install-links'), values),
					true,
				),
		}),
	];
}

export async function organizationView(page, id) {
	const { changed } = page;
	const organization = await get(path('organizations', id));
	const members = highestFirst(await list(path('organizations', id, 'members')));
	const workspaces = await list(path('organizations', id, 'workspaces'));
	const admin = organization.role !== 'member';
	const links = admin ? await list(path('organizations', id, 'install-links')) : [];

	return {
		title: organization.name,
		content: [
			note(`You are ${organization.role} of this organization.`),
			note('Id: ', h('code', {}, organization.id)),
			...managed(workspaces, members, admin, changed),
			...membership(organization, members, changed),
			...(admin ? await invitations(path('organizations', id), rolesFor(organization.role), page) : []),
			...(admin ? installLinks(id, links, page) : []),
			...endOfOrganization(organization, page),
			...(admin ? await auditLog(path('organizations', id, 'audit')) : []),
		],
	};
}
