// How exact the singular values are, as the tables of docs/accuracy.md. Prints them, or writes them to the file given:
//   npm run accuracy          (node scripts/accuracy.mjs docs/accuracy.md; needs dist/ and the addon)
// The references are those of test/fixtures, made in 160-digit arithmetic by scripts/reference/make_references.py.
import { readFileSync, writeFileSync } from 'node:fs';
import { FactoredMatrix, matmul, svd, svdvals, versions } from 'factored-svd';
import { orthonormal, reconstructs } from 'factored-svd/testing';
import { hardTables } from './accuracy-hard.mjs';
import { solutionTable } from './accuracy-solutions.mjs';
import { part, plain, random, scientific, table, typed, uniform } from './accuracy-tables.mjs';

const epsilon = { float64: 2 ** -52, float32: 2 ** -23 };
const dtypes = ['float64', 'float32'];

// The first that matches the name of a reference is its class.
const classes = [
  ['`A·D`, `D⁻¹·B` with D over 1e±6', /gauge 1 to 1e6|gauge 1e±6|, gauge$/],
  ['`A·D`, `D⁻¹·B` with D over 1e±12', /gauge 1e±12|opposite orders/],
  ['graded 1e±12, descending', /both descending/],
  ['graded 1e±12, ascending', /both ascending/],
  ['graded, two levels 2.6e5 apart', /two levels/],
  ['two levels from 2 to 1e18 apart', /levels 2\^\d+ apart/],
  ['graded 1e±12, one factor only', /alone/],
  ['graded 1e±12, permuted', /permuted$/],
  ['well conditioned', /well conditioned/],
  ['cancellation', /cancellation to 1e/],
  ['equal columns', /equal columns/],
  ['rank-deficient', /dependent|zero column|cancellation to zero/],
  ['repeated and clustered', /repeated|clusters/],
  ['factors near 1e±150 (float32: 1e25)', /^(float32, )?factors/],
  ['pairs over all that the dtype can hold', /every exponent/],
  ['other shapes', /^(float32, )?(k |1 by n|n by 1)/],
];

const methods = {
  'this library': (M) => M.svd().S,
  'this library, svdvals': (M) => M.svdvals(),
  'three SVDs': (M) => M.svd({ algorithm: 'three-svd' }).S,
  'forming A·B': (M) => svd(matmul(M.A, M.B)).S,
};

const text = [header(), productTables(), denseTables(), hardTables(), pathTable(), solutionTable()].join(
  '\n',
);
if (process.argv[2]) writeFileSync(process.argv[2], text);
else process.stdout.write(text);

function header() {
  const { factoredSvd, openblas, openblasCore } = versions();
  const date = new Date().toISOString().slice(0, 10);
  return `# Accuracy, measured

Written by \`npm run accuracy\` (scripts/accuracy.mjs) on ${date}: factored-svd ${factoredSvd}, OpenBLAS ${openblas}, kernel
${openblasCore}, Node ${process.versions.node}, ${process.platform}-${process.arch}. Other kernels round differently; the bounds are the same.
What the columns mean, and what is guaranteed of them, is in [numerics.md](numerics.md).
`;
}

// ------------------------------------------------------------------------------------------------------- products

function productTables() {
  const measured = references().map((reference) => ({ ...reference, errors: productErrors(reference) }));
  const byClass = classes.map(([label]) => [label, measured.filter(({ name }) => classOf(name) === label)]);
  const graded = measured.filter((x) => x.family && /ascending|descending|permuted|levels/.test(x.name));
  const families = [...new Set(graded.map((x) => x.family))];
  const byFamily = families.map((family) => [
    `${family} (${graded.find((x) => x.family === family).size})`,
    graded.filter((x) => x.family === family),
  ]);
  return `## Products against 160-digit arithmetic

Largest relative error of any singular value, over all products of a class (singular values that are exactly 0 left out).

${errorTable('class', byClass, 'relative', scientific)}
The same products: largest |Δσ| in units of ε·β, β = Σ‖a_j‖·‖b_j‖. In float64 the promise, \`bound\`, is 4.

${errorTable('class', byClass, 'absolute', plain)}
The same products: largest |Δσ| as a part of \`bound\`, which in float32 is that of float64 and the rounding of the result wherever
float64 computes it.

${table(['class', 'dtype', 'this library', 'this library, svdvals'], sharesOf(byClass))}
${hostileTable()}
The graded products by shape (\`l×k×r\`): largest relative error.

${errorTable('shape', byFamily, 'relative', scientific)}`;
}

/** Of the bounds that come with the results. */
function sharesOf(groups) {
  return groups.flatMap(([label, members]) =>
    dtypes.flatMap((dtype) => {
      const own = members.filter((x) => x.dtype === dtype);
      const worst = (method) => plain(Math.max(...own.map((x) => x.errors[method].share)));
      return own.length === 0
        ? []
        : [[label, dtype, ...['this library', 'this library, svdvals'].map(worst)]];
    }),
  );
}

/** float32 products whose rounding errors tend to add up, against float64 of the same numbers. */
function hostileTable() {
  const shapes = [[12, 6, 10], [90, 24, 80], [20, 20, 20], [6, 40, 50], [3000, 8, 2000], [300, 64, 300], [300, 150, 280]]; // biome-ignore format: a table
  const hostile = {
    'uniform numbers': (u) => [u, u],
    'positive numbers': (u) => [() => 1 + u(), () => 1 + u()],
    'coin tosses': (u) => [() => (u() > 0 ? 1 : 0), () => (u() > 0 ? 1 : 0)],
    'equal elements': () => [() => 1 / 3, () => 0.1],
    'nearly equal elements': (u) => [() => 1 + u() / 1e4, () => 1 + u() / 1e4],
    'a shared component': (u, l, r) => {
      const [a, b] = [l, r].map((n) => Array.from({ length: n }, u));
      return [(i) => a[i] + u() / 10, (_, j) => b[j] + u() / 10];
    },
    'parallel columns': (u, l, r) => {
      const [a, b] = [l, r].map((n) => Array.from({ length: n }, u));
      return [(i) => a[i], (_, j) => b[j]];
    },
    'two levels 64 apart': (u) => [(_, q) => u() * (q % 3 === 0 ? 1 : 64), u],
    'near 1e-40': (u) => [() => u() * 1e-30, () => u() * 1e-10],
    'near 1e34': (u) => [() => u() * 1e25, () => u() * 1e9],
  };
  const rows = Object.entries(hostile).map(([label, elements]) => {
    const shares = shapes.map(([l, k, r]) => {
      const [a, b] = elements(uniform(l + k + r), l, r);
      const fill = (m, n, f) =>
        Array.from({ length: m * n }, (_, e) => Math.fround(f(Math.floor(e / n), e % n)));
      const factors = [
        { data: fill(l, k, a), shape: [l, k] },
        { data: fill(k, r, b), shape: [k, r] },
      ];
      const of = (dtype) =>
        new FactoredMatrix(...factors.map(({ data, shape }) => ({ data: typed(dtype, data), shape }))).svd();
      const [narrow, exact] = [of('float32'), of('float64')];
      const error = Math.max(...Array.from(exact.S.data, (s, j) => Math.abs(narrow.S.data[j] - s)));
      return error / (narrow.bound + exact.bound + 2 ** -149);
    });
    return [label, ...shares.map(plain)];
  });
  return `float32 products whose rounding errors tend to add up, against float64 of the same numbers: largest |Δσ| as a part of
\`bound\`, by shape (\`l×k×r\`).

${table(['elements', ...shapes.map((shape) => shape.join('×'))], rows)}`;
}

function classOf(name) {
  const found = classes.find(([, pattern]) => pattern.test(name));
  if (!found) throw new Error(`no class for ${name}`);
  return found[0];
}

function errorTable(what, groups, kind, format) {
  const rows = groups.flatMap(([label, members]) =>
    dtypes.flatMap((dtype) => {
      const own = members.filter((x) => x.dtype === dtype);
      if (own.length === 0) return [];
      const worst = (method) => Math.max(...own.map((x) => x.errors[method][kind]));
      return [[label, dtype, own.length, ...Object.keys(methods).map((method) => format(worst(method)))]];
    }),
  );
  return table([what, 'dtype', 'products', ...Object.keys(methods)], rows);
}

/** Of every method; infinite where it throws. `bound` is that of the decomposition. */
function productErrors({ A, B, dtype, singularValues, beta }) {
  const { bound } = new FactoredMatrix(A, B).svd();
  const errorsOf = (compute) => {
    const S = valuesOrError(() => compute(new FactoredMatrix(A, B)).data);
    const infinite = Number.POSITIVE_INFINITY;
    if (!S) return { relative: infinite, absolute: infinite, share: infinite };
    const differences = singularValues.map((s, j) => Math.abs(S[j] - s));
    const relative = differences.map((d, j) => (singularValues[j] > 0 ? d / singularValues[j] : 0));
    return {
      relative: Math.max(...relative),
      absolute: Math.max(...differences) / (epsilon[dtype] * beta),
      share: Math.max(...differences) / bound,
    };
  };
  return Object.fromEntries(Object.entries(methods).map(([name, compute]) => [name, errorsOf(compute)]));
}

function valuesOrError(compute) {
  try {
    return compute();
  } catch (error) {
    if (error.code === 'ERR_SVD_OVERFLOW' || error.code === 'ERR_SVD_NON_FINITE') return undefined;
    throw error;
  }
}

function references() {
  const products = fixture('products').map((json) => ({
    ...exact(json),
    name: json.name,
    dtype: json.dtype,
    A: matrix(json.A, json.dtype),
    B: matrix(json.B, json.dtype),
  }));
  const graded = fixture('graded').flatMap((family) =>
    dtypes.flatMap((dtype) =>
      family.cases.map((json) => ({
        ...exact(json),
        name: json.name,
        family: family.name,
        size: [...family.A.shape, family.B.shape[1]].join('×'),
        dtype,
        A: matrix(family.A, dtype, (_, j) => 2 ** json.columns[j]),
        B: matrix(family.B, dtype, (i) => 2 ** json.rows[i]),
      })),
    ),
  );
  return [
    ...products,
    ...graded,
    ...dtypes.flatMap((dtype) => [8, 32, 128, 300].map((k) => equalColumns(k, dtype))),
    ...dtypes.flatMap((dtype) => [2, 8, 32].map((n) => everyExponent(n, dtype))),
  ];
}

/** H·diag(2^e) times diag(2^f)·H with Sylvester's matrix H of order n: its singular values are n·2^(e + f). */
function everyExponent(n, dtype) {
  const [top, bottom] = dtype === 'float32' ? [110, -120] : [1000, -1010];
  const pairs = Array.from({ length: n }, (_, j) => Math.round(top + ((bottom - top) * j) / (n - 1)));
  const order = pairs.map((_, j) => pairs[(j * 3 + 1) % n]);
  const left = order.map((e, j) => Math.round(e / 2) + (j % 3) * 5);
  const sign = (i, j) => (-1) ** [...(i & j).toString(2)].filter((bit) => bit === '1').length;
  const fill = (f) => Array.from({ length: n * n }, (_, e) => f(Math.floor(e / n), e % n));
  return {
    name: 'every exponent',
    dtype,
    A: {
      data: typed(
        dtype,
        fill((i, j) => sign(i, j) * 2 ** left[j]),
      ),
      shape: [n, n],
    },
    B: {
      data: typed(
        dtype,
        fill((i, j) => sign(i, j) * 2 ** (order[i] - left[i])),
      ),
      shape: [n, n],
    },
    singularValues: pairs.map((e) => n * 2 ** e),
    beta: pairs.reduce((sum, e) => sum + n * 2 ** e, 0),
  };
}

/** k times the same column of integers times k times the same row: its one singular value is k·‖a‖·‖b‖, and so is β. */
function equalColumns(k, dtype) {
  const [l, r] = [400, 350];
  const [a, b] = [l, r].map((n) => random(n, 1, 'float64', n).data.map((x) => Math.round(99 * x)));
  const norm = (x) => Math.sqrt(x.reduce((sum, y) => sum + y * y, 0));
  const largest = k * norm(a) * norm(b);
  return {
    name: 'equal columns',
    dtype,
    A: {
      data: typed(
        dtype,
        Array.from({ length: l * k }, (_, e) => a[Math.floor(e / k)]),
      ),
      shape: [l, k],
    },
    B: {
      data: typed(
        dtype,
        Array.from({ length: k * r }, (_, e) => b[e % r]),
      ),
      shape: [k, r],
    },
    singularValues: [largest, ...new Array(k - 1).fill(0)],
    beta: largest,
  };
}

function fixture(name) {
  return JSON.parse(readFileSync(new URL(`../test/fixtures/${name}.json`, import.meta.url), 'utf8'));
}

function exact({ singularValues, beta }) {
  return { singularValues: singularValues.map(Number), beta: Number(beta) };
}

function matrix({ data, shape }, dtype, scale = () => 1) {
  const values = data.map((x, e) => x * scale(Math.floor(e / shape[1]), e % shape[1]));
  return { data: typed(dtype, values), shape };
}

// --------------------------------------------------------------------------------------------------- plain matrices

function denseTables() {
  const small = dtypes.map((dtype) => {
    const own = fixture('dense').filter((json) => json.dtype === dtype && Number(json.singularValues[0]) > 0);
    const errors = own.map((json) => {
      const a = matrix(json.matrix, dtype);
      const { S, bound } = svd(a);
      const sigma = json.singularValues.map(Number);
      return denseError(S.data, sigma, sigma[0], bound, dtype);
    });
    return [dtype, own.length, ...worst(errors)];
  });
  const shapes = [...[50, 100, 200, 400, 600, 800].map((n) => [n, n]), [100_000, 4], [4, 100_000]];
  const sizes = shapes.map(([m, n]) => {
    const { data, shape } = random(m, n, 'float32', n);
    const a32 = { data: m === n ? data : data.map(Math.abs), shape };
    const a64 = { data: Float64Array.from(a32.data), shape: a32.shape };
    const [narrow, wide, alone] = [svd(a32), svd(a64), svdvals(a64)];
    const sigma1 = wide.S.data[0];
    return [
      `${m}×${n}`,
      ...worst([denseError(narrow.S.data, wide.S.data, sigma1, narrow.bound, 'float32')]),
      ...worst([denseError(wide.S.data, alone.data, sigma1, wide.bound, 'float64')]),
    ];
  });
  const vectors = [200, 400, 800, 1600].map((n) => [
    `${n}×${n}`,
    ...dtypes.flatMap((dtype) => {
      const equal = { data: typed(dtype, new Array(n * n).fill(1 / 3)), shape: [n, n] };
      return [random(n, n, dtype, n), equal].flatMap((a) => {
        const { U, Vh } = svd(a);
        return [part(orthonormal(U)), part(orthonormal(Vh))];
      });
    }),
  ]);
  return `## Plain matrices

\`svd\` of the plain matrices of test/fixtures (random, Hilbert, Kahan, graded, near overflow, subnormal): largest |Δσ| in units
of ε·σ₁ (or of the smallest subnormal number where that is larger), and as a part of \`bound\`.

${table(['dtype', 'matrices', 'Δσ / (ε·σ₁)', 'Δσ / bound'], small)}
Random matrices, the long ones of positive numbers: \`svd\` in float32 against float64, which is exact beside it; and in float64 \`svd\` against \`svdvals\`, two
algorithms whose errors add up. The error in units of ε·σ₁ grows with the size, and so does the bound.

${table(['size', 'float32: Δσ / (ε·σ₁)', 'Δσ / bound', 'float64: Δσ / (ε·σ₁)', 'Δσ / bound'], sizes)}

‖UᵀU − I‖ and ‖Vh·Vhᵀ − I‖ as parts of 40·ε·√p, of random matrices and of such with every element 1/3:

${table(['size', ...dtypes.flatMap((dtype) => ['U', 'Vh', 'U, equal elements', 'Vh'].map((x) => `${dtype}: ${x}`))], vectors)}`;
}

function denseError(S, sigma, sigma1, bound, dtype) {
  const difference = Math.max(...Array.from(sigma, (s, j) => Math.abs(S[j] - s)));
  const eta = dtype === 'float32' ? 2 ** -149 : 2 ** -1074;
  return [difference / Math.max(epsilon[dtype] * sigma1, eta), difference / Math.max(bound, eta)];
}

function worst(errors) {
  return [0, 1].map((i) => plain(Math.max(...errors.map((e) => e[i]))));
}

// ------------------------------------------------------------------------------------------------------------ paths

function pathTable() {
  const [l, k, r] = [3000, 32, 200];
  const rows = dtypes.flatMap((dtype) =>
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map((exponent) => {
      const M = new FactoredMatrix(conditioned(l, k, exponent, dtype), random(k, r, dtype, 7));
      const result = M.svd();
      return [
        `1e${exponent}`,
        dtype,
        result.driver,
        part(orthonormal(result.U)),
        part(orthonormal(result.Vh)),
        part(reconstructs(result, M)),
      ];
    }),
  );
  const columns = ['condition of A', 'dtype', '`driver`', '‖UᵀU − I‖', '‖Vh·Vhᵀ − I‖', '‖M − U·diag(S)·Vh‖'];
  return `## Paths

A product ${l}×${k}×${r} whose A has a condition that no scaling of its columns mends: what \`driver\` says, and the residuals as
parts of their bounds, 40·ε·√p and 50·ε·β.

${table(columns, rows)}`;
}

/** X·diag(1 … 10^−exponent)·Q with random X and orthogonal Q. */
function conditioned(l, k, exponent, dtype) {
  const { U } = svd(random(k, k, 'float64', 5));
  const X = random(l, k, 'float64', 6);
  const graded = X.data.map((x, e) => x * 10 ** ((-exponent * (e % k)) / (k - 1)));
  return { data: typed(dtype, matmul({ data: graded, shape: [l, k] }, U).data), shape: [l, k] };
}
