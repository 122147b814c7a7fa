import { mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { openSafetensors, writeSafetensors } from 'factored-svd/weights';
import { createServer } from '../src/server.js';

// Numbers that are the same on every run.
let state = 1;
const random = () => {
  state = (state * 48271) % 2147483647;
  return state / 2147483647 - 0.5;
};
const matrix = (...shape) => ({
  shape,
  data: new Float32Array(shape.reduce((product, n) => product * n)).map(random),
});

export const tensors = {
  W_V: matrix(2, 48, 8),
  W_O: matrix(2, 8, 48),
  large: matrix(2000, 2000), // many seconds of computing
};

const folder = await mkdtemp(join(tmpdir(), 'svd-server-test-'));
export const weights = join(folder, 'weights.safetensors');
await writeSafetensors(weights, tensors);
after(() => rm(folder, { recursive: true }));

/** A server on the loopback, closed after the test `t`. */
export async function start(t, limits = {}) {
  const server = createServer(await openSafetensors(weights), { limits });
  t.after(() => server.close());
  const url = await server.listen({ host: '127.0.0.1', port: 0 });
  const health = async () => (await fetch(`${url}/health`)).json();
  return {
    server,
    url,
    health,
    /** Waits until so many requests are computed and wait. */
    async until(running, waiting = 0) {
      for (;;) {
        const now = await health();
        if (now.running === running && now.waiting === waiting) return;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    },
    post: (body, headers = {}) =>
      fetch(`${url}/svd`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: typeof body === 'string' ? body : JSON.stringify(body),
      }),
    /** A request whose connection can be cut with `destroy()`. */
    open(body) {
      const text = JSON.stringify(body);
      const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) };
      const client = request(`${url}/svd`, { method: 'POST', headers, agent: false });
      client.on('error', () => {});
      client.end(text);
      return client;
    },
  };
}
