/*
 * audit.js: an audit log, page by page
 */

import { get } from './api.js';
import { action, complaintOf, h, table, time } from './dom.js';

const PAGE = 10;

function entries(rows) {
	return table(
		'The latest entries first',
		{
			When: ({ occurred_at }) => time(occurred_at),
			Who: ({ actor, database_role }) => actor ?? `(${database_role})`,
			What: ({ action: what }) => what,
			Whom: ({ subject }) => subject,
			'By what right': ({ path }) => path,
			Details: ({ detail }) =>
				detail &&
				Object.entries(detail)
					.map(
						([name, value]) =>
							`${name}: ${typeof value === 'string' ? value : JSON.stringify(value)}`,
					)
					.join(', '),
		},
		rows,
	);
}

export async function auditLog(path) {
	const pages = h('div', {});
	const buttons = h('p', {});

	// what is asked for fails where what is shown has been revoked meanwhile: then nothing is left to see
	const show = async (cursor) => {
		const query = cursor === undefined ? '' : `&cursor=${cursor}`;
		const { data, pagination } = await get(`${path}?limit=${PAGE}${query}`);

		pages.replaceChildren(entries(data));
		buttons.replaceChildren(
			...(cursor === undefined ? [] : [action('Latest entries', () => turn())]),
			...(pagination.has_more ? [action('Older entries', () => turn(pagination.cursor))] : []),
		);
	};
	const turn = async (cursor) => {
		try {
			await show(cursor);
		} catch (error) {
			pages.replaceChildren(complaintOf(error));
			buttons.replaceChildren();
		}
	};

	await show();
	return [h('h2', {}, 'Audit log'), pages, buttons];
}
