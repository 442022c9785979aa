/*
 * dom.js: makes elements
 *
 * Data becomes text nodes and values of attributes that are no code; nothing here parses HTML.
 */

export function h(tag, attributes = {}, ...children) {
	const element = document.createElement(tag);

	for (const [name, value] of Object.entries(attributes)) {
		if (typeof value === 'function') element.addEventListener(name, value);
		else if (value === true) element.setAttribute(name, '');
		else if (value !== undefined && value !== null && value !== false) element.setAttribute(name, value);
	}
	element.append(
		...children.flat(2).filter((child) => child !== undefined && child !== null && child !== false),
	);
	return element;
}

export const link = (text, ...parts) =>
	h('a', { href: `#/${parts.map(encodeURIComponent).join('/')}` }, text);

export const note = (...text) => h('p', { class: 'note' }, ...text);

// What an error says, with its detail and its hint, which are sentences
export const told = ({ message, more = [] }) =>
	more.length === 0 ? message : [`${message}.`, ...more].join(' ');

export const complaintOf = (error) => h('p', { class: 'error', role: 'alert' }, told(error));

// Terms and what they are
export const descriptions = (pairs) =>
	h('dl', {}, ...pairs.map(([term, description]) => [h('dt', {}, term), h('dd', {}, description)]));

// People by their roles, roles of the application after those that are built in; who could get in comes last
const RANKS = ['owner', 'admin', 'member'];
const rankOf = ({ role, active = true }) =>
	(active ? 0 : RANKS.length + 1) + (RANKS.includes(role) ? RANKS.indexOf(role) : RANKS.length);

export const highestFirst = (people) => [...people].sort((a, b) => rankOf(a) - rankOf(b));

export function time(seconds) {
	if (seconds === null) return '';
	const date = new Date(seconds * 1000);

	return h(
		'time',
		{ datetime: date.toISOString() },
		date.toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'short' }),
	);
}

// table(CAPTION, { heading: (row) => cell }, ROWS), or a sentence if there are no rows
export function table(caption, columns, rows, none = 'There is nothing here.') {
	if (rows.length === 0) return h('p', { class: 'empty' }, none);
	return h(
		'div',
		{ class: 'scroll', tabindex: 0, role: 'region', 'aria-label': caption },
		h(
			'table',
			{},
			h('caption', {}, caption),
			h(
				'thead',
				{},
				h('tr', {}, ...Object.keys(columns).map((name) => h('th', { scope: 'col' }, name))),
			),
			h(
				'tbody',
				{},
				...rows.map((row) =>
					h('tr', {}, ...Object.values(columns).map((cell) => h('td', {}, cell(row) ?? ''))),
				),
			),
		),
	);
}

// ---- forms ----

// Each makes [label, control]; a control's value is null if nothing was entered.
export const textField = (label, name, attributes = {}) => [
	label,
	h('input', { type: 'text', name, autocomplete: 'off', ...attributes }),
];

export const choice = (label, name, options) => [
	label,
	h('select', { name }, ...options.map(([value, text = value]) => h('option', { value }, text))),
];

export const numberField = (label, name, attributes = {}) => [
	label,
	h('input', { type: 'number', name, min: 1, ...attributes }),
];

export const timeField = (label, name) => [label, h('input', { type: 'datetime-local', name })];

function valueOf(control) {
	if (control.value === '') return null;
	if (control.type === 'number') return Number(control.value);
	if (control.type === 'datetime-local') return Math.floor(new Date(control.value).getTime() / 1000);
	return control.value;
}

// form({ label, fields, button, submit }): a labelled form; submit(values) is called, and errors shown
export function form({ label, fields, button, submit, danger = false }) {
	const complaint = h('p', { class: 'error', role: 'alert' });
	const send = h('button', { type: 'submit', class: danger && 'danger' }, button);
	const element = h(
		'form',
		{
			'aria-label': label,
			novalidate: true,
			submit: async (event) => {
				event.preventDefault();
				complaint.textContent = '';
				send.disabled = true;
				try {
					await submit(
						Object.fromEntries(fields.map(([, control]) => [control.name, valueOf(control)])),
					);
				} catch (error) {
					complaint.textContent = told(error);
				} finally {
					send.disabled = false;
				}
			},
		},
		...fields.map(([text, control]) => h('label', {}, text, control)),
		send,
		complaint,
	);

	return element;
}

// A button; name is what is read out where its text alone is not clear
export const action = (text, click, { danger = false, name } = {}) =>
	h('button', { type: 'button', class: danger && 'danger', 'aria-label': name, click }, text);

// Asks before something that cannot be undone: -> has it been done? Where a text is to be typed, nothing
// is done without it.
export function confirm({ title, content, button, submit, typed }) {
	return new Promise((resolve) => {
		let done = false;
		const dialog = h(
			'dialog',
			{ 'aria-labelledby': 'question', close: () => (dialog.remove(), resolve(done)) },
			h('h2', { id: 'question' }, title),
			...content,
			form({
				label: title,
				fields: typed === undefined ? [] : [textField(`Type ${typed} to confirm`, 'typed')],
				button,
				danger: true,
				submit: async (values) => {
					if (values.typed !== typed) throw new Error(`What you typed is not ${typed}.`);
					await submit();
					done = true;
					dialog.close();
				},
			}),
			action('Cancel', () => dialog.close()),
		);

		document.body.append(dialog);
		dialog.showModal();
	});
}
