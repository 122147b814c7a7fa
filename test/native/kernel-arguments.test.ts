import { describe, expect, test } from 'vitest';
import { kernels } from '../../lib/native/addon.ts';
import { type Batch, packed } from '../../lib/native/batch.ts';
import { call, type Fields, flattened, type Kernel } from '../../lib/native/contract.ts';

// The kernels refuse fields that do not fit each other. Only a mistake in lib/native could make such; it must not become a
// step outside an array. native/fuzz/kernels.cc does the same to every kernel, under sanitizers.

const f64 = (n: number) => new Float64Array(n);
const i32 = (...x: number[]) => Int32Array.of(...x);
const batch = (rows: number, cols: number, count = 1) => packed(f64(count * rows * cols), count, rows, cols);
const status = (n = 1) => f64(3 * n);

function run<K extends Kernel>(kernel: K, fields: Fields<K>): void {
  kernels()[kernel](...flattened(call(kernel, fields)));
}

const gemm = (fields: Partial<Fields<'gemm'>>) => () =>
  run('gemm', {
    a: batch(2, 3),
    b: batch(3, 5),
    alpha: 1,
    accumulate: false,
    c: batch(2, 5),
    status: status(),
    ...fields,
  });
const scan =
  (a: Partial<Batch>, fields: Partial<Fields<'scan'>> = {}) =>
  () =>
    run('scan', {
      a: { ...batch(2, 3), ...a },
      fraction: f64(3),
      exponent: i32(0, 0, 0),
      status: status(),
      ...fields,
    });
const svdLadder = (fields: Partial<Fields<'svdLadder'>>) => () =>
  run('svdLadder', {
    a: batch(3, 2),
    vectors: 1,
    only: -1,
    scales: undefined,
    u: batch(3, 2),
    s: batch(1, 2),
    vh: batch(2, 2),
    status: status(),
    ...fields,
  });
const pack = (out: Partial<Batch>) => () =>
  run('pack', {
    format: 1,
    a: batch(2, 3, 2),
    out: { ...batch(2, 3, 2), ...out },
    perm: undefined,
    exponents: undefined,
    alpha: 1,
    accumulate: false,
  });
const cholesky = (fields: Partial<Fields<'cholesky'>>) => () =>
  run('cholesky', {
    root: batch(2, 2),
    gram: batch(2, 2),
    perm: i32(0, 1),
    exponents: undefined,
    unit: i32(0, 0),
    rootD: batch(2, 2),
    r: batch(2, 2),
    status: status(),
    ...fields,
  });

const once = { alpha: 1, accumulate: false, status: status() };

/** What is wrong, as the message says it, and the call. */
const wrong: [message: string, f: () => void][] = [
  ['b: inner dimensions differ', gemm({ b: batch(4, 5) })],
  ['b: another number of items', gemm({ b: batch(3, 5, 2) })],
  ['c: another number of items', gemm({ c: batch(2, 5, 2) })],
  ['c: another shape', gemm({ c: batch(5, 2) })],
  ['c: item 0 lies outside its array', gemm({ c: { ...batch(2, 5), first: 1 } })],
  [
    'c: expected rows that lie one behind the other',
    gemm({ c: { ...batch(2, 5), rowStride: 1, colStride: 2 } }),
  ],
  [
    'c: neither rows nor columns lie one behind the other',
    gemm({ c: { ...packed(f64(40), 1, 2, 5), rowStride: 20, colStride: 2 } }),
  ],
  ['a: item 0 lies outside its array', scan({ rowStride: -3 })],
  ['a: item 0 lies outside its array', scan({ first: 1 })],
  ['a: item 1 lies outside its array', scan({ count: 2 })],
  ['a: item 0 lies outside its array', scan({ offsets: f64(1).fill(Number.NaN) })],
  ['a: expected one offset for each item', scan({ offsets: f64(2) })],
  ['a: expected an integer', scan({ rowStride: 0.5 })],
  ['a: expected an integer', scan({ step: 2 ** 60 })],
  ['a: too many elements', scan({ rows: 2 ** 40, cols: 2 ** 40, rowStride: 0, colStride: 0 })],
  ['a: negative dimension', scan({ rows: -2 })],
  ['a: wrong kind of typed array', scan({ data: i32(0, 0, 0, 0, 0, 0) as unknown as Float64Array })],
  ['exponent: expected 3 elements, not 2', scan({}, { exponent: i32(0, 0) })],
  ['u: another shape', svdLadder({ u: batch(0, 0) })],
  ['u: expected contiguous items', svdLadder({ u: { ...packed(f64(9), 1, 3, 2), rowStride: 3 } })],
  ['u: another shape', svdLadder({ vectors: 0 })],
  ['vh: another number of items', svdLadder({ vectors: 0, u: batch(0, 0), vh: batch(0, 0, 2) })],
  ['vectors: unknown vectors', svdLadder({ vectors: 3 })],
  ['only: no routine of LAPACK', svdLadder({ only: 4 })],
  ['only: no routine of LAPACK', svdLadder({ only: -2 })],
  ['scales: an exponent is out of range', svdLadder({ scales: i32(2 ** 30, 0) })],
  ['status: expected 3 elements, not 2', svdLadder({ status: f64(2) })],
  [
    'a: expected square matrices',
    () => run('geev', { a: batch(2, 3), real: f64(2), imag: f64(2), status: status() }),
  ],
  ['c: another shape', () => run('outer', { a: batch(3, 5), c: batch(3, 5) })],
  [
    'c: expected contiguous items',
    () => run('outer', { a: batch(3, 5), c: { ...packed(f64(12), 1, 3, 3), rowStride: 4 } }),
  ],
  ['a: another shape', () => run('definite', { a: batch(3, 2), status: status() })],
  [
    'than Q has reflectors',
    () =>
      run('applyQ', {
        c: batch(4, 2),
        rows: 3,
        cols: 5,
        q: f64(15),
        t: f64(4),
        out: f64(6),
        status: status(),
      }),
  ],
  ['expected a permutation', cholesky({ perm: undefined })],
  ['perm: not a permutation', cholesky({ perm: i32(0, 2) })],
  ['gram: expected square matrices below each other', cholesky({ gram: batch(3, 2) })],
  ['gram: another number of items', cholesky({ root: batch(2, 2, 2) })],
  [
    'one column or more',
    () => {
      const [left, right] = [batch(0, 0), batch(0, 0)];
      const [leftPerm, leftExponents, rightPerm, rightExponents] = [i32(), i32(), i32(), i32()];
      const gauges = { leftPerm, leftExponents, rightPerm, rightExponents };
      run('gramSvd', { left, right, ...gauges, x: undefined, y: undefined, s: f64(0), status: status() });
    },
  ],
  ['out: the items overlap', pack({ step: 5 })],
  ['out: the items overlap', pack({ offsets: Float64Array.of(0, 5) })],
  ['out: the items overlap', pack({ offsets: Float64Array.of(6, 0) })],
];

describe('fields that do not fit are refused', () => {
  test.each(wrong)('%s', (message, f) => {
    expect(f).toThrow(TypeError);
    expect(f).toThrow(message);
  });

  test('and the same calls, right, are not', () => {
    for (const f of [gemm({}), scan({}), svdLadder({}), pack({}), cholesky({})]) expect(f).not.toThrow();
  });
});

describe('of matrices without columns', () => {
  const driver = ([code, , driver]: Float64Array) => [code, driver];
  const none = () => batch(0, 0);

  test.each([
    ['cholesky', 0],
    ['choleskyAgain', 1],
  ] as const)('%s finds the root', (name, found) => {
    const result = status();
    const empty = { perm: i32(), exponents: i32(), unit: i32(), rootD: none(), r: none(), status: result };
    run(name, { root: none(), gram: none(), ...empty });
    expect(driver(result)).toEqual([0, found]);
  });

  test('applyQ gives zeros', () => {
    const out = f64(12).fill(7);
    run('applyQ', { c: batch(0, 3), rows: 4, cols: 0, q: f64(0), t: f64(0), out, status: status() });
    expect(out).toEqual(f64(12));
  });
});

describe('what nothing steps along does not matter', () => {
  test.each([-1, 0, 1, 2, 7, 2 ** 40])('the stride between single columns or rows: %i', (stride) => {
    const identity = { ...batch(2, 2), data: Float64Array.of(1, 0, 0, 1) };
    const a = { ...batch(3, 2), data: Float64Array.of(1, 2, 3, 4, 5, 6) };
    const x = { ...batch(2, 1), data: Float64Array.of(10, 1), colStride: stride };
    const out = { ...batch(3, 1), colStride: stride };
    run('multiplySolved', { a, perm: undefined, exponents: undefined, root: identity, x, blocks: 1, out });
    expect(out.data).toEqual(Float64Array.of(12, 34, 56));

    const c = { ...batch(1, 2), rowStride: stride };
    run('gemm', { a: { ...x, rows: 1, cols: 2, rowStride: stride, colStride: 1 }, b: identity, ...once, c });
    expect(c.data).toEqual(x.data);
  });

  test('where a matrix without elements lies', () => {
    const nowhere = { data: f64(0), rows: 0, first: -1, step: 2 ** 53, rowStride: 2 ** 53 };
    expect(scan(nowhere)).not.toThrow();
    expect(scan({ ...nowhere, offsets: f64(1).fill(Number.NaN) })).not.toThrow();
  });
});
