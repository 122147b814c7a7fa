import { widenBfloat16, widenFloat16 } from '../array/elements.ts';
import { type Turns, turn } from '../array/turns.ts';

/** What is said of the elements of a tensor, whatever they are. */
export interface ElementNumbers {
  /** ‖W‖_F of those that are finite. */
  readonly norm: number;
  /** Largest |element| of those that are finite. */
  readonly largest: number;
  readonly nan: number;
  readonly infinite: number;
}

/** Elements as a file has them: 16-bit floats as their bits. */
export interface Elements {
  readonly data: Float32Array | Float64Array | Uint16Array;
  readonly dtype: string;
}

/** Elements between two turns of the event loop, some milliseconds. */
const slice = 2 ** 22;

const all16 = Uint16Array.from({ length: 2 ** 16 }, (_, i) => i);

/** One pass over the elements. */
export function* elementNumbers({ data, dtype }: Elements): Turns<ElementNumbers> {
  if (!(data instanceof Uint16Array)) return yield* numbersOf(data);
  const widen = dtype === 'bfloat16' ? widenBfloat16 : widenFloat16;
  if (data.length <= all16.length) return yield* numbersOf(widen(data));
  // Each of the 65,536 floats times how often it is there.
  const counts = new Float64Array(2 ** 16);
  for (let from = 0; from < data.length; from += slice) {
    const to = Math.min(data.length, from + slice);
    for (let i = from; i < to; i++) counts[data[i]]++;
    yield turn;
  }
  return yield* numbersOf(widen(all16), counts);
}

/** Of elements, or of each times its count. */
function* numbersOf(x: Float32Array | Float64Array, counts?: Float64Array): Turns<ElementNumbers> {
  let [sum, largest, nan, infinite] = [0, 0, 0, 0];
  for (let from = 0; from < x.length; from += slice) {
    const to = Math.min(x.length, from + slice);
    for (let i = from; i < to; i++) {
      const count = counts === undefined ? 1 : counts[i];
      const size = Math.abs(x[i]);
      if (count === 0) continue;
      if (size <= Number.MAX_VALUE) {
        sum += count * size * size;
        if (size > largest) largest = size;
      } else if (size === Number.POSITIVE_INFINITY) infinite += count;
      else nan += count;
    }
    yield turn;
  }
  const fits = largest === 0 || (largest < 1e150 && largest > 1e-150);
  const norm = fits ? Math.sqrt(sum) : largest * Math.sqrt(yield* scaledSum(x, largest));
  return { norm, largest, nan, infinite };
}

/** Σ(x/largest)², where squares would not fit. Only float64 has such elements. */
function* scaledSum(x: Float32Array | Float64Array, largest: number): Turns<number> {
  let sum = 0;
  for (let from = 0; from < x.length; from += slice) {
    const to = Math.min(x.length, from + slice);
    for (let i = from; i < to; i++) if (Math.abs(x[i]) <= largest) sum += (x[i] / largest) ** 2;
    yield turn;
  }
  return sum;
}
