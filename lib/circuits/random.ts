import { frobenius } from '../algorithms/norm.ts';
import { gaussianMatrix } from '../algorithms/random.ts';
import { tensor } from '../array/tensor.ts';
import { FactoredMatrix } from '../factored-matrix.ts';
import { type AsyncOptions, runAsync } from '../native/steps.ts';

/** Shapes of the factors of a random product, rows × inner and inner × cols. */
export interface RandomShape {
  readonly rows: number;
  readonly inner: number;
  readonly cols: number;
  /** Default 0; the same numbers for the same seed, on every machine up to the last bits. */
  readonly seed?: number | undefined;
}

/**
 * Singular values of A·B, with A and B Gaussian and scaled to ‖A‖_F = ‖B‖_F = 1: what chance gives. Times the norms of the
 * factors of a head they are what its weights would have if there were nothing in them but their size. Of one draw, in
 * float64; of matrices as large as those of a head others differ from it by little.
 *
 * @returns min(rows, inner, cols) singular values, largest first
 */
export async function randomSpectrum(
  { rows, inner, cols, seed = 0 }: RandomShape,
  options: Pick<AsyncOptions, 'signal'> = {},
): Promise<Float64Array> {
  const factor = async (m: number, n: number, own: number) => {
    const x = await runAsync(gaussianMatrix(m, n, own), options);
    const [norm] = await runAsync(frobenius(x, new Int32Array(1)), options);
    return { array: tensor(x.data, [m, n]), norm };
  };
  const A = await factor(rows, inner, 2 * seed);
  const B = await factor(inner, cols, 2 * seed + 1);
  const S = await new FactoredMatrix(A.array, B.array).svdvalsAsync(options);
  return Float64Array.from(S.data, (sigma) => sigma / (A.norm * B.norm));
}
