import { isProduct } from '../cases.mjs';
import { median } from '../median.mjs';

/** The case of this process, from its command line. */
export const theCase = JSON.parse(process.argv[2]);

const arrays = { float32: Float32Array, float64: Float64Array };

/** Standard normal elements (Box–Muller over a fixed generator): the same ones in every trial. */
export function normal(n, dtype, seed) {
  let state = seed >>> 0;
  const uniform = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state + 0.5) / 2 ** 32;
  };
  const x = new arrays[dtype](n);
  for (let i = 0; i < n; i++) x[i] = Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
  return x;
}

/** The operands: A and B of a product, or A alone. */
export function operands({ n, l, k, r, dtype } = theCase) {
  const leading = n === 1 ? [] : [n];
  if (!isProduct(theCase)) return { A: { data: normal(n * l * r, dtype, 1), shape: [...leading, l, r] } };
  return {
    A: { data: normal(n * l * k, dtype, 1), shape: [...leading, l, k] },
    B: { data: normal(n * k * r, dtype, 2), shape: [...leading, k, r] },
  };
}

const window = 0.5; // seconds; trial.py has the same

/** Runs `compute` for half a second, but at least once: the seconds that each run took. */
export function runs(compute) {
  const times = [];
  const end = performance.now() + 1000 * window;
  do {
    const start = performance.now();
    compute();
    times.push((performance.now() - start) / 1000);
  } while (performance.now() < end);
  return times;
}

/** Runs `compute` to warm up and then on the clock, and prints the median of the seconds. */
export function trial(compute) {
  runs(compute);
  console.log(median(runs(compute)));
}
