import { closeSync, openSync, readFileSync, readSync, statSync } from 'node:fs';
import { names } from './platforms.cjs';

// What system this is, in the words of npm (`os`, `cpu`, `libc`) and of the names of platform packages.

/** The C library of the running program on Linux; undefined elsewhere. */
export function libc(): 'glibc' | 'musl' | undefined {
  if (process.platform !== 'linux') return undefined;
  // The dynamic loader is named near the start of the executable; a report would tell it too, in up to a second.
  return readStart(process.execPath, 2048)?.includes('/ld-musl-') ? 'musl' : 'glibc';
}

/** The end of the name of the platform package for this system; undefined where there is none. */
export function platform(): string | undefined {
  const os = libc() === 'musl' ? 'linuxmusl' : process.platform;
  const name = `${os}-${process.arch}`;
  return names.includes(name) ? name : undefined;
}

/** This system for a reader: platform, C library and the program that runs. */
export function describeSystem(): string {
  const { platform, arch, versions } = process;
  const program = versions.bun ? `Bun ${versions.bun}` : `Node ${process.version}`;
  return [`${platform}-${arch}`, ...(libc() ? [libcVersion()] : []), program].join(', ');
}

function libcVersion(): string {
  if (libc() === 'musl') return 'musl';
  const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } };
  return `glibc ${header.glibcVersionRuntime ?? 'of unknown version'}`;
}

/** Names of this system and of those it is like, as in /etc/os-release; the name of the platform elsewhere. */
export function systemIds(): string[] {
  if (process.platform !== 'linux') return [process.platform];
  try {
    const fields = readFileSync('/etc/os-release', 'utf8').matchAll(/^(?:ID|ID_LIKE)="?([^"\n]*)/gm);
    return Array.from(fields, ([, ids]) => ids.split(' ')).flat();
  } catch {
    return [];
  }
}

/** What keeps a file from being loaded as a library, as far as that shows from outside; undefined where nothing does. */
export function fileProblem(path: string): string | undefined {
  try {
    const stat = statSync(path);
    if (stat.isDirectory()) return 'a directory, not a file';
    if (!stat.isFile()) return 'not a regular file'; // which may be waited for without end
    const length = elfLength(path);
    return stat.size < length ? `cut off: it has ${stat.size} of ${length} bytes` : undefined;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return code === 'ENOENT' ? 'no such file' : message;
  }
}

/** Bytes that an ELF file of 64 bits has by its header, up to the end of its table of sections; 0 for any other file. */
function elfLength(path: string): number {
  const header = elfHeader(path);
  if (header?.[4] !== 2 || header[5] !== 1) return 0;
  return Number(header.readBigUInt64LE(40)) + header.readUInt16LE(58) * header.readUInt16LE(60);
}

/** `process.arch` of the machine an ELF file is for (`e_machine`), undefined for any other file. */
export function elfArch(path: string): string | undefined {
  const header = elfHeader(path);
  if (!header) return undefined;
  const littleEndian = header[5] === 1;
  const machine = littleEndian ? header.readUInt16LE(18) : header.readUInt16BE(18);
  return elfArches[machine] ?? `ELF machine ${machine}`;
}

function elfHeader(path: string): Buffer | undefined {
  const header = readStart(path, 64);
  return header?.toString('latin1', 0, 4) === '\x7fELF' ? header : undefined;
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
