// Installs factored-svd into an empty folder and computes with it, from ESM, from CommonJS and by the command:
//     node scripts/package/smoke.mjs SPEC…
// SPEC is what npm takes: factored-svd@1.2.3 after a release, the tarballs of packages/out before. A registry may need minutes
// until it shows a version that was just published: with --wait the installation is tried again for so many minutes.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { parseArgs } from 'node:util';

const pause = 30_000; // milliseconds
const mostMegabytes = 60; // above Node alone, before the first computation

const compute = `
  const { S } = svd([[3, 0], [0, -4]]);
  const [largest] = new FactoredMatrix([[1], [2]], [[2, 1]]).svd().S.data;
  if (String(S.data) !== '4,3' || Math.abs(largest - 5) > 1e-14) throw new Error('wrong: ' + S.data + ' ' + largest);
  if (typeof openSafetensors !== 'function') throw new Error('factored-svd/weights has no openSafetensors');
`;
const files = {
  'package.json': '{ "private": true }\n',
  'check.mjs': `import { FactoredMatrix, svd } from 'factored-svd';
import { openSafetensors } from 'factored-svd/weights';
${compute}`,
  'check.cjs': `const { rss: before } = process.memoryUsage();
const { FactoredMatrix, svd, versions } = require('factored-svd');
const loaded = versions();
const megabytes = (process.memoryUsage().rss - before) / 1e6;
console.log(JSON.stringify({ ...loaded, platform: process.platform, arch: process.arch, node: process.version, megabytes }));
if (megabytes > ${mostMegabytes}) throw new Error('loaded, it takes ' + megabytes + ' MB');
const { openSafetensors } = require('factored-svd/weights');
${compute}`,
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { wait: { type: 'string', default: '0' } },
});
if (positionals.length === 0)
  throw new Error('smoke.mjs takes what npm install takes: factored-svd@1.2.3, or tarballs');
const specs = positionals.map((spec) => (existsSync(spec) ? resolve(spec) : spec));

const folder = mkdtempSync(join(tmpdir(), 'factored-svd-smoke-'));
try {
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  await install(performance.now() + 60_000 * Number(values.wait));
  for (const name of ['check.mjs', 'check.cjs']) run(process.execPath, [name]);
  run('npm', ['exec', '--no', '--', 'factored-svd', '--version']);
} finally {
  rmSync(folder, { recursive: true });
}

async function install(deadline) {
  for (;;) {
    try {
      // --prefer-online: what a first try did not find is not remembered.
      return run('npm', [
        'install',
        '--ignore-scripts',
        '--no-audit',
        '--no-fund',
        '--prefer-online',
        ...specs,
      ]);
    } catch (error) {
      if (performance.now() + pause > deadline) throw error;
      console.log(`${error.message}; trying again in ${pause / 1000} s`);
      await wait(pause);
    }
  }
}

function run(program, args) {
  const { FACTORED_SVD_BINARY: _, ...env } = process.env; // it is the installed one that is tried
  const shell = process.platform === 'win32' && program !== process.execPath;
  const { status, error } = spawnSync(program, args, { cwd: folder, env, shell, stdio: 'inherit' });
  if (status !== 0) throw error ?? new Error(`${program} ${args[0]} ends with ${status}`);
}
