/*
 * api.js: requests to the server, with the token of this tab
 */

const KEY = 'token';

export class Refused extends Error {
	constructor(status, { message, detail, hint }) {
		super(message);
		this.status = status;
		this.more = [detail, hint].filter((one) => one !== undefined);
	}
}

export const signedIn = () => sessionStorage.getItem(KEY) !== null;

export function signIn(token) {
	sessionStorage.setItem(KEY, token);
}

export function signOut() {
	sessionStorage.removeItem(KEY);
}

// What is null is left out: the server then uses its defaults.
const given = (body) => Object.fromEntries(Object.entries(body).filter(([, value]) => value !== null));

export async function send(method, path, body) {
	const response = await fetch(path, {
		method,
		headers: {
			Authorization: `Bearer ${sessionStorage.getItem(KEY)}`,
			...(body && { 'Content-Type': 'application/json' }),
		},
		body: body && JSON.stringify(given(body)),
		cache: 'no-store',
	});
	const text = await response.text();
	const answer = text === '' ? undefined : JSON.parse(text);

	if (!response.ok) throw new Refused(response.status, answer.error);
	return answer;
}

export const get = (path) => send('GET', path);

// The rows of a list
export const list = async (path) => (await get(path)).data;

export const path = (...parts) => `/v1/${parts.map(encodeURIComponent).join('/')}`;
