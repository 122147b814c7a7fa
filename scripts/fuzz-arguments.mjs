// What fuzz-api.mjs gives to the functions of the package: arrays in all their forms, and what is no array at all.
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';

/** Thrown by hostile arguments themselves; functions must let it through. */
export class Hostile extends Error {
  code = 'HOSTILE';
}

const special = [
  0,
  -0,
  1,
  -1,
  0.5,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  Number.MAX_VALUE,
  -Number.MAX_VALUE,
  Number.MIN_VALUE,
  3.4028234663852886e38,
  1e-45,
  1e300,
  1e-300,
  1e154,
  1e-162,
  2 ** 31,
  2 ** 32,
  2 ** 53,
];

const plain = fc.double({ min: -4, max: 4, noNaN: true });
const harmless = fc.oneof(
  { weight: 6, arbitrary: plain },
  { weight: 1, arbitrary: fc.constantFrom(0, 1, -1, 1e-3) },
);
const extreme = fc.oneof(
  { weight: 1, arbitrary: plain },
  { weight: 1, arbitrary: fc.constantFrom(...special.filter(Number.isFinite)) },
  { weight: 1, arbitrary: fc.double({ noNaN: true, noDefaultInfinity: true }) },
);
const element = fc.oneof(
  { weight: 20, arbitrary: extreme },
  { weight: 1, arbitrary: fc.constantFrom(...special) },
);

const dimension = fc.oneof(
  { weight: 5, arbitrary: fc.integer({ min: 1, max: 5 }) },
  fc.constantFrom(0, 7, 12),
);
const shape = fc
  .tuple(fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 2 }), dimension, dimension)
  .map(([leading, m, n]) => [...leading, m, n]);

const dtypes = ['float32', 'float64', 'bfloat16', 'float16'];

/** The shape in words and the elements, before anything odd is done to them. */
const contents = (numbers) =>
  shape.chain((dims) => {
    const size = dims.reduce((p, n) => p * n, 1);
    return fc.record({
      shape: fc.constant(dims),
      values: fc.array(numbers, { minLength: size, maxLength: size }),
      dtype: fc.constantFrom(...dtypes),
      layout: fc.constantFrom(
        'row-major',
        'transposed',
        'backwards',
        'spread',
        'broadcast',
        'nested',
        'shared',
        'foreign',
        'resizable',
      ),
    });
  });

/** An array that the functions must take, whatever its layout. */
function array({ shape, values, dtype, layout }) {
  if (layout === 'nested' && values.length > 0) return nest(values, shape);
  const type = { float32: Float32Array, float64: Float64Array, bfloat16: Uint16Array, float16: Uint16Array }[
    dtype
  ];
  const strides = rowMajor(shape);
  const spread = layout === 'spread' ? 3 : 1;
  const length = values.length * spread + 2;
  const bytes = length * type.BYTES_PER_ELEMENT;
  const data =
    layout === 'shared'
      ? new type(new SharedArrayBuffer(bytes))
      : layout === 'resizable'
        ? new type(new ArrayBuffer(bytes, { maxByteLength: bytes + 64 })) // its length follows the buffer
        : layout === 'foreign'
          ? runInNewContext(`new ${type.name}(${length})`)
          : new type(length);
  values.forEach((v, i) => {
    data[1 + i * spread] = type === Uint16Array ? (v * 5000) & 0x3fff : v;
  });
  const stride = strides.map((s) => s * spread);
  let offset = 1;
  const last = shape.length - 1;
  const dims = [...shape];
  if (layout === 'transposed') {
    [dims[last], dims[last - 1]] = [dims[last - 1], dims[last]];
    [stride[last], stride[last - 1]] = [stride[last - 1], stride[last]];
  }
  if (layout === 'backwards') {
    offset += Math.max(0, dims[last] - 1) * stride[last];
    stride[last] *= -1;
  }
  if (layout === 'broadcast') stride[last - 1] = 0;
  return { data, shape: dims, stride, offset, ...(type === Uint16Array ? { dtype } : {}) };
}

function nest(values, shape) {
  if (shape.length === 1) return [...values];
  const [n, ...rest] = shape;
  const size = rest.reduce((p, m) => p * m, 1);
  return Array.from({ length: n }, (_, i) => nest(values.slice(i * size, (i + 1) * size), rest));
}

function rowMajor(shape) {
  const step = 1;
  return shape.map((_, i) => shape.slice(i + 1).reduce((p, n) => p * Math.max(n, 1), step));
}

/** Arrays of moderate numbers: no function may refuse them, but for their shape. */
export const validArray = contents(harmless).map(array);

/** Arrays in every form, of any numbers. */
const anyNumbers = fc.oneof(contents(element), contents(extreme)).map(array);

const dims = fc.array(
  fc.oneof(fc.integer({ min: -2, max: 6 }), fc.constantFrom(...special, 46341, 2 ** 21, 2 ** 30)),
  {
    maxLength: 5,
  },
);

/** Objects that look like arrays. */
const forged = fc
  .record(
    {
      data: fc.oneof(
        fc.array(element, { maxLength: 30 }).map((x) => Float64Array.from(x)),
        fc.array(element, { maxLength: 30 }).map((x) => Float32Array.from(x)),
        fc.constantFrom(
          null,
          5,
          'data',
          [1, 2],
          new Int8Array(9),
          new BigInt64Array(9),
          new DataView(new ArrayBuffer(8)),
        ),
        fc.constant(0).map(detached),
        fc.constant(0).map(resized),
        fc.constant(0).map(lying),
        fc.constant(0).map(leaving),
      ),
      shape: fc.oneof(dims, fc.anything()),
      dims,
      stride: fc.oneof(dims, fc.anything()),
      strides: dims,
      offset: fc.oneof(fc.integer({ min: -3, max: 40 }), fc.constantFrom(...special)),
      dtype: fc.constantFrom(...dtypes, 'int32', '', 7),
    },
    { requiredKeys: ['data', 'shape'] },
  )
  .filter(({ shape, dims }) => !outsized(shape) && !outsized(dims));

/** More matrices than a test has time for: legal where a stride is 0, and then simply slow. */
function outsized(shape) {
  if (!Array.isArray(shape)) return false;
  const size = shape.reduce((p, n) => p * (typeof n === 'number' && n > 1 ? n : 1), 1); // without conversions, which can throw
  return size > 1e5 && size < 2 ** 31;
}

function detached() {
  const data = new Float64Array(9);
  structuredClone(data.buffer, { transfer: [data.buffer] });
  return data;
}

/** Says that it is longer than it is. */
function lying() {
  return Object.defineProperty(new Float64Array(9), 'length', { value: 1e6 });
}

/** Is transferred away in the middle of an asynchronous call. */
function leaving() {
  const data = new Float64Array(30);
  setImmediate(() => {
    if (data.length > 0) structuredClone(data.buffer, { transfer: [data.buffer] });
  });
  return data;
}

function resized() {
  const buffer = new ArrayBuffer(72, { maxByteLength: 144 });
  const data = new Float64Array(buffer, 0, 9);
  buffer.resize(8);
  return data;
}

const throwing = fc.constantFrom('data', 'shape', 'stride', 'offset', 'dtype').map((key) =>
  Object.defineProperty({ data: new Float64Array(4), shape: [2, 2] }, key, {
    get() {
      throw new Hostile(`reading ${key}`);
    },
  }),
);

const nonsense = fc.oneof(
  fc.anything({ withBigInt: true, withTypedArray: true, withNullPrototype: true, withSparseArray: true }),
  fc.constantFrom(
    undefined,
    null,
    0,
    3n,
    '',
    Symbol.iterator,
    () => [[1]],
    new Map(),
    new Date(0),
    /x/,
    Promise.resolve(),
  ),
);

/** Anything, most of it arrays. */
export const anyArray = fc.oneof(
  { weight: 6, arbitrary: validArray },
  { weight: 4, arbitrary: anyNumbers },
  { weight: 3, arbitrary: forged },
  { weight: 1, arbitrary: throwing },
  { weight: 1, arbitrary: nonsense },
);

/** Objects with the keys of a factored matrix or of a decomposition. */
export const anyOperand = fc.oneof(
  { weight: 4, arbitrary: anyArray },
  { weight: 1, arbitrary: fc.record({ A: anyArray, B: anyArray, mdim: fc.integer() }) },
  { weight: 1, arbitrary: fc.record({ U: anyArray, S: anyArray, Vh: anyArray }) },
  { weight: 1, arbitrary: fc.record({ U: anyArray, S: anyArray, V: anyArray }) },
);

const anyInteger = fc.oneof(fc.integer({ min: -4, max: 6 }), fc.constantFrom(...special));
export const anyNumber = fc.oneof({ weight: 5, arbitrary: anyInteger }, { weight: 1, arbitrary: nonsense });

const range = fc.record({ start: anyNumber, stop: anyNumber, step: anyNumber });
export const anyIndex = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: anyInteger },
    fc.array(anyInteger, { maxLength: 4 }),
    fc.constant(null),
    range,
    nonsense,
  ),
  { maxLength: 5 },
);

const signals = fc.constantFrom('none', 'aborted', 'soon').map((when) => {
  if (when === 'none') return undefined;
  if (when === 'aborted') return AbortSignal.abort(new Hostile('aborted'));
  const controller = new AbortController();
  setImmediate(() => controller.abort(new Hostile('aborted')));
  return controller.signal;
});

const options = {
  fullMatrices: fc.oneof(fc.boolean(), nonsense),
  algorithm: fc.constantFrom('product', 'three-svd', 'fast', 3),
  signs: fc.constantFrom('canonical', 'lapack', 7),
  onError: fc.constantFrom('throw', 'collect', 'ignore'),
  rank: anyNumber,
  tol: anyNumber,
  rtol: anyNumber,
  energy: fc.oneof(fc.double({ min: -0.1, max: 1.1 }), anyNumber),
  method: fc.constantFrom('auto', 'full', 'gram', 'krylov', 'lanczos'),
  certify: fc.oneof(fc.boolean(), nonsense),
  accuracy: anyNumber,
  seed: anyNumber,
  mode: fc.constantFrom('absolute', 'relative', 'exact'),
  acceptUndetermined: fc.boolean(),
  within: anyNumber,
  leading: anyNumber,
  full: fc.oneof(fc.boolean(), nonsense),
  update: fc.boolean(),
  resume: fc.boolean(),
  include: fc.oneof(fc.array(fc.string(), { maxLength: 2 }), nonsense),
  exclude: fc.oneof(fc.array(fc.string(), { maxLength: 2 }), nonsense),
  circuits: fc.constantFrom(undefined, [], ['OV'], ['OV', 'OV'], ['QK', 'OV'], 'OV'),
  signal: signals,
  onProgress: fc.constantFrom(
    undefined,
    () => {},
    () => {
      throw new Hostile('in onProgress');
    },
  ),
};

/** Some of the options `names`, of kinds that TypeScript would refuse as often as not; now and then another one. */
export const optionsOf = (...names) =>
  fc.oneof(
    { weight: 6, arbitrary: fc.constant(undefined) },
    {
      weight: 6,
      arbitrary: fc.record(Object.fromEntries(names.map((name) => [name, options[name]])), {
        requiredKeys: [],
      }),
    },
    { weight: 1, arbitrary: fc.record(options, { requiredKeys: [] }) },
    { weight: 1, arbitrary: nonsense },
  );
