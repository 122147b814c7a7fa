// What a truncated decomposition promises, each as the largest ratio of an error to what is allowed; and what breaks it.
import { evidence, gramError, power, scaled } from './wide.mjs';

const epsilon = { float64: 2 ** -52, float32: 2 ** -23 };
const smallest = { float64: 2 ** -1074, float32: 2 ** -149 };

/** Bound of the values of a full decomposition, in units of ε·σ₁: docs/numerics.md. */
const fullBound = ([m, n]) => 4 * Math.sqrt(Math.min(m, n)) + Math.sqrt(Math.max(m, n)) / 4;

/** A drawn matrix, what `svd` found, and all of its singular values in float64: everything in units of 2^exponent. */
export function subject({ name, a, dtype, options }, result, values, { again, lapack }) {
  const exponent = power(values[0] ?? 0);
  const down = (x) => scaled(x, -exponent);
  const sigma = Array.from(values, down);
  const S = Array.from(result.S.data, down);
  const norm = Math.hypot(...sigma);
  const [m, n] = a.shape;
  return {
    name,
    options,
    dtype,
    result,
    again,
    lapack: lapack && { S: Array.from(lapack.S.data, down), bound: down(lapack.bound) },
    shape: a.shape,
    p: Math.min(m, n),
    r: S.length,
    sigma,
    S,
    norm,
    wide: evidence(Float64Array.from(a.data, down), m, n, result, S),
    residuals: Array.from(result.residuals.data, down),
    error: down(result.truncationError),
    bound: down(result.bound),
    tol: options.tol === undefined ? undefined : down(options.tol),
    energy: options.energy,
    reference: fullBound(a.shape) * epsilon.float64 * (sigma[0] ?? 0) + down(smallest.float64),
    eta: down(smallest[dtype]),
    eta64: down(smallest.float64),
    sums: ((m + n + 8) / 2) * epsilon.float64,
    rounding: roundingOf(options, dtype, result, a.shape, norm, S.length > 0 ? sigma[0] : norm),
  };
}

/** What rounding may have added to the evidence: twice what is added to it on purpose. */
function roundingOf({ accuracy = 0 }, dtype, result, [m, n], norm, sigma1) {
  const long = 2 + Math.sqrt(Math.max(m, n)) / 4 + Math.min(Math.max(m, n), 256) / 8;
  const narrow = accuracy > 32 * epsilon.float32 * (Math.sqrt(Math.min(m, n)) + long);
  const unit = isLeading(result) && dtype === 'float32' && narrow ? epsilon.float32 : epsilon.float64;
  return 2 * unit * (norm + long * sigma1);
}

/** Whether the triplets are not from a full decomposition. */
const isLeading = ({ driver }) => driver === 'gram' || driver === 'krylov';

const ratio = (error, allowed) => (error <= 0 ? 0 : error / Math.max(0, allowed));
const largest = (ratios) => ratios.reduce((most, x) => (x > most || Number.isNaN(x) ? x : most), 0);
const squares = (x) => x.reduce((all, s) => all + s * s, 0);

/** What the squares of the leading values, each within `bound`, may lack. */
function lacking({ sigma, r, bound, reference, eta, norm }) {
  const each = bound + reference + eta;
  const sum = sigma.slice(0, r).reduce((all, s) => all + s, 0);
  return 2 * each * sum + r * each ** 2 + 16 * epsilon.float64 * norm ** 2;
}

/** What a reconstruction from computed triplets may be off. */
const reconstruction = ({ dtype, norm, r, p, bound, reference, eta }) =>
  50 * epsilon[dtype] * norm + Math.sqrt(2 * r) * bound + Math.sqrt(p) * (reference + eta);

/** How many vectors the promise is about: of a full decomposition all, of which those returned are some. */
const vectors = ({ result, r, p }) => (isLeading(result) ? r : p);

/** Each gives a ratio of at most 1; undefined where it says nothing. */
export const checks = {
  form({ result, shape: [m, n], r, S }) {
    const shapes = [[m, r], [r], [r, n], [r]]; // biome-ignore format: shapes
    const arrays = [result.U, result.S, result.Vh, result.residuals];
    const fits = arrays.every((x, i) => x.shape.join() === shapes[i].join() && x.data.every(Number.isFinite));
    const descending = S.every((s, i) => s >= 0 && (i === 0 || s <= S[i - 1]));
    const numbers = [result.truncationError, result.bound].every((x) => Number.isFinite(x) && x >= 0);
    return fits && descending && numbers ? 0 : Number.POSITIVE_INFINITY;
  },
  'σ within residual'({ S, sigma, residuals, reference, eta64 }) {
    const nearest = (s) =>
      sigma.reduce((least, t) => Math.min(least, Math.abs(s - t)), Number.POSITIVE_INFINITY);
    return largest(S.map((s, i) => ratio(nearest(s), residuals[i] + reference + eta64)));
  },
  'residual not less'({ wide, residuals, eta64 }) {
    return largest(wide.residuals.map((eta, i) => ratio(eta, residuals[i] + eta64)));
  },
  // Subnormal evidence is rounded to the nearest number and one further up: two steps.
  'residual not more'({ wide, residuals, rounding, sums, dtype, eta64 }) {
    const most = (eta) => Math.SQRT2 * (eta * (1 + sums + 16 * epsilon[dtype]) + rounding) + 2 * eta64;
    return largest(wide.residuals.map((eta, i) => ratio(residuals[i], most(eta))));
  },
  'value within bound'({ result, S, sigma, bound, reference, eta }) {
    if (!result.certified) return undefined;
    return largest(S.map((s, i) => ratio(Math.abs(s - sigma[i]), bound + reference + eta / 2)));
  },
  'none missed'({ result, S, sigma, r, p, bound, reference, eta }) {
    if (!result.certified || r === 0 || r === p) return undefined;
    return ratio(sigma[r] - S[r - 1], bound + reference + eta / 2);
  },
  'error not less'({ wide, error, eta64 }) {
    return ratio(wide.error, error + eta64);
  },
  'error not more'({ wide, error, rounding, sums, eta64 }) {
    return ratio(error - wide.error, rounding + sums * wide.error + 2 * eta64);
  },
  'tol kept'({ tol, error, r, p }) {
    return tol === undefined || r === p ? undefined : ratio(error, tol);
  },
  'tol with no triplet less'(x) {
    const { tol, result, sigma, r } = x;
    if (tol === undefined || r === 0 || !result.certified) return undefined;
    const rest = Math.sqrt(squares(sigma.slice(r - 1)) + lacking(x)) + reconstruction(x);
    return ratio(tol, rest);
  },
  'energy held'(x) {
    const { energy, wide, norm, result } = x;
    if (energy === undefined || !result.certified) return undefined;
    const rest = Math.sqrt((1 - energy + 8 * epsilon.float64) * norm ** 2 + lacking(x)) + reconstruction(x);
    return ratio(wide.error, rest);
  },
  'energy with no triplet less'(x) {
    const { energy, result, sigma, r, norm } = x;
    if (energy === undefined || r === 0 || !result.certified) return undefined;
    return ratio(squares(sigma.slice(0, r - 1)), energy * norm ** 2 + lacking(x));
  },
  'U orthonormal'(x) {
    return ratio(gramError(x.result.U, 0), 40 * epsilon[x.dtype] * Math.sqrt(vectors(x)));
  },
  'Vh orthonormal'(x) {
    return ratio(gramError(x.result.Vh, 1), 40 * epsilon[x.dtype] * Math.sqrt(vectors(x)));
  },
  'same bits'({ result, again }) {
    if (again === undefined) return undefined;
    const bits = (x) => Buffer.from(x.data.buffer, x.data.byteOffset, x.data.byteLength);
    const same = ['U', 'S', 'Vh', 'residuals'].every((name) => bits(result[name]).equals(bits(again[name])));
    return same && again.truncationError === result.truncationError ? 0 : Number.POSITIVE_INFINITY;
  },
  'all singular values'({ sigma, lapack, reference }) {
    if (lapack === undefined) return undefined;
    return largest(lapack.S.map((s, i) => ratio(Math.abs(s - sigma[i]), lapack.bound + reference)));
  },
};

const withData = (x, f) => ({ ...x, shape: x.shape, data: x.data.map(f) });
const changed = (x, parts) => ({ ...x, ...parts });
const firstUp = (share) => (x, i) => (i === 0 ? x + share : x);

/** Whether what is allowed is small beside the matrix. */
const isSharp = ({ result, bound, eta, norm, p }) => result.certified && 1e3 * p * (bound + eta) < norm;

/** For every check what it must see: the same subject with something wrong, undefined where it has nothing to go wrong. */
export const corruptions = {
  form: (x) => x.r > 0 && changed(x, { result: { ...x.result, U: withData(x.result.U, () => Number.NaN) } }),
  'σ within residual': (x) => x.S[0] > 0 && changed(x, { S: x.S.map(firstUp(1 + x.S[0] + x.residuals[0])) }),
  'residual not less': (x) =>
    x.wide.residuals[0] > 0 && changed(x, { residuals: x.residuals.map(() => 0), eta64: 0 }),
  'residual not more': (x) =>
    x.S[0] > 0 && changed(x, { residuals: x.residuals.map((eta) => 2 * eta + 4 * (x.rounding + x.eta64)) }),
  'value within bound': (x) =>
    x.result.certified &&
    x.S[0] > 0 &&
    changed(x, { S: x.S.map(firstUp(3 * (x.bound + x.reference) + x.eta)) }),
  'none missed': (x) =>
    x.result.certified &&
    x.r > 0 &&
    x.sigma[x.r] > 4 * (x.bound + x.reference + x.eta) &&
    changed(x, { S: x.S.map((s, i) => (i === x.r - 1 ? x.sigma[x.r] / 2 : s)) }),
  'error not less': (x) =>
    x.wide.error > 4 * x.rounding && changed(x, { error: x.wide.error * (1 - 1e-9) - 2 * x.eta64 }),
  'error not more': (x) =>
    x.norm > 0 && changed(x, { error: x.wide.error * (1 + 2 * x.sums) + 2 * (x.rounding + x.eta64) }),
  'tol kept': (x) => x.r < x.p && x.error > 0 && changed(x, { tol: x.error * (1 - 1e-15) }),
  'tol with no triplet less': (x) =>
    isSharp(x) && x.r > 0 && x.sigma[x.r - 1] > x.norm / 9 && changed(x, { tol: leaving(x, x.r - 1) * 1.01 }),
  'energy held': (x) =>
    isSharp(x) && x.wide.error > x.norm / 9 && changed(x, { energy: 1 - 0.9 * (x.wide.error / x.norm) ** 2 }),
  'energy with no triplet less': (x) =>
    isSharp(x) && x.r > 1 && changed(x, { energy: (0.9 * squares(x.sigma.slice(0, x.r - 1))) / x.norm ** 2 }),
  'U orthonormal': (x) =>
    x.r > 0 && changed(x, { result: { ...x.result, U: withData(x.result.U, firstUp(0.1)) } }),
  'Vh orthonormal': (x) =>
    x.r > 0 && changed(x, { result: { ...x.result, Vh: withData(x.result.Vh, firstUp(0.1)) } }),
  'same bits': (x) =>
    x.r > 0 && changed(x, { again: { ...x.result, S: withData(x.result.S, (s) => s * (1 + 1e-6) + 1) } }),
  'all singular values': (x) =>
    x.lapack && changed(x, { sigma: x.sigma.map(firstUp(2 * (x.lapack.bound + x.reference) + x.eta64)) }),
};

/** ‖a‖_F without its first `r` triplets. */
const leaving = ({ sigma }, r) => Math.sqrt(squares(sigma.slice(r)));
