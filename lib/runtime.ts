import { exposed } from './arguments/boundary.ts';
import { checkThreads, kernels } from './native/addon.ts';
import { version } from './native/version.ts';

/**
 * Number of compute threads of this process: the cores it may use, or `FACTORED_SVD_THREADS`, or what was set.
 *
 * @throws `ERR_SVD_BINARY` when the native addon cannot be loaded
 * @function
 */
export const threads = exposed({}, function threads(): number {
  return kernels().threads();
});

/**
 * Sets the number of compute threads of this process, all its workers included. No result depends on it.
 *
 * @throws `ERR_SVD_ARGUMENT` unless `n` is an integer from 1 to 1024; `ERR_SVD_BINARY`
 * @function
 */
export const setThreads = exposed({ takes: ['n'] }, function setThreads(n: number): void {
  kernels().setThreads(checkThreads(n, 'setThreads'));
});

/** What computes here; for bug reports and golden files. */
export interface Versions {
  /** Version of this package. */
  readonly factoredSvd: string;
  /** Version of OpenBLAS. */
  readonly openblas: string;
  /** How OpenBLAS was built. */
  readonly openblasConfig: string;
  /** The processor kernel OpenBLAS chose; the bits of a result depend on it. */
  readonly openblasCore: string;
  /** Bits of a LAPACK integer. */
  readonly lapackIntBits: 32 | 64;
  /** The build system that made the addon. */
  readonly build: string;
}

/**
 * What computes here: the versions of this package and of OpenBLAS, and what the bits of a result depend on. Put it into
 * every bug report.
 *
 * @throws `ERR_SVD_BINARY` when the native addon cannot be loaded
 * @function
 */
export const versions = exposed({}, function versions(): Versions {
  const { openblasConfig, openblasCore, lapackIntBits, build } = kernels().versions();
  const openblas = /OpenBLAS\s+(\S+)/.exec(openblasConfig)?.[1] ?? 'unknown';
  return { factoredSvd: version, openblas, openblasConfig, openblasCore, lapackIntBits, build };
});
