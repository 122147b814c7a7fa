// Installs the packed package into an empty project, as a user does on a system that there is no package with an addon
// for, and builds the addon there: once where OpenBLAS cannot be found, which must say what to install, and once where it
// can, which must work from ESM, from CommonJS and as a command.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const temporary = mkdtempSync(join(tmpdir(), 'factored-svd-package-'));
try {
  const project = install(pack());
  linksLeadSomewhere(project);
  listsAreComplete(project);
  missingOpenblas(project);
  succeed(sourceBuild(project));
  works(project);
} finally {
  rmSync(temporary, { recursive: true });
}

function pack() {
  succeed(run(root, 'npm', 'run', 'package:main'));
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const tarball = join(root, `packages/out/factored-svd-${version}.tgz`);
  const listed = succeed(run(temporary, 'tar', '-tzf', tarball))
    .stdout.trim()
    .split('\n');
  const paths = listed.map((path) => path.replace(/^package\//, ''));
  for (const needed of [
    'README.md',
    'LICENSE',
    'THIRD-PARTY-LICENSES',
    'CMakeLists.txt',
    'native/build.mjs',
    'native/binding/addon.cc',
    'dist/index.js',
    'dist/index.cjs',
  ]) {
    check(paths.includes(needed), `the package has ${needed}`);
  }
  const stray = paths.filter((path) =>
    /^(test|native\/build\b(?!\.mjs)|node_modules|bench)|binding\.gyp|\.node$/.test(path),
  );
  check(stray.length === 0, `the package has nothing built and no binding.gyp ${stray.join(' ')}`);
  return tarball;
}

function linksLeadSomewhere(project) {
  const text = readFileSync(join(project, 'node_modules/factored-svd/README.md'), 'utf8');
  const links = Array.from(text.matchAll(/(?<=\]\()[^)#][^)]*/g), ([link]) => link);
  const relative = links.filter((link) => !link.startsWith('https://'));
  check(links.length > 0 && relative.length === 0, `its README links by address ${relative.join(' ')}`);
}

/** Both lists of components have what npm installs, what is bundled, and the platform packages that are built; nothing else. */
function listsAreComplete(project) {
  succeed(run(root, 'npm', 'run', 'sbom'));
  const read = (path) => readFileSync(join(root, 'packages/out', path), 'utf8');
  const lock = JSON.parse(readFileSync(join(project, 'node_modules/.package-lock.json'), 'utf8'));
  const installed = Object.entries(lock.packages).map(
    ([path, { version }]) => `${path.replace(/.*node_modules\//, '')}@${version}`,
  );
  const bundled = read('factored-svd/THIRD-PARTY-LICENSES').matchAll(/^(\S+) (\S+) .*, bundled into dist$/gm);
  const platforms = readdirSync(join(root, 'packages/out'))
    .filter((name) => /^factored-svd-.*(?<!\.tgz)$/.test(name))
    .map((name) => JSON.parse(read(`${name}/package.json`)));
  const expected = new Set([
    ...installed,
    ...Array.from(bundled, ([, name, version]) => `${name}@${version}`),
    ...platforms.map(({ name, version }) => `${name}@${version}`),
  ]);

  const { metadata, components } = JSON.parse(read('sbom.cdx.json'));
  const { packages } = JSON.parse(read('sbom.spdx.json'));
  const lists = {
    CycloneDX: [metadata.component, ...components].map(({ name, version }) => `${name}@${version}`),
    SPDX: packages.filter((part) => part.externalRefs).map((part) => `${part.name}@${part.versionInfo}`),
  };
  for (const [format, listed] of Object.entries(lists)) {
    const missing = [...expected].filter((part) => !listed.includes(part));
    const surplus = listed.filter((part) => !expected.has(part));
    const differences = [...missing.map((part) => `-${part}`), ...surplus.map((part) => `+${part}`)];
    check(differences.length === 0, `SBOM in ${format}: what is installed, and nothing else ${differences}`);
  }
}

function missingOpenblas(project) {
  const toolchain = join(temporary, 'no-libraries.cmake');
  writeFileSync(
    toolchain,
    `set(CMAKE_FIND_ROOT_PATH ${temporary}/nothing)\nset(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)\n`,
  );
  const { status, stdout, stderr } = sourceBuild(project, { CMAKE_TOOLCHAIN_FILE: toolchain });
  const output = stdout + stderr;
  check(status !== 0, 'a source build fails where OpenBLAS is missing');
  const named = output.split('apt-get install libopenblas-dev').length - 1;
  if (named !== 1) console.error(output);
  check(named === 1, 'it shows what to install, once');
  rmSync(join(project, 'node_modules/factored-svd/native/build/CMakeCache.txt'));
}

function install(tarball) {
  const project = join(temporary, 'project');
  mkdirSync(project);
  writeFileSync(join(project, 'package.json'), '{ "private": true }\n');
  succeed(run(project, 'npm', 'install', '--no-audit', '--no-fund', '--omit=optional', tarball));
  return project;
}

function sourceBuild(project, env = {}) {
  return run(project, process.execPath, 'node_modules/factored-svd/native/build.mjs', { env });
}

function works(project) {
  const smoke = `
const { S } = svd([[3, 0], [0, -4]]);
const [largest] = new FactoredMatrix([[1], [2]], [[2, 1]]).svd().S.data;
if (S.get(0) !== 4 || S.get(1) !== 3 || Math.abs(largest - 5) > 1e-14) throw new Error(\`wrong: \${S.data} \${largest}\`);
if (Object.keys(weights).length === 0) throw new Error('factored-svd/weights is empty');
`;
  writeFileSync(
    join(project, 'smoke.mjs'),
    `import { FactoredMatrix, svd } from 'factored-svd';\nimport * as weights from 'factored-svd/weights';${smoke}`,
  );
  writeFileSync(
    join(project, 'smoke.cjs'),
    `const { FactoredMatrix, svd } = require('factored-svd');\nconst weights = require('factored-svd/weights');${smoke}`,
  );
  for (const file of ['smoke.mjs', 'smoke.cjs']) {
    succeed(run(project, process.execPath, file));
    check(true, `${file} works`);
  }
  succeed(run(project, join(project, 'node_modules/.bin/factored-svd'), '--help'));
  check(true, 'the command works');
}

function run(cwd, command, ...args) {
  const { env } = typeof args.at(-1) === 'object' ? args.pop() : { env: {} };
  return spawnSync(command, args, { cwd, env: { ...process.env, ...env }, encoding: 'utf8' });
}

function succeed(result) {
  if (result.status === 0) return result;
  throw result.error ?? new Error(`status ${result.status}\n${result.stdout}${result.stderr}`);
}

function check(holds, claim) {
  if (!holds) throw new Error(`does not hold: ${claim}`);
  console.log(`ok: ${claim}`);
}
