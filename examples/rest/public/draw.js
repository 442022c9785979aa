/*
 * draw.js: a picture of who has access to a workspace, and by which ways
 *
 * On the left the users, in the middle the ways in, on the right the workspace. The same is in a
 * table, which the picture refers to.
 */

const NS = 'http://www.w3.org/2000/svg';
const ROW = 44;
const HEIGHT = 30;
const WIDTH = 210;
const COLUMNS = [4, 310, 616];
const MOST = 30;

function s(tag, attributes, ...children) {
	const element = document.createElementNS(NS, tag);

	for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
	element.append(...children);
	return element;
}

const shortened = (text) => (text.length > 26 ? `${text.slice(0, 25)}…` : text);

function box(column, y, label, kind) {
	return s(
		'g',
		{},
		s('title', {}, label),
		s('rect', { x: COLUMNS[column], y, width: WIDTH, height: HEIGHT, rx: 6, class: kind }),
		s('text', { x: COLUMNS[column] + 10, y: y + 20 }, shortened(label)),
	);
}

function line(column, from, to, kind) {
	const x0 = COLUMNS[column] + WIDTH;
	const x1 = COLUMNS[column + 1];
	const middle = (x0 + x1) / 2;
	const [y0, y1] = [from, to].map((y) => y + HEIGHT / 2);

	return s('path', { d: `M${x0} ${y0}C${middle} ${y0} ${middle} ${y1} ${x1} ${y1}`, class: kind });
}

// The places of n boxes, one below the other, in the middle of a picture
const places = (n, height) =>
	Array.from({ length: n }, (_, i) => (height - n * ROW) / 2 + i * ROW + (ROW - HEIGHT) / 2);

// ways: the rows of /v1/workspaces/…/members; nameOf(ID) names an organization
export function draw(name, ways, nameOf) {
	const shown = ways.slice(0, MOST);
	const keyOf = ({ via, organization, role }) => `${via} ${organization ?? ''} ${role}`;
	const labelOf = ({ via, organization, role }) =>
		via === 'owner'
			? 'owner'
			: via === 'member'
				? `member, as ${role}`
				: `${nameOf(organization)}, as ${role}`;
	const users = [...new Set(shown.map(({ user_id }) => user_id))];
	const kinds = [...new Map(shown.map((way) => [keyOf(way), way])).values()];
	const height = Math.max(users.length, kinds.length, 1) * ROW;
	const [userAt, kindAt, [workspaceAt]] = [users.length, kinds.length, 1].map((n) => places(n, height));

	const picture = s(
		'svg',
		{
			viewBox: `0 0 830 ${height}`,
			class: 'ways',
			role: 'img',
			'aria-labelledby': 'ways-title ways-desc',
		},
		s('title', { id: 'ways-title' }, `Who has access to ${name}`),
		s('desc', { id: 'ways-desc' }, shown.map((way) => `${way.user_id}: ${labelOf(way)}`).join('; ')),
	);
	for (const way of shown) {
		const kind = kinds.findIndex((one) => keyOf(one) === keyOf(way));
		const inactive = way.active === false ? ' inactive' : '';

		picture.append(line(0, userAt[users.indexOf(way.user_id)], kindAt[kind], way.via + inactive));
	}
	kinds.forEach((way, i) => picture.append(line(1, kindAt[i], workspaceAt, way.via)));
	users.forEach((user, i) => picture.append(box(0, userAt[i], user, 'user')));
	kinds.forEach((way, i) => picture.append(box(1, kindAt[i], labelOf(way), way.via)));
	picture.append(box(2, workspaceAt, name, 'workspace'));
	return picture;
}
