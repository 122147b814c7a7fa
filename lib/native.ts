import { availableParallelism } from 'node:os';
import { loadBinding } from './binding.ts';
import { shown, svdError } from './errors.ts';

export type Kernel =
  | 'scan'
  | 'pack'
  | 'gram'
  | 'cholesky'
  | 'choleskyAgain'
  | 'gramSvd'
  | 'solveRoot'
  | 'multiplySolved'
  | 'qr'
  | 'applyQ'
  | 'gemm'
  | 'scaledCore'
  | 'gesdd'
  | 'geev';

declare const native: unique symbol;
/** Kernel calls that are made one after the other and given up together. */
export type Task = { readonly [native]: 'task' };

type Sync = { readonly [K in Kernel]: (...args: readonly unknown[]) => void };
type Async = {
  readonly [K in `${Kernel}Async`]: (task: Task, ...args: readonly unknown[]) => Promise<void>;
};

interface NativeVersions {
  readonly openblasConfig: string;
  readonly openblasCore: string;
  readonly lapackIntBits: 32 | 64;
  readonly build: string;
}

interface Addon extends Sync, Async {
  /** A row-major copy, by the calling thread, which waits for no other. */
  copyAlone(...args: readonly unknown[]): void;
  task(): Task;
  /** What has not begun of the present call is dropped, what runs ends soon, and the call rejects. */
  stop(task: Task): void;
  /** The share of the present call that is done. */
  done(task: Task): number;
  threads(): number;
  setThreads(n: number): void;
  versions(): NativeVersions;
  /** Into how many blocks of rows a tall matrix is cut; depends on its shape only. */
  gramBlocks(rows: number, cols: number): number;
  /** Elements of workspace that `?gesdd` of an m×n matrix needs at the least. */
  gesddWorkspace(m: number, n: number, vectors: 0 | 1 | 2): number;
}

let addon: Addon | undefined;

/** The addon, loaded at first use: `import` of this package succeeds without it. `ERR_SVD_BINARY` when it cannot load. */
export function kernels(): Addon {
  if (!addon) {
    const loaded = loadBinding() as Addon;
    if (loaded.threads() === 0) loaded.setThreads(initialThreads()); // one number for all environments of the process
    addon = loaded;
  }
  return addon;
}

function initialThreads(): number {
  const given = process.env.FACTORED_SVD_THREADS;
  return given ? checkThreads(Number(given), 'FACTORED_SVD_THREADS') : availableParallelism();
}

const mostThreads = 1024;

export function checkThreads(n: number, name: string): number {
  if (Number.isInteger(n) && n >= 1 && n <= mostThreads) return n;
  throw svdError(
    'ERR_SVD_ARGUMENT',
    `${name}: expected an integer from 1 to ${mostThreads}, got ${shown(n)}`,
  );
}
