import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { join } from 'node:path';
import systemPackages from '../native/system-packages.json' with { type: 'json' };
import { type SvdError, svdError } from './errors.ts';

/** A place where the addon was looked for, and why it was not loaded from there. */
export interface Attempt {
  path: string;
  reason: string;
  /** What the dynamic loader threw; absent when there is no such file. */
  error?: Error;
}

/** The attempt at a file that exists and did not load. */
export function loadFailure(path: string, error: Error): Attempt {
  const code = 'code' in error && error.code !== 'ERR_DLOPEN_FAILED' ? ` [${error.code}]` : '';
  const arch = elfArch(path);
  // The dynamic loader calls a library for another processor a file that does not exist.
  const other = arch !== undefined && arch !== process.arch ? ` (the file was built for ${arch})` : '';
  const message = error.message.trim().replace(`${path}: `, '');
  return { path, reason: message + code + other, error };
}

/** The `ERR_SVD_BINARY` that tells what was tried, on what system, and the commands that mend it. */
export function bindingError(attempts: Attempt[], root: string | undefined): SvdError {
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
