import { expect } from 'vitest';
import type { Tensor } from '../../lib/array/tensor.ts';
import { type DistOperand, dist, FactoredMatrix, svd } from '../../lib/index.ts';
import * as bounds from '../../lib/testing/bounds.ts';
import { matchSvd, validSvd } from '../../lib/testing/index.ts';
import { dtypeOf, frobenius, matrixAt, multiplyRows, type Rows, transposeRows, vectorAt } from './checks.ts';
import { betaOf, type Exact, exactly, minus, normOf, times } from './exact.ts';
import { array, mapMatrix, orthogonal } from './matrices.ts';
import { copy, type Factors, flipU, flipV, rotateU, rotateV, shiftS, swapVectors } from './variants.ts';

// `dist`, `norm` and the checks of factored-svd/testing are computed with the code that they judge. Here they are judged by
// exact arithmetic on the formed matrices, which shares nothing with it.

/** A matrix, or a product that is not formed. */
export type Subject = Tensor | FactoredMatrix;

interface Formed {
  readonly M: Exact;
  /** Σ‖a_j‖·‖b_j‖ of its factors; of a matrix its norm. */
  readonly beta: number;
}

const known = new WeakMap<object, Formed>();

/** The matrix that an operand stands for. */
function formed(x: Subject | Factors): Formed {
  const found = known.get(x) ?? form(x);
  known.set(x, found);
  return found;
}

function form(x: Subject | Factors): Formed {
  if ('A' in x) return multiplied(exactly(matrixAt(x.A)), exactly(matrixAt(x.B)));
  if ('U' in x) {
    const S = vectorAt(x.S);
    const sigma = exactly(S.map((s, i) => S.map((_, j) => (i === j ? s : 0))));
    return multiplied(times(exactly(matrixAt(x.U)), sigma), exactly(matrixAt(x.Vh)));
  }
  const M = exactly(matrixAt(x));
  return { M, beta: normOf(M) };
}

const multiplied = (A: Exact, B: Exact): Formed => ({ M: times(A, B), beta: betaOf(A, B) });

/** What this package makes of it. */
const decomposition = (M: Subject): Factors => copy(M instanceof FactoredMatrix ? M.svd() : svd(M));

/** |found − ‖a − b‖_F|, as a multiple of what `dist` promises. */
function distanceError(found: number, a: Subject | Factors, b: Subject | Factors): number {
  const [x, y] = [formed(a), formed(b)];
  const [l, r] = [x.M.integers.length, x.M.integers[0].length];
  const size = Math.max(normOf(x.M), normOf(y.M));
  const limit = bounds.reconstruction('float64', size, l, r, x.beta + y.beta);
  return Math.abs(found - normOf(minus(x.M, y.M))) / limit;
}

/** How far the worst of what `validSvd` asks is from its bound, 1 being there. */
function violation(svd: Factors, M: Subject): number {
  const { U, S, Vh, bound } = svd;
  const dtype = dtypeOf(U);
  const identity = (p: number): Rows =>
    Array.from({ length: p }, (_, i) => Array.from({ length: p }, (_, j) => Number(i === j)));
  const departure = (X: Rows) => {
    const gram = times(exactly(X), exactly(transposeRows(X)), X.length);
    return normOf(minus(gram, exactly(identity(X.length)))) / bounds.orthonormality(dtype, X.length);
  };
  const sigma = vectorAt(S);
  if (sigma.some((s, j) => s < 0 || s > (sigma[j - 1] ?? s))) return Number.POSITIVE_INFINITY;
  const x = formed(M);
  const beta = Math.max(bounds.beta(dtype, bound), 'A' in M ? x.beta : 0);
  const [l, r] = [U.shape[0], Vh.shape[1]];
  const limit = bounds.reconstruction(dtype, normOf(x.M), l, r, beta);
  const residual = normOf(minus(x.M, formed(svd).M));
  return Math.max(departure(transposeRows(matrixAt(U))), departure(matrixAt(Vh)), residual / limit);
}

/** Changes of a decomposition, of which some matter and some do not; what they are is left to the exact judgement. */
function* mutations(right: Factors, M: Subject): Generator<[name: string, Factors]> {
  const p = right.S.shape[0];
  const [l, r] = [right.U.shape[0], right.Vh.shape[1]];
  const dtype = dtypeOf(right.U);
  const x = formed(M);
  const limit = bounds.reconstruction(
    dtype,
    normOf(x.M),
    l,
    r,
    Math.max(bounds.beta(dtype, right.bound), x.beta),
  );
  yield ['nothing', right];
  for (const j of new Set([0, p - 1])) {
    yield [`column ${j} of U flipped`, flipU(right, j)];
    yield [`the pair ${j} flipped`, flipV(flipU(right, j), j)];
    for (const by of [0.1, 10, 1e3]) yield [`S[${j}] up by ${by} of the bound`, shiftS(right, j, by * limit)];
    yield [`S[${j}] halved`, shiftS(right, j, -right.S.get(j) / 2)];
    yield [
      `row ${j} of Vh longer`,
      { ...right, Vh: mapMatrix(right.Vh, (v, i) => (i === j ? v * (1 + 1e-4) : v)) },
    ];
  }
  if (p > 1) {
    const Q = orthogonal(5, 2, 2);
    yield ['vectors swapped', swapVectors(right, 0, p - 1)];
    yield ['U rotated', rotateU(right, 0, Q)];
    yield ['both rotated', rotateV(rotateU(right, 0, Q), 0, Q)];
    yield ['both rotated at the end', rotateV(rotateU(right, p - 2, Q), p - 2, Q)];
    yield ['S of ones', { ...right, S: mapMatrix(right.S.lo(0), () => 1) }];
  }
}

/** That `dist` and `norm` of M, and of decompositions that are more or less wrong, are those of the formed matrices. */
export function judgeDistances(M: Subject): void {
  const right = decomposition(M);
  const shape = [right.U.shape[0], right.Vh.shape[1]];
  const zero = array(new Float64Array(shape[0] * shape[1]), shape);
  expect(distanceError(dist(M as DistOperand, zero) as number, M, zero), 'dist from 0').toBeLessThanOrEqual(
    1,
  );
  if (M instanceof FactoredMatrix)
    expect(distanceError(M.norm() as number, M, zero), 'norm').toBeLessThanOrEqual(1);
  for (const [name, other] of mutations(right, M)) {
    expect(distanceError(dist(M as DistOperand, other) as number, M, other), name).toBeLessThanOrEqual(1);
    expect(distanceError(dist(other, right) as number, other, right), name).toBeLessThanOrEqual(1);
  }
}

/** That the decomposition of M is right, and that `validSvd` accepts what is right and refuses what is wrong. */
export function judgeValidSvd(M: Subject): void {
  const right = decomposition(M);
  expect(violation(right, M), 'the decomposition itself').toBeLessThanOrEqual(1);
  const verdicts = new Set<boolean>();
  for (const [name, candidate] of mutations(right, M)) {
    const ratio = violation(candidate, M);
    if (ratio > 0.5 && ratio < 2) continue; // too close for a check that rounds itself
    verdicts.add(ratio < 1);
    expect(validSvd(candidate, M as DistOperand as Tensor).pass, `${name}: ${ratio} of the bound`).toBe(
      ratio < 1,
    );
  }
  expect(verdicts, 'both verdicts occur').toEqual(new Set([true, false]));
}

/**
 * That what `matchSvd` measures of clusters of one or two singular values is what it says. For X = UᵀŨ + VᵀṼ the best
 * rotation leaves ‖U·Q − Ũ‖² + ‖V·Q − Ṽ‖² = ‖U‖² + ‖Ũ‖² + ‖V‖² + ‖Ṽ‖² − 2·‖X‖_*, and of two rows and columns
 * ‖X‖_*² = ‖X‖_F² + 2·|det X|. Returns how many clusters were compared.
 */
export function judgePairs(M: Subject): number {
  const right = decomposition(M);
  const E = [transposeRows(matrixAt(right.U)), matrixAt(right.Vh)];
  let compared = 0;
  for (const [name, candidate] of mutations(right, M)) {
    const F = [transposeRows(matrixAt(candidate.U)), matrixAt(candidate.Vh)];
    const { checks } = matchSvd(candidate, right);
    for (const left of checks.filter((check) => check.name === 'left singular vectors')) {
      const [first, last] = left.cluster as [number, number];
      if (last - first > 1) continue;
      const part = (rows: Rows) => rows.slice(first, last + 1);
      const [U, V, X, Y] = [...E, ...F].map(part);
      const [overU, overV] = [multiplyRows(U, transposeRows(X)), multiplyRows(V, transposeRows(Y))];
      const both = overU.map((row, i) => row.map((x, j) => x + overV[i][j]));
      const det = both.length === 1 ? 0 : both[0][0] * both[1][1] - both[0][1] * both[1][0];
      const nuclear = Math.sqrt(frobenius(both) ** 2 + 2 * Math.abs(det));
      const expected = [U, V, X, Y].reduce((sum, rows) => sum + frobenius(rows) ** 2, -2 * nuclear);
      const other = checks[checks.indexOf(left) + 1];
      const found = left.value ** 2 + other.value ** 2;
      const rounding = bounds.orthonormality('float64', U[0].length + V[0].length);
      expect(Math.abs(found - expected), `${name}, cluster ${left.cluster}`).toBeLessThanOrEqual(rounding);
      compared++;
    }
  }
  return compared;
}

/** That `dist` of M from its decomposition is right, and `validSvd` accepts it. */
export function judgeDecomposition(M: Subject, name: string): void {
  const right = decomposition(M);
  expect(distanceError(dist(M as DistOperand, right) as number, M, right), name).toBeLessThanOrEqual(1);
  expect(validSvd(right, M as DistOperand as Tensor).text, name).toMatch(/^all/);
}
