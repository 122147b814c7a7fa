/**
 * What is timed. A case is a product A·B: `n` matrices, A l×k, B k×r, of standard normal elements; or, without k, plain
 * l×r matrices.
 * @typedef {{ name: string, n: number, l: number, k?: number, r: number, dtype: 'float32' | 'float64' }} Case
 * @type {Case[]}
 */
export const cases = [
  { name: '144 heads 768×64×768', n: 144, l: 768, k: 64, r: 768, dtype: 'float32' },
  { name: '144 heads 768×64×768', n: 144, l: 768, k: 64, r: 768, dtype: 'float64' },
  { name: '8 heads 4096×128×4096', n: 8, l: 4096, k: 128, r: 4096, dtype: 'float32' },
  { name: '8 heads 4096×128×4096', n: 8, l: 4096, k: 128, r: 4096, dtype: 'float64' },
  { name: '1 head 4096×128×4096', n: 1, l: 4096, k: 128, r: 4096, dtype: 'float32' },
  { name: '1 head 4096×128×4096', n: 1, l: 4096, k: 128, r: 4096, dtype: 'float64' },
  { name: '768×3072×768', n: 1, l: 768, k: 3072, r: 768, dtype: 'float32' },
  { name: '50257×768×768', n: 1, l: 50257, k: 768, r: 768, dtype: 'float32' },
  { name: 'dense 144 × 64×64', n: 144, l: 64, r: 64, dtype: 'float64' },
  { name: 'dense 256×256', n: 1, l: 256, r: 256, dtype: 'float64' },
  { name: 'dense 512×512', n: 1, l: 512, r: 512, dtype: 'float64' },
  { name: 'dense 1024×1024', n: 1, l: 1024, r: 1024, dtype: 'float64' },
];

export const isProduct = (c) => c.k !== undefined;

/** Flops that any algorithm of this kind spends on the factors, done as matrix products: 3·(l + r)·k². */
export const gemmFlops = ({ n, l, k, r }) => 3 * n * (l + r) * k * k;
