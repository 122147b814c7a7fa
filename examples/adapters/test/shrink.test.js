import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { dist, matmul, svd } from 'factored-svd';
import { openAdapter } from 'factored-svd/adapters';
import { writeSafetensors } from 'factored-svd/weights';
import { shrink } from '../src/shrink.js';

const folder = mkdtempSync(join(tmpdir(), 'adapter-shrinker-'));
after(() => rmSync(folder, { recursive: true }));

const [rank, alpha, width] = [8, 16, 64];
const module = 'model.layers.0.self_attn.q_proj';

/** Numbers in (−1, 1) that are always the same. */
const numbers = (rows, cols, seed) => ({
  data: Float32Array.from({ length: rows * cols }, (_, i) => Math.sin((i + 1) * (seed + Math.SQRT2))),
  shape: [rows, cols],
});

/** An adapter as PEFT saves it. */
async function adapter(name, seed) {
  const path = join(folder, name);
  mkdirSync(path);
  const prefix = `base_model.model.${module}`;
  const [A, B] = [numbers(rank, width, seed), numbers(width, rank, seed + 1)];
  await writeSafetensors(join(path, 'adapter_model.safetensors'), {
    [`${prefix}.lora_A.weight`]: A,
    [`${prefix}.lora_B.weight`]: B,
  });
  const config = { peft_type: 'LORA', r: rank, lora_alpha: alpha, target_modules: ['q_proj'] };
  writeFileSync(join(path, 'adapter_config.json'), JSON.stringify(config));
  return { path, delta: matmul(B, A).data.map((x) => (alpha / rank) * x) };
}

const [first, second] = [await adapter('first', 1), await adapter('second', 5)];
const inputs = [
  { path: first.path, weight: 0.75 },
  { path: second.path, weight: -0.5 },
];
const sum = {
  data: first.delta.map((x, i) => 0.75 * x - 0.5 * second.delta[i]),
  shape: [width, width],
};

const rounding = 2 ** -8; // of bfloat16

test('at full rank the merged adapter is the weighted sum', async () => {
  const out = join(folder, 'whole');
  const [report] = await shrink(inputs, out, { rank: 2 * rank });
  assert.equal(report.rank, 2 * rank);
  const merged = (await openAdapter(out)).modules.get(module);
  assert.ok(dist(merged.AB, sum) < 2 * rounding * svd(sum).S.data[0]);
});

test('at a smaller one it loses what the singular values say', async () => {
  const out = join(folder, 'small');
  const [report] = await shrink(inputs, out, { rank: 4 });
  const S = svd(sum).S.data;
  const expected = Math.hypot(...S.subarray(4)) / Math.hypot(...S);
  assert.ok(Math.abs(report.error - expected) < 1e-5);
  const merged = (await openAdapter(out)).modules.get(module);
  assert.equal(merged.mdim, 4);
});

test('the command writes an adapter that opens, and says what is wrong where it cannot', async () => {
  const main = fileURLToPath(new URL('../src/main.js', import.meta.url));
  const node = (...args) =>
    spawnSync(process.execPath, [main, ...args], { encoding: 'utf8', timeout: 30_000 });
  const out = join(folder, 'command');
  const ok = node('--out', out, '--rank', '4', `${first.path}:0.75`, `${second.path}:-0.5`);
  assert.equal(ok.status, 0, ok.stderr);
  assert.match(ok.stdout, /q_proj/);
  assert.ok((await openAdapter(out)).modules.has(module));

  const missing = node('--out', join(folder, 'nothing'), '--rank', '4', join(folder, 'missing'));
  assert.equal(missing.status, 1);
  assert.match(missing.stderr, /ERR_SVD_FILE/);
  assert.ok(!readdirSync(folder).includes('nothing'));
});
