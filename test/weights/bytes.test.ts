import { expect, test } from 'vitest';
import { openWeights, writeNpy, writeSafetensors } from '../../lib/weights/index.ts';
import { matricesOf } from '../../lib/weights/matrices.ts';
import { tensorBytes } from '../../lib/weights/weights.ts';
import { temporaryFolder } from '../support/temporary.ts';

const at = temporaryFolder();

test('the bytes of a tensor, in pieces, are those of readStored', async () => {
  const path = at('a.safetensors');
  const long = { data: Float32Array.from({ length: 2 ** 20 + 3 }, (_, i) => i / 3), shape: [2 ** 20 + 3] };
  await writeSafetensors(path, { long, one: { data: new Float64Array([1.5]), shape: [1] } });
  await using weights = await openWeights(path);
  for (const name of weights.names) {
    const pieces: Uint8Array[] = [];
    for await (const piece of tensorBytes(weights, name)) pieces.push(Uint8Array.from(piece));
    const { data } = await weights.readStored(name);
    expect(Buffer.concat(pieces).equals(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))).toBe(
      true,
    );
    expect(pieces).toHaveLength(name === 'long' ? 2 : 1);
  }
});

test('what stands in Fortran order comes row-major', async () => {
  const path = at('f.npy');
  await writeNpy(path, { data: new Float32Array([1, 2, 3, 4, 5, 6]), shape: [2, 3], strides: [1, 2] });
  await using weights = await openWeights(path);
  for await (const bytes of tensorBytes(weights, 'f'))
    expect([...new Float32Array(bytes.slice().buffer)]).toEqual([1, 3, 5, 2, 4, 6]);
  expect.assertions(1);
});

test.each([
  { shape: [3], matrices: undefined },
  { shape: [0, 3], matrices: undefined },
  { shape: [4, 5], matrices: { count: 1, rows: 4, cols: 5 } },
  { shape: [64, 32, 3], matrices: { count: 1, rows: 64, cols: 96 } },
  { shape: [8, 64, 32], matrices: { count: 8, rows: 64, cols: 32 } },
  { shape: [64, 32, 3, 3], matrices: { count: 1, rows: 64, cols: 288 } },
  { shape: [64, 32, 3, 3, 3], matrices: { count: 1, rows: 64, cols: 864 } },
])('$shape as matrices', ({ shape, matrices }) => expect(matricesOf(shape)).toEqual(matrices));
