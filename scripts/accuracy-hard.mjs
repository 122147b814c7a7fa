// Classes that make rounding errors add up, or that routines of LAPACK are known to cut short, as parts of their bounds.
import { FactoredMatrix, svd, svdvals } from 'factored-svd';
import { orthonormal, reconstructs } from 'factored-svd/testing';
import { part, plain, table, typed, uniform } from './accuracy-tables.mjs';

const dtypes = ['float64', 'float32'];

/** Element (i, j) of n columns; `next` gives uniform numbers in (−1, 1). */
const elements = {
  'coin tosses': (_i, _j, next) => (next() > 0 ? 1 : 0),
  'equal elements': () => 0.1,
  'ones and dummies': (i, j, _next, n) => (j === 0 || i % (n + 1) === j ? 1 : 0),
  'uniform numbers + 2': (_i, _j, next) => next() + 2,
  'a shared component': (i, _j, next) => 3 * Math.sin(i) + next(),
  'powers of a ramp': (i, j) => ((i + 1) / 4096) ** j,
};

function matrix(name, m, n, dtype) {
  const next = uniform(m + n);
  const values = Array.from({ length: m * n }, (_, e) => elements[name](Math.floor(e / n), e % n, next, n));
  return { data: typed(dtype, values), shape: [m, n] };
}

export function hardTables() {
  const names = Object.keys(elements);
  const plainRows = [
    [100_000, 3],
    [3000, 40],
    [300, 5],
    [150, 140],
  ].flatMap(([m, n]) =>
    names.map((name) => [
      `${m}×${n}`,
      name,
      ...dtypes.flatMap((dtype) => {
        const a = matrix(name, m, n, dtype);
        const result = svd(a);
        return [orthonormal(result.U), orthonormal(result.Vh), reconstructs(result, a)].map(part);
      }),
    ]),
  );
  const productRows = [
    [3000, 16, 200],
    [300, 12, 40],
  ].flatMap(([l, k, r]) =>
    names.map((name) => [
      `${l}×${k}×${r}`,
      name,
      ...dtypes.flatMap((dtype) => {
        const M = new FactoredMatrix(matrix(name, l, k, dtype), matrix('uniform numbers + 2', k, r, dtype));
        const result = M.svd();
        return [orthonormal(result.U), orthonormal(result.Vh), reconstructs(result, M)].map(part);
      }),
    ]),
  );
  const residuals = dtypes.flatMap((dtype) =>
    ['‖UᵀU − I‖', '‖Vh·Vhᵀ − I‖', '‖M − U·diag(S)·Vh‖'].map((what) => `${dtype}: ${what}`),
  );
  const orders = [2, 3, 8, 33, 100];
  const tinyRows = [1e-17, 1e-16, 1e-15, 1e-14, 1e-13].map((t) => [
    t.toExponential(0),
    ...orders.flatMap((n) => [svd, svdvals].map((compute) => plain(tinyError(n, t, compute)))),
  ]);
  return `## Hard classes

Elements whose rounding errors tend to go one way: residuals of plain matrices as parts of their bounds, 40·ε·√p and 50·ε·‖M‖_F,

${table(['size', 'elements', ...residuals], plainRows)}
and of products with such an A, their B being uniform numbers + 2:

${table(['size', 'elements of A', ...residuals], productRows)}
I + t·N of order n, N with ones above its diagonal, in float64: what an iteration on the bidiagonal form drops too early is
lost. Largest |Δσ| as a part of \`bound\`; σ_j = 1 + t·cos(jπ/(n + 1)) up to t².

${table(['t', ...orders.flatMap((n) => [`svd, n = ${n}`, `svdvals, n = ${n}`])], tinyRows)}`;
}

function tinyError(n, t, compute) {
  const data = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    data[i * n + i] = 1;
    if (i + 1 < n) data[i * n + i + 1] = t;
  }
  const a = { data, shape: [n, n] };
  const result = compute(a);
  const S = (result.S ?? result).data;
  const off = Array.from(S, (s, j) => Math.abs(s - 1 - t * Math.cos(((j + 1) * Math.PI) / (n + 1))));
  return Math.max(...off) / svd(a).bound;
}
