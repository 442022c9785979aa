/*
 * report.js PEERS.TSV TABLE.MD PLOT.SVG: the medians of what measure.js has printed
 *
 * The input has columns round, contestant, measure and value.
 */
import fs from 'node:fs';

const [input, table, plot] = process.argv.slice(2);

const names = {
	nothing: 'a query of nothing',
	cnap: 'cnap_org',
	array: 'set in the policy',
	account: 'account rows',
	claims: 'claims',
	'spicedb-full': 'SpiceDB, fully consistent',
	'spicedb-fast': 'SpiceDB, minimize latency',
};

/* Measure, label, kind of value, and whether it stands in the plot */
const measures = [
	['check_p50_1', 'check, known pairs, 1 client: p50', 'ms', true],
	['check_p99_1', '… p99', 'ms', true],
	['check_p50_4', '… 4 clients: p50', 'ms'],
	['check_p99_4', '… p99', 'ms'],
	['check_p50_16', '… 16 clients: p50', 'ms'],
	['check_p99_16', '… p99', 'ms'],
	['check_rate_1', '… checks a second, 1 client', 'rate'],
	['check_rate_4', '… 4 clients', 'rate'],
	['check_rate_16', '… 16 clients', 'rate'],
	['check_new_p50_1', 'check, each pair once, 1 client: p50', 'ms', true],
	['check_new_p99_1', '… p99', 'ms'],
	['check_new_rate_4', '… checks a second, 4 clients', 'rate'],
	['inside', 'check inside the server, known pairs: mean', 'ms', true],
	['list_few', 'list of 7 workspaces', 'ms', true],
	['list_big', 'list of 10 thousand workspaces, complete', 'ms', true],
	['write_p50_1', 'join or leave an organization, 1 client: p50', 'ms', true],
	['write_rate_1', '… changes a second, 1 client', 'rate'],
	['write_rate_4', '… 4 clients', 'rate'],
	['revoked_p50', 'from a revocation to the first denial: p50', 'ms', true],
	['revoked_p99', '… p99', 'ms', true],
	['revoked_max', '… longest', 'ms'],
	['cold', 'first answer of a new connection, or of a started library', 'ms', true],
	['memory', 'memory after it', 'bytes'],
];

const values = new Map();

for (const line of fs.readFileSync(input, 'utf8').trim().split('\n')) {
	const [, contestant, measure, value] = line.split('\t');
	const key = `${contestant} ${measure}`;

	values.set(key, [...(values.get(key) ?? []), Number(value)]);
}

const median = (contestant, measure) =>
	values.get(`${contestant} ${measure}`)?.sort((a, b) => a - b)[
		Math.floor((values.get(`${contestant} ${measure}`).length - 1) / 2)
	];

const digits = (value) =>
	value >= 100
		? value.toFixed(0)
		: value >= 0.001
			? String(Number(value.toPrecision(2)))
			: value.toFixed(6);
const shown = {
	ms: (value) =>
		value >= 1000
			? `${digits(value / 1000)} s`
			: value < 0.1
				? `${digits(1000 * value)} µs`
				: `${digits(value)} ms`,
	rate: (value) => digits(value),
	bytes: (value) => `${digits(value / 1048576)} MB`,
};

const present = Object.keys(names).filter((name) =>
	measures.some(([measure]) => median(name, measure) !== undefined),
);

fs.writeFileSync(
	table,
	[
		['', ...present.map((name) => names[name])],
		['---', ...present.map(() => '---:')],
		...measures.map(([measure, label, kind]) => [
			label,
			...present.map((name) => {
				const value = median(name, measure);

				return value === undefined ? '' : shown[kind](value);
			}),
		]),
	]
		.map((cells) => `| ${cells.join(' | ')} |\n`)
		.join(''),
);

/* ---- the plot: a dot for each contestant, on a logarithmic scale of milliseconds ---- */

const colours = ['#999999', '#b3261e', '#1d4f91', '#1f6f43', '#8a5a00', '#6a3d9a', '#a06cc8'];
const rows = measures.filter(([, , , plotted]) => plotted);
const [left, width, top, step, low, high] = [370, 480, 70, 26, 0.0001, 10000];
const at = (value) =>
	left + (width * Math.log(Math.min(high, Math.max(low, value)) / low)) / Math.log(high / low);
const bottom = top + rows.length * step;
const text = (x, y, anchor, content, extra = '') =>
	`<text x="${x.toFixed(1)}" y="${y}" text-anchor="${anchor}" ${extra}>${content}</text>`;
let whole = '';

fs.writeFileSync(
	plot,
	[
		`<svg xmlns="http://www.w3.org/2000/svg" width="${left + width + 30}" height="${bottom + 40}" font-family="sans-serif" font-size="12">`,
		'<rect width="100%" height="100%" fill="#ffffff"/>',
		...present.map(
			(name, n) =>
				`<circle cx="${20 + 215 * (n % 4)}" cy="${18 + 20 * Math.floor(n / 4)}" r="5" fill="${colours[n]}"/>` +
				text(30 + 215 * (n % 4), 22 + 20 * Math.floor(n / 4), 'start', names[name]),
		),
		...[0.0001, 0.001, 0.01, 0.1, 1, 10, 100, 1000, 10000].map(
			(value) =>
				`<line x1="${at(value).toFixed(1)}" y1="${top - 14}" x2="${at(value).toFixed(1)}" y2="${bottom}" stroke="#dddddd"/>` +
				text(
					at(value),
					bottom + 18,
					'middle',
					value < 0.1 ? `${1000 * value} µs` : value < 1000 ? `${value} ms` : `${value / 1000} s`,
					'fill="#666666"',
				),
		),
		...rows.map(([measure, label], n) => {
			const y = top + n * step;

			whole = label.startsWith('…') ? `${whole.replace(/: .*/, '')}: ${label.slice(2)}` : label;
			return (
				text(left - 12, y + 4, 'end', whole) +
				present
					.map((name, i) => {
						const value = median(name, measure);

						return value === undefined
							? ''
							: `<circle cx="${at(value).toFixed(1)}" cy="${y}" r="5" fill="${colours[i]}" fill-opacity="0.8"/>`;
					})
					.join('')
			);
		}),
		'</svg>\n',
	].join('\n'),
);
