import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';
import { writeSafetensors } from '../../lib/weights/index.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { childLimit, testLimit } from './support/child.ts';

const command = fileURLToPath(new URL('../../dist/command.js', import.meta.url));
const at = temporaryFolder();
beforeAll(async () => {
  if (!existsSync(command)) throw new Error('dist/command.js is not built: run npm run build:lib first');
  const data = Float32Array.from({ length: 300 * 200 }, (_, i) => Math.sin(i * i));
  const batch = { data, shape: [400, 200, 200], stride: [50, 200, 1] }; // seconds of work
  const large = { data, shape: [2500, 2500], stride: [20, 1] };
  const tensors = { batch, large, M: { data: data.slice(0, 6), shape: [3, 2] } };
  await writeSafetensors(at('weights'), tensors);
  const names = Array.from({ length: 20_000 }, (_, i) => [`blocks.${i}.bias`, tensors.M]);
  await writeSafetensors(at('many'), Object.fromEntries(names));
}, testLimit);

/** Whether a process computes: it has loaded the addon. As Linux tells. */
const computes = (pid: number): boolean =>
  readFileSync(`/proc/${pid}/maps`, 'utf8').includes('factored_svd.node');

/** The command in a shell: `$FSVD` is its call, `$DIR` the folder of the files. */
function shell(script: string) {
  const { status, signal, stdout, stderr } = spawnSync('bash', ['-c', script], {
    env: { ...process.env, FSVD: `${process.execPath} ${command}`, DIR: at() },
    encoding: 'utf8',
    timeout: 1000 * childLimit,
    maxBuffer: 2 ** 26,
  });
  return { status, signal, stdout, stderr };
}

describe.skipIf(process.platform !== 'linux')('the command', () => {
  test.each([
    ['SIGINT', 130, ['batch']],
    ['SIGTERM', 143, ['batch']],
    ['SIGHUP', 129, ['batch']],
    ['SIGINT', 130, ['large']],
    ['SIGINT', 130, ['large', '--rank', '64']],
    ['SIGINT', 130, ['large', '--energy', '0.999']],
  ] as const)(
    'ends on %s with %i at once, and leaves nothing: %j',
    { timeout: testLimit },
    async (name, code, what) => {
      const argv = [command, 'svd', at('weights'), '--out', at('never'), '--matrix', ...what];
      const child = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'pipe'] });
      let output = '';
      for (const stream of [child.stdout, child.stderr])
        stream.on('data', (text) => {
          output += text;
        });
      const waiting = setInterval(() => {
        if (!computes(child.pid!)) return;
        clearInterval(waiting);
        child.kill(name);
      }, 20);
      const [status, signal] = await new Promise<unknown[]>((done) =>
        child.on('close', (...how) => done(how)),
      );
      expect({ status, signal, output }).toEqual({ status: code, signal: null, output: '' });
      expect(readdirSync(at()).sort()).toEqual(['many', 'weights']);
    },
  );

  test.each([
    ['a reader that goes away', 'set -o pipefail; $FSVD inspect $DIR/many | head -1; echo $?', 0],
    [
      'a reader of JSON that goes away',
      'set -o pipefail; $FSVD inspect $DIR/many --json | head -1; echo $?',
      0,
    ],
    ['no input', '$FSVD svd $DIR/weights --matrix M <&-; echo $?', 0],
    ['no output', '$FSVD inspect $DIR/many >&-; echo $?', 0],
    ['no place for errors', '$FSVD inspect $DIR/nothing 2>&-; echo $?', 1],
    ['a full place for errors', '$FSVD inspect $DIR/nothing 2>/dev/full; echo $?', 1],
    ['a path that is no UTF-8', "$FSVD inspect $DIR/$'\\xff\\xfe' 2>/dev/null; echo $?", 1],
    ['no path', "$FSVD inspect '' 2>/dev/null; echo $?", 1],
    ['a folder', '$FSVD inspect $DIR 2>/dev/null; echo $?', 1],
    ['20,000 files', '$FSVD compare $DIR/none $(yes $DIR/weights | head -20000) 2>/dev/null; echo $?', 2],
    ['a script as a golden file', '$FSVD compare $0 2>/dev/null; echo $?', 2],
  ])('meets %s', { timeout: testLimit }, (_, script, code) => {
    const { stdout, stderr } = shell(script);
    expect(stderr).toBe('');
    expect(stdout.trimEnd().split('\n').at(-1)).toBe(String(code));
  });

  test('says that its output could not be written', { timeout: testLimit }, () => {
    const says = { status: 1, stderr: expect.stringMatching(/^factored-svd: ENOSPC: no space left .*\n$/) };
    expect(shell('$FSVD inspect $DIR/many >/dev/full')).toMatchObject(says);
    shell('$FSVD golden $DIR/weights --matrix M --out $DIR/golden.json');
    expect(shell('$FSVD compare $DIR/golden.json >/dev/full')).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/^factored-svd: could not compare: ENOSPC: no space left .*\n$/),
    });
    rmSync(at('golden.json'));
  });

  test('finds the record of each of thousands of files in a moment', { timeout: testLimit }, () => {
    shell('$FSVD golden $DIR/weights $DIR/weights --matrix M --out $DIR/golden.json');
    const { status, stdout } = shell('$FSVD compare $DIR/golden.json $(yes $DIR/weights | head -1000)');
    expect(status).toBe(0);
    expect(stdout.match(/^ok: /gm)).toHaveLength(2000);
    rmSync(at('golden.json'));
  });
});
