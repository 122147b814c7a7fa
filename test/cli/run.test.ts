import { existsSync } from 'node:fs';
import { Writable } from 'node:stream';
import ndarray, { type NdArray } from 'ndarray';
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { run } from '../../lib/cli/run.ts';
import { Progress } from '../../lib/cli/streams.ts';
import { summarizeSpectrum } from '../../lib/cli/svd.ts';
import { FactoredMatrix, svd } from '../../lib/index.ts';
import { openSafetensors, writeSafetensors } from '../../lib/weights/index.ts';
import { Capture, cli } from '../support/cli.ts';
import { temporaryFolder } from '../support/temporary.ts';

const at = temporaryFolder();
let weights: string;

type Floats = Float32Array | Float64Array;

/** Deterministic values in (-1, 1). */
const values = (length: number, seed: number) =>
  Float64Array.from({ length }, (_, i) => Math.sin(seed + 12.9898 * i) * Math.cos(78.233 * i + seed));

const A = ndarray(values(2 * 6 * 3, 1), [2, 6, 3]);
const B = ndarray(values(2 * 3 * 5, 2), [2, 3, 5]);
const tall = ndarray(Float32Array.from(values(40 * 20, 3)), [40, 20]);

beforeAll(async () => {
  weights = at('weights.safetensors');
  const nan = ndarray(Float64Array.of(1, 2, Number.NaN, 4), [2, 2]);
  const zero = ndarray(new Float64Array(6), [2, 3]);
  await writeSafetensors(
    weights,
    {
      A,
      B,
      tall,
      nan,
      zero,
      bias: ndarray(values(5, 4)),
      none: ndarray(new Float32Array(0), [0, 4, 4]),
      '\u001b[31mred': ndarray(new Float32Array(1)),
    },
    { format: 'pt' },
  );
});
afterEach(() => {
  vi.unstubAllEnvs();
  vi.useRealTimers();
});

async function json(...argv: string[]) {
  const { code, stdout, stderr } = await cli(...argv, '--json');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return JSON.parse(stdout);
}

async function readTensors(path: string): Promise<Record<string, NdArray<Floats>>> {
  await using file = await openSafetensors(path);
  return Object.fromEntries(
    await Promise.all(file.names.map(async (name) => [name, await file.read(name)] as const)),
  );
}

describe('inspect', () => {
  test('lists names, dtypes, shapes and bytes', async () => {
    const { code, stdout } = await cli('inspect', weights);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^tensor +dtype +shape +bytes$/m);
    expect(stdout).toMatch(/^A +F64 +\[2, 6, 3\] +288$/m);
    expect(stdout).toMatch(/^tall +F32 +\[40, 20\] +3,200$/m);
    expect(stdout).toMatch(/^8 tensors, [\d,]+ bytes$/m);
    expect(stdout).toMatch(/^metadata format: pt$/m);
  });

  test('--json has the same', async () => {
    const report = await json('inspect', weights);
    expect(report.metadata).toEqual({ format: 'pt' });
    expect(report.tensors).toContainEqual({ name: 'B', dtype: 'F64', shape: [2, 3, 5], byteLength: 240 });
  });

  test('shows control characters in names as escapes', async () => {
    const { stdout } = await cli('inspect', weights);
    expect(stdout).not.toContain('\u001b');
    expect(stdout).toContain('\\u001b[31mred');
  });
});

describe('svd of a product', () => {
  test('has the singular values of the library, and one row per matrix of the batch', async () => {
    const report = await json('svd', weights, '--a', 'A', '--b', 'B');
    const { S } = new FactoredMatrix(A, B).svd();
    expect(report).toMatchObject({
      shape: [2, 6, 5],
      dtype: 'float64',
      title: 'M = A [2, 6, 3] · B [2, 3, 5]',
    });
    expect(report.items.map((item: { index: number[] }) => item.index)).toEqual([[0], [1]]);
    expect(report.items.flatMap((item: { S: number[] }) => item.S)).toEqual([...S.data]);
    for (const { residual, bound, norm } of report.items) {
      expect(residual).toBeLessThan(50 * 2 ** -52);
      expect(bound).toBeGreaterThan(0);
      expect(norm).toBeGreaterThan(0);
    }
  });

  test('--transpose-a and --transpose-b transpose their factors', async () => {
    const report = await json('svd', weights, '--a', 'B', '--transpose-a', '--b', 'A', '--transpose-b');
    expect(report.title).toBe('M = Bᵀ [2, 5, 3] · Aᵀ [2, 3, 6]');
    expect(report.shape).toEqual([2, 5, 6]);
    const plain = await json('svd', weights, '--a', 'A', '--b', 'B');
    report.items.forEach((item: { S: number[]; bound: number }, i: number) => {
      item.S.forEach((sigma, j) => {
        expect(Math.abs(sigma - plain.items[i].S[j])).toBeLessThanOrEqual(item.bound + plain.items[i].bound);
      });
    });
  });

  test('prints a table that says what its columns are', async () => {
    const { code, stdout } = await cli('svd', weights, '--a', 'A', '--b', 'B');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^item +singular values +effective rank +condition +residual$/m);
    expect(stdout).toMatch(/^0 +\S+ \S+ \S+ +\S+ +\S+ +\S+e-1\d$/m);
    expect(stdout).toContain('‖M − U·diag(S)·Vh‖/‖M‖');
  });

  test('--rank keeps the leading triplets, and the residual is that of the truncation', async () => {
    const out = at('rank.safetensors');
    const report = await json('svd', weights, '--a', 'A', '--b', 'B', '--rank', '2', '--out', out);
    for (const { S, residual, norm } of report.items) {
      expect(S).toHaveLength(3);
      expect(residual).toBeCloseTo(S[2] / norm, 12);
    }
    const { U, S, Vh } = await readTensors(out);
    expect([U.shape, S.shape, Vh.shape]).toEqual([
      [2, 6, 2],
      [2, 2],
      [2, 2, 5],
    ]);
    const { stdout } = await cli('svd', weights, '--a', 'A', '--b', 'B', '--rank', '2');
    expect(stdout).toContain('residual: that of the truncation to rank 2');
  });

  test('--out writes factors whose product is M', async () => {
    const out = at('factors.safetensors');
    expect((await cli('svd', weights, '--a', 'A', '--b', 'B', '--out', out)).stdout).toContain(`to ${out}`);
    const { U, S, Vh } = await readTensors(out);
    for (let item = 0; item < 2; item++)
      for (let i = 0; i < 6; i++)
        for (let j = 0; j < 5; j++) {
          let expected = 0;
          let found = 0;
          for (let k = 0; k < 3; k++) {
            expected += A.get(item, i, k) * B.get(item, k, j);
            found += U.get(item, i, k) * S.get(item, k) * Vh.get(item, k, j);
          }
          expect(found).toBeCloseTo(expected, 12);
        }
  });
});

describe('svd of one tensor', () => {
  test('has the singular values of the library', async () => {
    const report = await json('svd', weights, '--matrix', 'tall');
    expect(report).toMatchObject({ shape: [40, 20], dtype: 'float32' });
    expect(report.items).toHaveLength(1);
    expect(report.items[0].index).toEqual([]);
    expect(report.items[0].S).toEqual([...svd(tall).S.data]);
    expect(report.items[0].residual).toBeLessThan(50 * 2 ** -23);
    const { stdout } = await cli('svd', weights, '--matrix', 'tall');
    expect(stdout).toMatch(/^(\S+ ){4}… \S+ +\S+ +\S+ +\S+$/m);
  });

  test('--rank computes the leading triplets alone, and says what is proved of them', async () => {
    const out = at('leading.safetensors');
    const report = await json('svd', weights, '--matrix', 'tall', '--rank', '4', '--out', out);
    const all = [...svd(tall).S.data];
    const [{ S, residual, norm, certified, ...rest }] = report.items;
    expect(S).toHaveLength(4);
    S.forEach((s: number, i: number) => {
      expect(Math.abs(s - all[i])).toBeLessThanOrEqual(2 * rest.bound);
    });
    const error = all.length * rest.bound; // of the root of a sum of squares
    expect(Math.abs(norm - Math.hypot(...all))).toBeLessThanOrEqual(error);
    expect(Math.abs(residual * norm - Math.hypot(...all.slice(4)))).toBeLessThanOrEqual(error);
    expect(certified).toBe(true);
    expect(rest).not.toHaveProperty('condition');
    expect((await readTensors(out)).U.shape).toEqual([40, 4]);
    const { stdout } = await cli('svd', weights, '--matrix', 'tall', '--rank', '4');
    expect(stdout).toContain('– ');
    expect(stdout).toContain('certified: no larger singular value was missed');
  });

  test.each([
    ['--matrix', 'tall'],
    ['--a', 'A', '--b', 'B'],
  ])('--tol and --energy choose the rank: %s', async (...matrix) => {
    const whole = (await json('svd', weights, ...matrix)).items;
    const error = Math.max(
      ...whole.map(
        ({ S, bound, norm }: { S: number[]; bound: number; norm: number }) => (S.length * bound) / norm,
      ),
    );
    const { rank, items } = await json('svd', weights, ...matrix, '--energy', '0.9');
    const left = (k: number) =>
      whole.map(({ S, norm }: { S: number[]; norm: number }) => Math.hypot(...S.slice(k), 0) / norm);
    expect(Math.max(...left(rank))).toBeLessThanOrEqual(Math.sqrt(0.1) + error);
    expect(Math.max(...left(rank - 1))).toBeGreaterThan(Math.sqrt(0.1));
    const tol = 0.5 * whole[0].norm;
    const within = await json('svd', weights, ...matrix, '--tol', `${tol}`);
    for (const item of within.items)
      expect(item.residual * item.norm).toBeLessThanOrEqual(tol + error * item.norm);
    expect(within.rank).toBeLessThan(whole[0].S.length);
    expect(items).toHaveLength(whole.length);
  });

  test('a zero matrix has effective rank 0, infinite condition and residual 0', async () => {
    const report = await json('svd', weights, '--matrix', 'zero');
    expect(report.items[0]).toMatchObject({ effectiveRank: 0, condition: null, residual: 0 });
    expect((await cli('svd', weights, '--matrix', 'zero')).stdout).toMatch(/0 0 +0 +∞ +0$/m);
  });

  test('an empty batch is no failure', async () => {
    expect((await json('svd', weights, '--matrix', 'none')).items).toEqual([]);
    expect((await cli('svd', weights, '--matrix', 'none')).stdout).toContain('The batch is empty.');
  });
});

test('the effective rank is exp of the entropy of the energies', () => {
  expect(summarizeSpectrum([2, 2, 2, 2])).toMatchObject({
    effectiveRank: expect.closeTo(4),
    condition: 1,
    norm: 4,
  });
  expect(summarizeSpectrum([5, 0, 0]).effectiveRank).toBe(1);
  expect(summarizeSpectrum([])).toEqual({ norm: 0, effectiveRank: 0, condition: Number.NaN }); // as `cond`, which throws
  expect(summarizeSpectrum([1e300, 1e300]).effectiveRank).toBeCloseTo(2);
  expect(summarizeSpectrum([1e-300, 1e-300]).norm).toBeCloseTo(Math.SQRT2 * 1e-300, 310);
  const [p, q] = [0.8, 0.2];
  expect(summarizeSpectrum([2, 1]).effectiveRank).toBeCloseTo(Math.exp(-p * Math.log(p) - q * Math.log(q)));
});

describe('exit code 0', () => {
  test.each([[['--help']], [['--version']], [['svd', '--help']], [['inspect', '--help']]])(
    '%j',
    async (argv) => {
      const { code, stdout, stderr } = await cli(...argv);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect(stdout).toMatch(argv[0] === '--version' ? /^\d+\.\d+\.\d+/ : /Usage: factored-svd/);
    },
  );
});

describe('exit code 2: wrong usage', () => {
  const usage: [argv: string[], message: RegExp][] = [
    [[], /Usage: factored-svd/],
    [['frobnicate'], /unknown command 'frobnicate'/],
    [['inspect'], /missing required argument 'file'/],
    [['svd', 'FILE', 'extra'], /too many arguments/],
    [['svd', 'FILE'], /name both factors with --a and --b, or one tensor with --matrix/],
    [['svd', 'FILE', '--a', 'A'], /name both factors/],
    [['svd', 'FILE', '--matrix', 'tall', '--a', 'A'], /--matrix cannot be combined/],
    [['svd', 'FILE', '--matrix', 'tall', '--transpose-b'], /--matrix cannot be combined/],
    [['svd', 'FILE', '--matrix', 'tall', '--rank', '0'], /--rank.*Expected a positive integer/],
    [['svd', 'FILE', '--matrix', 'tall', '--rank', '0x2'], /Expected a positive integer/],
    [['svd', 'FILE', '--matrix', 'tall', '--rank', '2e0'], /Expected a positive integer/],
    [['svd', 'FILE', '--matrix', 'tall', '--rank', 'two'], /Expected a positive integer/],
    [['svd', 'FILE', '--matrix', 'tall', '--tol', '-1'], /--tol.*Expected a number ≥ 0/],
    [['svd', 'FILE', '--matrix', 'tall', '--tol', ''], /Expected a number ≥ 0/],
    [['svd', 'FILE', '--matrix', 'tall', '--energy', '1.5'], /--energy.*Expected a number in \(0, 1\]/],
    [
      ['svd', 'FILE', '--matrix', 'tall', '--rank', '1', '--tol', '1'],
      /give one of --rank, --tol and --energy/,
    ],
    [['svd', 'FILE', '--matrix', 'tall', '--ranks', '2'], /unknown option '--ranks'/],
    [['svd', 'FILE', '--matrix', 'tall', '--out', 'FILE'], /--out would overwrite the input file/],
  ];

  test('an argument does not end the line of the error', async () => {
    for (const argv of [['--rank', 'x\nfactored-svd: well'], ['--no\nwell']]) {
      const { stderr } = await cli('svd', weights, '--matrix', 'tall', ...argv);
      expect(stderr).toMatch(/^factored-svd: .*\\u000a[^\n]*\n$/);
    }
    expect((await cli('svdd')).stderr).toMatch(/^factored-svd: [^\n]*\n\(Did you mean svd\?\)\n$/);
  });

  test.each(usage)('%j', async (argv, message) => {
    const { code, stdout, stderr } = await cli(...argv.map((word) => (word === 'FILE' ? weights : word)));
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(message);
    if (argv.length > 0) expect(stderr).toMatch(/^factored-svd: /);
  });
});

describe('exit code 1: a file or the computation failed', () => {
  const failures: [argv: string[], message: RegExp][] = [
    [['inspect', '/no/such.safetensors'], /no\/such.safetensors: cannot open: .* \[ERR_SVD_FILE\]$/],
    [['svd', 'FILE', '--matrix', 'tal'], /no tensor "tal"; nearest names: "tall", .* \[ERR_SVD_FILE\]$/],
    [['svd', 'FILE', '--matrix', 'bias'], /bias has shape \[5\]: expected a matrix .* \[ERR_SVD_SHAPE\]$/],
    [
      ['svd', 'FILE', '--a', 'A', '--b', 'bias'],
      /bias has shape \[5\]: expected a matrix .* \[ERR_SVD_SHAPE\]$/,
    ],
    [['svd', 'FILE', '--a', 'A', '--b', 'tall'], /\[2, 6, 3\].*\[40, 20\].* \[ERR_SVD_SHAPE\]$/],
    [['svd', 'FILE', '--matrix', 'nan'], /\[ERR_SVD_NON_FINITE\]$/],
    [['svd', 'FILE', '--matrix', 'tall', '--rank', '21'], /has 20 singular values .* \[ERR_SVD_ARGUMENT\]$/],
    [['svd', 'FILE', '--matrix', 'tall', '--out', '/no/such/out'], /cannot write: .* \[ERR_SVD_FILE\]$/],
  ];

  test.each(failures)('%j', async (argv, message) => {
    const { code, stdout, stderr } = await cli(...argv.map((word) => (word === 'FILE' ? weights : word)));
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^factored-svd: [^\n]+\n$/);
    expect(stderr.trimEnd()).toMatch(message);
  });

  test('with FACTORED_SVD_DEBUG the stack is there, too', async () => {
    vi.stubEnv('FACTORED_SVD_DEBUG', '1');
    const { code, stderr } = await cli('inspect', '/no/such.safetensors');
    expect(code).toBe(1);
    expect(stderr).toMatch(/\n +at /);
  });

  test('a failure leaves no output file', async () => {
    const out = at('never.safetensors');
    expect((await cli('svd', weights, '--matrix', 'nan', '--out', out)).code).toBe(1);
    expect(existsSync(out)).toBe(false);
  });
});

test('Ctrl-C aborts: exit code 130, no output file, and the handler is gone', async () => {
  const out = at('aborted.safetensors');
  const others = process.listeners('SIGINT');
  const running = cli('svd', weights, '--matrix', 'tall', '--out', out);
  const [onInterrupt] = process.listeners('SIGINT').filter((listener) => !others.includes(listener));
  onInterrupt('SIGINT');
  expect(await running).toMatchObject({ code: 130, stdout: '' });
  expect(existsSync(out)).toBe(false);
  expect(process.listeners('SIGINT')).toEqual(others);
});

test('a reader that goes away is no failure; a full disk is', async () => {
  const failing = (code: string) =>
    new Writable({ write: (_chunk, _encoding, done) => done(Object.assign(new Error(code), { code })) });
  const stderr = new Capture();
  expect(await run(['inspect', weights], { stdout: failing('EPIPE'), stderr })).toBe(0);
  expect(await run(['inspect', weights], { stdout: failing('ENOSPC'), stderr })).toBe(1);
  expect(stderr.text).toBe('factored-svd: ENOSPC [ENOSPC]\n');
});

describe('the progress bar', () => {
  function show(isTTY: boolean, milliseconds: number, total: number, done = 3): string {
    vi.useFakeTimers();
    const stderr = Object.assign(new Capture(), { isTTY });
    const progress = new Progress(stderr);
    vi.advanceTimersByTime(milliseconds);
    progress.update({ done, total });
    progress.stop();
    return stderr.text;
  }

  test('appears on a terminal once a batch has taken a second', () => {
    expect(show(true, 1001, 8)).toContain('3/8 matrices');
  });

  test('shows how much of one large matrix is done', () => {
    expect(show(true, 1001, 1, 0.37)).toContain('37%');
  });

  test('does not appear earlier, or where there is no terminal', () => {
    expect(show(true, 900, 8)).toBe('');
    expect(show(false, 5000, 8)).toBe('');
  });
});
