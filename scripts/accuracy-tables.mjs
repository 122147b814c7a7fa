// What the tables of docs/accuracy.md are made with.

/** What was measured last, over its bound. */
export function part({ checks }) {
  const { value, bound } = checks.at(-1);
  return plain(value / bound);
}

/** Uniform numbers in (−1, 1), the same for the same seed everywhere (mulberry32). */
export function uniform(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * 2 - 1;
  };
}

export function random(rows, cols, dtype, seed) {
  return { data: typed(dtype, Array.from({ length: rows * cols }, uniform(seed))), shape: [rows, cols] };
}

export function typed(dtype, values) {
  return dtype === 'float32' ? Float32Array.from(values) : Float64Array.from(values);
}

export function scientific(x) {
  return Number.isFinite(x) ? x.toExponential(1) : 'overflow';
}

export function plain(x) {
  if (!Number.isFinite(x)) return 'overflow';
  return x >= 1000 ? x.toExponential(1) : x.toFixed(2);
}

export function table(columns, rows) {
  const line = (cells) => `| ${cells.join(' | ')} |\n`;
  return line(columns) + line(columns.map(() => '---')) + rows.map(line).join('');
}
