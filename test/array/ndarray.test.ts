import fc from 'fast-check';
import ndarray, { type NdArray } from 'ndarray';
import { describe, expect, test } from 'vitest';
import * as own from '../../lib/array/ndarray.ts';
import type { FloatArray } from '../../lib/array/tensor.ts';
import { output, testLimit } from '../robust/support/child.ts';

type View = NdArray<FloatArray>;

/** One call on a view, made on both kinds alike. */
type Call = readonly ['hi' | 'lo' | 'step' | 'transpose' | 'pick', readonly (number | null | undefined)[]];

const dimensions = 4;
const sizes = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 0, maxLength: dimensions });
const among = (...values: (number | null | undefined)[]) =>
  fc.array(fc.constantFrom(...values), { maxLength: dimensions });
const call: fc.Arbitrary<Call> = fc.oneof(
  fc.tuple(fc.constant('hi' as const), among(undefined, 1, 2, -1)),
  fc.tuple(fc.constant('lo' as const), among(undefined, 0, 1, -2)),
  fc.tuple(fc.constant('step' as const), among(undefined, 1, 2, -1, -3)),
  fc.tuple(fc.constant('pick' as const), among(undefined, null, -1, 0)),
  fc.nat({ max: 23 }).map((seed): Call => ['transpose', permutation(seed)]),
);

/** Of the first four axes; those that a view has not are left out below. */
function permutation(seed: number): number[] {
  const left = [0, 1, 2, 3];
  return [4, 3, 2, 1].map((n, i) => left.splice(Math.floor(seed / [6, 2, 1, 1][i]) % n, 1)[0]);
}

function made(view: View, [name, args]: Call): View {
  const own = name === 'transpose' ? args.filter((axis) => (axis as number) < view.shape.length) : args;
  return (view[name] as (...args: unknown[]) => View)(...own);
}

/** All that can be seen of a view. */
function seen(view: View) {
  const { data, shape, stride, offset, dtype, dimension, size, order } = view;
  const at = shape.map((n) => n - 1);
  return {
    data,
    shape: [...shape],
    stride: [...stride],
    offset,
    dtype,
    dimension,
    size,
    order: order.map((axis) => Math.abs(stride[axis])), // which of equal ones comes first is left open
    index: view.index(...at),
    last: view.get(...at),
  };
}

describe('views where code must not be generated', () => {
  test('are what scijs ndarray makes of the same calls', () => {
    fc.assert(
      fc.property(sizes, fc.array(call, { maxLength: 5 }), (shape, calls) => {
        const data = Float64Array.from({ length: 256 }, (_, i) => i);
        let [a, b]: [View, View] = [own.strided(data, [...shape]), ndarray(data, [...shape])];
        for (const one of calls) {
          if (b.shape.length === 0 || b.shape.some((n) => n < 1)) break; // its class of no dimensions is another
          [a, b] = [made(a, one), made(b, one)];
          if (b.shape.every((n) => n > 0)) expect(seen(a)).toEqual(seen(b));
        }
        if (b.shape.some((n) => n < 1)) return;
        a.set(...a.shape.map(() => 0), 7);
        expect(b.get(...b.shape.map(() => 0))).toBe(7);
      }),
    );
  });

  test('start where ndarray does when strides are negative, and know both dtypes', () => {
    const data = new Float32Array(6);
    for (const [shape, stride] of [
      [
        [2, 3],
        [-3, 1],
      ],
      [
        [2, 3],
        [3, -1],
      ],
      [[6], [-1]],
    ])
      expect(seen(own.strided(data, shape, stride))).toEqual(seen(ndarray(data, shape, stride)));
  });

  test('the package works with --disallow-code-generation-from-strings, with the same bits', {
    timeout: testLimit,
  }, async () => {
    const node = ['--disallow-code-generation-from-strings'];
    const [usual, forbidden] = [await output('same-bits.mjs'), await output('same-bits.mjs', { node })];
    expect(forbidden).toBe(usual);
  });
});
