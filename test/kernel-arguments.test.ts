import { describe, expect, test } from 'vitest';
import { kernels } from '../lib/native/addon.ts';

// The kernels refuse arguments that do not fit each other. Only a mistake in lib/native/kernels.ts could make such; it must not
// become a step outside an array. native/fuzz/kernels.cc does the same to every kernel, under sanitizers.

const layout = (down: number, across: number, ...offsets: number[]) =>
  Float64Array.of(down, across, ...(offsets.length > 0 ? offsets : [0]));
const f64 = (n: number) => new Float64Array(n);
const batch = (rows: number, cols: number, data = f64(rows * cols)) => [data, layout(cols, 1), rows, cols];
const status = (n = 1) => f64(3 * n);

type Name = 'applyQ' | 'cholesky' | 'geev' | 'gemm' | 'gesdd' | 'gramSvd' | 'pack' | 'scan';

const ones = [1, 0, null] as const; // alpha, beta, positions
const two = (rows: number, cols: number) => [
  f64(2 * rows * cols),
  layout(cols, 1, 0, rows * cols),
  rows,
  cols,
];

/** What is wrong, as the message says it, and the call. */
const wrong: [message: string, kernel: Name, args: unknown[]][] = [
  ['inner dimensions differ', 'gemm', [...batch(2, 3), ...batch(4, 5), ...ones, f64(10), status()]],
  ['numbers of items', 'gemm', [...batch(2, 3), ...two(3, 5), ...ones, f64(10), status()]],
  ['do not ascend', 'gemm', [...two(2, 3), ...two(3, 5), 1, 0, Int32Array.of(1, 1), f64(20), status(2)]],
  ['do not fit', 'gemm', [...batch(2, 3), ...batch(3, 5), 1, 0, Int32Array.of(1), f64(19), status()]],
  ['outside its array', 'scan', [f64(6), layout(-3, 1), 2, 3, f64(3), new Int32Array(3), status()]],
  ['outside its array', 'scan', [f64(6), layout(3, 1, 1), 2, 3, f64(3), new Int32Array(3), status()]],
  ['no integer', 'scan', [f64(6), layout(0.5, 1), 2, 3, f64(3), new Int32Array(3), status()]],
  [
    'too many elements',
    'scan',
    [f64(1), layout(0, 0), 2 ** 40, 2 ** 40, f64(3), new Int32Array(3), status()],
  ],
  ['negative dimension', 'scan', [f64(6), layout(3, 1), -2, 3, f64(3), new Int32Array(3), status()]],
  ['expected 3 elements, not 2', 'scan', [...batch(2, 3), f64(3), new Int32Array(2), status()]],
  ['expected a typed array', 'gesdd', [...batch(3, 2), 1, null, null, f64(2), f64(4), status()]],
  ['unknown vectors', 'gesdd', [...batch(3, 2), 3, null, f64(6), f64(2), f64(4), status()]],
  [
    'exponents beyond all numbers',
    'gesdd',
    [...batch(3, 1), 1, Int32Array.of(2 ** 30), f64(3), f64(1), f64(1), status()],
  ],
  ['expected square matrices', 'geev', [...batch(2, 3), f64(2), f64(2), status()]],
  ['than Q has reflectors', 'applyQ', [...batch(4, 2), 3, 5, f64(15), f64(4), f64(6), status()]],
  [
    'expected a permutation',
    'cholesky',
    [1, 9, 2, f64(4), f64(4), null, null, null, new Int32Array(2), f64(4), f64(4), status()],
  ],
  ['one column or more', 'gramSvd', [1, 0, 0]],
  ['the items overlap', 'pack', [1, ...two(2, 3), 0, null, null, 1, 0, 0, 5, null, f64(11)]],
];

describe('of matrices without columns', () => {
  const none = f64(0);
  const empty = [none, none, null, new Int32Array(0), new Int32Array(0), new Int32Array(0), none, none];
  const driver = ([code, , driver]: Float64Array) => [code, driver];

  test.each([
    ['cholesky', 0],
    ['choleskyAgain', 1],
  ] as const)('%s finds the root', (name, found) => {
    const result = status();
    kernels()[name](1, 9, 0, ...empty, result);
    expect(driver(result)).toEqual([0, found]);
  });

  test('applyQ gives zeros', () => {
    const out = f64(12).fill(7);
    kernels().applyQ(...batch(0, 3), 4, 0, none, none, out, status());
    expect(out).toEqual(f64(12));
  });
});

describe('arguments that do not fit are refused', () => {
  test.each(wrong)('%s: %s', (message, name, args) => {
    expect(() => kernels()[name](...args)).toThrow(TypeError);
    expect(() => kernels()[name](...args)).toThrow(message);
  });
});
