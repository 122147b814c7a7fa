// Residuals in arithmetic of twice the precision of float64 (Dekker 1971): what the package says of them is checked with it.

/** The exponent of a power of two near x; 0 of 0. */
export const power = (x) => (x > 0 ? Math.max(-1074, Math.floor(Math.log2(x))) : 0);

/** x·2^exponent, in steps that do not overflow on the way. */
export function scaled(x, exponent) {
  const half = Math.trunc(exponent / 2);
  return x * 2 ** half * 2 ** (exponent - half);
}

const splitter = 2 ** 27 + 1;

/** Sums of products of `high + low` numbers by plain ones. */
class Sum {
  high = 0;
  low = 0;

  add(x) {
    const next = this.high + x;
    const back = next - this.high;
    this.low += this.high - (next - back) + (x - back);
    this.high = next;
  }

  addProduct(x, y) {
    const p = x * y;
    const [s, t] = [splitter * x, splitter * y];
    const [xh, yh] = [s - (s - x), t - (t - y)];
    const [xl, yl] = [x - xh, y - yh];
    this.low += xl * yl - (p - xh * yh - xl * yh - xh * yl);
    this.add(p);
  }

  get value() {
    return this.high + this.low;
  }
}

/** x·y as two numbers whose sum it is. */
function twoProduct(x, y) {
  const sum = new Sum();
  sum.addProduct(x, y);
  return [sum.high, sum.low];
}

/**
 * ‖a − U·diag(S)·Vh‖_F, and of every triplet √((‖a·v − σ·u‖² + ‖aᵀ·u − σ·v‖²)/2), with `S` in the units of `a`.
 *
 * @param a m×n elements
 */
export function evidence(a, m, n, { U, Vh }, S) {
  const r = S.length;
  const [u, v] = [Float64Array.from(U.data), Float64Array.from(Vh.data)];
  const [high, low] = [new Float64Array(m * r), new Float64Array(m * r)]; // U·diag(S)
  for (let e = 0; e < m * r; e++) [high[e], low[e]] = twoProduct(u[e], S[e % r]);
  const [sum, square] = [new Sum(), new Sum()];
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      sum.high = -a[i * n + j];
      sum.low = 0;
      for (let k = 0; k < r; k++) {
        sum.addProduct(high[i * r + k], v[k * n + j]);
        sum.low += low[i * r + k] * v[k * n + j];
      }
      square.addProduct(sum.value, sum.value);
    }
  }
  const residuals = Array.from(S, (sigma, k) => {
    const both = new Sum();
    for (let i = 0; i < m; i++) {
      [sum.high, sum.low] = twoProduct(u[i * r + k], -sigma);
      for (let j = 0; j < n; j++) sum.addProduct(a[i * n + j], v[k * n + j]);
      both.addProduct(sum.value, sum.value);
    }
    for (let j = 0; j < n; j++) {
      [sum.high, sum.low] = twoProduct(v[k * n + j], -sigma);
      for (let i = 0; i < m; i++) sum.addProduct(a[i * n + j], u[i * r + k]);
      both.addProduct(sum.value, sum.value);
    }
    return Math.sqrt(both.value / 2);
  });
  return { error: Math.sqrt(square.value), residuals };
}

/** ‖XᵀX − I‖_F of the columns (`axis` 0) or the rows (`axis` 1) of X. */
export function gramError({ data, shape }, axis) {
  const [rows, cols] = shape;
  const [count, length, across, along] = axis === 0 ? [cols, rows, 1, cols] : [rows, cols, cols, 1];
  let square = 0;
  for (let i = 0; i < count; i++) {
    for (let j = 0; j <= i; j++) {
      const sum = new Sum();
      sum.add(i === j ? -1 : 0);
      for (let k = 0; k < length; k++)
        sum.addProduct(data[i * across + k * along], data[j * across + k * along]);
      square += (i === j ? 1 : 2) * sum.value ** 2;
    }
  }
  return Math.sqrt(square);
}
