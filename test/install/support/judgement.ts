import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, inject } from 'vitest';
import type { Sandbox } from './sandbox.ts';

export interface Report {
  exact: number[];
  digest: string;
  versions: { factoredSvd: string; build: string };
  /** The addons and the BLAS libraries that were mapped into the process. */
  libraries: string[];
}

type Options = NonNullable<Parameters<Sandbox['run']>[1]>;

/** That a program computes the right numbers, to the bit, by the addon of the platform package and with no other BLAS. */
export async function works(
  box: Sandbox,
  command: readonly string[],
  options: Options = {},
): Promise<Report> {
  const { stdout } = await box.run(command, options);
  const report: Report = JSON.parse(stdout);
  const { version, digest } = inject('scene');
  expect(report).toMatchObject({
    exact: [4, 3],
    digest,
    versions: { factoredSvd: version, build: 'cmake, static OpenBLAS' },
    libraries: [expect.stringMatching(/\.node$/)],
  });
  return report;
}

/** The message of the ERR_SVD_BINARY with which a program ends. */
export async function binaryError(
  box: Sandbox,
  command: readonly string[],
  options: Options = {},
): Promise<string> {
  const { status, stdout, stderr } = await box.attempt(command, options);
  expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
  expect(stderr).toContain("code: 'ERR_SVD_BINARY'");
  const [, message] = /(Could not load the native addon.*?)\n {4}at /s.exec(stderr) ?? [];
  return message;
}

interface Installed {
  name: string;
  version: string;
  scripts?: Record<string, string>;
}

/** The manifests of all packages under `node_modules`, each once. */
export function installedPackages(folder: string): Installed[] {
  const found = new Map<string, Installed>();
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (entry.name !== 'package.json' || !/node_modules\/(@[^/]+\/)?[^/]+$/.test(entry.parentPath)) continue;
    const manifest = JSON.parse(readFileSync(join(entry.parentPath, entry.name), 'utf8'));
    found.set(`${manifest.name}@${manifest.version}`, manifest);
  }
  return [...found.values()];
}

/** That what is in `node_modules` is the package with few others, one platform package, and nothing that would run. */
export function frugal(box: Sandbox, platform = 'factored-svd-linux-x64'): void {
  const packages = installedPackages(box.path('node_modules'));
  const names = packages.map(({ name }) => name);
  expect(names).toContain('factored-svd');
  expect(names.filter((name) => name.startsWith('factored-svd-'))).toEqual([platform]);
  expect(names.length - 2).toBeLessThanOrEqual(mostDependencies);
  for (const { scripts = {} } of packages) {
    for (const script of ['preinstall', 'install', 'postinstall']) expect(scripts).not.toHaveProperty(script);
  }
  for (const name of ['cmake-js', 'node-addon-api', 'node-gyp']) expect(names).not.toContain(name);
  expect(existsSync(box.path('node_modules/factored-svd/binding.gyp'))).toBe(false);
  expect(box.trapped).toBe('');
}

const mostDependencies = 6;
