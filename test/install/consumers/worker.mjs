// The package in worker threads alone, several at once and one after the other, then in the main thread.
import { once } from 'node:events';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import * as factored from 'factored-svd';
import report from './report.cjs';

if (isMainThread) {
  const ask = async () => {
    const worker = new Worker(new URL(import.meta.url));
    const [answer] = await once(worker, 'message');
    await worker.terminate();
    return answer;
  };
  const answers = [
    ...(await Promise.all([ask(), ask(), ask()])),
    await ask(),
    JSON.stringify(report(factored)),
  ];
  if (new Set(answers).size !== 1) throw new Error(`the workers differ:\n${answers.join('\n')}`);
  console.log(answers[0]);
} else {
  parentPort.postMessage(JSON.stringify(report(factored)));
}
