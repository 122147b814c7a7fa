// Prints how many threads the process has more when a worker has loaded the addon. Nothing is computed. What a worker sets in
// its process.env, the libraries of the process do not see.
import { readdirSync } from 'node:fs';
import { isMainThread, Worker } from 'node:worker_threads';

if (isMainThread) {
  new Worker(new URL(import.meta.url)).on('message', (threads) => console.log(threads));
} else {
  const { parentPort } = await import('node:worker_threads');
  const { versions } = await import('../../../dist/index.js');
  const threads = () => readdirSync('/proc/self/task').length;
  const before = threads();
  versions(); // loads it
  parentPort.postMessage(threads() - before);
}
