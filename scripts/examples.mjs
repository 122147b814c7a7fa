// Runs the tests of the examples as their users would: each is copied into an empty folder, where npm installs factored-svd
// and its package for this platform from packages/out, and runs no install script.
//     npm run test:examples -- [ci] [server]
// The packages are those that `npm run package:platform` and `npm run package:main` have written.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { thisPlatform } from './package/this-platform.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const tarballs = ['factored-svd', `factored-svd-${thisPlatform()}`].map((name) =>
  join(root, 'packages/out', `${name}-${version}.tgz`),
);
const examples = readdirSync(join(root, 'examples'));
const given = process.argv.slice(2);

const folder = mkdtempSync(join(tmpdir(), 'factored-svd-examples-'));
try {
  mustExist();
  for (const name of given.length > 0 ? given : examples) runTests(name);
} catch (error) {
  console.error(`examples: ${error.message}`);
  process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true });
}

function mustExist() {
  const unknown = given.filter((name) => !examples.includes(name));
  if (unknown.length > 0)
    throw new Error(`there is no example ${unknown.join(', ')}; there are ${examples.join(', ')}`);
  const missing = tarballs.filter((path) => !existsSync(path)).map((path) => basename(path));
  if (missing.length > 0)
    throw new Error(
      `packages/out has no ${missing.join(', no ')}: npm run package:platform and package:main write them`,
    );
}

function runTests(name) {
  const copy = join(folder, name);
  const filter = (path) => basename(path) !== 'node_modules';
  cpSync(join(root, 'examples', name), copy, { recursive: true, filter });
  const began = performance.now();
  npm(copy, 'install', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error', ...tarballs);
  console.log(`examples/${name}: installed in ${((performance.now() - began) / 1000).toFixed(1)} s`);
  npm(copy, 'test');
  console.log(`examples/${name}: its tests pass`);
}

/** npm without what other runs of npm and of vitest have set, and without any other build of the addon. */
function npm(cwd, ...args) {
  const foreign = /^(VITEST|TEST$|NODE_ENV$|INIT_CWD$|FACTORED_SVD_|npm_(?!config_registry$))/;
  const own = Object.entries(process.env).filter(([key]) => !foreign.test(key));
  const { status, error } = spawnSync('npm', args, {
    cwd,
    env: { ...Object.fromEntries(own), NO_COLOR: '1' },
    stdio: 'inherit',
    shell: process.platform === 'win32', // npm is a script there
    timeout: 300_000,
  });
  if (status !== 0) throw error ?? new Error(`npm ${args[0]} fails in a copy of examples/${basename(cwd)}`);
}
