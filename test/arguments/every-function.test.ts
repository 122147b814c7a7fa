import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as api from '../../lib/index.ts';
import * as testing from '../../lib/matchers/testing.ts';
import '../../lib/matchers/vitest.ts';
import * as weights from '../../lib/weights/index.ts';
import { checkError, errorOf, rejectionOf } from '../support/checks.ts';

// No argument is ignored.

const { FactoredMatrix } = api;
type Call = (...rest: unknown[]) => unknown;

const a = [[3, 0], [4, 5]]; // biome-ignore format: a matrix
const M = new FactoredMatrix(a, a);
const result = api.svd(a);
const folder = mkdtempSync(join(tmpdir(), 'arguments-'));
const path = join(folder, 'a.safetensors');
let file: weights.SafetensorsFile;
const golden = join(folder, 'golden.json');

beforeAll(async () => {
  await weights.writeSafetensors(path, { a });
  await testing.recordGolden(path, { file: golden });
  file = await weights.openSafetensors(path);
});
afterAll(async () => {
  await file.close();
  rmSync(folder, { recursive: true });
});

/** Every function of the package with arguments that it takes; those of a call come after them. */
const bind = (owner: object, name: string, ...args: unknown[]): [string, Call] => [
  name,
  (...rest) => (owner as Record<string, Call>)[name](...args, ...rest),
];

const functions = (
  [
    ['svd', a],
    ['svdvals', a],
    ['svdLegacy', a],
    ['svdAsync', a],
    ['svdvalsAsync', a],
    ['svdLegacyAsync', a],
    ['norm', a, 'fro'],
    ['normAsync', a, 'fro'],
    ['cond', a],
    ['condAsync', a],
    ['matrixRank', a],
    ['matrixRankAsync', a],
    ['effectiveRank', a],
    ['effectiveRankAsync', a],
    ['pinv', a],
    ['pinvAsync', a],
    ['lstsq', a, [1, 2]],
    ['lstsqAsync', a, [1, 2]],
    ['stableRank', a],
    ['stableRankAsync', a],
    ['matmul', a, a],
    ['dist', a, a],
    ['distAsync', a, a],
    ['prepare', a],
    ['prepareAsync', a],
    ['transpose', a],
    ['diagEmbed', [1, 2]],
    ['slice', 0, 1, 1],
    ['threads'],
    ['setThreads', 2],
    ['versions'],
  ] as [string, ...unknown[]][]
).map(([name, ...args]) => bind(api, name, ...args));

const members = (
  [
    ['svd'],
    ['svdvals'],
    ['svdLegacy'],
    ['norm', 'fro'],
    ['rank'],
    ['cond'],
    ['pinv'],
    ['makeEven'],
    ['truncate', 1],
    ['collapseL'],
    ['collapseR'],
    ['eigenvalues'],
  ] as [string, ...unknown[]][]
).flatMap(([name, ...args]) => [bind(M, name, ...args), bind(M, `${name}Async`, ...args)]);

/** `lowRank` needs an option, where the others take none. */
const truncations = ['lowRank', 'lowRankAsync'].map((name): [string, Call] => [
  name,
  (options = { rank: 1 }, ...rest) => (api as unknown as Record<string, Call>)[name](a, options, ...rest),
]);

const products = (
  [['matmul', a], ['rmatmul', a], ['mul', 2], ['unsqueeze', 0], ['getCorner', 1], ['toString']] as [
    string,
    ...unknown[],
  ][]
).map(([name, ...args]) => bind(M, name, ...args));

const checks = (
  [
    ['bitIdentical', result, result],
    ['matchSvd', result, result],
    ['matchSingularValues', result, result],
    ['matchSubspaces', result, result],
    ['orthonormal', [[1]]],
    ['reconstructs', result, a],
    ['validSvd', result, a],
    ['recordGolden', path],
    ['compareGolden', golden, path],
  ] as [string, ...unknown[]][]
).map(([name, ...args]) => bind(testing, name, ...args));

const files: [string, Call][] = [
  ['openSafetensors', (...rest) => (weights.openSafetensors as Call)(path, ...rest)],
  ['openWeights', (...rest) => (weights.openWeights as Call)(path, ...rest)],
  ['writeNpy', (...rest) => (weights.writeNpy as Call)(join(folder, 'a.npy'), a, ...rest)],
  ['writeNpz', (...rest) => (weights.writeNpz as Call)(join(folder, 'a.npz'), { a }, ...rest)],
  ['writeSafetensors', (...rest) => (weights.writeSafetensors as Call)(path, { a }, {}, ...rest)],
  ['Weights.read', (...rest) => (file.read as Call).call(file, 'a', ...rest)],
  ['Weights.readStored', (...rest) => (file.readStored as Call).call(file, 'a', ...rest)],
  ['Weights.close', (...rest) => (file.close as Call).call(file, ...rest)],
];

const all = [...functions, ...truncations, ...members, ...products, ...checks, ...files];

const error = async (call: () => unknown): Promise<Error & { code?: string }> => {
  try {
    await call();
  } catch (e) {
    return e as Error;
  }
  throw new Error('was accepted');
};

const refused = async (call: () => unknown, ...texts: string[]): Promise<void> => {
  const { code, message } = await error(call);
  expect({ code, message }).toEqual({ code: 'ERR_SVD_ARGUMENT', message: expect.any(String) });
  for (const text of texts) expect(message).toContain(text);
};

describe('every function of the package', () => {
  it('is among those tested here', () => {
    const exported = [api, testing]
      .flatMap((module) => Object.keys(module))
      .filter((name) => name !== 'FactoredMatrix');
    const methods = Object.entries(Object.getOwnPropertyDescriptors(FactoredMatrix.prototype))
      .filter(([name, { value }]) => typeof value === 'function' && !['constructor', 'at'].includes(name))
      .map(([name]) => name);
    const tested = new Set(all.map(([name]) => name));
    expect([...exported, ...methods].filter((name) => !tested.has(name))).toEqual([]);
  });

  it.each(all)('%s refuses an option that does not exist', async (_, call) => {
    await refused(() => call({ shape: 3 }));
  });

  it.each(all)('%s refuses an argument too many', async (_, call) => {
    await refused(() => call({}, 1));
    await refused(() => call(undefined, null));
  });

  it.each(all)('%s refuses null and what is no plain object as its options', async (_, call) => {
    for (const x of [null, 5, 'fro', [], AbortSignal.abort(), new Map()]) await refused(() => call(x));
  });

  it.each(all.filter(([name]) => !/close/i.test(name)))(
    '%s takes undefined for what is not there',
    async (_, call) => {
      await call(undefined, undefined);
    },
  );
});

it('the constructor of FactoredMatrix refuses a third argument', async () => {
  const construct = (...args: unknown[]) => Reflect.construct(FactoredMatrix, args);
  await refused(() => construct(a, a, a), 'FactoredMatrix', 'A, B');
  construct(a, a, undefined);
});

it('matchers refuse what they do not know', async () => {
  const matchers = expect(result) as unknown as Record<string, Call>;
  await refused(() => matchers.toBeValidSvd(a, {}), 'M');
  await refused(() => matchers.toMatchSvd(result, { acceptUndetermnd: true }), 'acceptUndetermined');
  matchers.toMatchSvd(result, { acceptUndetermined: true });
});

describe('messages name what was meant', () => {
  const factored = M as unknown as Record<string, Call>;
  const svd = api.svd as unknown as Call;
  it.each([
    [() => svd(a, { full_matrices: true }), ["'full_matrices'", 'did you mean fullMatrices']],
    [() => svd(a, { fullMatrixes: true }), ['did you mean fullMatrices']],
    [() => svd(a, { compute_uv: false }), ['svdvals']],
    [() => svd(a, { some: false }), ['fullMatrices: true']],
    [() => svd(a, { hermitian: true }), ['symmetric']],
    [() => svd(a, { lapack_driver: 'gesvd' }), ['did you mean driver']],
    [() => svd(M, { driver: 'gesvd' }), ['svd(M.AB, { driver })']],
    [() => svd(a, { method: 'gram' }), ['one of rank, tol and energy']],
    [() => svd(a, { signal: AbortSignal.timeout(1) }), ['Async']],
    [() => svd(M, { fullMatrices: true }), ['fullMatrices', 'product']],
    [() => factored.rank(1e-3), ['FactoredMatrix.rank', '{ tol, rtol }', '0.001']],
    [() => factored.pinv({ rcond: 1e-3 }), ['did you mean rtol']],
    [() => factored.rank({ atol: 1e-3 }), ['did you mean tol']],
    [() => factored.norm('spectral'), ["'fro'", "'nuc'", '2', "'spectral'"]],
    [() => factored.norm(1), ["'fro'"]],
    [() => factored.norm({ ord: 2 }), ["'fro'"]],
    [() => [a].map(api.svdvals as Call), ['svdvals(x)']],
    [() => (api.norm as Call)(a, 'spectral'), ["'fro'", "'nuc'", '2', "'spectral'"]],
    [() => (api.norm as Call)(a, { ord: 2 }), ["'fro'"]],
    [() => (api.norm as Call)(a, 2, { keepdims: true }), ['leading dimensions']],
    [() => (api.matrixRank as Call)(a, { rcond: 1e-3 }), ['did you mean rtol']],
    [() => (api.matrixRank as Call)(a, { hermitian: true }), ['symmetric']],
    [() => (api.matrixRank as Call)(a, 1e-3), ['{ tol, rtol }']],
    [() => (api.cond as Call)(a, 'fro'), ['cond', '(a)']],
    [() => svd(a, { rtol: 1e-3 }), ['matrixRank']],
  ])('%s', async (call, texts) => {
    await refused(call, ...texts);
  });

  it.each([
    ['fullMatrices', 'true or false', () => svd(a, { fullMatrices: 1 })],
    ['signs', "'lapack' or 'canonical'", () => svd(a, { signs: null })],
    ['onError', "'throw' or 'collect'", () => svd(a, { onError: 'ignore' })],
    ['algorithm', "'product' or 'three-svd'", () => factored.svd({ algorithm: 'fast' })],
    ['rank', 'an integer ≥ 0', () => factored.svd({ rank: 1.5 })],
    ['tol', 'a number ≥ 0', () => factored.rank({ tol: -1 })],
    ['rtol', 'a number ≥ 0', () => factored.pinv({ rtol: Number.NaN })],
    ['signal', 'an AbortSignal', () => (api.svdAsync as Call)(a, { signal: {} })],
    ['onProgress', 'a function', () => factored.rankAsync({ onProgress: true })],
  ])('%s is %s', async (name, expected, call) => {
    await refused(call, name, expected);
  });
});

it('an option is read once', () => {
  let reads = 0;
  const options = {
    get signs(): 'lapack' {
      return reads++ === 0 ? 'lapack' : ('x' as 'lapack');
    },
  };
  api.svd(a, options);
  expect(reads).toBe(1);
});

it('options may come from another realm, without a prototype, or be undefined one by one', () => {
  const bare = Object.assign(Object.create(null), { signs: 'canonical' }) as object;
  expect(api.svd(a, bare)).toEqual(
    api.svd(a, { signs: 'canonical', fullMatrices: undefined, onError: undefined }),
  );
});

describe('options that hide', () => {
  const revoked = () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    return proxy;
  };
  const hidden = (name: string, value: unknown) => Object.defineProperty({}, name, { value });
  it.each([
    ['by a symbol', { [Symbol('rank')]: 1 }],
    ['not enumerable and unknown', hidden('foo', 1)],
    ['not enumerable and of the wrong kind', hidden('fullMatrices', 'x')],
    ['unknown and undefined', { fullMatrixes: undefined }],
    ['behind a revoked proxy', revoked()],
  ])('%s are refused', (_, options) => {
    checkError(
      errorOf(() => api.svd(a, options as object)),
      'ERR_SVD_ARGUMENT',
    );
  });

  it('and are heeded where they are right', () => {
    const { U } = api.svd([[1], [2]], hidden('fullMatrices', true));
    expect(U.shape).toEqual([2, 2]);
  });

  it('what only resembles an AbortSignal is refused', async () => {
    const signal = { aborted: false, addEventListener() {}, removeEventListener() {} };
    checkError(await rejectionOf(api.svdAsync(a, { signal } as object)), 'ERR_SVD_ARGUMENT', 'signal');
  });
});

it('null is for slice what None is in Python', () => {
  expect(api.slice(null, null, null)).toEqual(api.slice());
  expect(new FactoredMatrix([[1], [2], [3]], [[1]]).at(api.slice(0, 2, null)).AB.shape).toEqual([2, 1]);
});
