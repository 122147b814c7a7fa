// Opens safetensors files that are damaged or made up: each is refused with ERR_SVD_FILE, or every tensor in it can be
// read and lies where its header says.   node scripts/fuzz-safetensors.mjs [--seconds N] [--seed N]
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { announce, watched } from './fuzz-watch.mjs';

const { seconds, seed } = await watched();
if (!existsSync(new URL('../dist/weights.js', import.meta.url))) {
  console.error('dist/ is not built: run npm run build:lib first');
  process.exit(2);
}
const { openSafetensors, writeSafetensors } = await import('../dist/weights.js');
const folder = mkdtempSync(join(tmpdir(), 'factored-svd-fuzz-'));
const path = join(folder, 'case.safetensors');
const counts = { read: 0, refused: 0 };

/** Opens and reads the file of these bytes; true when nothing was wrong with it. */
async function open(bytes) {
  announce('file', [Buffer.from(bytes).toString('latin1')]);
  writeFileSync(path, bytes);
  let file;
  try {
    file = await openSafetensors(path);
    for (const [name, { dtype, shape, byteOffset, byteLength }] of file.tensors) {
      expect(
        byteOffset >= 8 && byteOffset + byteLength <= bytes.length,
        `tensor ${name} lies inside the file`,
      );
      if (!['F64', 'F32', 'F16', 'BF16'].includes(dtype)) continue;
      const { data } = await file.read(name);
      expect(
        data.length === shape.reduce((p, n) => p * n, 1),
        `tensor ${name} has the elements of its shape`,
      );
    }
    counts.read++;
    return true;
  } catch (error) {
    if (error.code !== 'ERR_SVD_FILE') throw error;
    expect(
      error.message.startsWith(path) && error.path === path,
      `the message names the file: ${error.message}`,
    );
    counts.refused++;
    return false;
  } finally {
    await file?.close();
  }
}

function expect(condition, message) {
  if (!condition) throw new Error(`not so: ${message}`);
}

// ---------------------------------------------------------------------------------------------------- valid files

const shape = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 3 });
const array = fc.tuple(shape, fc.boolean()).map(([dims, single]) => {
  const size = dims.reduce((p, n) => p * n, 1);
  return { data: new (single ? Float32Array : Float64Array)(size).map((_, i) => i - 1.5), shape: dims };
});
const names = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 8 }),
  fc.constantFrom('__proto__', 'constructor', ' ', ''),
);
const named = fc.dictionary(
  names.filter((name) => name !== '__metadata__'),
  array,
  { maxKeys: 4, noNullPrototype: false },
);
const metadata = fc.dictionary(fc.string({ maxLength: 4 }), fc.string({ maxLength: 6 }), { maxKeys: 2 });

/** Bytes of a file as the package writes it. */
async function written(tensors, texts = {}) {
  await writeSafetensors(path, tensors, texts);
  return new Uint8Array(readFileSync(path));
}

const roundTrip = fc.asyncProperty(named, metadata, async (tensors, texts) => {
  const bytes = await written(tensors, texts);
  expect(await open(bytes), 'what was written is read');
  const file = await openSafetensors(path);
  for (const [name, { data, shape }] of Object.entries(tensors)) {
    const read = await file.read(name);
    expect(
      String(read.shape) === String(shape) && String(read.data) === String(data),
      `${name} is what it was`,
    );
  }
  await file.close();
});

// ---------------------------------------------------------------------------------------------------- damage

const at = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const byte = fc.integer({ min: 0, max: 255 });
const someBytes = fc.oneof(
  fc.uint8Array({ maxLength: 6 }),
  fc.constantFrom(...'[]{}",:\\0-9e'.split('')).map((c) => Buffer.from(c)),
);
const damage = fc.oneof(
  fc.record({ kind: fc.constant('set'), at, byte }),
  fc.record({ kind: fc.constant('flip'), at, bit: fc.integer({ min: 0, max: 7 }) }),
  fc.record({ kind: fc.constant('insert'), at, bytes: someBytes }),
  fc.record({ kind: fc.constant('remove'), at, count: fc.integer({ min: 1, max: 9 }) }),
  fc.record({ kind: fc.constant('repeat'), at, count: fc.integer({ min: 1, max: 40 }) }),
  fc.record({ kind: fc.constant('cut'), at }),
  fc.record({
    kind: fc.constant('length'),
    by: fc.oneof(fc.integer({ min: -20, max: 20 }), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })),
  }),
);

function damaged(bytes, { kind, at, ...how }) {
  const i = Math.floor((at ?? 0) * bytes.length);
  const out = Buffer.from(bytes);
  const spliced = (remove, ...insert) =>
    Buffer.concat([out.subarray(0, i), ...insert, out.subarray(i + remove)]);
  switch (kind) {
    case 'set':
      if (out.length > 0) out[i] = how.byte;
      return out;
    case 'flip':
      if (out.length > 0) out[i] ^= 1 << how.bit;
      return out;
    case 'insert':
      return spliced(0, how.bytes);
    case 'remove':
      return spliced(how.count);
    case 'repeat':
      return spliced(0, out.subarray(i, i + how.count));
    case 'cut':
      return out.subarray(0, i);
    default:
      if (out.length < 8) return out;
      out.writeBigUInt64LE(
        BigInt.asUintN(64, typeof how.by === 'bigint' ? how.by : out.readBigUInt64LE() + BigInt(how.by)),
      );
      return out;
  }
}

const mutations = fc.asyncProperty(
  named,
  metadata,
  fc.array(damage, { minLength: 1, maxLength: 4 }),
  async (tensors, texts, list) => {
    await open(list.reduce(damaged, await written(tensors, texts)));
  },
);

// ---------------------------------------------------------------------------------------------------- made-up headers

const odd = fc.oneof(
  fc.integer({ min: 0, max: 64 }),
  fc.constantFrom(-1, 0.5, 1e300, 2 ** 32, 2 ** 53, 2 ** 53 - 1, '8', null, true, [], {}, [0, 8], 'F32'),
);
const tensor = fc.record(
  {
    dtype: fc.oneof(
      { weight: 5, arbitrary: fc.constantFrom('F64', 'F32', 'F16', 'BF16', 'I8', 'F4', 'BOOL') },
      odd,
    ),
    shape: fc.oneof(
      {
        weight: 5,
        arbitrary: fc.array(fc.oneof({ weight: 6, arbitrary: fc.integer({ min: 0, max: 4 }) }, odd), {
          maxLength: 4,
        }),
      },
      odd,
    ),
    data_offsets: fc.oneof(
      { weight: 5, arbitrary: fc.tuple(odd, odd) },
      fc.array(odd, { maxLength: 3 }),
      odd,
    ),
    other: odd,
  },
  { requiredKeys: ['dtype', 'shape', 'data_offsets'] },
);
const header = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .dictionary(names, fc.oneof({ weight: 8, arbitrary: tensor }, odd), { maxKeys: 3 })
      .map((x) => JSON.stringify(x)),
  },
  { weight: 1, arbitrary: fc.json() },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 20000 }).map((n) => '['.repeat(n)) },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 20000 }).map((n) => '{"a":'.repeat(n)) },
);
const madeUp = fc.asyncProperty(header, fc.integer({ min: 0, max: 80 }), async (json, dataBytes) => {
  const text = Buffer.from(json);
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(text.length));
  await open(Buffer.concat([prefix, text, Buffer.alloc(dataBytes, 1)]));
});

// ---------------------------------------------------------------------------------------------------- the run

const end = Date.now() + 1000 * seconds;
let failed = false;
for (let round = 0; Date.now() < end && !failed; round++) {
  for (const property of [roundTrip, mutations, madeUp]) {
    const result = await fc.check(property, {
      seed: (seed + round) | 0,
      numRuns: 200,
      interruptAfterTimeLimit: Math.max(1000, end - Date.now()),
    });
    if (!result.failed || result.interrupted) continue;
    failed = true;
    console.error(`seed ${seed + round}:`, inspect(result.counterexample, { depth: 8, maxArrayLength: 200 }));
    console.error(result.errorInstance?.stack ?? result.error);
  }
}
rmSync(folder, { recursive: true });
console.log(`${counts.read} files read, ${counts.refused} refused (seed ${seed})`);
process.exit(failed || counts.read === 0 || counts.refused === 0 ? 1 : 0);
