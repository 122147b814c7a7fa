import { describe, expect, it } from 'vitest';
import { productSvd } from '../../lib/algorithms/product.ts';
import type { FactorDriver, Svd } from '../../lib/algorithms/result.ts';
import { epsilon } from '../../lib/array/tensor.ts';
import { runSync } from '../../lib/native/steps.ts';
import * as bounds from '../../lib/testing/bounds.ts';
import { array, random } from '../support/matrices.ts';
import { paths } from '../support/paths.ts';

// The bound of float32 products, against float64 of the same numbers: it holds for what makes rounding errors add up, and
// nowhere is it much more than the rounding of the result where float64 computes.

type Elements = { a(i: number, q: number): number; b(q: number, j: number): number };
type Shape = readonly [l: number, k: number, r: number];

const numbers = (n: number, next: () => number) => Array.from({ length: n }, next);

const classes: Record<string, (next: () => number, shape: Shape) => Elements> = {
  random: (next) => ({ a: next, b: next }),
  positive: (next) => ({ a: () => 1 + next(), b: () => 1 + next() }),
  'coin tosses': (next) => ({ a: () => (next() > 0 ? 1 : 0), b: () => (next() > 0 ? 1 : 0) }),
  'equal elements': () => ({ a: () => 1 / 3, b: () => 0.1 }),
  'nearly equal elements': (next) => ({ a: () => 1 + next() / 1e4, b: () => 1 + next() / 1e4 }),
  'a shared component': (next, [l, , r]) => {
    const [left, right] = [numbers(l, next), numbers(r, next)];
    return { a: (i) => left[i] + next() / 10, b: (_, j) => right[j] + next() / 10 };
  },
  'parallel columns': (next, [l, , r]) => {
    const [left, right] = [numbers(l, next), numbers(r, next)];
    return { a: (i) => left[i], b: (_, j) => right[j] };
  },
  cancellation: (next, [l, k, r]) => {
    const h = Math.ceil(k / 2);
    const [X, Y] = [numbers(l * h, next), numbers(h * r, next)];
    return {
      a: (i, q) => X[i * h + (q % h)] * (q < h ? 1 : 1 + next() / 1e4),
      b: (q, j) => Y[(q % h) * r + j] * (q < h ? 1 : -1),
    };
  },
  graded: (next, [, k]) => {
    const scale = numbers(k, () => 2 ** (15 * next()));
    return { a: (_, q) => next() * scale[q], b: (q) => next() * scale[q] };
  },
  'two levels': (next) => ({ a: (_, q) => next() * (q % 3 === 0 ? 1 : 64), b: next }),
  tiny: (next) => ({ a: () => next() * 1e-30, b: () => next() * 1e-10 }),
  huge: (next) => ({ a: () => next() * 1e25, b: () => next() * 1e9 }),
};

const shapes: Shape[] = [
  [12, 6, 10],
  [90, 24, 80],
  [20, 20, 20],
  [6, 40, 50],
  [1500, 8, 1200],
  [150, 140, 145],
];

/** A float32 product, and its singular values in float64. */
function sample(name: string, shape: Shape) {
  const [l, k, r] = shape;
  const { a, b } = classes[name](random(l + k + r), shape);
  const A = Array.from({ length: l * k }, (_, e) => Math.fround(a(Math.floor(e / k), e % k)));
  const B = Array.from({ length: k * r }, (_, e) => Math.fround(b(Math.floor(e / r), e % r)));
  const exact = runSync(productSvd(array(A, [l, k]), array(B, [k, r]), { vectors: 'none' }));
  const decompose = (force?: FactorDriver) =>
    runSync(productSvd(array(A, [l, k], 'float32'), array(B, [k, r], 'float32'), { vectors: 'none', force }));
  return { exact, decompose };
}

const largestError = ({ S }: Svd, exact: Svd): number =>
  Math.max(...Array.from(exact.S.data, (t, j) => Math.abs(S.data[j] - t)));

describe('bound of float32 products', () => {
  it.each(Object.keys(classes))('every error is within it on every path: %s', (name) => {
    for (const shape of shapes) {
      const { exact, decompose } = sample(name, shape);
      for (const force of [undefined, ...paths]) {
        const result = decompose(force);
        const tau = bounds.singularValues('float32', result.bound as number, exact.bound as number);
        expect(largestError(result, exact), `${shape}: ${result.driver}`).toBeLessThanOrEqual(tau);
      }
    }
  });

  it('it is the rounding of the result and little more where float64 computes', () => {
    for (const name of ['random', 'positive', 'coin tosses', 'two levels']) {
      const { bound, S, driver } = sample(name, [90, 24, 80]).decompose();
      const rounding = epsilon('float32') * S.data[0];
      expect(bound, `${name}: ${driver}`).toBeGreaterThan(rounding);
      expect(bound, `${name}: ${driver}`).toBeLessThan(rounding * (1 + 2 ** -16));
    }
  });

  it('an eighth of it would not hold', () => {
    const { exact, decompose } = sample('random', [12, 6, 10]);
    const result = decompose();
    const eighth = bounds.singularValues('float32', (result.bound as number) / 8, exact.bound as number);
    expect(largestError(result, exact)).toBeGreaterThan(eighth);
  });
});
