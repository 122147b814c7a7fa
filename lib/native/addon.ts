import { closeSync, existsSync, openSync, readFileSync, readSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import systemPackages from '../../native/system-packages.json' with { type: 'json' };
import { type SvdError, shown, svdError } from '../array/errors.ts';
import type { Kernel } from './contract.ts';

/** A place where the addon was looked for, and why it was not loaded from there. */
export interface Attempt {
  path: string;
  reason: string;
  /** What the dynamic loader threw; absent when there is no such file. */
  error?: Error;
}

/** The attempt at a file that exists and did not load. */
function loadFailure(path: string, error: Error): Attempt {
  const code = 'code' in error && error.code !== 'ERR_DLOPEN_FAILED' ? ` [${error.code}]` : '';
  const arch = elfArch(path);
  // The dynamic loader calls a library for another processor a file that does not exist.
  const other = arch !== undefined && arch !== process.arch ? ` (the file was built for ${arch})` : '';
  const message = error.message.trim().replace(`${path}: `, '');
  return { path, reason: message + code + other, error };
}

/** The `ERR_SVD_BINARY` that tells what was tried, on what system, and the commands that mend it. */
function bindingError(attempts: Attempt[], root: string | undefined): SvdError {
  const lines = [
    'Could not load the native addon of factored-svd.',
    '',
    'Tried:',
    ...attempts.map(({ path, reason }) => `- ${path}: ${reason.replaceAll('\n', ' ')}`),
    ...(attempts.length === 0 ? ['- nothing: this code was moved out of the package factored-svd'] : []),
    '',
    `This is ${process.platform}-${process.arch}, ${libc()}Node ${process.version}.`,
    '',
    'To mend it:',
    ...remedies(attempts, root),
  ];
  const cause = attempts.find(({ error }) => error !== undefined)?.error;
  return svdError('ERR_SVD_BINARY', lines.join('\n'), { cause });
}

function remedies(attempts: Attempt[], root: string | undefined): string[] {
  const reasons = attempts.map(({ reason }) => reason).join('\n');
  if (reasons.includes('ERR_DLOPEN_DISABLED')) return ['- Run Node without --no-addons.'];

  const lines: string[] = [];
  if (process.env.FACTORED_SVD_BINARY) {
    lines.push(
      '- FACTORED_SVD_BINARY is set, so nothing else is tried. To use the addon inside the package:',
      '    unset FACTORED_SVD_BINARY',
    );
  }
  if (reasons.includes('OPENBLAS_CORETYPE')) {
    return ['- Leave the choice of its kernels to OpenBLAS:', '    unset OPENBLAS_CORETYPE'];
  }
  if (/openblas/i.test(reasons)) {
    lines.push('- Install OpenBLAS (the pthread build):', ...installCommands());
  }
  if (root === undefined) {
    return [
      ...lines,
      '- Let the bundler leave factored-svd alone (mark it as external) and install it beside the bundle:',
      '    npm install factored-svd',
    ];
  }
  return [
    ...lines,
    '- Build the addon on this system; what that needs is installed with:',
    ...installCommands(),
    '  then',
    '    npm rebuild factored-svd',
    '  or, in a source checkout and where install scripts of packages are not run (npm 12, pnpm, bun),',
    `    node "${join(root, 'scripts/install.mjs')}"`,
  ];
}

/** The command that installs compiler, CMake and OpenBLAS here; one for each known system where this one is not known. */
function installCommands(): string[] {
  const commands: Record<string, string> = systemPackages;
  const known = systemIds().find((id) => id in commands);
  const shown = known === undefined ? Object.values(commands) : [commands[known]];
  return shown.map((command) => `    ${command}`);
}

function systemIds(): string[] {
  if (process.platform !== 'linux') return [process.platform];
  try {
    const fields = readFileSync('/etc/os-release', 'utf8').matchAll(/^(?:ID|ID_LIKE)="?([^"\n]*)/gm);
    return Array.from(fields, ([, ids]) => ids.split(' ')).flat();
  } catch {
    return [];
  }
}

function libc(): string {
  if (process.platform !== 'linux') return '';
  const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } };
  return header.glibcVersionRuntime ? `glibc ${header.glibcVersionRuntime}, ` : 'musl, ';
}

/** `process.arch` of the machine an ELF file is for (`e_machine`), undefined for any other file. */
function elfArch(path: string): string | undefined {
  const header = readStart(path, 20);
  if (header?.toString('latin1', 0, 4) !== '\x7fELF') return undefined;
  const littleEndian = header[5] === 1;
  const machine = littleEndian ? header.readUInt16LE(18) : header.readUInt16BE(18);
  return elfArches[machine] ?? `ELF machine ${machine}`;
}

const elfArches: Record<number, string> = {
  3: 'ia32',
  21: 'ppc64',
  22: 's390x',
  40: 'arm',
  62: 'x64',
  183: 'arm64',
  243: 'riscv64',
};

/** The first `length` bytes of a file, undefined where they cannot be read (a folder, no permission). */
function readStart(path: string, length: number): Buffer | undefined {
  try {
    const file = openSync(path, 'r');
    try {
      const bytes = Buffer.alloc(length);
      readSync(file, bytes, 0, length, 0);
      return bytes;
    } finally {
      closeSync(file);
    }
  } catch {
    return undefined;
  }
}

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
