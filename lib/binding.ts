import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { type Attempt, bindingError, loadFailure } from './binding-error.ts';

const requireFromHere = createRequire(import.meta.url);
let binding: unknown;

/**
 * The exports of the native addon, loaded on the first call. `FACTORED_SVD_BINARY`, the path of a `.node` file, is the
 * only candidate when it is set; otherwise the builds of cmake-js and node-gyp inside the package are tried in turn.
 *
 * @throws `ERR_SVD_BINARY` when none loads: with every path tried, the reason of each and the commands that mend it.
 */
export function loadBinding(): unknown {
  binding ??= load();
  return binding;
}

function load(): unknown {
  const root = packageRoot();
  const attempts: Attempt[] = [];
  for (const path of candidates(root)) {
    if (!existsSync(path)) {
      attempts.push({ path, reason: 'no such file' });
      continue;
    }
    try {
      return withoutBlasThreads(() => {
        const addon = { exports: {} };
        process.dlopen(addon, path);
        return addon.exports;
      });
    } catch (error) {
      attempts.push(loadFailure(path, error as Error));
    }
  }
  throw bindingError(attempts, root);
}

/**
 * Runs `load`. If that brings OpenBLAS into the process, it starts no threads of its own: nobody has work for them, yet
 * each would keep a core busy for its first tenth of a second, waiting. (Where `process.env` is a worker's copy, OpenBLAS
 * does not get to see it.)
 */
function withoutBlasThreads<T>(load: () => T): T {
  const { OPENBLAS_NUM_THREADS: before } = process.env;
  process.env.OPENBLAS_NUM_THREADS = '1';
  try {
    return load();
  } finally {
    if (before === undefined) delete process.env.OPENBLAS_NUM_THREADS;
    else process.env.OPENBLAS_NUM_THREADS = before;
  }
}

/** The folder of this package: it refers to itself by name, from `lib/`, from `dist/` and from an application's bundle. */
function packageRoot(): string | undefined {
  try {
    return dirname(requireFromHere.resolve('factored-svd/package.json'));
  } catch {
    return undefined;
  }
}

function candidates(root: string | undefined): string[] {
  const chosen = process.env.FACTORED_SVD_BINARY;
  if (chosen) return [resolve(chosen)];
  if (root === undefined) return [];
  return [
    join(root, 'native/build/Release/factored_svd.node'), // cmake-js
    join(root, 'build/Release/factored_svd.node'), // node-gyp
  ];
}
