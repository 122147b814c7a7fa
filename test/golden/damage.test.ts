import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { SvdError } from '../../lib/array/errors.ts';
import { goldenJson, jsonOf } from '../../lib/golden/file.ts';
import { recordAny } from '../../lib/golden/index.ts';
import { recordSpectrum } from '../../lib/golden/record.ts';
import { anyJson, parseAny } from '../../lib/golden/weights-file.ts';
import { FactoredMatrix, svd, versions } from '../../lib/index.ts';
import { tinyLlama, writeCheckpoint } from '../circuits/support/checkpoints.ts';
import { randomMatrix, randomProduct } from '../support/matrices.ts';
import { temporaryFolder } from '../support/temporary.ts';

// Golden files that are damaged or made up: refused with ERR_SVD_FILE and the name of the file, or read as what writing
// them again would say.

const path = '/somewhere/golden.json';
const { A, B } = randomProduct(1, [5, 3, 4], 'float32', [2]);
const decompositions = goldenJson({
  versions: versions(),
  records: [
    { ...recordSpectrum(svd(randomMatrix(2, [4, 3]))), file: 'a.safetensors', source: { matrix: 'M' } },
    { ...recordSpectrum(new FactoredMatrix(A, B).svd()), file: 'b.safetensors', source: { a: 'A', b: 'B' } },
  ],
});

const at = temporaryFolder();
const { config, tensors } = tinyLlama({ layers: 1 });

/** A golden file of every kind. */
const files = test.each<[string, () => Promise<string>]>([
  ['decompositions', async () => decompositions],
  ...[{}, { full: true }, { circuits: ['OV'] as const }, { circuits: ['OV', 'QK'] as const, full: true }].map(
    (options): [string, () => Promise<string>] => [
      `a checkpoint ${JSON.stringify(options)}`,
      async () => anyJson(await recordAny(writeCheckpoint(at('model'), config, tensors), options)),
    ],
  ),
]);

let read = 0;
let refused = 0;

function judge(text: string): void {
  try {
    const again = anyJson(parseAny(path, jsonOf(path, text)));
    expect(anyJson(parseAny(path, jsonOf(path, again)))).toBe(again);
    read++;
  } catch (error) {
    const { code, message } = error as SvdError;
    expect({ code, message }).toMatchObject({ code: 'ERR_SVD_FILE', message: expect.stringContaining(path) });
    refused++;
  }
}

/** A part of the text that is taken out, and what stands there instead. */
const damage = fc.record({
  at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
  length: fc.nat({ max: 12 }),
  text: fc.oneof(
    fc.string({ maxLength: 3 }),
    fc.constantFrom('', '[]', '{}', '-', '1e999', '9'.repeat(400), '"', 'null', '0', '1', '[[', '\\u0000'),
  ),
});

const damaged = (
  text: string,
  { at, length, text: other }: typeof damage extends fc.Arbitrary<infer D> ? D : never,
) => {
  const from = Math.floor(at * text.length);
  return text.slice(0, from) + other + text.slice(from + length);
};

/** A copy of the value with one member of it, however deep, replaced. */
function replaced(value: unknown, path: readonly number[], other: unknown): unknown {
  if (path.length === 0 || value === null || typeof value !== 'object') return other;
  const keys = Object.keys(value);
  if (keys.length === 0) return other;
  const key = keys[path[0] % keys.length];
  const copy: Record<string, unknown> = Array.isArray(value) ? ([...value] as never) : { ...value };
  copy[key] = replaced(copy[key], path.slice(1), other);
  return copy;
}

files('texts that are damaged: %s', async (_, make) => {
  const whole = await make();
  read = refused = 0;
  judge(whole);
  fc.assert(
    fc.property(fc.array(damage, { minLength: 1, maxLength: 3 }), (list) =>
      judge(list.reduce(damaged, whole)),
    ),
    { numRuns: 200 },
  );
  expect(Math.min(read, refused), 'both occur').toBeGreaterThan(0);
});

files('members of another kind, wherever they stand: %s', async (_, make) => {
  const whole = await make();
  const other = fc.oneof(
    fc.jsonValue({ maxDepth: 2 }),
    fc.constantFrom(-1, 0.5, 2 ** 53, 1e308, '', 'float64', [], {}, [[]], null, true, 64, [2 ** 40, 2 ** 40]),
  );
  const member = fc.array(fc.nat({ max: 40 }), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(member, other, (path, x) => judge(JSON.stringify(replaced(JSON.parse(whole), path, x)))),
    { numRuns: 400 },
  );
});
