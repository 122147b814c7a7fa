import { inspect } from 'node:util';
import { dense, numbers, view, views } from './inputs.mjs';
import { outcomes } from './outcomes.mjs';

// What is said of wrong arguments, and every form of an input.

export function* argumentCalls(
  { svd, svdAsync, svdvals, dist, matmul, FactoredMatrix, setThreads, slice, prepare, diagEmbed },
  checks,
) {
  const M = () => new FactoredMatrix([[1, 2]], [[1], [2]]);
  const names = [
    'compute_uv',
    'some',
    'rcond',
    'fullmatrices',
    'full_matrices',
    'k',
    'q',
    'signal',
    'rank',
    'tol',
    'sings',
    'onerror',
    'x'.repeat(50),
    'constructor',
  ];
  for (const name of names) {
    yield [
      `option ${name}`,
      () =>
        outcomes(
          ...[
            (o) => svd([[1]], o),
            (o) => M().svd(o),
            (o) => M().rank(o),
            (o) => svdAsync([[1]], o),
            (o) => checks.matchSvd(1, 2, o),
          ].map((f) => () => f({ [name]: 1 })),
        ),
    ];
  }
  const values = {
    signs: 'x',
    fullMatrices: 1,
    driver: 'qr',
    onError: 'ignore',
    rank: -1,
    algorithm: 'qr',
    signal: 1,
    onProgress: 2,
    tol: -1,
    rtol: 'a',
  };
  for (const [name, x] of Object.entries(values))
    yield [
      `value of ${name}`,
      () =>
        outcomes(
          ...[(o) => svd([[1]], o), (o) => M().svd(o), (o) => M().rank(o), (o) => svdAsync([[1]], o)].map(
            (f) => () => f({ [name]: x }),
          ),
        ),
    ];
  for (const x of [null, 1, 'x', [], new Map(), () => {}, Symbol.iterator])
    yield [
      `instead of options ${inspect(x)}`,
      () =>
        outcomes(
          () => svd([[1]], x),
          () => M().svd(x),
          () => svdAsync([[1]], x),
        ),
    ];
  const data = Float64Array.of(1, 2, 3, 4, 5, 6);
  const bits = Uint16Array.of(1, 2, 3, 4, 5, 6);
  const shape = [2, 3];
  const inputs = {
    'by dims and strides': { data, dims: shape, strides: [1, 2] },
    'by a method': { data, shape, stride: () => [3, 1] },
    'of numpy-ts': { data, shape: [1, 2], strides: [2, 1], storage: { offset: 3 } },
    'with a type': { data, dims: shape, type: 'float64' },
    'of another type': { data, shape, dtype: 'float32' },
    'bits without a type': { data: bits, shape },
    'bits of a type': { data: bits, shape, type: 'float16' },
    integers: { data: Int32Array.of(1, 2), shape: [1, 2] },
    numbers: { data: [1, 2], shape: [1, 2] },
    'no data': { shape },
    'no shape': { data },
    'a shape below zero': { data, shape: [-1, 2] },
    'a broken shape': { data, shape: [1.5, 2] },
    'too many strides': { data, shape, stride: [1, 2, 3] },
    'broken strides': { data, shape, stride: ['a', 1] },
    'an offset below zero': { data, shape, offset: -1 },
    'too short': { data, shape: [3, 3] },
    'too short backwards': { data, shape, stride: [3, -1] },
    'many dimensions': { data, shape: new Array(70).fill(1) },
    nested: [
      [
        [1, 2],
        [3, 4],
      ],
      [
        [5, 6],
        [7, 8],
      ],
    ],
    'nested float32': [Float32Array.of(1, 2), Float32Array.of(3, 4)],
    'nested of both': [Float32Array.of(1, 2), [3, 4]],
    'nested float64 last': [Float32Array.of(0.1, 2), Float64Array.of(0.1, 4)],
    'nested unevenly': [[[1]], [2]],
    'nested, empty': [[], []],
    empty: [],
    'not numbers': [[1, 2n]],
    nothing: null,
    'not there': undefined,
    'a number': 3,
    'a string': 'abc',
    bits: views.transposed({ data: bits, shape }),
  };
  const dtyped = (x) => (x === inputs.bits ? { ...x, dtype: 'bfloat16' } : x);
  for (const [name, x] of Object.entries(inputs))
    yield [
      `input ${name}`,
      () =>
        outcomes(
          () => svd(dtyped(x)),
          () => svdAsync(dtyped(x)),
          () => svdvals(dtyped(x)),
          () => prepare(dtyped(x)),
          () => new FactoredMatrix(dtyped(x), dtyped(x)).svd(),
        ),
    ];
  const slow = Array.from({ length: 600 }, (_, i) => Array.from({ length: 300 }, numbers(i)));
  yield ['input nested, in slices', () => svdAsync(slow)];
  yield [
    'input undefined',
    async () =>
      outcomes(
        () => svd(),
        () => dist([[1]]),
        () => matmul(),
        () => new FactoredMatrix([[1]]),
      ),
  ];
  yield [
    'shapes that do not fit',
    () =>
      outcomes(
        () => dist([[1]], [[1, 2]]),
        () => matmul([[1, 2]], [[1, 2]]),
        () => matmul([1, 2], [1]),
        () => M().matmul([[1]]),
        () => M().rmatmul([[1, 2, 3]]),
        () => dist({ U: [[1]], S: [1, 2], Vh: [[1]] }, [[1]]),
        () =>
          dist(
            {
              A: { data: Float64Array.of(1), shape: [1, 1] },
              B: { data: Float64Array.of(1, 2), shape: [2, 1] },
              mdim: 1,
            },
            [[1]],
          ),
        () => new FactoredMatrix(dense(130, [2, 2, 2]), dense(131, [3, 2, 2])),
        () => M().truncate(5),
        () => M().getCorner(-1),
        () => M().norm('x'),
        () => M().unsqueeze(9),
        () => M().mul('x'),
        () => M().eigenvalues(),
        () => diagEmbed(dense(132, [3])),
        () => new FactoredMatrix(dense(133, [0, 2]), dense(134, [2, 2])).cond(),
        () =>
          FactoredMatrix.from({
            A: view(
              dense(135, [2, 2]),
              (s) => s,
              (t) => t,
            ),
            B: dense(136, [2, 2]),
            mdim: 2,
          }).svd(),
        () => FactoredMatrix.from(1),
      ),
  ];
  yield [
    'threads and slices',
    () =>
      outcomes(
        () => setThreads(0),
        () => setThreads('x'),
        () => setThreads(1e9),
        () => slice('a'),
        () => slice(1, 2, 0),
        () => slice(1),
      ),
  ];
}
