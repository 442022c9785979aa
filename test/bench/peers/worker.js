/*
 * worker.js: a client in a thread of its own
 *
 * Until the time is up it asks about the given pairs, or has users join and leave an organization,
 * and answers with the milliseconds that each call took.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { contestants } from './contestants.js';

const { name, shared, work, seconds, pairs, n, organization } = workerData;
const client = await contestants[name].connect(shared);
const latencies = [];
let wrong = 0;

parentPort.once('message', async () => {
	const until = performance.now() + 1000 * seconds;

	let joined = null;

	for (let i = 0; performance.now() < until; i++) {
		const before = performance.now();

		if (work === 'check') {
			const pair = pairs[i % pairs.length];
			const answer = await client.check(pair.user_id, pair.workspace_id);

			if (answer !== null && answer !== pair.allowed) wrong++;
		} else if (joined === null) {
			joined = `worker-${n}`;
			await client.join(organization, joined);
		} else {
			await client.leave(organization, joined);
			joined = null;
		}
		latencies.push(performance.now() - before);
	}
	if (joined !== null) await client.leave(organization, joined);
	await client.close();
	parentPort.postMessage({ latencies, wrong });
	parentPort.close();
});
parentPort.postMessage('ready');
