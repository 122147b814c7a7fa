// Every export of the package as a list of calls: its name, the arguments it is given, and how to make the call.
import fc from 'fast-check';
import { anyArray, anyIndex, anyNumber, anyOperand, optionsOf, validArray } from './fuzz-arguments.mjs';

const api = await import('../dist/index.js');
const checks = await import('../dist/testing.js');

const call = (name, args, run) => ({ name, args: fc.tuple(...args), run });

const asynchronous = ['signal', 'onProgress'];
/** The options of every function, without those of its asynchronous twin. */
const optionNames = {
  svd: ['fullMatrices', 'signs', 'onError', 'rank', 'tol', 'energy', 'method', 'certify', 'accuracy', 'seed'],
  matrixRank: ['tol', 'rtol'],
  pinv: ['tol', 'rtol'],
  lstsq: ['tol', 'rtol'],
  lowRank: ['rank', 'tol', 'energy'],
  'FactoredMatrix.svd': ['rank', 'algorithm', 'signs', 'onError'],
  'FactoredMatrix.rank': ['tol', 'rtol'],
  'FactoredMatrix.pinv': ['tol', 'rtol'],
  'testing.matchSvd': ['acceptUndetermined'],
  'testing.matchSubspaces': ['acceptUndetermined'],
  'testing.matchSingularValues': ['mode'],
  'testing.compareGolden': ['within', 'signal', 'onProgress'],
};
const optionsFor = (name) => {
  const own = optionNames[name.replace(/Async$/, '')] ?? [];
  return optionsOf(...own, ...(name.endsWith('Async') ? asynchronous : []));
};

const anyNorm = fc.oneof(fc.constantFrom(undefined, 'fro', 'nuc', 2), anyNumber);

const plain = [
  ...['svd', 'svdvals', 'svdAsync', 'svdvalsAsync', 'svdLegacy', 'svdLegacyAsync'].map((name) =>
    call(name, [anyOperand, optionsFor(name)], (a, options) => api[name](a, options)),
  ),
  ...['cond', 'matrixRank', 'effectiveRank', 'stableRank', 'pinv', 'lowRank'].flatMap((name) =>
    [name, `${name}Async`].map((each) =>
      call(each, [anyOperand, optionsFor(each)], (a, options) => api[each](a, options)),
    ),
  ),
  call('norm', [anyOperand, anyNorm], (a, ord) => api.norm(a, ord)),
  call('normAsync', [anyOperand, anyNorm, optionsFor('normAsync')], (a, ord, options) =>
    api.normAsync(a, ord, options),
  ),
  ...['lstsq', 'lstsqAsync'].map((name) =>
    call(name, [anyOperand, anyOperand, optionsFor(name)], (a, b, options) => api[name](a, b, options)),
  ),
  ...['diagEmbed', 'transpose'].map((name) => call(name, [anyOperand], (a) => api[name](a))),
  ...['dist', 'distAsync'].map((name) =>
    call(name, [anyOperand, anyOperand, optionsFor(name)], (a, b, options) => api[name](a, b, options)),
  ),
  call('matmul', [anyOperand, anyOperand], (a, b) => api.matmul(a, b)),
  call('slice', [anyNumber, anyNumber, anyNumber], (start, stop, step) => api.slice(start, stop, step)),
  call('setThreads', [anyNumber], (n) => {
    api.setThreads(n);
    api.setThreads(1 + (api.threads() % 3));
  }),
  call('versions', [], () => api.versions()),
];

const make = ([A, B]) => new api.FactoredMatrix(A, B);
/** Factors that go together often enough, and others. */
const pair = fc.oneof(
  { weight: 1, arbitrary: fc.tuple(anyArray, anyArray) },
  { weight: 3, arbitrary: validArray.map((a) => [a, api.transpose(a)]) },
  { weight: 1, arbitrary: anyArray.map((a) => [a, a]) },
);
const member = (name, args, run) =>
  call(`FactoredMatrix.${name}`, [pair, ...args], (ab, ...rest) => run(make(ab), ...rest));

const getters = [
  'AB',
  'BA',
  'T',
  'U',
  'S',
  'Vh',
  'V',
  'pair',
  'shape',
  'ndim',
  'ldim',
  'mdim',
  'rdim',
  'hasLeadingDims',
];
const methods = [
  'svd',
  'svdvals',
  'svdLegacy',
  'rank',
  'cond',
  'pinv',
  'makeEven',
  'collapseL',
  'collapseR',
  'eigenvalues',
];
const takesNumber = ['truncate', 'unsqueeze', 'getCorner', 'mul'];

const members = [
  ...getters.map((name) => member(name, [], (m) => m[name])),
  ...methods.flatMap((name) => [
    member(name, [optionsFor(`FactoredMatrix.${name}`)], (m, options) => m[name](options)),
    member(`${name}Async`, [optionsFor(`FactoredMatrix.${name}Async`)], (m, options) =>
      m[`${name}Async`](options),
    ),
  ]),
  ...takesNumber.map((name) => member(name, [anyNumber], (m, n) => m[name](n))),
  member('truncateAsync', [anyNumber, optionsFor('truncateAsync')], (m, p, options) =>
    m.truncateAsync(p, options),
  ),
  member('norm', [anyNorm], (m, ord) => m.norm(ord)),
  member('normAsync', [anyNorm, optionsFor('normAsync')], (m, ord, options) => m.normAsync(ord, options)),
  member('mul', [anyArray], (m, x) => m.mul(x)),
  member('matmul', [anyOperand], (m, x) => m.matmul(x)),
  member('rmatmul', [anyOperand], (m, x) => m.rmatmul(x)),
  member('at', [anyIndex], (m, index) => m.at(...index)),
  member('toString', [], (m) => `${m}`),
  call('FactoredMatrix.from', [anyOperand], (x) => api.FactoredMatrix.from(x)),
];

const recordOptions = [
  'leading',
  'full',
  'include',
  'exclude',
  'circuits',
  'update',
  'resume',
  'signal',
  'onProgress',
];

const testing = [
  call('testing.recordGolden', [anyOperand, optionsOf(...recordOptions)], (a, options) =>
    checks.recordGolden(a, options),
  ),
  ...Object.keys(checks)
    .filter((name) => name !== 'recordGolden')
    .map((name) =>
      call(`testing.${name}`, [anyOperand, anyOperand, optionsFor(`testing.${name}`)], (a, b, options) =>
        checks[name](a, b, options),
      ),
    ),
];

export const calls = [...plain, ...members, ...testing];

/** The last two dimensions. */
const sizes = (a) => api.transpose(a).shape.slice(-2);

/** Calls that must succeed, for arguments that are as they should be. */
export const validCalls = [
  call('svd', [validArray, fc.boolean()], (a, fullMatrices) => api.svd(a, { fullMatrices })),
  call('svdAsync', [validArray], (a) => api.svdAsync(a)),
  call('svdvals', [validArray], (a) => api.svdvals(a)),
  call('A·Aᵀ', [validArray], (a) => new api.FactoredMatrix(a, api.transpose(a)).svd()),
  ...['full', 'gram', 'krylov'].map((method) =>
    call(`svd, ${method}`, [validArray, fc.boolean()], (a, certify) =>
      api.svd(a, { rank: Math.min(1, ...sizes(a)), method, certify }),
    ),
  ),
  call('lstsq', [validArray], (a) => api.lstsq(a, a)),
  call('lowRank', [validArray, fc.double({ min: 0, max: 1, noNaN: true })], (a, energy) =>
    api.lowRank(a, { energy }),
  ),
  call('norm', [validArray, fc.constantFrom('fro', 'nuc', 2)], (a, ord) => api.norm(a, ord)),
  call('stableRank', [validArray], (a) => api.stableRank(a)),
  call('dist to the own decomposition', [validArray], (a) => api.dist(a, api.svd(a))),
];
