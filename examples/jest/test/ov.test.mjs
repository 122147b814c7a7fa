import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openSafetensors, writeSafetensors } from 'factored-svd/weights';

const weights = new URL('../weights/attention.safetensors', import.meta.url);

test('a weight that changes by 1e-3 is noticed', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'weights-jest-'));
  try {
    const file = await openSafetensors(weights);
    const [W_V, W_O] = [await file.read('W_V'), await file.read('W_O')];
    await file.close();
    W_O.data[3] += 1e-3;
    await writeSafetensors(join(folder, 'changed.safetensors'), { W_V, W_O });
    await expect(join(folder, 'changed.safetensors')).not.toMatchGolden('../golden/checkpoint.json', {
      within: 1e-6,
    });
    await expect(weights).toMatchGolden('../golden/checkpoint.json', { within: 0 });
  } finally {
    rmSync(folder, { recursive: true });
  }
});
