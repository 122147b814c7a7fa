import { availableParallelism } from 'node:os';
import { shown, svdError } from '../array/errors.ts';
import { loadBinding } from './binary.ts';
import type { Kernel } from './contract.ts';

declare const native: unique symbol;
/** Kernel calls that are made one after the other and stopped together. */
export type Task = { readonly [native]: 'task' };

type Sync = { readonly [K in Kernel]: (...args: readonly unknown[]) => void };
type Async = {
  readonly [K in `${Kernel}Async`]: (task: Task, ...args: readonly unknown[]) => Promise<void>;
};

interface NativeVersions {
  readonly openblasConfig: string;
  readonly openblasCore: string;
  readonly lapack: string;
  readonly lapackIntBits: 32 | 64;
  readonly build: string;
  /** The version of factored-svd that it was built from. */
  readonly package: string;
}

interface Addon extends Sync, Async {
  /** A row-major copy, by the calling thread, which waits for no other. */
  copyAlone(...args: readonly unknown[]): void;
  task(): Task;
  /** Drops what has not begun of the present call; what runs ends soon, and the call rejects. */
  stop(task: Task): void;
  /** The share of the present call that is done. */
  done(task: Task): number;
  threads(): number;
  setThreads(n: number): void;
  versions(): NativeVersions;
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
