// Packs factored-svd as it is published, into packages/out: what `npm pack` would take of the checkout, with a manifest
// that has what belongs to users alone. The packages with the addon become optional dependencies of exactly this version
// only here, so that a checkout installs from its lock before they are published and after. Beside it factored-svd-source,
// what native/build.mjs of an installed package builds the addon from.
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gzip } from '@gfx/zopfli';

const root = fileURLToPath(new URL('../..', import.meta.url));
const out = join(root, 'packages/out');
const stage = join(out, 'factored-svd');

if (!existsSync(join(root, 'dist/index.js'))) {
  console.error('dist is missing: run npm run build:lib first');
  process.exit(1);
}
rmSync(stage, { recursive: true, force: true });
for (const path of packedFiles()) cpSync(join(root, path), join(stage, path));
writeFileSync(join(stage, 'package.json'), `${JSON.stringify(manifest(), null, 2)}\n`);
writeFileSync(join(stage, 'README.md'), readme());
writeFileSync(join(stage, 'THIRD-PARTY-LICENSES'), bundledLicences());
await pack(stage);
await pack(sourcePackage());

async function pack(folder) {
  const [{ filename, files, unpackedSize }] = npmPack(folder, '--dry-run');
  const tarball = await archive(
    folder,
    files.map(({ path }) => path),
  );
  writeFileSync(join(out, filename), tarball);
  console.log(`packages/out/${filename}: ${tarball.length} bytes, ${unpackedSize} unpacked`);
}

/** The C++ sources as they stand in the repository, and nothing of the tests. */
function sourcePackage() {
  const { name, version, license, author, homepage, repository, bugs, engines, binary } =
    readJson('package.json');
  const folder = join(out, `${name}-source`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const paths = ['native/sources.json', 'native/binding', 'native/core', 'CMakeLists.txt', 'LICENSE'];
  for (const path of paths) cpSync(join(root, path), join(folder, path), { recursive: true });
  const description = `The C++ sources of ${name}: its native/build.mjs installs them when it builds the addon`;
  const common = { license, author, homepage, repository, bugs, engines, binary };
  writeFileSync(
    join(folder, 'package.json'),
    `${JSON.stringify({ name: `${name}-source`, version, description, ...common }, null, 2)}\n`,
  );
  writeFileSync(join(folder, 'README.md'), `# ${name}-source\n\n${description}.\n`);
  return folder;
}

/**
 * What `npm pack` writes, but for the order: code first, then declarations, and of both what is for ES modules beside what is for
 * CommonJS, which is all but the same, where gzip sees it; and for the time that Zopfli takes to find the shortest
 * of what any gunzip reads.
 */
async function archive(folder, paths) {
  const twins = (path) =>
    path
      .replace(/-[\w-]{8}(?=\.)/, '')
      .replace(/\.d\.c?ts$/, '.d')
      .replace(/\.c?js$/, '');
  const kinds = [/\.c?js$/, /\.d\.c?ts$/, /./];
  const key = (path) => `${kinds.findIndex((kind) => kind.test(path))} ${twins(path)} ${path}`;
  const list = join(out, 'files');
  const sorted = paths.toSorted((a, b) => (key(a) < key(b) ? -1 : 1));
  writeFileSync(list, sorted.join('\n'));
  const same = [
    '--format=ustar',
    '--owner=0',
    '--group=0',
    '--numeric-owner',
    '--mtime=1985-10-26 08:15 UTC',
  ];
  const options = [...same, '--mode=u=rwX,go=rX', '--transform=s,^,package/,', '--files-from', list];
  const tar = execFileSync('tar', ['-c', '-C', folder, ...options], { maxBuffer: 2 ** 26 });
  rmSync(list);
  return promisify(gzip)(tar, {});
}

function packedFiles() {
  const [{ files }] = npmPack(root, '--dry-run');
  return files.map(({ path }) => path);
}

function npmPack(folder, ...options) {
  const args = ['pack', '--json', '--ignore-scripts', ...options];
  return JSON.parse(execFileSync('npm', args, { cwd: folder, encoding: 'utf8' }));
}

function manifest() {
  const { private: _, gypfile, scripts, devDependencies, ...published } = readJson('package.json');
  const platforms = Object.keys(readJson('packages/platforms.json'));
  published.optionalDependencies = Object.fromEntries(
    platforms.map((platform) => [`factored-svd-${platform}`, published.version]),
  );
  // native/build.mjs reads from here what a source build needs.
  published.devDependencies = pick(devDependencies, ['cmake-js', 'node-addon-api']);
  published.files = [...published.files, 'THIRD-PARTY-LICENSES'];
  return published;
}

function pick(object, names) {
  return Object.fromEntries(names.map((name) => [name, object[name]]));
}

/** Its links lead to this version in the repository: pages and examples are not in the package. */
function readme() {
  const { repository, version } = readJson('package.json');
  const address = `${repository.url.replace(/^git\+/, '').replace(/\.git$/, '')}/blob/v${version}`;
  const text = readFileSync(join(root, 'README.md'), 'utf8');
  return text.replace(/(?<=\]\()(?!\w+:|#)/g, `${address}/`);
}

/** The licences of the packages whose code the bundler took into dist. */
function bundledLicences() {
  const modules = readdirSync(join(root, 'dist'), { recursive: true })
    .filter((name) => /bundled-\w+\.txt$/.test(name))
    .flatMap((name) =>
      readFileSync(join(root, 'dist', name), 'utf8')
        .split('\n')
        .filter(Boolean),
    )
    .map((path) => relative(root, path));
  const folders = new Set(
    modules.map((line) => /node_modules\/(?:.*node_modules\/)?(?:@[^/]+\/)?[^/]+/.exec(line)[0]),
  );
  if (folders.size === 0) throw new Error('dist names no bundled package: has the bundler changed?');
  return Array.from(folders)
    .sort()
    .map(licence)
    .join(`\n${'-'.repeat(80)}\n\n`);
}

function licence(folder) {
  const { name, version, license } = readJson(`${folder}/package.json`);
  const file = readdirSync(join(root, folder)).find((entry) => /^licen[cs]e/i.test(entry));
  if (!file) throw new Error(`${folder}: no licence to take along`);
  const text = readFileSync(join(root, folder, file), 'utf8').trim();
  return `${name} ${version} (${license}), bundled into dist\n\n${text}\n`;
}

function readJson(path) {
  return JSON.parse(readFileSync(join(root, path), 'utf8'));
}
