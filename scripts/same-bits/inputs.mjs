// The inputs of the calls: numbers that are the same on every run.

/** Numbers from −1/2 to 1/2, the same on every run. */
export function numbers(seed) {
  let state = (seed * 2654435761 + 12345) >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32 - 0.5;
  };
}

export const size = (shape) => shape.reduce((p, n) => p * n, 1);

/** A row-major matrix, or batch of them, of `element(x, row, column)` of random x; made when it is first read. */
export function dense(seed, shape, { type = Float64Array, element = (x) => x } = {}) {
  let data;
  return {
    get data() {
      data ??= fill(seed, shape, type, element);
      return data;
    },
    shape,
  };
}

function fill(seed, shape, type, element) {
  const next = numbers(seed);
  const cols = shape[shape.length - 1];
  return type.from({ length: size(shape) }, (_, i) =>
    element(next() + next(), Math.floor(i / cols), i % cols),
  );
}

export const float32 = { type: Float32Array };

/** The same matrices with rows or columns that lie apart, backwards, repeated, or the other way round. */
export const views = {
  'as they are': (a) => a,
  transposed: (a) =>
    view(
      a,
      (s) => [...s.slice(0, -2), s.at(-1), s.at(-2)],
      (t) => [...t.slice(0, -2), t.at(-1), t.at(-2)],
    ),
  'every other column': (a) =>
    view(
      a,
      (s) => [...s.slice(0, -1), Math.ceil(s.at(-1) / 2)],
      (t) => [...t.slice(0, -1), 2 * t.at(-1)],
    ),
  'rows backwards': (a) => {
    const v = view(
      a,
      (s) => s,
      (t) => t,
    );
    const n = v.shape.length - 2;
    v.offset = (v.shape[n] - 1) * v.stride[n];
    v.stride[n] *= -1;
    return v;
  },
  'one row again and again': (a) =>
    view(
      a,
      (s) => s,
      (t) => t.with(-2, 0),
    ),
};

function strides(shape) {
  const out = new Array(shape.length).fill(1);
  for (let i = shape.length - 2; i >= 0; i--) out[i] = out[i + 1] * shape[i + 1];
  return out;
}
export const view = (a, shape, stride) => ({
  get data() {
    return a.data;
  },
  shape: shape([...a.shape]),
  stride: stride(a.stride ?? strides(a.shape)),
  offset: 0,
});

/** Elements that lead to other paths than random ones do. */
export const elements = {
  random: (x) => x,
  'coin tosses': (x) => (x > 0 ? 1 : 0),
  equal: () => 0.1,
  'with zero columns': (x, _, j) => (j % 3 === 1 ? 0 : x),
  'columns of many sizes': (x, _, j) => x * 2 ** (((j * 37) % 61) - 30),
  'columns beyond squares': (x, _, j) => x * 2 ** (((j * 37) % 11) * 30 - 150),
  'columns nearly parallel': (x, i, j) => Math.cos(i) + 1e-4 * x * (j + 1),
  'columns equal to float32': (x, i) => Math.fround(Math.cos(i)) + 1e-9 * x,
  'of low rank': (_, i, j) => Math.cos(i) * Math.sin(j + 1) + Math.cos(2 * i) * Math.sin(3 * j),
  'sharing a component': (x) => x + 2,
};
