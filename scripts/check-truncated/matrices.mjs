// Random and nasty matrices of moderate size, each the same for the same seed and index everywhere.
import { typed, uniform } from '../accuracy-tables.mjs';

/** How a matrix of m×n is made, p = min(m, n): row-major elements, before they are rounded to the dtype. */
const classes = {
  Gaussian: ({ m, n, gaussian }) => elements(m, n, gaussian),
  'fast decay': (way) => withSpectrum(way, (i) => (way.half ? 0.7 ** i : 10 ** -i)),
  'slow decay over a bulk': (way) => {
    const bulk = (0.1 * way.p ** -0.35) / (Math.sqrt(way.m) + Math.sqrt(way.n));
    return withSpectrum(way, (i) => (i + 1) ** -0.35).map((x) => x + bulk * way.gaussian());
  },
  flat: (way) => withSpectrum(way, () => 1),
  clusters: (way) => {
    const [size, spread] = [1 + way.below(9), 10 ** -(3 + way.below(14))];
    return withSpectrum(way, (i) => 0.6 ** Math.floor(i / size) * (1 + spread * (i % size)));
  },
  steps: (way) => {
    const [size, drop] = [1 + way.below(12), 10 ** -(1 + way.below(9))];
    return withSpectrum(way, (i) => drop ** Math.floor(i / size));
  },
  'low rank, rounded': (way) => {
    const rank = way.below(way.p + 1);
    return withSpectrum(way, (i) => (i < rank ? 1 / (i + 1) : 0));
  },
  'low rank, exact': ({ m, n, p, below }) => {
    const k = 1 + below(Math.min(p, 8));
    const [x, y] = [elements(m, k, () => below(7) - 3), elements(k, n, () => below(7) - 3)];
    return elements(m, n, (i, j) => sum(k, (q) => x[i * k + q] * y[q * n + j]));
  },
  'repeated values': (way) => withSpectrum(way, (i) => (i < way.p / 3 ? 2 : i < way.p / 2 ? 1 : 1 / 64)),
  zero: ({ m, n }) => new Float64Array(m * n),
  'graded columns': ({ m, n, gaussian, decades }) =>
    elements(m, n, (_, j) => gaussian() * 10 ** ((-decades * j) / n)),
  'graded rows': ({ m, n, gaussian, decades }) =>
    elements(m, n, (i) => gaussian() * 10 ** ((-decades * ((i * 7) % m)) / m)),
  'near overflow': (way) => {
    const largest = way.dtype === 'float32' ? 1e38 : 1e307;
    return withSpectrum(way, (i) => (i + 1) ** -0.35).map((x) => x * largest);
  },
  'near underflow': (way) => {
    const smallest = way.dtype === 'float32' ? 2 ** -149 : 2 ** -1074;
    const size = smallest * 2 ** (1 + way.below(way.dtype === 'float32' ? 30 : 60));
    return withSpectrum(way, (i) => (i + 1) ** -0.35 * way.p).map((x) => x * size);
  },
  'coin tosses': ({ m, n, below }) => elements(m, n, () => below(2)),
  'equal elements': ({ m, n, half }) => new Float64Array(m * n).fill(half ? 0.1 : 1 / 3),
  'nearly equal elements': ({ m, n, gaussian }) => elements(m, n, () => 1 + 1e-6 * gaussian()),
  integers: ({ m, n, below }) => elements(m, n, () => below(19) - 9),
  'one huge entry': ({ m, n, gaussian, below, decades }) => {
    const [at, other] = [below(m * n), 10 ** -decades];
    return elements(m, n, (i, j) => (i * n + j === at ? 1 : other * gaussian()));
  },
  Hilbert: ({ m, n }) => elements(m, n, (i, j) => 1 / (i + j + 1)),
  permutation: ({ m, n, below }) => {
    const [step, from] = [1 + below(n), below(n)];
    return elements(m, n, (i, j) => ((i * step + from) % n === j ? 1 : 0));
  },
  'every exponent': ({ m, n, gaussian, below, decades }) =>
    elements(m, n, () => gaussian() * 10 ** -below(1 + decades)),
  // What is largest, or among the largest, belongs to vectors that the random start of the seed is orthogonal to.
  'one hidden': (way) => hidden(way, 1, (i) => (i === 0 ? 1.05 : 0.9 ** (i - 1))),
  'some hidden': (way) => hidden(way, 3, (i) => (i < 3 ? 1.2 - i / 10 : 0.8 ** (i - 3))),
  'hidden inside': (way) => hidden(way, 1, (i) => (i === 0 ? 0.75 : 0.9 ** (i - 1))),
};

export const classNames = Object.keys(classes);

export const isHidden = (name) => name.includes('hidden');

/** Calls of `svd` that can be forced for any size, and how often each is drawn. */
const methods = ['full', 'full', 'auto', 'gram', 'gram', 'gram', 'krylov', 'krylov', 'krylov', 'krylov'];

/** How many triplets are asked for where some of them are hidden. */
const hiddenFrom = 4;

/** One matrix, its class, and the options that `svd` is called with. */
export function draw(seed, index) {
  const next = uniform(Math.imul(seed + 1, 0x9e3779b1) + index);
  const below = (n) => Math.floor(((next() + 1) / 2) * n);
  for (let i = 0; i < 8; i++) next(); // the first numbers of neighbouring seeds are alike
  const name = classNames[below(classNames.length)];
  const dtype = below(2) === 0 ? 'float32' : 'float64';
  const [m, n] = shape(below, isHidden(name));
  const p = Math.min(m, n);
  const options = optionsFor(below);
  const way = {
    m,
    n,
    p,
    dtype,
    below,
    gaussian: () => Math.sqrt(-2 * Math.log((next() + 1) / 2 + 2 ** -33)) * Math.cos(Math.PI * next()),
    half: below(2) === 0,
    decades: below(dtype === 'float32' ? 36 : 150),
    options,
  };
  const data = typed(dtype, classes[name](way));
  if (isHidden(name)) Object.assign(options, { rank: hiddenFrom, accuracy: options.accuracy ?? 1e-3 });
  else Object.assign(options, [rank, rank, rank, tol, energy][below(5)]());
  return { name, a: { data, shape: [m, n] }, dtype, options };

  function rank() {
    return { rank: Math.min(p, [below(p + 1), below(9), below(21)][below(3)]) };
  }
  function tol() {
    return { tol: below(12) === 0 ? 0 : frobenius(data) * 10 ** (-8 * (next() + 1)) };
  }
  function energy() {
    return { energy: [0, 0.5, 0.9, 0.99, 0.9999, 1, (next() + 1) / 2][below(7)] };
  }
}

function shape(below, large) {
  const size = () => Math.floor(Math.exp(below(1000) * 0.001 * Math.log(121)));
  if (large) return [60 + below(40), 60 + below(60)];
  if (below(100) === 0) return [100 + below(201), 100 + below(201)];
  const [m, n] = [size(), size()];
  return [[m, n], [n, n], [m, Math.min(300, m + 2 * n)], [Math.min(300, n + 2 * m), n]][below(4)]; // biome-ignore format: shapes
}

function optionsFor(below) {
  const options = { method: methods[below(methods.length)] };
  if (below(3) === 0) options.certify = below(2) === 0;
  if (below(2) === 0) options.accuracy = 10 ** -(1 + below(7));
  if (below(2) === 0) options.seed = below(5);
  return options;
}

const frobenius = (x) => {
  const largest = x.reduce((most, y) => Math.max(most, Math.abs(y)), 0) || 1;
  return largest * Math.sqrt(x.reduce((all, y) => all + (y / largest) ** 2, 0));
};

function elements(m, n, f) {
  return Float64Array.from({ length: m * n }, (_, e) => f(Math.floor(e / n), e % n));
}

function sum(k, f) {
  let all = 0;
  for (let q = 0; q < k; q++) all += f(q);
  return all;
}

/** `H·diag(σ)·G` with H and G products of reflections, rounded. */
function withSpectrum({ m, n, p, gaussian }, sigma) {
  const x = new Float64Array(m * n);
  for (let i = 0; i < p; i++) x[i * n + i] = sigma(i);
  const vectors = (size) => Array.from({ length: 6 }, () => Float64Array.from({ length: size }, gaussian));
  for (const v of vectors(m)) reflect(x, m, n, v);
  for (const v of vectors(n)) reflect(x, m, n, v, true);
  return x;
}

/** (I − 2vvᵀ/vᵀv)·x, or x·(I − 2vvᵀ/vᵀv). */
function reflect(x, m, n, v, fromRight = false) {
  const [outer, inner, a, b] = fromRight ? [m, n, n, 1] : [n, m, 1, n];
  const factor = 2 / (sum(inner, (i) => v[i] * v[i]) || 1);
  for (let j = 0; j < outer; j++) {
    const along = factor * sum(inner, (i) => v[i] * x[j * a + i * b]);
    for (let i = 0; i < inner; i++) x[j * a + i * b] -= along * v[i];
  }
}

/** The vectors of the first `count` singular values are orthogonal to the random block that the seed begins with. */
function hidden({ m, n, p, gaussian, options }, count, sigma) {
  options.seed ??= 0;
  const columns = hiddenFrom + 8; // of the block
  const start = Array.from({ length: columns }, (_, j) =>
    Float64Array.from({ length: p }, (_, i) => startingNumber(i * columns + j, options.seed)),
  );
  const all = orthonormal(start, p, p, gaussian);
  const unseen = all.slice(columns, columns + count);
  const short = [...unseen, ...orthonormal(unseen, p, p, gaussian).slice(count)];
  const long = orthonormal([], Math.max(m, n), p, gaussian);
  return elements(m, n, (i, j) => {
    const [row, column] = m <= n ? [i, j] : [j, i];
    return sum(p, (k) => short[k][row] * sigma(k) * long[k][column]);
  });
}

/** `count` orthonormal vectors of `size`, the first of them in the span of `first`. */
function orthonormal(first, size, count, gaussian) {
  const found = [];
  while (found.length < count) {
    const v = first[found.length]?.slice() ?? Float64Array.from({ length: size }, gaussian);
    for (let again = 0; again < 2; again++) {
      for (const q of found) {
        const along = sum(size, (i) => q[i] * v[i]);
        for (let i = 0; i < size; i++) v[i] -= along * q[i];
      }
    }
    const length = Math.hypot(...v);
    found.push(v.map((x) => x / length));
  }
  return found;
}

/** Number `i` of the block that the method 'krylov' starts with: as in lib/algorithms/random.ts. */
function startingNumber(i, seed) {
  return ((finalized(finalized(i ^ seed) + seed) >>> 0) + 0.5) / 2 ** 31 - 1;
}

function finalized(x) {
  let h = x | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
