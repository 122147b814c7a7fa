import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { weights } from './support.js';

const main = fileURLToPath(new URL('../src/main.js', import.meta.url));

function run(t, args, env = {}) {
  const child = spawn(process.execPath, [main, ...args], {
    env: { ...process.env, PORT: '0', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.after(() => child.kill('SIGKILL'));
  return child;
}

test('it listens, and ends well when it is told to', async (t) => {
  const child = run(t, [weights]);
  for await (const line of createInterface(child.stdout)) {
    const address = /Server listening at (\S+?)"/.exec(line)?.[1];
    if (address === undefined) continue;
    assert.equal((await fetch(`${address}/health`)).status, 200);
    child.kill('SIGTERM');
    break;
  }
  assert.deepEqual(await once(child, 'exit'), [0, null]);
});

test('it does not start where the addon does not load, and says why', async (t) => {
  const child = run(t, [weights], { FACTORED_SVD_BINARY: 'no-such-file.node' });
  let output = '';
  child.stderr.on('data', (text) => {
    output += text;
  });
  const [status] = await once(child, 'close');
  assert.equal(status, 1);
  assert.match(output, /no-such-file\.node/);
  assert.match(output, /ERR_SVD_BINARY/);
});
