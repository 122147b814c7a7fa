// Calls the whole public API with hostile arguments: nothing may hang or crash, only errors with a documented code may
// come out, and what is computed is finite.   node scripts/fuzz-api.mjs [--seconds N] [--seed N]
import { existsSync } from 'node:fs';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { Hostile } from './fuzz-arguments.mjs';
import { announce, watched } from './fuzz-watch.mjs';

const { seconds, seed, only } = await watched();
if (!existsSync(new URL('../dist/index.js', import.meta.url))) {
  console.error('dist/ is not built: run npm run build:lib first');
  process.exit(2);
}
const { calls, validCalls } = await import('./fuzz-calls.mjs');

const codes = ['ARGUMENT', 'SHAPE', 'NON_FINITE', 'NO_CONVERGENCE', 'OVERFLOW', 'TOO_LARGE', 'FILE'];
const documented = new Set(codes.map((code) => `ERR_SVD_${code}`));

/** These give back elements of their arguments, whatever those are. */
const passesThrough =
  /^(transpose|diagEmbed|slice|versions|testing|FactoredMatrix\.(T|pair|at|from|unsqueeze|r?matmul|mul))/;

function checkFinite(name, x) {
  if (passesThrough.test(name) || x === null || typeof x !== 'object') {
    const fine = typeof x !== 'number' || Number.isFinite(x) || /cond/.test(name) || passesThrough.test(name);
    if (!fine) throw new Error(`${name} answered ${x}`);
    return;
  }
  if (x.errors?.length > 0) return; // onError: 'collect': NaN stands for what failed
  for (const key of ['U', 'S', 'Vh', 'V', 'A', 'B', 'real', 'imag', 'bound', 'x', 'truncationError']) {
    if (Object.hasOwn(x, key)) checkFinite(name, x[key]);
  }
  const { data } = x;
  if (ArrayBuffer.isView(data) && !data.every(Number.isFinite) && !/cond/.test(name)) {
    throw new Error(`${name} answered [${data.slice(0, 20)}]`);
  }
}

const counts = new Map();
const count = (what) => counts.set(what, (counts.get(what) ?? 0) + 1);

async function attempt({ name, run }, args, mayFail) {
  announce(name, args);
  try {
    checkFinite(name, await run(...args));
    count('results');
  } catch (error) {
    if (!mayFail || !(documented.has(error?.code) || error instanceof Hostile)) {
      throw new Error(`${name}: ${error?.stack ?? error}`, { cause: error });
    }
    count(error.code);
  }
}

const properties = [
  ...calls.map((call) => fc.asyncProperty(call.args, (args) => attempt(call, args, true))),
  ...validCalls.map((call) => fc.asyncProperty(call.args, (args) => attempt(call, args, false))),
];

const end = Date.now() + 1000 * seconds;
let rounds = 0;
const failures = new Map();
while (Date.now() < end) {
  for (const [i, property] of properties.entries()) {
    const { name } = [...calls, ...validCalls][i];
    if (failures.has(name) || (only && name !== only)) continue;
    const result = await fc.check(property, {
      seed: (seed + rounds) | 0,
      numRuns: 60,
      interruptAfterTimeLimit: Math.max(1000, end - Date.now()),
    });
    if (result.failed && !result.interrupted) failures.set(name, result);
    if (Date.now() >= end) break;
  }
  rounds++;
}
for (const [name, { counterexample, error, errorInstance }] of failures) {
  console.error(`\n${name}, seed ${seed}:`);
  console.error(inspect(counterexample, { depth: 8, maxArrayLength: 100, breakLength: 110 }));
  console.error(errorInstance?.message ?? error);
}
console.log(`${rounds} rounds of ${properties.length} calls (seed ${seed}):`, Object.fromEntries(counts));
process.exit(failures.size > 0 ? 1 : 0);
