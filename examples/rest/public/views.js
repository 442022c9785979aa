/*
 * views.js: signing in, the first page, consent to an install link, tokens
 */

import { list, path, send, signIn } from './api.js';
import { action, choice, descriptions, form, h, note, table, textField, time } from './dom.js';

export function signInView({ reload }) {
	return {
		title: 'Sign in',
		content: [
			note('With an access token of yours. It is kept in this tab until you sign out or close it.'),
			form({
				label: 'Sign in',
				fields: [textField('Access token', 'token', { type: 'password', required: true })],
				button: 'Sign in',
				submit: async ({ token }) => {
					signIn((token ?? '').trim());
					await reload();
				},
			}),
		],
	};
}

export function homeView({ changed }) {
	return {
		title: 'Your workspaces',
		content: [
			note('Choose one on the side.'),
			form({
				label: 'Create a workspace',
				fields: [textField('Name of the workspace', 'name', { required: true })],
				button: 'Create workspace',
				submit: (values) =>
					changed('The workspace is there.', () => send('POST', '/v1/workspaces', values), true),
			}),
			form({
				label: 'Create an organization',
				fields: [textField('Name of the organization', 'name', { required: true })],
				button: 'Create organization',
				submit: (values) =>
					changed(
						'The organization is there.',
						() => send('POST', '/v1/organizations', values),
						true,
					),
			}),
		],
	};
}

// ---- consent ----

// The host of a logo tells more about who is asking than a picture, and asks nobody else for one.
function hostOf(logo) {
	return logo === null ? 'none' : new URL(logo).host;
}

export async function installView({ arrive }, token) {
	const offer = await send('POST', '/v1/install-links/show', { token });
	const own = (await list('/v1/workspaces')).filter(({ section }) => section === 'own');

	return {
		title: `${offer.name} asks to manage a workspace of yours`,
		content: [
			descriptions([
				['Organization', offer.name],
				['Short name', offer.slug ?? 'none'],
				['Its logo is from', hostOf(offer.logo)],
				['Id', offer.organization],
				['Its members would be', offer.role],
				[
					'Who of them gets in',
					{
						all: 'all of them',
						assigned: 'those whom it assigns',
						activated: 'whoever gives a reason, for a time',
					}[offer.managers],
				],
				['Until', offer.until === null ? 'you end it' : time(offer.until)],
			]),
			note(
				'You remain the owner: billing, members and deletion are yours. You can end it at any time.',
			),
			own.length === 0
				? h('p', { class: 'empty' }, 'You own no workspace that it could manage.')
				: form({
						label: 'Consent',
						fields: [
							choice(
								'Workspace',
								'workspace',
								own.map(({ id, name }) => [id, name]),
							),
						],
						button: `Let ${offer.name} manage it`,
						submit: async ({ workspace }) => {
							await send('POST', '/v1/install-links/redeem', { token, workspace });
							await arrive(`${offer.name} manages the workspace now.`, 'workspaces', workspace);
						},
					}),
		],
	};
}

// ---- tokens ----

export async function tokensView({ changed }) {
	const tokens = await list('/v1/tokens');
	const state = ({ revoked_at, expires_at }) =>
		revoked_at !== null
			? 'revoked'
			: expires_at !== null && expires_at * 1000 < Date.now()
				? 'expired'
				: 'valid';

	return {
		title: 'Access tokens',
		content: [
			note('A token cannot create another one: do that where you sign in without one.'),
			table(
				'Your access tokens',
				{
					Name: ({ name }) => name,
					Created: ({ created_at }) => time(created_at),
					Expires: ({ expires_at }) => time(expires_at) || 'never',
					'Last used': ({ last_used_at }) => time(last_used_at),
					Limits: ({ workspaces, permissions }) =>
						[
							workspaces && `${workspaces.length} workspaces`,
							permissions && permissions.join(', '),
						]
							.filter(Boolean)
							.join('; ') || 'none',
					State: state,
					Revoke: (token) =>
						state(token) === 'valid' &&
						action(
							'Revoke',
							() =>
								changed('The token is worth nothing now.', () =>
									send('DELETE', path('tokens', token.id)),
								),
							{ danger: true, name: `Revoke ${token.name}` },
						),
				},
				tokens,
			),
		],
	};
}
