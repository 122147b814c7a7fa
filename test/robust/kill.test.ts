import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { patience } from '../support/patience.ts';

const script = fileURLToPath(new URL('../../scripts/kill-writes.mjs', import.meta.url));
const run = (...argv: string[]) =>
  spawnSync(process.execPath, [script, '--seed', '7', ...argv], {
    encoding: 'utf8',
    timeout: patience(170_000),
  });

test('a process that is killed while it writes leaves files that are complete', {
  timeout: patience(180_000),
}, () => {
  const { status, stdout, stderr } = run('--kills', '30');
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  expect(stdout).toMatch(/^30 kills: \d+ files, all complete; /);
});

test('and one that writes in place is caught', { timeout: patience(180_000) }, () => {
  const { status, stderr } = run('--kills', '30', '--in-place');
  expect(status).toBe(1);
  expect(stderr).toMatch(/loop.safetensors is not complete: /);
});
