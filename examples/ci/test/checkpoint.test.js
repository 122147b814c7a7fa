import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openSafetensors, writeSafetensors } from 'factored-svd/weights';
import { afterAll, expect, test } from 'vitest';

const checkpoint = new URL('../weights/attention.safetensors', import.meta.url); // or the folder of a model
const folder = mkdtempSync(join(tmpdir(), 'weights-ci-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** The checkpoint, each element changed by `change(value, name, place)`. */
async function changed(change) {
  const path = join(folder, 'changed.safetensors');
  const file = await openSafetensors(checkpoint);
  const tensors = {};
  for (const name of file.names) {
    const { data, shape } = await file.read(name);
    tensors[name] = { data: data.map((x, place) => change(x, name, place)), shape };
  }
  await file.close();
  await writeSafetensors(path, tensors);
  return path;
}

test('the checkpoint is the one that was recorded', async () => {
  await expect(checkpoint).toMatchGolden('../golden/checkpoint.json', { within: 1e-6 });
});

test('one weight that changes by 1e-3 is noticed', async () => {
  const path = await changed((x, name, place) => (name === 'W_O' && place === 3 ? x + 1e-3 : x));
  await expect(path).not.toMatchGolden('../golden/checkpoint.json', { within: 1e-6 });
});

test('so is a cast to 16 bits', async () => {
  const path = await changed((x) => Math.round(x * 2 ** 12) / 2 ** 12);
  await expect(path).not.toMatchGolden('../golden/checkpoint.json', { within: 1e-6 });
});
