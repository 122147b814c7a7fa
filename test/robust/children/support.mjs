// What the scripts of this folder share. Each is one process that a test watches: it ends with status 0 when everything
// was as it says, and with an uncaught error otherwise.
import { isDeepStrictEqual } from 'node:util';

/** Uniform numbers in (−1, 1), the same for the same seed everywhere. */
export function random(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * 2 - 1;
  };
}

/** A row-major array of random numbers times `scale`. */
export function matrix(seed, shape, { type = Float64Array, scale = 1 } = {}) {
  const next = random(seed);
  return { data: type.from({ length: shape.reduce((p, n) => p * n, 1) }, () => next() * scale), shape };
}

/** One number that looks like a whole array. */
export const repeated = (value, shape, type = Float64Array) => ({
  data: type.of(value),
  shape,
  stride: shape.map(() => 0),
});

export function check(condition, message) {
  if (!condition) throw new Error(`not so: ${message}`);
}

/** That `f`, or the promise it returns, fails with this code and these fields. */
export async function fails(f, code, fields = {}, what = '') {
  let result;
  try {
    result = await f();
  } catch (error) {
    check(error.code === code, `${what} fails with ${code}, but with: ${error.stack}`);
    for (const [key, value] of Object.entries(fields)) {
      check(isDeepStrictEqual(error[key], value), `${what}: ${key} is ${value}, not ${error[key]}`);
    }
    return error;
  }
  throw new Error(
    `not so: ${what} fails with ${code}; it answered ${JSON.stringify(result?.S?.data ?? result)}`,
  );
}

/** The bits of all arrays of a result, as text. */
export const bits = (result) =>
  Array.from(result, ({ data, shape }) => {
    return `${shape.join('x')}:${Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('base64')}`;
  }).join('\n');

export const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
