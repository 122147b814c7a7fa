import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { diagEmbed, FactoredMatrix, svd, svdLegacy, type Tensor } from '../../lib/index.ts';
import { bitIdentical, validSvd } from '../../lib/testing/index.ts';
import { allBits, bits } from '../support/checks.ts';
import { randomProduct } from '../support/matrices.ts';

const product = (leading: number[] = [], dtype: 'float32' | 'float64' = 'float64') => {
  const { A, B } = randomProduct(71, [9, 4, 6], dtype, leading);
  return new FactoredMatrix(A, B);
};
const arrays = (x: object): Tensor[] =>
  [...Object.values(x), (x as { next?: unknown }).next].filter(
    (value) => typeof value === 'object' && value !== null && 'stride' in value,
  );
/** Writes into every array of a result. */
const spoil = (x: object) => {
  for (const { data } of arrays(x)) data.fill(999);
};
/** Transfers the memory of every array of a result away. */
const transfer = (x: object) => {
  for (const { data } of arrays(x)) structuredClone(data.buffer, { transfer: [data.buffer as ArrayBuffer] });
};

describe.each([
  ['one matrix', [] as number[]],
  ['a batch', [2]],
])('writing into the results of %s, or transferring them away, changes no later answer', (_, leading) => {
  const answers: Record<string, (m: FactoredMatrix) => unknown> = {
    svd: (m) => allBits(m.svd()),
    svdvals: (m) => bits(m.svdvals()),
    U: (m) => bits(m.U),
    S: (m) => bits(m.S),
    Vh: (m) => bits(m.Vh),
    V: (m) => bits(m.V),
    bound: (m) => structuredClone(m.svd().bound),
    next: (m) => structuredClone(m.svd().next),
    cond: (m) => m.cond(),
    rank: (m) => m.rank(),
    nuc: (m) => m.norm('nuc'),
    pinv: (m) => bits(m.pinv().AB),
    makeEven: (m) => bits(m.makeEven().AB),
    collapseL: (m) => bits(m.collapseL()),
    collapseR: (m) => bits(m.collapseR()),
    svdLegacy: (m) => allBits(m.svdLegacy()),
    truncate: (m) => bits(m.truncate(2).AB),
    valid: (m) => validSvd(m, m).pass,
  };
  const handed: Record<string, (m: FactoredMatrix) => unknown> = {
    svd: (m) => m.svd(),
    svdAsync: (m) => m.svdAsync(),
    svdvals: (m) => ({ S: m.svdvals() }),
    svdvalsAsync: async (m) => ({ S: await m.svdvalsAsync() }),
    members: ({ U, S, Vh, V }) => ({ U, S, Vh, V }),
    legacy: (m) => m.svdLegacy(),
    pinv: ({ pinv }) => pinv,
    canonical: (m) => m.svd({ signs: 'canonical' }),
    evenFactors: (m) => {
      const { A, B } = m.makeEven();
      return { A, B };
    },
    inverseFactors: (m) => {
      const { A, B } = m.pinv();
      return { A, B };
    },
    truncatedFactors: (m) => {
      const { A, B } = m.truncate(2);
      return { A, B };
    },
  };
  it.each(Object.keys(handed))('%s', async (name) => {
    for (const [answer, ask] of Object.entries(answers)) {
      for (const ruin of [spoil, transfer]) {
        const [m, untouched] = [product(leading), product(leading)];
        for (let round = 0; round < 3; round++) {
          ruin((await handed[name](m)) as object);
          await handed[name](untouched);
          expect(ask(m), `${answer}, after round ${round}`).toEqual(ask(untouched));
        }
      }
    }
  });
});

it('a pseudo-inverse keeps its value when the decomposition it is made of is written over', () => {
  const m = product();
  const inverse = m.pinv();
  const before = bits(inverse.AB);
  spoil(m.svd());
  spoil({ U: m.U, Vh: m.Vh });
  expect(bits(inverse.AB)).toBe(before);
});

describe('a decomposition in JSON', () => {
  it('has plain arrays in row-major order with their shapes', () => {
    expect(JSON.parse(JSON.stringify(svd([[0, 2], [1, 0]])))).toEqual({
      U: { shape: [2, 2], data: svd([[0, 2], [1, 0]]).U.data.join().split(',').map(Number) },
      S: { shape: [2], data: [2, 1] },
      Vh: { shape: [2, 2], data: svd([[0, 2], [1, 0]]).Vh.data.join().split(',').map(Number) },
      bound: svd([[0, 2], [1, 0]]).bound,
      driver: 'gesdd-blocked',
      errors: [],
    }); // biome-ignore format: matrices
  });

  it.each(['float32', 'float64'] as const)('keeps every digit of %s, and the leading dimensions', (dtype) => {
    const result = product([2], dtype).svd();
    const read = JSON.parse(JSON.stringify(result));
    const type = dtype === 'float32' ? Float32Array : Float64Array;
    const again = (x: { shape: number[]; data: number[] }) => ({ shape: x.shape, data: type.from(x.data) });
    expect(bitIdentical({ U: again(read.U), S: again(read.S), Vh: again(read.Vh) }, result).pass).toBe(true);
    expect(read.bound.shape).toEqual([2]);
    expect(read.driver).toHaveLength(2);
  });

  it('says what failed', () => {
    const { errors, S } = JSON.parse(JSON.stringify(svd([[[Number.NaN]], [[1]]], { onError: 'collect' })));
    expect(errors).toEqual([expect.objectContaining({ code: 'ERR_SVD_NON_FINITE', batchIndex: [0] })]);
    expect(S.data).toEqual([null, 1]);
  });

  it('of svdLegacy has V', () => {
    expect(JSON.parse(JSON.stringify(svdLegacy([[2]])))).toMatchObject({
      V: { shape: [1, 1] },
      S: { data: [2] },
    });
  });
});

describe('a decomposition for people', () => {
  it('is one line without its elements', () => {
    expect(inspect(product().svd())).toMatch(
      /^Svd \{ U: float64 \[9, 4\], S: float64 \[4\] \(.*\), Vh: float64 \[4, 6\], bound: \S+, driver: [a-z/-]+ \}$/,
    );
    expect(inspect(svd(diagEmbed([5, 4, 3, 2, 1, 0])))).toContain('S: float64 [6] (5, 4, 3, … 0)');
    expect(inspect(product([40], 'float32').svd()).length).toBeLessThan(300);
    expect(inspect(svdLegacy([[2]]))).toBe(
      'LegacySvd { U: float64 [1, 1], S: float64 [1] (2), V: float64 [1, 1] }',
    );
    expect(inspect(svd([[[Number.NaN]], [[1]]], { onError: 'collect' }))).toContain('errors: 1');
  });
});

describe('a decomposition as a readonly tuple', () => {
  const result = svd([[3, 0], [4, 5]]); // biome-ignore format: a matrix
  it('has indices, length and the methods of an array', () => {
    const { U, S, Vh } = result;
    expect(result.length).toBe(3);
    expect([result[0], result[1], result[2]]).toEqual([U, S, Vh]);
    expect([...result]).toEqual([U, S, Vh]);
    expect(result.map((x) => x.shape.length)).toEqual([2, 1, 2]);
    expect(result.at(-1)).toBe(Vh);
    expect(([] as Tensor[]).concat(result)).toHaveLength(3);
    expect(result.slice(1)).toEqual([S, Vh]);
  });

  it('is an object all the same: its keys are its fields, and nothing can be written', () => {
    expect(Object.keys(result)).toEqual(['U', 'S', 'Vh', 'bound', 'driver', 'errors']);
    expect(Array.isArray(result)).toBe(false);
    expect(Object.isFrozen(result)).toBe(true);
    expect(Reflect.set(result, 0, 1)).toBe(false);
    expect('push' in result || 'sort' in result).toBe(false);
  });
});

it('a class of its own may extend FactoredMatrix', () => {
  class Head extends FactoredMatrix {
    get half() {
      return this.svd({ rank: 1 });
    }
  }
  const head = new Head([[3, 0], [4, 5]], [[1, 0], [0, 1]]); // biome-ignore format: matrices
  expect(head).toBeInstanceOf(FactoredMatrix);
  expect(head.half.S.shape).toEqual([1]);
  expect(FactoredMatrix.from(head)).toBe(head);
});
