/*
 * measure.js CONTESTANT: measures one contestant once
 *
 * Prints lines of measure and value, separated by tabs: times in milliseconds, rates a second,
 * memory in bytes.  test/bench/run calls it, with libpq's environment variables.
 */
import { Worker } from 'node:worker_threads';
import pg from 'pg';
import { contestants } from './contestants.js';

const name = process.argv[2];
const contestant = contestants[name];
const seconds = Number(process.env.BENCH_SECONDS ?? 1);
const clientCounts = [1, 4, 16];

const say = (measure, value) => console.log(`${measure}\t${value}`);

const quantile = (values, q) => {
	const sorted = Float64Array.from(values).sort();

	return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))];
};

const timed = async (action) => {
	const before = performance.now();

	await action();
	return performance.now() - before;
};

const database = new pg.Client({ user: 'postgres' });
await database.connect();
const pairsOf = async (table) =>
	(await database.query(`SELECT user_id, workspace_id, allowed FROM bench.${table} ORDER BY n`)).rows;
const known = await pairsOf('known');
const fresh = await pairsOf('pair');

/* An organization of ordinary size, and one of the workspaces that it manages */
const { organization, workspace } = (
	await database.query(`
	SELECT managed_by AS organization, min(id::text) AS workspace FROM alt.workspace
	WHERE managed_by IS NOT NULL AND managed_until IS NULL
	GROUP BY managed_by HAVING count(*) BETWEEN 3 AND 6 ORDER BY managed_by LIMIT 1`)
).rows[0];

/* ---- the first answer ---- */

const shared = await contestant.start();
let client;
const first = await timed(async () => {
	client = await contestant.connect(shared);
	await client.check(known[0].user_id, known[0].workspace_id);
});
say('cold', first + (shared.ready ?? 0));

/* ---- many clients ---- */

const workers = async (count, work, pairs) => {
	const threads = await Promise.all(
		Array.from(
			{ length: count },
			(_, n) =>
				new Promise((resolve, reject) => {
					const thread = new Worker(new URL('worker.js', import.meta.url), {
						workerData: {
							name,
							shared,
							work,
							seconds,
							organization,
							n,
							pairs: pairs?.slice((n * pairs.length) / count, ((n + 1) * pairs.length) / count),
						},
					});

					thread.once('message', () => resolve(thread));
					thread.once('error', reject);
				}),
		),
	);
	const answers = threads.map(
		(thread) =>
			new Promise((resolve, reject) => {
				thread.once('message', resolve);
				thread.once('error', reject);
			}),
	);

	threads.forEach((thread) => thread.postMessage('go'));
	const results = await Promise.all(answers);
	const wrong = results.reduce((sum, result) => sum + result.wrong, 0);

	if (wrong > 0) throw new Error(`${name}: ${wrong} wrong answers`);
	return results.flatMap((result) => result.latencies);
};

for (const [measure, pairs] of [
	['check', known],
	['check_new', fresh],
])
	for (const count of clientCounts) {
		const latencies = await workers(count, 'check', pairs);

		say(`${measure}_p50_${count}`, quantile(latencies, 0.5));
		say(`${measure}_p99_${count}`, quantile(latencies, 0.99));
		say(`${measure}_rate_${count}`, latencies.length / seconds);
	}
if (contestant.checksOnly) process.exit(0);
if (client.inside) {
	await client.inside();
	say('inside', (await timed(() => client.inside())) / known.length);
}

/* ---- lists ---- */

for (const [user, size] of [
	['few-1', 7],
	['big', 10000],
]) {
	const times = [];

	for (let i = 0; i < 5; i++)
		times.push(
			await timed(async () => {
				const found = await client.list(user);

				if (found < size) throw new Error(`${name}: ${found} workspaces of ${user}`);
			}),
		);
	say(`list_${user.replace(/-.*/, '')}`, quantile(times, 0.5));
}
say('memory', client.memory());

/* ---- changes ---- */

for (const count of [1, 4]) {
	const latencies = await workers(count, 'write');

	say(`write_p50_${count}`, quantile(latencies, 0.5));
	say(`write_rate_${count}`, latencies.length / seconds);
}

/* From the moment when the revocation is known to be committed until the first denial */
const delays = [];
const other = await contestant.connect(shared);
const until = performance.now() + 20000;

for (let i = 0; i < 300 && performance.now() < until; i++) {
	const user = `leaver-${i}`;

	await client.join(organization, user);
	while (!(await other.check(user, workspace)));
	await client.leave(organization, user);
	delays.push(
		await timed(async () => {
			while (await other.check(user, workspace));
		}),
	);
}
say('revoked_p50', quantile(delays, 0.5));
say('revoked_p99', quantile(delays, 0.99));
say('revoked_max', quantile(delays, 1));
await other.close();
await client.close();
await database.end();
process.exit(0);
