import { describe, expect, it } from 'vitest';
import type { Tensor } from '../../lib/array/tensor.ts';
import {
  diagEmbed,
  dist,
  distAsync,
  FactoredMatrix,
  matmul,
  prepareAsync,
  svd,
  svdAsync,
} from '../../lib/index.ts';
import { allBits, checkError, errorOf, rejectionOf } from '../support/checks.ts';
import { randomMatrix } from '../support/matrices.ts';

// Memory that goes away, or becomes too short, between the calls that use it or in the middle of one.

const Resizable = ArrayBuffer as unknown as new (
  n: number,
  options: { maxByteLength: number },
) => ArrayBuffer;
type Shrinking = ArrayBuffer & { resize(n: number): void };

/** A copy of `x` over a buffer that can be resized; its view has a length of its own, or follows the buffer. */
function resizable(x: Tensor, follows: boolean) {
  const bytes = x.data.byteLength;
  const buffer = new Resizable(bytes, { maxByteLength: 2 * bytes }) as Shrinking;
  const array = x.data.constructor as Float64ArrayConstructor;
  const data = follows ? new array(buffer) : new array(buffer, 0, x.data.length);
  data.set(x.data);
  return { data, shape: x.shape, buffer };
}

const ways: [
  string,
  (x: Tensor) => { a: Tensor | { data: Float64Array; shape: number[] }; lose: () => void },
][] = [
  [
    'transferred',
    (a) => ({ a, lose: () => structuredClone(a.data.buffer, { transfer: [a.data.buffer as ArrayBuffer] }) }),
  ],
  ...[true, false].map(
    (follows) =>
      [
        `shrunk, ${follows ? 'following the buffer' : 'of its own length'}`,
        (x: Tensor) => {
          const a = resizable(x, follows);
          return { a, lose: () => a.buffer.resize(a.buffer.byteLength / 2) };
        },
      ] as (typeof ways)[number],
  ),
];

describe.each(ways)('%s', (_, make) => {
  const code = 'ERR_SVD_ARGUMENT';

  it('before the call', async () => {
    const { a, lose } = make(randomMatrix(1, [6, 6]));
    const M = new FactoredMatrix(a, a);
    lose();
    for (const call of [
      () => svd(a),
      () => diagEmbed(a),
      () => matmul(a, a),
      () => dist(a, a),
      () => new FactoredMatrix(a, a),
      () => M.svd(),
      () => M.norm(),
      () => M.AB,
      () => M.at(0, [1, 2]).AB,
      () => M.getCorner(6),
      () => M.matmul([[1], [1], [1], [1], [1], [1]]),
    ])
      checkError(errorOf(call), code);
    for (const call of [
      () => svdAsync(a),
      () => M.svdAsync(),
      () => M.eigenvaluesAsync(),
      () => distAsync(M, M),
    ])
      checkError(await rejectionOf(call()), code);
  });

  it('in the middle of an asynchronous one', async () => {
    for (const call of [svdAsync, prepareAsync] as ((a: never) => Promise<unknown>)[]) {
      const { a, lose } = make(randomMatrix(2, [6, 500, 200]));
      const outcome = rejectionOf(call(a as never));
      lose();
      checkError(await outcome, code, 'transferred away or resized');
    }
  });
});

it('results that are moved away change no later answer', async () => {
  const [A, B] = [randomMatrix(3, [9, 5]), randomMatrix(4, [5, 8])];
  const M = new FactoredMatrix(A, B);
  const expected = allBits(new FactoredMatrix(A, B).svd());
  for (let i = 0; i < 3; i++) {
    const found = await M.svdAsync();
    expect(allBits(found)).toEqual(expected);
    for (const { data } of found) structuredClone(data.buffer, { transfer: [data.buffer as ArrayBuffer] });
    expect(M.cond()).toBeGreaterThan(1);
    expect(M.S.data).toHaveLength(5);
  }
});
