// What the event loop waits for least: each kind of input, and the asynchronous call that takes it.
import { FactoredMatrix, prepareAsync, svdAsync, svdvalsAsync } from '../../dist/index.js';
import { normal } from '../trials/trial.mjs';

const heads = { n: 144, l: 768, k: 64, r: 768 };
const tall = { n: 1, l: 50257, k: 768, r: 768 };

const float = (shape, dtype, seed = 1) => ({
  data: normal(
    shape.reduce((p, n) => p * n, 1),
    dtype,
    seed,
  ),
  shape,
});

/** Elements of about 1 in either 16-bit format. */
function half(shape, dtype) {
  const { data } = float([2 ** 16], 'float32');
  const one = dtype === 'bfloat16' ? 0x3f80 : 0x3c00;
  const few = Uint16Array.from(data, (x) => (x < 0 ? 0x8000 : 0) | (one - Math.floor(100 * Math.abs(x))));
  const bits = new Uint16Array(shape.reduce((p, n) => p * n, 1));
  for (let at = 0; at < bits.length; at += few.length - 1) bits.set(few.subarray(0, bits.length - at), at);
  return { data: bits, shape, dtype };
}

const nested = (rows, cols) =>
  Array.from({ length: rows }, (_, i) => Array.from({ length: cols }, (_, j) => Math.sin(i * cols + j)));

const product = (make) => () => {
  const [A, B] = make();
  return () => new FactoredMatrix(A, B).svdAsync();
};
const factors = ({ n, l, k, r }, left, right = left, make = float) => [
  make(n === 1 ? [l, k] : [n, l, k], left),
  make(n === 1 ? [k, r] : [n, k, r], right),
];

/** Name → makes the inputs, and gives the call. */
export const lateInputs = {
  '144 heads float32': product(() => factors(heads, 'float32')),
  '144 heads float64': product(() => factors(heads, 'float64')),
  '144 heads bfloat16': product(() => factors(heads, 'bfloat16', 'bfloat16', half)),
  '144 heads float16': product(() => factors(heads, 'float16', 'float16', half)),
  '144 heads float32·float64': product(() => factors(heads, 'float32', 'float64')),
  '50257×768 float16, prepared': () => {
    const x = half([50257, 768], 'float16');
    return () => prepareAsync(x);
  },
  'nested arrays 1000×500': () => {
    const rows = nested(1000, 500);
    return () => svdvalsAsync(rows);
  },
  '100,000 matrices 4×4': () => {
    const x = float([100_000, 4, 4], 'float64');
    return () => svdAsync(x);
  },
  '100,000 matrices 4×4, fixed signs': () => {
    const x = float([100_000, 4, 4], 'float64');
    return () => svdAsync(x, { signs: 'canonical' });
  },
  '100,000 products 4×2×4': product(() => factors({ n: 100_000, l: 4, k: 2, r: 4 }, 'float32')),
  'pinv of 100,000 products 4×2×4': () => {
    const [A, B] = factors({ n: 100_000, l: 4, k: 2, r: 4 }, 'float32');
    return () => new FactoredMatrix(A, B).pinvAsync();
  },
  'eigenvalues of 100,000 products 4×2×4': () => {
    const [A, B] = factors({ n: 100_000, l: 4, k: 2, r: 4 }, 'float32');
    return () => new FactoredMatrix(A, B).eigenvaluesAsync();
  },
  '50257×768×768': product(() => factors(tall, 'float32')),
  'makeEven of 50257×768×768': () => {
    const [A, B] = factors(tall, 'float32');
    return () => new FactoredMatrix(A, B).makeEvenAsync();
  },
};
