import assert from 'node:assert/strict';
import test from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { start } from './support.js';

const long = { a: 'large', vectors: true }; // many seconds
const large = { numbers: 2 ** 24 };
const short = { a: { shape: [1, 1], data: [2] } };

test('a client that leaves stops the computing, and the server goes on', async (t) => {
  const { open, until, post } = await start(t, large);
  const client = open(long);
  await until(1);
  const working = await cpuShare(200);
  const left = performance.now();
  client.destroy();
  await until(0);
  assert.ok(performance.now() - left < 1000, 'it does not wait for the result');
  await wait(200); // an abort takes effect within about a tenth of a second
  const idle = await cpuShare(300);
  assert.ok(idle < working / 4, `it used ${working} of a core, and ${idle} when the client had left`);
  assert.equal((await post(short)).status, 200);
});

test('beyond the limit requests wait, and beyond that they are turned away, before their bodies are read', async (t) => {
  const { open, until, post } = await start(t, { ...large, concurrent: 1, waiting: 1 });
  const clients = [open(long)];
  await until(1);
  clients.push(open(long));
  await until(1, 1);
  const response = await post(short);
  assert.deepEqual([response.status, response.headers.get('retry-after')], [503, '1']);
  assert.equal((await response.json()).code, 'BUSY');
  assert.equal((await post('not JSON')).status, 503);

  clients[1].destroy(); // who waits and leaves gives its place to another
  await until(1, 0);
  const waits = post(short);
  await until(1, 1);
  clients[0].destroy();
  assert.equal((await waits).status, 200);
  await until(0, 0);
});

test('a computation of which the time is up is stopped', async (t) => {
  const { post, until } = await start(t, { ...large, milliseconds: 300 });
  const response = await post(long);
  assert.deepEqual([response.status, response.headers.get('retry-after')], [503, '1']);
  assert.equal((await response.json()).code, 'TIMEOUT');
  await until(0);
});

test('a server that is told to close answers the requests that it has begun', async (t) => {
  const { server, open, until } = await start(t);
  const client = open({ a: 'W_V', b: 'W_O', vectors: true });
  const answered = new Promise((resolve) => client.on('response', resolve));
  await answered;
  await server.close();
  await assert.rejects(until(0), /fetch failed/);
});

test('what still computes when the server has been closing for too long is stopped', async (t) => {
  const { server, open, until } = await start(t, { ...large, closeMilliseconds: 200 });
  const client = open(long);
  const cut = new Promise((resolve) => client.on('close', resolve));
  await until(1);
  const began = performance.now();
  await server.close();
  await cut;
  assert.ok(performance.now() - began < 5000);
});

/** The processor time that this process, which the server is part of, uses within `milliseconds`, in cores. */
async function cpuShare(milliseconds) {
  const [before, began] = [process.cpuUsage(), performance.now()];
  await wait(milliseconds);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000 / (performance.now() - began);
}
