import ndarray from 'ndarray';
import { describe, expect, it } from 'vitest';
import type { Tensor } from '../../../lib/array/tensor.ts';
import { svd, svdLegacy, transpose } from '../../../lib/index.ts';
import * as bounds from '../../../lib/testing/bounds.ts';
import { checkSameSpectrum, checkSvd, norm } from '../../support/checks.ts';
import { array, mapMatrix, randomMatrix } from '../../support/matrices.ts';

/** A copy of a decomposition with some of its arrays replaced. */
const altered = (
  svd: { U: Tensor; S: Tensor; Vh: Tensor },
  change: Partial<{ U: Tensor; S: Tensor; Vh: Tensor }>,
) => ({
  U: svd.U,
  S: svd.S,
  Vh: svd.Vh,
  ...change,
});

const mapVector = (x: Tensor, f: (value: number, i: number) => number): Tensor =>
  ndarray(x.data.map(f) as Float64Array, x.shape);

describe('the checks of this file', () => {
  const a = randomMatrix(29, [6, 6]);
  const result = svd(a);
  const { S } = result;
  const resolution = bounds.reconstruction('float64', norm(Array.from(S.data)), 6, 6);

  it('accept the decomposition itself', () => {
    expect(() => checkSvd(a, altered(result, {}))).not.toThrow();
  });

  it('see V in place of Vh', () => {
    expect(() => checkSvd(a, altered(result, { Vh: transpose(result.Vh) }))).toThrow(/stride/);
    const V = svdLegacy(a).V;
    expect(() => checkSvd(a, altered(result, { Vh: V }))).toThrow(/reconstruction/);
  });

  it('see one singular value that is off by twice the bound', () => {
    const off = mapVector(S, (s, j) => (j === 2 ? s + 2 * resolution : s));
    expect(() => checkSvd(a, altered(result, { S: off }))).toThrow(/reconstruction/);
    expect(() =>
      checkSameSpectrum('float64', off.data, S.data, result.bound as number, result.bound as number),
    ).toThrow(/spectrum/);
  });

  it('see singular values that are negative, not sorted, NaN or missing', () => {
    const swapped = mapVector(S, (_, j) => S.data[[1, 0, 2, 3, 4, 5][j]]);
    expect(() => checkSvd(a, altered(result, { S: swapped }))).toThrow(/sorted/);
    expect(() => checkSvd(a, altered(result, { S: mapVector(S, (s, j) => (j === 5 ? -s : s)) }))).toThrow(
      /≥ 0/,
    );
    expect(() => checkSvd(a, altered(result, { S: mapVector(S, () => Number.NaN) }))).toThrow(/finite/);
    expect(() => checkSvd(a, altered(result, { S: array(S.data.slice(1), [5]) }))).toThrow(/shape of S/);
  });

  it('see columns that are not of unit length, though their product is right', () => {
    const U = mapMatrix(result.U, (x) => x * 2);
    const half = mapVector(S, (s) => s / 2);
    expect(() => checkSvd(a, altered(result, { U, S: half }))).toThrow(/orthonormality: columns of U/);
    const Vh = mapMatrix(result.Vh, (x) => x * 2);
    expect(() => checkSvd(a, altered(result, { Vh, S: half }))).toThrow(/orthonormality: rows of Vh/);
  });

  it('see one sign flipped in U alone', () => {
    const U = mapMatrix(result.U, (x, _, j) => (j === 3 ? -x : x));
    expect(() => checkSvd(a, altered(result, { U }))).toThrow(/reconstruction/);
  });

  it('see a float32 result for a float64 matrix', () => {
    expect(() => checkSvd(a, svd(mapMatrix(a, (x) => x, 'float32')))).toThrow(/dtype/);
  });

  it('see an error in tiny weights: there is no absolute tolerance', () => {
    const tiny = mapMatrix(a, (x) => x * 1e-200);
    const right = svd(tiny);
    checkSvd(tiny, right);
    const off = mapVector(right.S, (s) => s * (1 + 2 * resolution));
    expect(() => checkSvd(tiny, altered(right, { S: off }))).toThrow(/reconstruction/);
  });
});
