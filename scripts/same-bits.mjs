// Whether two checkouts, both built, answer with the same bits: `npm run same-bits -- ../other`. A fixed set of calls of the
// public API that takes every path there is; each checkout makes them in a process of its own. Prints every call that
// differs, and ends with status 1 when one does. `--digests CHECKOUT` prints what is compared, `--only TEXT` makes only
// the calls with TEXT in their names; `--addon FILE` has the other checkout use that build of the addon.
//
// Of the lines of lib the calls reach 99.5 %, of those of native 93 % with the calls of numeric.mjs alone. Left out is what cannot be reached from outside
// or not every time: a lack of memory, files that fail or change while they are read, an addon that does not load, workers
// that end, and routines of LAPACK that fail, which only the build with test faults (`npm run build:faults`) can order.
// To see the lines:
//
//   SOURCEMAP=1 npm run build:lib
//   NODE_V8_COVERAGE=coverage/v8 node --no-warnings scripts/same-bits.mjs --digests .
//   npx c8 report --temp-directory coverage/v8 --include 'dist/**' --include 'lib/**' --exclude-after-remap=false
//
//   npx cmake-js configure -O native/build-gcov --CDFSVD_COVERAGE=ON && npx cmake-js build -O native/build-gcov
//   FACTORED_SVD_BINARY=native/build-gcov/Release/factored_svd.node node --no-warnings scripts/same-bits.mjs --digests .
//   gcovr --root . --filter native/ --object-directory native/build-gcov
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { argumentCalls } from './same-bits/arguments.mjs';
import { asyncCalls } from './same-bits/asynchronous.mjs';
import { checkCalls } from './same-bits/checks.mjs';
import { distanceCalls } from './same-bits/distances.mjs';
import { failureCalls } from './same-bits/failures.mjs';
import { fileCalls } from './same-bits/files.mjs';
import { float32 } from './same-bits/inputs.mjs';
import { indexCalls } from './same-bits/members.mjs';
import { numericCalls } from './same-bits/numeric.mjs';
import { waysCalls } from './same-bits/ways.mjs';

const here = fileURLToPath(new URL('..', import.meta.url));
const { values, positionals } = parseArgs({
  options: {
    digests: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
    addon: { type: 'string' },
  },
  allowPositionals: true,
});
if (positionals.length !== 1) {
  console.error('usage: npm run same-bits -- CHECKOUT, a folder with another build of this package');
  process.exit(2);
}
const other = resolve(positionals[0]);

async function compare() {
  const addon = values.addon === undefined ? addonOf(other) : resolve(values.addon);
  const [ours, theirs] = await Promise.all([digestsOf(here, addonOf(here)), digestsOf(other, addon)]);
  const differing = [...new Set([...ours.keys(), ...theirs.keys()])].filter(
    (name) => ours.get(name) !== theirs.get(name),
  );
  for (const name of differing) console.log(`differs: ${name}`);
  console.log(`${ours.size - differing.length} of ${ours.size} calls have the same bits as in ${other}`);
  return differing.length > 0 || ours.size === 0 ? 1 : 0;
}

function addonOf(checkout) {
  return join(checkout, 'native/build/Release/factored_svd.node');
}

/** The digest of every call, by its name. */
async function digestsOf(checkout, addon) {
  const args = [
    '--no-warnings',
    fileURLToPath(import.meta.url),
    '--digests',
    checkout,
    '--only',
    values.only,
  ];
  const { stdout } = await promisify(execFile)(process.execPath, args, {
    maxBuffer: 2 ** 28,
    env: { ...process.env, FACTORED_SVD_BINARY: addon },
  });
  const lines = stdout.split('\n').filter((line) => line !== '');
  return new Map(lines.map((line) => line.split('\t')));
}

async function printDigests(checkout) {
  const load = (entry) => import(pathToFileURL(join(checkout, 'dist', `${entry}.js`)));
  const [api, checks, weights] = await Promise.all(['index', 'testing', 'weights'].map(load));
  for (const [name, f] of calls(api, checks, weights, join(checkout, 'dist/command.js')))
    if (name.includes(values.only)) console.log(`${name.replace(/\s/g, ' ')}\t${await digestOf(f)}`);
  return 0;
}

function* calls(api, checks, weights, command) {
  yield* numericCalls(api, checks);
  for (const [type, options] of Object.entries({ float64: {}, float32 })) {
    yield* waysCalls(type, options, api);
    yield* distanceCalls(type, options, api);
    yield* asyncCalls(type, options, api);
    yield* indexCalls(type, options, api);
    yield* checkCalls(type, options, api, checks);
  }
  yield* failureCalls(api);
  yield* argumentCalls(api, checks);
  yield* fileCalls(api, weights, command);
}

async function digestOf(f) {
  const hash = createHash('sha256');
  try {
    feed(hash, await f());
  } catch (error) {
    if (!error.code) throw error; // a mistake of this script
    feed(hash, [error.code, error.message, error.index, error.batchIndex, error.bytes, error.info]);
  }
  return hash.digest('hex').slice(0, 24);
}

/** Everything that a caller sees of `x`: bits, shapes and order in memory, names. */
function feed(hash, x) {
  if (ArrayBuffer.isView(x)) {
    hash
      .update(`${x.constructor.name} ${x.length}`)
      .update(new Uint8Array(x.buffer, x.byteOffset, x.byteLength));
  } else if (x instanceof Error) feed(hash, [x.code, x.message, x.batchIndex]);
  else if (Array.isArray(x)) {
    hash.update(`[${x.length}`);
    for (const entry of x) feed(hash, entry);
  } else if (x !== null && typeof x === 'object' && 'data' in x && 'shape' in x) {
    feed(hash, [[...x.shape], [...x.stride], x.offset, x.data]);
  } else if (x !== null && typeof x === 'object' && 'mdim' in x) feed(hash, [x.A, x.B]);
  else if (x !== null && typeof x === 'object' && 'U' in x && 'S' in x) {
    feed(hash, [x.U, x.S, x.Vh ?? x.V, x.bound, x.next, x.driver, x.errors]);
  } else if (x !== null && typeof x === 'object') feed(hash, Object.entries(x));
  else hash.update(`${typeof x} ${Object.is(x, -0) ? '-0' : String(x)};`);
}

process.exitCode = values.digests ? await printDigests(other) : await compare();
