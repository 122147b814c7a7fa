import type { FactorDriver } from '../../lib/algorithms/result.ts';
import type { Dtype } from '../../lib/array/tensor.ts';

/** Every way that a tall factor can take; `force` takes each in turn. */
export const paths: FactorDriver[] = ['gram', 'cholesky', 'cholesky2', 'householder', 'tsqr'];

// TSQR is Householder in more than one block of rows, each no wider than tall: some factors have only one.
const rank = { gram: -1, cholesky: 0, cholesky2: 1, householder: 2, tsqr: 2, direct: 3 };

/** Whether a factor took the path that was forced, or had to take a more exact one. */
export const isForced = (taken: FactorDriver, force: FactorDriver): boolean => rank[taken] >= rank[force];

/** The driver of a well-conditioned factor of this shape under `force`. */
export const driverUnder = (force: FactorDriver, rows: number, cols: number, dtype: Dtype): FactorDriver => {
  if (force === 'tsqr' && rows < 2 * cols) return 'householder';
  return force === 'gram' && dtype === 'float64' ? 'cholesky' : force;
};

/** The paths of both factors, of one result or of every item of a batch. */
export const factorDrivers = (driver: unknown): FactorDriver[][] =>
  [driver].flat().map((path) => (path as string).split('/').slice(0, 2) as FactorDriver[]);
