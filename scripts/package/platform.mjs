// Builds the addon with everything in it and packs it for one platform, into packages/out:
//     npm run package:platform -- [KEY] [-DNAME=VALUE …] [--node COMMAND]
// KEY is of packages/platforms.json, by default the platform this runs on. -D goes to CMake (a toolchain file, another
// libopenblas.a). COMMAND runs Node for that platform where it is not this one (an emulator and its options).
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { inspect } from './inspect.mjs';
import { licences, license } from './licences.mjs';
import { thisPlatform } from './this-platform.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const platforms = readJson('packages/platforms.json');
const manifest = readJson('package.json');
const mostBytes = 8e6; // of the tarball

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { node: { type: 'string' }, define: { type: 'string', short: 'D', multiple: true, default: [] } },
});
const [key = thisPlatform()] = positionals;
const platform = platforms[key];
if (!platform || positionals.length > 1) {
  console.error(
    `package:platform takes one of ${Object.keys(platforms).join(', ')}, and got ${positionals.join(' ')}`,
  );
  process.exit(1);
}

const name = `factored-svd-${key}`;
const build = `native/build-${key}`;
const out = join(root, 'packages/out');
const folder = join(out, name);
const addon = join(folder, 'factored_svd.node');

cmakeJs('configure', ...['STATIC_OPENBLAS=ON', ...values.define].map((definition) => `--CD${definition}`));
cmakeJs('build', '--parallel', String(availableParallelism()));
rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
copyFileSync(join(root, build, 'Release/factored_svd.node'), addon);

const problems = inspect(addon, platform);
if (problems.length > 0) fail(problems);
const versions = builtFrom();
write('versions.json', json(versions));
write('package.json', json(packageManifest()));
write('README.md', readme());
write('THIRD-PARTY-LICENSES', licences(platform, versions));
copyFileSync(join(root, 'LICENSE'), join(folder, 'LICENSE'));

const [{ filename, size, unpackedSize }] = JSON.parse(
  execFileSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', out], {
    cwd: folder,
    encoding: 'utf8',
    shell: process.platform === 'win32',
  }),
);
if (size > mostBytes) fail([`the tarball has ${size} bytes, more than ${mostBytes}`]);
console.log(`packages/out/${filename}: ${size} bytes, ${unpackedSize} unpacked\n${json(versions).trim()}`);

function cmakeJs(command, ...options) {
  const cmake = join(root, 'node_modules/cmake-js/bin/cmake-js');
  const args = [cmake, command, '--out', build, '--config', 'Release', '--log-level', 'error', ...options];
  try {
    execFileSync(process.execPath, args, { cwd: root, stdio: 'inherit' });
  } catch (error) {
    process.exit(error.status ?? 1); // it has said why
  }
}

/** What the addon says of itself, run by Node for its platform, and what CMake wrote down of the build. */
function builtFrom() {
  const { compiler } = readJson(`${build}/static.json`);
  const oldest = platform.glibc ? { glibc: platform.glibc } : {};
  const runs = key === thisPlatform() || values.node;
  if (!runs) {
    console.warn(`${key} does not run here: that its addon loads was not tried`);
    const [, openblas] = /OpenBLAS (\d+\.\d+\.\d+\S*)/.exec(readFileSync(addon, 'latin1')) ?? [];
    return { package: manifest.version, openblas, compiler, ...oldest };
  }
  const [node, ...options] = values.node?.split(' ') ?? [process.execPath];
  const script = 'console.log(JSON.stringify(require(process.argv[1]).versions()))';
  const said = JSON.parse(execFileSync(node, [...options, '-e', script, addon], { encoding: 'utf8' }));
  const [, openblas] = /OpenBLAS (\S+)/.exec(said.openblasConfig) ?? [];
  if (said.package !== manifest.version || said.build !== 'cmake, static OpenBLAS' || !openblas) {
    fail([`the addon says that it is ${JSON.stringify(said)}`]);
  }
  if (/SINGLE_THREADED|USE_OPENMP/.test(said.openblasConfig)) {
    fail([`this is not the pthread build of OpenBLAS: ${said.openblasConfig}`]);
  }
  return { package: manifest.version, openblas, lapack: said.lapack, compiler, ...oldest };
}

function packageManifest() {
  const { version, homepage, repository, bugs, engines } = manifest;
  const { os, cpu, libc } = platform;
  return {
    name,
    version,
    description: `The native addon of factored-svd for ${key}`,
    license: license(platform),
    homepage,
    repository: { ...repository, directory: 'packages' },
    bugs,
    engines,
    os,
    cpu,
    ...(libc ? { libc } : {}),
    main: 'factored_svd.node',
    files: ['factored_svd.node', 'versions.json', 'THIRD-PARTY-LICENSES'],
    preferUnplugged: true, // the dynamic loader reads no archives
  };
}

function readme() {
  const needs = platform.glibc ? ` It needs glibc ${platform.glibc} or newer.` : '';
  return `# ${name}

The native addon of [factored-svd](${manifest.homepage}) for ${key}, with OpenBLAS and LAPACK in it.${needs}
npm installs this package where it fits as an optional dependency of factored-svd; nobody needs to ask for it by name.

\`versions.json\` says what it was built from, \`THIRD-PARTY-LICENSES\` under which terms that is distributed.
`;
}

function write(file, text) {
  writeFileSync(join(folder, file), text);
}

function fail(reasons) {
  console.error([`${name} cannot be packed:`, ...reasons.map((reason) => `- ${reason}`)].join('\n'));
  process.exit(1);
}

function json(value) {
  return `${JSON.stringify(value, null, 2)}\n`;
}

function readJson(path) {
  return JSON.parse(readFileSync(join(root, path), 'utf8'));
}
