import { describe, expect, it } from 'vitest';
import {
  diagEmbed,
  dist,
  distAsync,
  FactoredMatrix,
  matmul,
  prepare,
  prepareAsync,
  setThreads,
  slice,
  svd,
  svdAsync,
  svdLegacyAsync,
  svdvals,
  svdvalsAsync,
  transpose,
} from '../../lib/index.ts';
import { matchSvd, validSvd } from '../../lib/testing/index.ts';
import {
  openSafetensors,
  openWeights,
  writeNpy,
  writeNpz,
  writeSafetensors,
} from '../../lib/weights/index.ts';

// The stack of an error begins at the line that called the package.

const nan = [[Number.NaN]];
const ragged = [[1], [1, 2]];
const M = new FactoredMatrix(nan, [[1]]);
const wide = new FactoredMatrix([[1]], [[1, 2]]);

const firstFrame = ({ stack }: Error): string =>
  stack?.split('\n').find((line) => /^ {4}at /.test(line)) ?? '';

/** The error of `call`, whose own name must then be in the first frame of its stack. */
async function errorOf(call: () => unknown): Promise<Error & { code?: string }> {
  try {
    await call();
  } catch (error) {
    return error as Error;
  }
  throw new Error('no error');
}

const calls: Record<string, () => unknown> = {
  svd: () => svd(nan),
  svdvals: () => svdvals(ragged),
  svdOfProduct: () => svd(M),
  option: () => svd(nan, { ranks: 1 } as object),
  matmul: () => matmul([[1, 2]], [[1]]),
  dist: () => dist([[1, 2]], [[1]]),
  prepare: () => prepare(nan),
  transpose: () => transpose([1]),
  diagEmbed: () => diagEmbed(ragged),
  setThreads: () => setThreads(0),
  slice: () => slice(0.5),
  constructed: () => new FactoredMatrix([[1, 2]], [[1]]),
  getter: () => M.U,
  transposed: () => wide.BA,
  member: () => M.svd({ rank: 1 }),
  cond: () => M.cond(),
  timesFactored: () => wide.matmul(wide),
  at: () => M.at(5, 5, 5),
  validSvd: () => validSvd({ U: [[1]], S: ragged, Vh: [[1]] }),
  matchSvd: () => matchSvd(M, M),
  svdAsync: () => svdAsync(nan),
  optionAsync: () => svdAsync(nan, { ranks: 1 } as object),
  svdvalsAsync: () => svdvalsAsync(ragged),
  svdLegacyAsync: () => svdLegacyAsync(nan),
  distAsync: () => distAsync(nan, nan),
  prepareAsync: () => prepareAsync(nan),
  memberAsync: () => M.svdAsync(),
  pinvAsync: () => M.pinvAsync(),
  truncateAsync: () => M.truncateAsync(1),
  eigenvaluesAsync: () => M.eigenvaluesAsync(),
  openSafetensors: () => openSafetensors('/nowhere/at/all'),
  openWeights: () => openWeights('/nowhere/at/all'),
  writeSafetensors: () => writeSafetensors('/nowhere/at/all', { nan }),
  writeNpy: () => writeNpy('/nowhere/at/all', nan),
  writeNpz: () => writeNpz('/nowhere/at/all', { nan }),
};

it.each(Object.entries(calls))('%s', async (name, call) => {
  const error = await errorOf(call);
  expect(error.code).toMatch(/^ERR_SVD_/);
  expect(firstFrame(error)).toContain(`at ${name} (`);
  expect(firstFrame(error)).toContain('stacks.test.ts');
  expect(error.stack?.startsWith(`${error.name}: ${error.message}\n`)).toBe(true);
});

describe('what an error carries is left alone', () => {
  it('of a file: its cause and its path', async () => {
    const error = await errorOf(() => openSafetensors('/nowhere/at/all'));
    expect(error).toMatchObject({ code: 'ERR_SVD_FILE', path: '/nowhere/at/all', cause: { code: 'ENOENT' } });
  });

  it('of an abort: the reason itself', async () => {
    const reason = new Error('enough');
    const { stack } = reason;
    expect(await errorOf(() => svdAsync([[1]], { signal: AbortSignal.abort(reason) }))).toBe(reason);
    expect(reason.stack).toBe(stack);
    const own = await errorOf(() => svd(nan));
    const before = own.stack;
    expect(await errorOf(() => svdAsync([[1]], { signal: AbortSignal.abort(own) }))).toBe(own);
    expect(own.stack).toBe(before);
  });

  it('of a callback: its own stack', async () => {
    const thrown = new Error('in a callback');
    const { stack } = thrown;
    const onProgress = () => {
      throw thrown;
    };
    expect(await errorOf(() => svdAsync([[1]], { onProgress }))).toBe(thrown);
    expect(thrown.stack).toBe(stack);
  });
});

it('collected errors begin at the caller too', async () => {
  const collect = () => svd([nan, [[1]]], { onError: 'collect' });
  expect(firstFrame(collect().errors[0])).toContain('at collect (');
  const collectAsync = () => new FactoredMatrix([nan, [[1]]], [[1]]).svdAsync({ onError: 'collect' });
  expect(firstFrame((await collectAsync()).errors[0])).toContain('at collectAsync (');
});

it('a stack that somebody else formats is left to him', async () => {
  const { prepareStackTrace } = Error;
  Error.prepareStackTrace = (_, sites) => sites;
  try {
    const error = await errorOf(() => svdAsync(nan));
    expect(error.code).toBe('ERR_SVD_NON_FINITE');
  } finally {
    Error.prepareStackTrace = prepareStackTrace;
  }
});
