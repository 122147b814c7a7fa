import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { built } from '../support/built.ts';
import { patience } from '../support/patience.ts';

const script = fileURLToPath(new URL('../../scripts/check-truncated.mjs', import.meta.url));

function check(...args: string[]) {
  built('index.js');
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...args], {
    encoding: 'utf8',
    timeout: patience(20_000),
  });
  return { status, stdout, stderr };
}

test('what truncated decompositions say of themselves is true, and random starts do miss what is hidden', () => {
  const { status, stdout, stderr } = check('--matrices', '50');
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  expect(stdout).toContain('50 matrices (seed 0), 0 violations');
  expect(stdout).toMatch(/^[1-9]\d* hidden singular values were missed/m);
});

test('every check sees what is wrong', () => {
  const { status, stdout } = check('--matrices', '50', '--corrupt');
  const counts = [...stdout.matchAll(/\| (\d+) \| (\d+) \|/g)].map(([, wrong, seen]) => [+wrong, +seen]);
  expect(counts).toHaveLength(16);
  for (const [wrong, seen] of counts) {
    expect(wrong).toBeGreaterThan(0);
    expect(seen).toBe(wrong);
  }
  expect(status).toBe(0);
});
