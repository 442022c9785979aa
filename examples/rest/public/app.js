/*
 * app.js: shows what the address says: #/workspaces/ID, #/organizations/ID, #/install/TOKEN,
 * #/invitation/TOKEN, #/tokens
 *
 * Each time, everything is asked for anew, the list on the side as well, and what was shown before is
 * taken away first. So what has been revoked is gone after the next request.
 */

import { get, list, signOut, signedIn } from './api.js';
import { action, complaintOf, h, link, note } from './dom.js';
import { invitationView } from './invitations.js';
import { organizationView } from './organization.js';
import { homeView, installView, signInView, tokensView } from './views.js';
import { workspaceView } from './workspace.js';

const [main, sidebar, user, status] = ['main', 'sidebar', 'user', 'status'].map((id) =>
	document.getElementById(id),
);

const VIEWS = {
	'': homeView,
	workspaces: workspaceView,
	organizations: organizationView,
	install: installView,
	invitation: invitationView,
	tokens: tokensView,
};

// the number of the latest time that something was shown; answers to earlier ones are dropped
let turn = 0;

const here = () => location.hash.replace(/^#\/?/, '').split('/').map(decodeURIComponent);

const heading = (text) => h('h1', { tabindex: -1 }, text);

function clear() {
	main.replaceChildren(note('…'));
	sidebar.replaceChildren();
	user.replaceChildren();
	document.querySelectorAll('dialog').forEach((dialog) => dialog.close());
}

// ---- the side ----

function section(title, rows, kind, none) {
	const [view, current] = here();

	return [
		h('h2', {}, title),
		rows.length === 0
			? h('p', { class: 'empty' }, none)
			: h(
					'ul',
					{},
					...rows.map(({ id, name }) => {
						const item = link(name, kind, id);

						if (view === kind && id === current) item.setAttribute('aria-current', 'page');
						return h('li', {}, item);
					}),
				),
	];
}

async function showSide(mine) {
	const { user_id } = await get('/v1/me');
	const workspaces = await list('/v1/workspaces');
	const organizations = await list('/v1/organizations');
	const of = (which) => workspaces.filter((workspace) => workspace.section === which);

	if (mine !== turn) return;
	page.user = user_id;
	user.replaceChildren(
		`Signed in as ${user_id} `,
		action('Sign out', () => {
			signOut();
			location.hash = '';
			reload();
		}),
	);
	sidebar.replaceChildren(
		...section('Your workspaces', of('own'), 'workspaces', 'none'),
		...section('Shared with me', of('shared'), 'workspaces', 'none'),
		...section('Organizations', organizations, 'organizations', 'none'),
		h('h2', {}, 'You'),
		h('ul', {}, h('li', {}, link('Start')), h('li', {}, link('Access tokens', 'tokens'))),
		action('Refresh', () => reload()),
	);
}

// ---- the content ----

function show({ title, content }) {
	document.title = `${title} – Workspaces`;
	main.replaceChildren(heading(title), ...content);
	main.querySelector('h1').focus();
}

function fail(error) {
	if (error.status === 401 || !signedIn()) {
		signOut();
		clear();
		show(signInView(page));
		main.append(complaintOf(error));
	} else {
		show({
			title: error.status === 404 ? 'There is nothing here' : 'This did not work',
			content: [complaintOf(error)],
		});
	}
}

async function reload() {
	const mine = ++turn;

	clear();
	if (!signedIn()) {
		show(signInView(page));
		return;
	}
	try {
		const [view, ...rest] = here();

		await showSide(mine);
		const shown = await (VIEWS[view] ?? homeView)(page, ...rest);
		if (mine === turn) show(shown);
	} catch (error) {
		if (mine === turn) fail(error);
	}
}

// What views know and can do: user is who has signed in. changed(MESSAGE, WORK, PASS) does something, says
// so, and shows all anew; errors are shown here, unless PASS says that the caller shows them.
// arrive(MESSAGE, ...PARTS) shows what is at another address. showLink(VIEW, MAKE, PASS) is like changed(),
// with what makes a token, and shows the link that has it.
const page = {
	reload,
	changed: async (message, work, pass = false) => {
		status.textContent = '';
		try {
			await work?.();
			await reload();
			status.textContent = message;
		} catch (error) {
			if (pass && error.status !== 401) throw error;
			fail(error);
		}
	},
	arrive: (message, ...parts) => {
		history.pushState(null, '', link('', ...parts).hash);
		return page.changed(message);
	},
	showLink: async (view, make, pass) => {
		let made;

		await page.changed(
			'The link is shown at the top of the page.',
			async () => {
				made = await make();
			},
			pass,
		);
		if (made !== undefined)
			main.querySelector('h1').after(
				note('The link, which is not shown again:'),
				h('p', { class: 'secret' }, new URL(`#/${view}/${made.token}`, location.href).href),
			);
	},
};

document.getElementById('skip').addEventListener('click', (event) => {
	// the address is for views
	event.preventDefault();
	main.focus();
});
window.addEventListener('hashchange', () => {
	status.textContent = '';
	reload();
});
reload();
