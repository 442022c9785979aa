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
	link,
	note,
	numberField,
	table,
	textField,
	time,
	timeField,
} from './dom.js';

const ROLES = [['member'], ['admin'], ['owner']];

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
					choice('Role', 'role', mine === 'owner' ? ROLES : [['member']]),
				],
				button: 'Add member',
				submit: (values) =>
					changed(`${values.user_id} is a member now.`, () => send('POST', url, values), true),
			}),
	].filter(Boolean);
}

function managed(workspaces) {
	return [
		h('h2', {}, 'Managed workspaces'),
		table(
			'Workspaces that the organization manages',
			{
				Workspace: ({ id, name }) => link(name, 'workspaces', id),
				Owner: ({ owner_id }) => owner_id,
				'Managers are': ({ managed_role }) => managed_role,
				Until: ({ managed_until }) => time(managed_until),
			},
			workspaces,
			'It manages none.',
		),
	];
}

function installLinks(id, links, changed, reveal) {
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
				numberField('Uses', 'max_uses'),
				timeField('Expires', 'expires_at'),
			],
			button: 'Create link',
			submit: async (values) => {
				const { token } = await send('POST', path('organizations', id, 'install-links'), values);
				const url = new URL(`#/install/${token}`, location.href).href;

				await changed('The link is shown at the top of the page.', undefined, true);
				reveal(note('The link, which is not shown again:'), h('p', { class: 'secret' }, url));
			},
		}),
	];
}

export async function organizationView({ changed, reveal }, id) {
	const organization = await get(path('organizations', id));
	const members = await list(path('organizations', id, 'members'));
	const workspaces = await list(path('organizations', id, 'workspaces'));
	const admin = organization.role !== 'member';
	const links = admin ? await list(path('organizations', id, 'install-links')) : [];

	return {
		title: organization.name,
		content: [
			note(`You are ${organization.role} of this organization.`),
			note('Id: ', h('code', {}, organization.id)),
			...managed(workspaces),
			...membership(organization, members, changed),
			...(admin ? installLinks(id, links, changed, reveal) : []),
			...(admin ? await auditLog(path('organizations', id, 'audit')) : []),
		],
	};
}
