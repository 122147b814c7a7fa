import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import ndarray from 'ndarray';
import { beforeAll, expect, test } from 'vitest';
import { writeSafetensors } from '../../lib/weights/index.ts';
import packageJson from '../../package.json' with { type: 'json' };
import { patience } from '../support/patience.ts';
import { temporaryFolder } from '../support/temporary.ts';

// The built command in a process of its own; test/cli tests what it does.

const command = fileURLToPath(new URL('../../dist/command.js', import.meta.url));
const at = temporaryFolder();
let weights: string;

beforeAll(async () => {
  if (!existsSync(command)) throw new Error('dist/command.js is not built: run npm run build:lib first');
  weights = at('weights.safetensors');
  const A = ndarray(Float32Array.of(3, 0, 0, 4, 0, 0), [3, 2]);
  const B = ndarray(Float32Array.of(1, 0, 0, 1), [2, 2]);
  const many = Array.from({ length: 5000 }, (_, i) => [`blocks.${i}.bias`, ndarray(new Float32Array(1))]);
  await writeSafetensors(weights, { A, B, ...Object.fromEntries(many) });
});

const execute = (...argv: string[]) =>
  spawnSync(process.execPath, [command, ...argv], { encoding: 'utf8', timeout: patience(15_000) });

test('--version is that of the package', () => {
  expect(execute('--version')).toMatchObject({ status: 0, stdout: `${packageJson.version}\n`, stderr: '' });
});

test('svd prints JSON, writes the factors, and ends with 0', () => {
  const out = at('out.safetensors');
  const { status, stdout, stderr } = execute('svd', weights, '--a', 'A', '--b', 'B', '--json', '--out', out);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  expect(JSON.parse(stdout).items[0].S).toEqual([4, 3]);
  expect(existsSync(out)).toBe(true);
});

test('a failure ends with 1, wrong usage with 2, both without a stack', () => {
  const failure = execute('svd', weights, '--matrix', 'C');
  expect(failure).toMatchObject({ status: 1, stdout: '' });
  expect(failure.stderr).toMatch(/^factored-svd: .*no tensor "C".*\[ERR_SVD_FILE\]\n$/);
  expect(execute('svd', weights)).toMatchObject({ status: 2, stdout: '' });
});

test('a reader that closes its end early is no failure', async () => {
  const child = spawn(process.execPath, [command, 'inspect', weights], { stdio: ['ignore', 'pipe', 'pipe'] });
  let stderr = '';
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  child.stdout.destroy();
  const status = await new Promise((resolve) => child.on('close', resolve));
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
});
