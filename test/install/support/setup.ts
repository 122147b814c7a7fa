import { execFile, execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { TestProject } from 'vitest/node';
import { hidden } from './hiding.ts';
import { laterVersion, relabelled } from './later.ts';
import { Registry } from './registry.ts';
import type { Platform, Scene } from './scene.ts';
import { pack, packageJson } from './tarball.ts';
import { root, tool } from './tools.ts';

interface Manifest {
  name: string;
  version: string;
  dependencies: Record<string, string>;
  optionalDependencies: Record<string, string>;
}

/** Installs the tools, takes the packed tarballs, and publishes them in a registry of this machine. */
export default async function setup(project: TestProject): Promise<() => void> {
  installTools();
  const folder = mkdtempSync(join(tmpdir(), 'factored-svd-install-'));
  const registry = new Registry();
  await registry.listen();
  const close = () => {
    registry.close();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    project.provide('scene', await makeScene(folder, registry));
  } catch (error) {
    close();
    throw error;
  }
  return close;
}

function installTools(): void {
  const folder = fileURLToPath(new URL('..', import.meta.url));
  const lock = join(folder, 'package-lock.json');
  const known = join(folder, 'node_modules/.installed-lock.json');
  if (existsSync(known) && readFileSync(lock).equals(readFileSync(known))) return;
  console.log('installing the package managers, versions of Node and bundlers');
  execFileSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: folder,
    stdio: 'inherit',
  });
  cpSync(lock, known);
}

async function makeScene(folder: string, registry: Registry): Promise<Scene> {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const out = join(root, 'packages/out');
  const paths = {
    main: join(out, `factored-svd-${version}.tgz`),
    platform: join(out, `factored-svd-linux-x64-${version}.tgz`),
    source: join(out, `factored-svd-source-${version}.tgz`),
  };
  for (const path of Object.values(paths)) {
    if (existsSync(path)) continue;
    throw new Error(
      `there is no ${path}: run npm run package:platform -- linux-x64 && npm run package:main first`,
    );
  }
  const main = readFileSync(paths.main);
  const later = laterVersion(version);
  const tarballs = {
    ...paths,
    laterMain: join(folder, `factored-svd-${later}.tgz`),
    laterPlatform: join(folder, `factored-svd-linux-x64-${later}.tgz`),
  };
  writeFileSync(tarballs.laterMain, relabelled(main, version, later));
  writeFileSync(tarballs.laterPlatform, relabelled(readFileSync(paths.platform), version, later));

  const platforms = listPlatforms();
  for (const platform of platforms) {
    if (platform.name !== 'factored-svd-linux-x64') standIn(registry, platform, [version, later]);
  }
  const env = environment(folder, registry.url);
  const [needed] = await Promise.all([
    dependencies(folder, packageJson<Manifest>(main)),
    publish(paths.platform, registry.url, env),
    publish(paths.main, registry.url, env),
  ]);
  for (const tarball of needed) registry.add(tarball);
  for (const path of [tarballs.laterPlatform, tarballs.laterMain]) registry.add(readFileSync(path));
  const digest = await referenceDigest(folder, env);
  return {
    root: folder,
    env,
    hidden: hidden(),
    registry: registry.url,
    version,
    later,
    tarballs,
    platforms,
    digest,
  };
}

function listPlatforms(): Platform[] {
  const list = JSON.parse(readFileSync(join(root, 'packages/platforms.json'), 'utf8'));
  return Object.entries(list).map(([key, platform]) => ({
    ...(platform as Platform),
    name: `factored-svd-${key}`,
  }));
}

/** A package for another platform, with a file in place of the addon; in this registry only. */
function standIn(registry: Registry, { name, os, cpu, libc }: Platform, versions: string[]): void {
  for (const version of versions) {
    const manifest = { name, version, os, cpu, ...(libc && { libc }), main: 'factored_svd.node' };
    registry.add(pack(manifest, { 'factored_svd.node': 'a stand-in' }));
  }
}

/** The tarballs of everything that the package depends on, in the versions of the lock, fetched as npm fetches here. */
async function dependencies(folder: string, { dependencies }: Manifest): Promise<Buffer[]> {
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages;
  const needed = new Map<string, string>();
  const add = (name: string) => {
    const { version, dependencies = {} } = lock[`node_modules/${name}`];
    needed.set(name, version);
    for (const next of Object.keys(dependencies)) if (!needed.has(next)) add(next);
  };
  Object.keys(dependencies).forEach(add);
  const packed = join(folder, 'dependencies');
  mkdirSync(packed);
  const specs = Array.from(needed, ([name, version]) => `${name}@${version}`);
  const words = ['pack', '--json', '--pack-destination', packed, ...specs];
  const { stdout } = await promisify(execFile)('npm', words, { timeout: limit });
  return JSON.parse(stdout).map(({ filename }: { filename: string }) => readFileSync(join(packed, filename)));
}

/** Nothing of the environment of these tests, and settings and caches of its own for every package manager. */
function environment(folder: string, registry: string): Record<string, string> {
  const home = join(folder, 'home');
  mkdirSync(home);
  const { host } = new URL(registry);
  writeFileSync(
    join(home, '.npmrc'),
    [
      `registry=${registry}`,
      `//${host}/:_authToken=none`,
      'audit=false',
      'fund=false',
      'update-notifier=false',
    ].join('\n'),
  );
  writeFileSync(
    join(home, '.yarnrc.yml'),
    [
      `npmRegistryServer: ${registry}`,
      'unsafeHttpWhitelist: [127.0.0.1]',
      'enableTelemetry: false',
      'enableImmutableInstalls: false',
    ].join('\n'),
  );
  return { HOME: home, LANG: 'C.UTF-8', NO_COLOR: '1', CI: '1' };
}

const npm = tool('npm-11/bin/npm-cli.js');
const limit = 60_000;

/** To be awaited: the client speaks to the registry in this process. */
async function publish(tarball: string, registry: string, env: Record<string, string>): Promise<void> {
  const words = [npm, 'publish', tarball, '--registry', registry];
  await promisify(execFile)(process.execPath, words, { env: { ...env, PATH: '' }, timeout: limit });
}

/** The bits that every installation must compute; on the way the cache of npm becomes warm. */
async function referenceDigest(folder: string, env: Record<string, string>): Promise<string> {
  const cwd = join(folder, 'reference');
  cpSync(fileURLToPath(new URL('../consumers', import.meta.url)), cwd, { recursive: true });
  const run = (...words: string[]) =>
    promisify(execFile)(process.execPath, words, { cwd, env, timeout: limit });
  await run(npm, 'install', 'factored-svd');
  return JSON.parse((await run('esm.mjs')).stdout).digest;
}
