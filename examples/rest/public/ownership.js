/*
 * ownership.js: what owners decide alone, and how everybody else leaves
 *
 * What cannot be undone is asked about first, and before something is deleted, its name has to be typed.
 */

import { get, path, send } from './api.js';
import { action, choice, confirm, form, h, note, textField } from './dom.js';

// A button that asks first; then what the address showed may be gone, so the start is shown
const ending = ({ arrive }, { label, title, text, typed, submit, message }) =>
	action(
		label,
		async () => {
			const done = await confirm({ title, content: [note(text)], button: label, typed, submit });

			if (done) await arrive(message);
		},
		{ danger: true },
	);

const leaving = (page, what, { name }, url, text) =>
	ending(page, {
		label: `Leave the ${what}`,
		title: `Leave ${name}?`,
		text,
		submit: () => send('POST', `${url}/leave`),
		message: `You have left ${name}.`,
	});

const deletion = (page, what, { name }, url, text) =>
	ending(page, {
		label: `Delete the ${what}`,
		title: `Delete ${name}?`,
		text,
		typed: name,
		submit: () => send('DELETE', url),
		message: `${name} is deleted.`,
	});

// ---- workspaces ----

async function billing(url, changed) {
	const { billing_email, customer_id } = await get(`${url}/billing`);

	return [
		h('h2', {}, 'Billing'),
		form({
			label: 'Change who is billed',
			fields: [
				textField('E-mail for bills', 'billing_email', { type: 'email', value: billing_email }),
				textField('Customer id', 'customer_id', { value: customer_id }),
			],
			button: 'Change',
			submit: (values) =>
				changed(
					'The billing data is changed.',
					() =>
						send('PATCH', `${url}/billing`, {
							// an empty text clears, and null would be left out
							billing_email: values.billing_email ?? '',
							customer_id: values.customer_id ?? '',
						}),
					true,
				),
		}),
	];
}

// The direct members are those who can become the owner
function transfer({ name }, url, ways, changed) {
	const members = ways.filter(({ via }) => via === 'member').map(({ user_id }) => [user_id]);

	return [
		h('h2', {}, 'Ownership'),
		members.length === 0
			? note('To give the workspace to somebody else, add them as a member first.')
			: form({
					label: 'Give the workspace to somebody else',
					fields: [choice('New owner', 'new_owner', members)],
					button: 'Make owner',
					danger: true,
					submit: async (values) => {
						const done = await confirm({
							title: `Make ${values.new_owner} the owner of ${name}?`,
							content: [note('You stay as an admin. Only the new owner can undo this.')],
							button: `Make ${values.new_owner} the owner`,
							submit: () => send('POST', `${url}/transfer`, values),
						});

						if (done) await changed(`${values.new_owner} owns the workspace now.`);
					},
				}),
	];
}

export async function ownership(workspace, ways, page) {
	const url = path('workspaces', workspace.id);
	const may = (permission) => workspace.permissions.includes(permission);
	const direct = ways.some(({ user_id, via }) => user_id === page.user && via === 'member');

	return [
		...(may('billing') ? await billing(url, page.changed) : []),
		...(may('transfer') ? transfer(workspace, url, ways, page.changed) : []),
		(direct || may('delete')) && h('h2', {}, 'Leaving and deleting'),
		direct &&
			leaving(
				page,
				'workspace',
				workspace,
				url,
				'You are no member any more. Other ways in that you have remain.',
			),
		may('delete') &&
			deletion(
				page,
				'workspace',
				workspace,
				url,
				'It is gone for everybody, with what the application keeps in it. It cannot be undone.',
			),
	].filter(Boolean);
}

// ---- organizations ----

export function endOfOrganization(organization, page) {
	const url = path('organizations', organization.id);

	return [
		h('h2', {}, 'Leaving and deleting'),
		leaving(
			page,
			'organization',
			organization,
			url,
			'This ends your access to all workspaces that it manages, at once.',
		),
		organization.role === 'owner' && ' ',
		organization.role === 'owner' &&
			deletion(
				page,
				'organization',
				organization,
				url,
				'Its members lose access to all workspaces that it manages, at once. The workspaces remain. It cannot be undone.',
			),
	].filter(Boolean);
}
