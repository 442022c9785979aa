/*
 * worker.js: a client in a thread of its own
 *
 * Until the time is up it asks about the given pairs, or has users join and leave an organization,
 * and answers with the milliseconds that each call took.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { contestants } from './contestants.js';

const { name, shared, work, seconds, pairs, offset, organization } = workerData;
const client = await contestants[name].connect(shared);
const latencies = [];
let wrong = 0;

parentPort.once('message', async () => {
	const until = performance.now() + 1000 * seconds;

	for (let i = offset; ; i++) {
		const before = performance.now();

		if (before > until) break;
		if (work === 'check') {
			const pair = pairs[i % pairs.length];

			if ((await client.check(pair.user_id, pair.workspace_id)) !== pair.allowed) wrong++;
		} else if (i % 2 === 0) await client.join(organization, `worker-${offset}-${i}`);
		else await client.leave(organization, `worker-${offset}-${i - 1}`);
		latencies.push(performance.now() - before);
	}
	await client.close();
	parentPort.postMessage({ latencies, wrong });
	parentPort.close();
});
parentPort.postMessage('ready');
