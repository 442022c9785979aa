/*
 * invitations.js: inviting people to a workspace or an organization, and what they see of that
 */

import { list, path, send } from './api.js';
import { action, choice, descriptions, form, h, note, table, textField, time, timeField } from './dom.js';

const whom = ({ email, user_id }) => user_id ?? email ?? 'whoever has the link';

const actions = ({ id, state, ...rest }, { changed, showLink }) =>
	['pending', 'expired'].includes(state) && [
		action(
			'New link',
			() => showLink('invitation', () => send('POST', path('invitations', id, 'resend'))),
			{
				name: `New link for ${whom(rest)}`,
			},
		),
		' ',
		action(
			'Revoke',
			() =>
				changed('The invitation is worth nothing now.', () =>
					send('DELETE', path('invitations', id)),
				),
			{ danger: true, name: `Revoke the invitation of ${whom(rest)}` },
		),
	];

// to: the path of the workspace or organization; roles: those that the user can give
export async function invitations(to, roles, page) {
	return [
		h('h2', {}, 'Invitations'),
		note(
			'Nothing is sent: give the link to whom you invite. If you name a user, nobody else can use it.',
		),
		table(
			'Invitations',
			{
				Whom: whom,
				Role: ({ role }) => role,
				'Invited by': ({ inviter }) => inviter,
				Expires: ({ expires_at }) => time(expires_at),
				State: ({ state }) => state,
				'New link, or end': (invitation) => actions(invitation, page),
			},
			await list(`${to}/invitations`),
			'There are none.',
		),
		form({
			label: 'Invite somebody',
			fields: [
				choice('Role', 'role', roles),
				textField('User, if you know the id', 'user_id'),
				textField('E-mail, for you to remember', 'email', { type: 'email' }),
				timeField('Expires', 'expires_at'),
			],
			button: 'Invite',
			submit: (values) =>
				page.showLink('invitation', () => send('POST', `${to}/invitations`, values), true),
		}),
	];
}

// ---- for the person who is invited ----

export async function invitationView({ arrive }, token) {
	const { kind, id, name, role, inviter, expires_at } = await send('POST', '/v1/invitations/show', {
		token,
	});
	const answer =
		(what, ...arrival) =>
		async () => {
			await send('POST', `/v1/invitations/${what}`, { token });
			await arrive(...arrival);
		};

	return {
		title: `You are invited to ${name}`,
		content: [
			descriptions([
				['What it is', kind],
				['Id', id],
				['You would be', role],
				['Invited by', inviter ?? 'the system'],
				['Until', time(expires_at) || 'it is revoked'],
			]),
			form({
				label: 'Accept the invitation',
				fields: [],
				button: 'Accept',
				submit: answer('accept', `You are ${role} of ${name} now.`, `${kind}s`, id),
			}),
			form({
				label: 'Decline the invitation',
				fields: [],
				button: 'Decline',
				danger: true,
				submit: answer('decline', 'You have declined.'),
			}),
		],
	};
}
