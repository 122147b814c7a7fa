// Pairs of matrices with a planted change.

/** What is planted, in turn. */
export const kinds = ['cast', 'integers', 'adapter', 'noise'];

/** Formats: bits after the leading one, smallest exponent, largest number. */
const formats = {
  float32: [23, -126, Number.MAX_VALUE],
  float16: [10, -14, 65504],
  bfloat16: [7, -126, Number.MAX_VALUE],
  float8_e4m3: [3, -6, 448],
  float8_e5m2: [2, -14, 57344],
};

/** mulberry32: uniform in [0, 1). */
function generator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

class Draw {
  constructor(seed, index) {
    this.uniform = generator((seed * 7919 + index) * 2654435761 + 1);
  }

  normal = () => Math.sqrt(-2 * Math.log(1 - this.uniform())) * Math.cos(2 * Math.PI * this.uniform());
  between = (low, high) => low + (high - low) * this.uniform();
  /** Evenly in the logarithm. */
  scale = (low, high) => Math.exp(this.between(Math.log(low), Math.log(high)));
  integer = (low, high) => Math.floor(this.between(low, high + 1));
  of = (list) => list[this.integer(0, list.length - 1)];
  normals = (count) => Float64Array.from({ length: count }, this.normal);
}

const step = (x, format) => {
  const [precision, least] = formats[format];
  const size = Math.abs(x);
  if (size === 0) return 2 ** (least - precision);
  let exponent = Math.floor(Math.log2(size));
  if (2 ** exponent > size) exponent--;
  else if (2 ** (exponent + 1) <= size) exponent++;
  return 2 ** (Math.max(exponent, least) - precision);
};

/** To the nearest, ties to even. */
export function rounded(x, format) {
  if (format === 'float32') return Math.fround(x);
  const unit = step(x, format);
  const multiple = x / unit;
  let whole = Math.round(multiple);
  if (Math.abs(multiple - Math.trunc(multiple)) === 0.5 && whole % 2 !== 0) whole -= 1;
  const [, , largest] = formats[format];
  return Math.max(-largest, Math.min(largest, whole * unit));
}

const roundAll = (x, format) => Float64Array.from(x, (value) => rounded(value, format));

/** The case at `index`: A and B, what was planted, and what must be read of it. */
export function draw(seed, index) {
  const random = new Draw(seed, index);
  const kind = kinds[index % kinds.length];
  const shape = [32 * random.integer(2, 16), 32 * random.integer(2, 16)];
  const planted = { cast, integers, adapter, noise }[kind](random, shape);
  return { kind, ...planted, title: `${kind}, ${shape.join('×')}, ${planted.title}` };
}

const scales = { gaussian: 0.02, heavy: 0.02, trained: 0.02 };

/** Weights: independent and Gaussian, with heavy tails, or with columns of different size and directions that stand out. */
function weights(random, [m, n], format) {
  const name = random.of(Object.keys(scales));
  const data = random.normals(m * n);
  if (name === 'heavy')
    for (let e = 0; e < data.length; e++) {
      const chi = random.normal() ** 2 + random.normal() ** 2 + random.normal() ** 2 + random.normal() ** 2;
      data[e] /= Math.sqrt(chi / 4); // Student's t with 4 degrees of freedom
    }
  if (name === 'trained') {
    const columns = Float64Array.from({ length: n }, () => Math.exp(0.7 * random.normal()));
    add(
      data,
      lowRank(
        random,
        [m, n],
        Float64Array.of(9, 6, 4).map((s) => s * Math.sqrt(m + n)),
      ),
    );
    for (let e = 0; e < data.length; e++) data[e] *= columns[e % n];
  }
  return {
    name,
    data: roundAll(
      data.map((x) => 0.02 * x),
      format,
    ),
  };
}

function add(x, y) {
  for (let e = 0; e < x.length; e++) x[e] += y[e];
}

/** A matrix with these singular values and random directions. */
function lowRank(random, [m, n], sizes) {
  const [U, V] = [orthonormal(random, m, sizes.length), orthonormal(random, n, sizes.length)];
  const out = new Float64Array(m * n);
  sizes.forEach((size, k) => {
    for (let i = 0; i < m; i++) for (let j = 0; j < n; j++) out[i * n + j] += size * U[k][i] * V[k][j];
  });
  return out;
}

function orthonormal(random, length, count) {
  const columns = [];
  while (columns.length < count) {
    const v = random.normals(length);
    for (const q of [...columns, ...columns]) {
      const along = q.reduce((sum, x, i) => sum + x * v[i], 0);
      for (let i = 0; i < length; i++) v[i] -= along * q[i];
    }
    const size = Math.hypot(...v);
    columns.push(v.map((x) => x / size));
  }
  return columns;
}

/** Largest singular value, by the power method. */
function spectralNorm(random, x, [m, n]) {
  let v = random.normals(n);
  let size = 0;
  for (let round = 0; round < 30; round++) {
    const u = new Float64Array(m);
    for (let i = 0; i < m; i++) for (let j = 0; j < n; j++) u[i] += x[i * n + j] * v[j];
    const w = new Float64Array(n);
    for (let i = 0; i < m; i++) for (let j = 0; j < n; j++) w[j] += x[i * n + j] * u[i];
    size = Math.hypot(...w);
    v = w.map((y) => y / size);
  }
  return Math.sqrt(size);
}

const matrix = (data, shape, dtype) => ({ data, shape, dtype });

function cast(random, shape) {
  const to = random.of(['bfloat16', 'float16', 'bfloat16', 'float16', 'float8_e4m3', 'float8_e5m2']);
  const from =
    to === 'bfloat16'
      ? random.of(['float32', 'float16'])
      : to === 'float16'
        ? 'float32'
        : random.of(['float32', 'bfloat16', 'float16']);
  const { name, data } = weights(random, shape, from);
  // 8-bit floats of weights as small as these are mostly zero: they come with weights of about 1.
  const isShort = to.startsWith('float8');
  const wide = isShort ? data.map((x) => rounded(16 * x, from)) : data;
  const stored = isShort ? random.of(['float32', 'bfloat16', 'float16']) : random.of(['float32', to]);
  const sides = [matrix(wide, shape, from), matrix(roundAll(wide, to), shape, stored)];
  const back = random.uniform() < 0.25;
  const [a, b] = back ? sides.reverse() : sides;
  return {
    a,
    b,
    format: to,
    title: `${name} ${from} to ${to}, kept as ${stored}${back ? ', A being the cast' : ''}`,
  };
}

function integers(random, [m, n]) {
  const [from, stored] = [
    random.of(['float32', 'bfloat16', 'float16']),
    random.of(['float32', 'bfloat16', 'float16']),
  ];
  const { name, data } = weights(random, [m, n], from);
  const bits = random.of([8, 8, 8, 4]);
  const by =
    bits === 4
      ? random.of([32, 'row'])
      : random.of(['tensor', 'row', 'column', 32, n % 64 ? 32 : 64, n % 128 ? 32 : 128]);
  const zeroPoint = bits === 8 && stored === 'float32' && random.uniform() < 0.3;
  const groupOf =
    {
      tensor: () => 0,
      row: (e) => Math.floor(e / n),
      column: (e) => e % n,
    }[by] ?? ((e) => Math.floor(e / by));
  const groups = new Map();
  data.forEach((x, e) => {
    const group = groups.get(groupOf(e)) ?? { low: 0, high: 0 };
    groups.set(groupOf(e), { low: Math.min(group.low, x), high: Math.max(group.high, x) });
  });
  const out = data.map((x, e) => {
    const { low, high } = groups.get(groupOf(e));
    if (zeroPoint) {
      const unit = (high - low) / 255;
      const zero = Math.round(-low / unit);
      return rounded((Math.max(0, Math.min(255, Math.round(x / unit) + zero)) - zero) * unit, stored);
    }
    const unit = Math.max(-low, high) / (2 ** (bits - 1) - 1);
    return rounded(Math.round(x / unit) * unit, stored);
  });
  const per = typeof by === 'number' ? `per group of ${by}` : `per ${by}`;
  return {
    a: matrix(data, [m, n], from),
    b: matrix(out, [m, n], stored),
    format: by === n ? `int${bits} per row` : `int${bits} ${per}`,
    title: `${name} ${from} to int${bits} ${per}${zeroPoint ? ' with a zero point' : ''}, kept as ${stored}`,
  };
}

/** Multiples of a seventh of the largest in each group of 32, in single precision. */
function int4(data) {
  const most = (e) =>
    data.subarray(e - (e % 32), e - (e % 32) + 32).reduce((max, x) => Math.max(max, Math.abs(x)), 0);
  return data.map((x, e) => Math.fround(Math.round((7 * x) / most(e)) * Math.fround(most(e) / 7)));
}

function adapter(random, shape) {
  const from = random.of(['float32', 'bfloat16', 'float16']);
  const stored = random.of([from, from, 'float32']);
  const { name, data: drawn } = weights(random, shape, from);
  // Within half a step of coarse weights an edit must not pass for what their rounding took away.
  const isInt4 = stored === 'float32' && random.uniform() < 0.3;
  const data = isInt4 ? int4(drawn) : drawn;
  const steps = data.map((x) => step(x, stored) * (random.uniform() - 0.5));
  const noise = spectralNorm(random, steps, shape);
  const rank = random.integer(1, 16);
  const strength = random.scale(1.5, stored === 'float32' ? 1e5 : 100);
  const sizes = Float64Array.from({ length: rank }, (_, k) => noise * strength * (1 + k / 4));
  let change = lowRank(random, shape, sizes);
  const isHalf = random.uniform() < 0.3;
  if (isHalf) change = roundAll(change, 'bfloat16');
  const out = roundAll(
    data.map((x, e) => x + change[e]),
    stored,
  );
  return {
    a: matrix(data, shape, isInt4 ? stored : from),
    b: matrix(out, shape, stored),
    rank,
    title: `${name} ${isInt4 ? 'int4' : from}, rank ${rank}, ${strength.toPrecision(3)} times the noise${isHalf ? ', itself in bfloat16' : ''}, kept as ${stored}`,
  };
}

function noise(random, shape) {
  const from = random.of(['float32', 'bfloat16', 'float16']);
  const stored = random.of([from, from, 'float32']);
  const { name, data } = weights(random, shape, from);
  const size = Math.sqrt(data.reduce((sum, x) => sum + x * x, 0) / data.length);
  const steps = Math.sqrt(data.reduce((sum, x) => sum + step(x, from) ** 2, 0) / data.length);
  const least = from === 'float32' ? 1e-5 * size : steps;
  const profile = random.of(['even', 'like the weights', 'by columns']);
  const level = random.scale(least, Math.max(0.2 * size, 2 * least));
  const columns = Float64Array.from({ length: shape[1] }, () => Math.exp(0.5 * random.normal()));
  const out = data.map((x, e) => {
    const by = { even: 1, 'like the weights': Math.abs(x) / size, 'by columns': columns[e % shape[1]] }[
      profile
    ];
    return rounded(x + level * by * random.normal(), stored);
  });
  return {
    a: matrix(data, shape, from),
    b: matrix(out, shape, stored),
    title: `${name} ${from}, noise ${profile}, ${(level / size).toPrecision(3)} of the weights, kept as ${stored}`,
  };
}
