import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

type Json = Record<string, unknown>;

/** The manifest inside a tarball. */
export function packageJson<T>(tarball: Buffer): T {
  const found = execFileSync('tar', ['-xzO', '--wildcards', '--no-wildcards-match-slash', '*/package.json'], {
    input: tarball,
  });
  return JSON.parse(found.toString());
}

/** The paths of the files in a tarball, without the folder that every package has at the top. */
export function listed(tarball: Buffer): string[] {
  const lines = execFileSync('tar', ['-tz'], { input: tarball }).toString().trim().split('\n');
  return lines.filter((path) => !path.endsWith('/')).map((path) => path.slice(path.indexOf('/') + 1));
}

/** A package of the files that are given. */
export function pack(manifest: Json, files: Record<string, string | Buffer> = {}): Buffer {
  return inFolder((folder) => {
    mkdirSync(join(folder, 'package'));
    for (const [name, content] of Object.entries({ ...files, 'package.json': JSON.stringify(manifest) })) {
      writeFileSync(join(folder, 'package', name), content);
    }
    return compressed(folder);
  });
}

/** The same package after `change` has worked on its unpacked folder. */
export function repack(tarball: Buffer, change: (folder: string) => void): Buffer {
  return inFolder((folder) => {
    unpack(tarball, join(folder, 'package'));
    change(join(folder, 'package'));
    return compressed(folder);
  });
}

function compressed(folder: string): Buffer {
  const quickly = ['--use-compress-program', 'gzip -1'];
  return execFileSync('tar', ['-c', ...quickly, '-C', folder, 'package'], { maxBuffer: 2 ** 28 });
}

export function unpack(tarball: Buffer, folder: string): void {
  mkdirSync(folder, { recursive: true });
  execFileSync('tar', ['-xz', '--strip-components=1', '-C', folder], { input: tarball });
}

export function editJson(path: string, edit: (json: Json) => void): void {
  const json = JSON.parse(readFileSync(path, 'utf8'));
  edit(json);
  writeFileSync(path, JSON.stringify(json, null, 2));
}

function inFolder<T>(use: (folder: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'factored-svd-tarball-'));
  try {
    return use(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
