import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Attempt, binaryError, failure, NotThere } from './binary-error.ts';
import { fileProblem, platform } from './platform.ts';
import { required } from './platforms.cjs';
import { version } from './version.ts';

let binding: unknown;

/**
 * The exports of the native addon, loaded on the first call. `FACTORED_SVD_BINARY`, the path of a `.node` file, is the
 * only candidate when it is set. Otherwise the builds of cmake-js and node-gyp inside the package are tried, then the
 * package for this platform.
 *
 * @throws `ERR_SVD_BINARY` when none loads: with all that was tried, the reason of each and the commands that mend it.
 */
export function loadBinding(): unknown {
  binding ??= load();
  return binding;
}

function load(): unknown {
  const root = packageRoot();
  const attempts: Attempt[] = [];
  for (const { from, find, open } of candidates(root)) {
    let path: string | undefined;
    try {
      path = find();
      const problem = path && fileProblem(path);
      if (problem) throw new NotThere(`${path === from ? '' : `${path}: `}${problem}`);
      const addon = withoutBlasThreads(() => open(path));
      checkVersion(addon);
      return addon;
    } catch (error) {
      attempts.push(failure(from, path, error as Error));
    }
  }
  throw binaryError(attempts, root, platform());
}

/** A file or package to have the addon from. */
interface Candidate {
  readonly from: string;
  /** The file, where that can be known; throws where it cannot be had. */
  readonly find: () => string | undefined;
  /** The exports of the addon. Throws where it does not load. */
  readonly open: (path: string | undefined) => unknown;
}

function candidates(root: string | undefined): Candidate[] {
  const chosen = process.env.FACTORED_SVD_BINARY;
  if (chosen) return [file(chosen)];
  const built = root === undefined ? [] : buildsIn(root).map(file);
  const here = platform();
  return here === undefined ? built : [...built, platformPackage(here)];
}

function buildsIn(root: string): string[] {
  return [
    join(root, 'native/build/Release/factored_svd.node'), // cmake-js
    join(root, 'build/Release/factored_svd.node'), // node-gyp
  ];
}

/** A path that is relative to the working directory, which there may be none of. */
const file = (path: string): Candidate => ({
  from: path,
  find: () => resolve(path),
  open: (found = path) => opened(found),
});

function opened(path: string): unknown {
  const addon = { exports: {} };
  process.dlopen(addon, path);
  return addon.exports;
}

function platformPackage(platform: string): Candidate {
  const name = `factored-svd-${platform}`;
  return {
    from: name,
    find: () => resolved(name) ?? installed(name),
    open(path) {
      if (path !== undefined && resolved(name) === undefined) return opened(path);
      const found = required(platform);
      return 'error' in found ? requiredFromHere(name, found.error) : found.addon;
    },
  };
}

/** The file that Node loads for a package; undefined where it finds none. */
function resolved(name: string): string | undefined {
  try {
    return requireFromHere()?.resolve(name);
  } catch {
    return undefined;
  }
}

/**
 * The addon of a package that Node did not find though it is there: because a file is missing, or could not be opened at the
 * time, which Node does not try again. Throws where its folder cannot be looked into.
 */
function installed(name: string): string | undefined {
  if (!requireFromHere()) return undefined;
  let folder = dirname(fileURLToPath(import.meta.url));
  for (let above = dirname(folder); above !== folder; folder = above, above = dirname(folder)) {
    const place = join(folder, 'node_modules', name);
    try {
      readdirSync(place);
      return join(place, 'factored_svd.node');
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code !== 'ENOENT' && code !== 'ENOTDIR') throw new NotThere(message);
    }
  }
  return undefined;
}

/** A bundle in the form of an ES module has no `require`: what it would have found is looked for from the bundle's place. */
function requiredFromHere(name: string, error: Error): unknown {
  const require = requireFromHere();
  if (!require || ('code' in error && error.code === 'ERR_DLOPEN_FAILED')) throw error;
  try {
    return require(name);
  } catch (own) {
    throw 'code' in error && error.code === 'MODULE_NOT_FOUND' ? own : error; // esbuild: it cannot require what it has copied
  }
}

/** `require` of this file; undefined in a bundle that does not know where it is. */
function requireFromHere(): NodeJS.Require | undefined {
  try {
    return createRequire(import.meta.url);
  } catch {
    return undefined;
  }
}

/** The folder of this package: it refers to itself by name, from `lib/`, from `dist/` and from an application's bundle. */
function packageRoot(): string | undefined {
  try {
    const manifest = requireFromHere()?.resolve('factored-svd/package.json');
    return manifest && dirname(manifest);
  } catch {
    return undefined;
  }
}

/** What the kernels take and give is agreed on within one version only. */
function checkVersion(addon: unknown): void {
  if (typeof addon === 'string') throw new NotThere('a bundler put the name of a file in place of the addon');
  const { versions } = addon as { versions?: () => { package?: string } };
  const builtFor = versions?.().package ?? 'of an unknown version';
  if (builtFor !== version) throw new NotThere(`built for factored-svd ${builtFor}, and this is ${version}`);
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
