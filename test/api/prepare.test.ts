import ndarray from 'ndarray';
import { describe, expect, it } from 'vitest';
import type { Dtype, Tensor } from '../../lib/array/tensor.ts';
import {
  dist,
  FactoredMatrix,
  type MatrixLike,
  matmul,
  type PerMatrix,
  type Progress,
  prepare,
  prepareAsync,
  svd,
  transpose,
} from '../../lib/index.ts';
import { allBits, bits, checkError, checkSameSpectrum, errorOf, rejectionOf } from '../support/checks.ts';
import { array, dtypes, randomMatrix, scaleColumnsBy } from '../support/matrices.ts';
import { passes } from '../support/passes.ts';

const shown = (x: PerMatrix): string => (typeof x === 'number' ? `${x}` : bits(x));

/** What is computed of a matrix; each of a fresh one, so that nothing comes from the cache of another. */
const members: Record<string, (M: FactoredMatrix) => string[]> = {
  svd: (M) => [...allBits(M.svd()), shown(M.svd().bound), `${M.svd().driver}`],
  svdvals: (M) => [bits(M.svdvals())],
  norm: (M) => [shown(M.norm())],
  rank: (M) => [shown(M.rank())],
  cond: (M) => [shown(M.cond())],
};
const asyncMembers: Record<string, (M: FactoredMatrix) => Promise<string[]>> = {
  svdAsync: async (M) => allBits(await M.svdAsync()),
  svdvalsAsync: async (M) => [bits(await M.svdvalsAsync())],
  normAsync: async (M) => [shown(await M.normAsync())],
  rankAsync: async (M) => [shown(await M.rankAsync())],
  condAsync: async (M) => [shown(await M.condAsync())],
};

/** The same matrices, one behind the other as often as broadcasting would repeat them. */
function repeated(x: Tensor, leading: readonly number[]): Tensor {
  const [m, n] = x.shape.slice(-2);
  const out = ndarray(
    new (x.data.constructor as Float64ArrayConstructor)(leading.reduce((p, d) => p * d, m * n)),
    [...leading, m, n],
  );
  for (let e = 0, i = 0; i < out.size / (m * n); i++) {
    const index = leading.map((d, axis) => {
      const behind = leading.slice(axis + 1).reduce((p, q) => p * q, 1);
      return x.shape[axis] === 1 ? 0 : Math.floor(i / behind) % d;
    });
    for (let row = 0; row < m; row++)
      for (let col = 0; col < n; col++) out.data[e++] = x.get(...index, row, col);
  }
  return out as Tensor;
}

describe.each(dtypes)('a broadcast factor, %s', (dtype) => {
  // An inner dimension of 64 cuts the batch into blocks of 32. The shapes of A: several blocks of rows, and not tall.
  const cases: [name: string, A: number[], B: number[]][] = [
    ['A, tall', [1, 1100, 64], [40, 64, 9]],
    ['A, not tall', [1, 20, 64], [40, 64, 90]],
    ['B, tall', [40, 9, 64], [1, 64, 1100]],
    ['A and B, each along its own dimension', [5, 1, 70, 64], [1, 9, 64, 80]],
    ['A, its repetitions across the ends of blocks', [5, 1, 70, 64], [5, 9, 64, 8]],
  ];
  const size = (shape: number[]) => shape.slice(0, -2).reduce((p, n) => p * n, 1);

  it.each(cases)(
    '%s: every matrix is measured once, and all bits are those of its copies',
    async (_, a, b) => {
      const [A, B] = [randomMatrix(1, a, dtype), randomMatrix(2, b, dtype)];
      const shared = () => new FactoredMatrix(A, B);
      const leading = shared().shape.slice(0, -2);
      const [copiesA, copiesB] = [repeated(A, leading), repeated(B, leading)];
      const copied = () => new FactoredMatrix(copiesA, copiesB);
      for (const member of Object.values(members)) expect(member(shared())).toEqual(member(copied()));
      for (const [factor, [m, n]] of [a, b].map((shape) => [shape, shape.slice(-2)] as const)) {
        expect(await passes(m, n, () => shared().svd())).toBe(size(factor));
        expect(await passes(m, n, () => copied().svd())).toBe(size([...leading, m, n]));
      }
    },
  );

  it('is measured once off the event loop as well, with the same bits', async () => {
    const [A, B] = [randomMatrix(3, [1, 70, 64], dtype), randomMatrix(4, [40, 64, 9], dtype)];
    const expected = members.svdvals(new FactoredMatrix(A, B));
    const found: string[][] = [];
    const count = await passes(70, 64, async () => {
      found.push(await asyncMembers.svdvalsAsync(new FactoredMatrix(A, B)));
    });
    expect(found).toEqual([expected]);
    expect(count).toBe(1);
  });

  it('with a matrix that is not finite among others fails where it is, the rest has its bits', () => {
    const A = randomMatrix(5, [1, 70, 64], dtype);
    const B = randomMatrix(6, [40, 64, 9], dtype);
    const good = new FactoredMatrix(A, B).svd();
    B.set(33, 2, 1, Number.NaN);
    const { S, errors } = new FactoredMatrix(A, B).svd({ onError: 'collect' });
    expect(errors.map(({ code, batchIndex }) => [code, batchIndex])).toEqual([['ERR_SVD_NON_FINITE', [33]]]);
    for (const i of [0, 31, 32, 34, 39]) {
      for (let j = 0; j < 9; j++) expect(S.get(i, j)).toBe(good.S.get(i, j));
    }
  });
});

/** One matrix of each kind: of memory layout, of shape, of condition. */
const layouts: Record<string, (dtype: Dtype) => Tensor> = {
  'row-major': (dtype) => randomMatrix(10, [70, 16], dtype),
  'of several blocks of rows': (dtype) => randomMatrix(11, [2100, 16], dtype),
  transposed: (dtype) => randomMatrix(12, [16, 70], dtype).transpose(1, 0),
  'every other row, backwards': (dtype) => randomMatrix(13, [140, 16], dtype).step(-2, 1),
  'not tall': (dtype) => randomMatrix(14, [12, 30], dtype),
  square: (dtype) => randomMatrix(15, [20, 20], dtype),
  'of nearly parallel columns (CholeskyQR2)': (dtype) => {
    const x = randomMatrix(16, [70, 16], dtype);
    for (let i = 0; i < 70; i++) for (let j = 1; j < 16; j++) x.set(i, j, x.get(i, 0) + x.get(i, j) / 500);
    return x;
  },
  'with columns of very different lengths': (dtype) =>
    scaleColumnsBy(
      randomMatrix(17, [70, 16], dtype),
      Array.from({ length: 16 }, (_, j) => 10 ** (j - 8)),
    ),
  'of elements whose squares overflow': (dtype) =>
    scaleColumnsBy(randomMatrix(18, [70, 16], dtype), new Array(16).fill(dtype === 'float32' ? 1e25 : 1e200)),
};

describe.each(dtypes)('a prepared factor, %s', (dtype) => {
  const each = Object.entries(layouts);

  it.each(each)('is the same matrix, frozen, over the same memory: %s', (_, make) => {
    const x = make(dtype);
    const prepared = prepare(x);
    const { shape, stride, offset } = x;
    expect(prepared).toMatchObject({ shape, stride, offset });
    expect(prepared.data.buffer).toBe(x.data.buffer);
    expect([prepared, prepared.shape, prepared.stride].every(Object.isFrozen)).toBe(true);
    expect(allBits(svd(prepared))).toEqual(allBits(svd(x)));
    const ones = array(new Array(x.shape[1]).fill(1), [x.shape[1]], dtype);
    expect(bits(matmul(prepared, ones) as Tensor)).toBe(bits(matmul(x, ones) as Tensor));
    expect(dist(prepared, x)).toBe(0);
  });

  describe.each(Object.entries(members))('%s', (_, member) => {
    it.each(each)(
      'as A, as B and transposed it is not measured again, and gives the same bits: %s',
      async (_, make) => {
        const x = make(dtype);
        const [m, n] = x.shape;
        const prepared = prepare(x);
        const uses: [string, (W: Tensor) => FactoredMatrix][] = [
          ['A', (W) => new FactoredMatrix(W, randomMatrix(20, [n, 9], dtype))],
          ['B', (W) => new FactoredMatrix(randomMatrix(21, [9, m], dtype), W)],
          ['T of A', (W) => new FactoredMatrix(W, randomMatrix(22, [n, 9], dtype)).T],
          ['transposed, as A', (W) => new FactoredMatrix(transpose(W), randomMatrix(23, [m, 9], dtype))],
          ['A, shared', (W) => new FactoredMatrix(W, randomMatrix(24, [3, n, 9], dtype))],
          ['A, with a new axis', (W) => new FactoredMatrix(W, randomMatrix(25, [n, 9], dtype)).unsqueeze(0)],
        ];
        for (const [use, make] of uses) {
          expect(member(make(prepared)), use).toEqual(member(make(x)));
          expect(await passes(m, n, () => member(make(prepared))), use).toBe(0);
          expect(await passes(m, n, () => member(make(x))), `${use}, not prepared`).toBeGreaterThan(0);
        }
      },
    );
  });

  it.each(Object.entries(asyncMembers))(
    '%s does not measure it again, and gives the same bits',
    async (_, member) => {
      for (const shape of [
        [70, 16],
        [1100, 16],
        [12, 30],
      ]) {
        const x = randomMatrix(30, shape, dtype);
        const [m, n] = shape;
        const prepared = await prepareAsync(x);
        const of = (W: Tensor) => new FactoredMatrix(W, randomMatrix(31, [3, n, 9], dtype));
        expect(await member(of(prepared))).toEqual(await member(of(x)));
        expect(await member(of(prepared).T)).toEqual(await member(of(x).T));
        expect(await passes(m, n, () => member(of(prepared)))).toBe(0);
        expect(await passes(m, n, () => member(of(x)))).toBeGreaterThan(0);
      }
    },
  );

  it.each(each)(
    'has the singular values it has unprepared, whichever twin is called: %s',
    async (_, make) => {
      const x = make(dtype);
      const of = (W: MatrixLike) => new FactoredMatrix(W, randomMatrix(32, [x.shape[1], 9], dtype));
      const { S, bound } = of(x).svd();
      for (const prepared of [prepare(x), await prepareAsync(x)]) {
        for (const other of [of(prepared).svd(), await of(prepared).svdAsync()]) {
          checkSameSpectrum(dtype, other.S.data, S.data, other.bound as number, bound as number);
        }
      }
    },
  );

  it('may be a batch: all matrices, one of them, and a part that is broadcast', async () => {
    const x = randomMatrix(33, [2, 3, 70, 16], dtype);
    const prepared = prepare(x);
    const uses: ((W: Tensor) => FactoredMatrix)[] = [
      (W) => new FactoredMatrix(W, randomMatrix(34, [16, 9], dtype)),
      (W) => new FactoredMatrix(W, randomMatrix(35, [2, 3, 16, 9], dtype)).at(-1, 1),
      (W) => new FactoredMatrix(W.pick(1, 2) as Tensor, randomMatrix(36, [40, 16, 9], dtype)),
      (W) => new FactoredMatrix(W, randomMatrix(37, [2, 3, 16, 9], dtype)).at(0).T,
    ];
    for (const of of uses) {
      for (const member of Object.values(members)) {
        expect(member(of(prepared))).toEqual(member(of(x)));
        expect(await passes(70, 16, () => member(of(prepared)))).toBe(0);
      }
    }
  });

  it('whose repetitions are views of one matrix is measured once', async () => {
    const { data } = randomMatrix(38, [70, 16], dtype);
    const x = ndarray(data, [5, 70, 16], [0, 16, 1]) as Tensor;
    // Once for its use as A, once for its use as B.
    expect(await passes(70, 16, () => prepare(x))).toBe(2);
    expect(await passes(70, 16, () => prepare(repeated(x, [5])))).toBe(10);
    expect(
      await passes(70, 16, () => new FactoredMatrix(prepare(x), randomMatrix(39, [16, 9], dtype)).svd()),
    ).toBe(2);
  });

  it('together with unprepared ones: only those are measured', async () => {
    const [A, B] = [randomMatrix(40, [6, 70, 16], dtype), randomMatrix(41, [6, 16, 50], dtype)];
    const of = (a: Tensor, b: Tensor) => new FactoredMatrix(a, b);
    const expected = members.svd(of(A, B));
    expect(members.svd(of(prepare(A), B))).toEqual(expected);
    expect(members.svd(of(A, prepare(B)))).toEqual(expected);
    expect(members.svd(of(prepare(A), prepare(B)))).toEqual(expected);
    const [a, b] = [prepare(A), prepare(B)];
    expect(await passes(16, 50, () => of(a, B).svd())).toBe(6);
    expect(await passes(16, 50, () => of(a, b).svd())).toBe(0);
  });

  it('does not make known what else lies in its memory', async () => {
    const x = randomMatrix(42, [70, 16], dtype);
    const B = randomMatrix(43, [16, 9], dtype);
    const prepared = prepare(x);
    const part = (W: Tensor) => new FactoredMatrix(W.hi(60, 16) as Tensor, B);
    expect(members.svd(part(prepared))).toEqual(members.svd(part(x)));
    expect(await passes(60, 16, () => part(prepared).svd())).toBe(1);
    x.set(3, 4, 100); // the caller's own array is always measured as it is
    expect(members.svd(new FactoredMatrix(x, B))).toEqual(
      members.svd(new FactoredMatrix(repeated(x, []), B)),
    );
  });

  it('that is written to after all gives an error or wrong numbers, but an answer', () => {
    const x = randomMatrix(44, [70, 16], dtype);
    const M = new FactoredMatrix(prepare(x), randomMatrix(45, [16, 9], dtype));
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY]) {
      x.data.fill(value);
      expect(errorOf(() => M.svd()).code).toBe('ERR_SVD_OVERFLOW');
    }
  });
});

describe('prepare', () => {
  it('of float32 with a partner of float64 is the promoted matrix', () => {
    const [x, B] = [randomMatrix(50, [70, 16], 'float32'), randomMatrix(51, [16, 9])];
    expect(members.svd(new FactoredMatrix(prepare(x), B))).toEqual(members.svd(new FactoredMatrix(x, B)));
  });

  it('of bfloat16 and of nested numbers holds what they are widened to', async () => {
    const bfloat16 = { data: Uint16Array.from([0x3f80, 0x4000, 0x4040]), shape: [3, 1], dtype: 'bfloat16' };
    for (const [x, dtype] of [
      [bfloat16, 'float32'],
      [[[1], [2], [3]], 'float64'],
    ] as [MatrixLike, Dtype][]) {
      const prepared = prepare(x);
      expect(Array.from(prepared.data)).toEqual([1, 2, 3]);
      expect(
        await passes(3, 1, () => new FactoredMatrix(prepared, randomMatrix(57, [1, 2], dtype)).svd()),
      ).toBe(0);
    }
  });

  it.each([[[0, 4]], [[4, 0]], [[0, 5, 3]], [[2, 0, 0]]])('of an empty matrix is one: %j', (shape) => {
    const prepared = prepare(array([], shape));
    const n = shape[shape.length - 1];
    expect(new FactoredMatrix(prepared, randomMatrix(52, [n, 2])).svdvals().shape).toEqual(
      new FactoredMatrix(array([], shape), randomMatrix(52, [n, 2])).svdvals().shape,
    );
  });

  const bad = (value: number, dtype: Dtype = 'float64') => {
    const x = randomMatrix(53, [2, 40, 3], dtype);
    x.set(1, 7, 2, value);
    return x;
  };
  const notFinite = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];

  it.each(notFinite)('with %d in it is ERR_SVD_NON_FINITE, and says where', async (value) => {
    for (const dtype of dtypes) {
      const x = bad(value, dtype);
      for (const [of, index] of [
        [x, [7, 2]],
        [x.transpose(0, 2, 1), [2, 7]],
      ] as const) {
        for (const error of [errorOf(() => prepare(of)), await rejectionOf(prepareAsync(of))]) {
          checkError(error, 'ERR_SVD_NON_FINITE', 'prepare', `[${index.join(', ')}]`);
          expect(error).toMatchObject({ index, batchIndex: [1] });
        }
      }
    }
  });

  it('of what is no matrix is ERR_SVD_ARGUMENT', async () => {
    for (const x of [[1, 2], 3, null, { data: new Int8Array(4), shape: [2, 2] }] as unknown as MatrixLike[]) {
      checkError(
        errorOf(() => prepare(x)),
        'ERR_SVD_ARGUMENT',
        'prepare',
      );
      checkError(await rejectionOf(prepareAsync(x)), 'ERR_SVD_ARGUMENT', 'prepare');
    }
  });

  it('of memory that was transferred away is ERR_SVD_ARGUMENT, then or later', () => {
    const transfer = (x: Tensor) =>
      structuredClone(x.data.buffer, { transfer: [x.data.buffer as ArrayBuffer] });
    const [x, y] = [randomMatrix(54, [8, 3]), randomMatrix(55, [8, 3])];
    transfer(x);
    checkError(
      errorOf(() => prepare(x)),
      'ERR_SVD_ARGUMENT',
    );
    const M = new FactoredMatrix(prepare(y), randomMatrix(56, [3, 2]));
    transfer(y);
    checkError(
      errorOf(() => M.svd()),
      'ERR_SVD_ARGUMENT',
      'transferred',
    );
  });
});

describe('prepareAsync', () => {
  it('tells progress in matrices, and gives the same as prepare', async () => {
    const x = randomMatrix(60, [5, 1100, 16]);
    const seen: Progress[] = [];
    const prepared = await prepareAsync(x, { onProgress: (progress) => seen.push({ ...progress }) });
    expect(seen.at(-1)).toEqual({ done: 5, total: 5 });
    const B = randomMatrix(61, [16, 9]);
    expect(members.svd(new FactoredMatrix(prepared, B))).toEqual(
      members.svd(new FactoredMatrix(prepare(x), B)),
    );
  });

  it('that is aborted rejects with the reason', async () => {
    const reason = new Error('not needed');
    expect(await rejectionOf(prepareAsync([[1], [2]], { signal: AbortSignal.abort(reason) }))).toBe(reason);
    const controller = new AbortController();
    const promise = prepareAsync(randomMatrix(62, [5, 1100, 16]), { signal: controller.signal });
    controller.abort(reason);
    expect(await rejectionOf(promise)).toBe(reason);
  });
});
