import { writeFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Tensor } from '../../lib/array/tensor.ts';
import { compositionScores, openCheckpoint, randomCompositionScore } from '../../lib/circuits/index.ts';
import { planOf, readRun, runCircuits } from '../../lib/circuits/run/index.ts';
import type { PlanOptions } from '../../lib/circuits/run/plan.ts';
import { tokensOf } from '../../lib/circuits/tokens.ts';
import { cond, effectiveRank, FactoredMatrix, norm, svd } from '../../lib/index.ts';
import { collectReport } from '../../lib/report/collect.ts';
import type { ReportData } from '../../lib/report/data.ts';
import { reportPage } from '../../lib/report/page.ts';
import * as bounds from '../../lib/testing/bounds.ts';
import { tinyLlama, writeCheckpoint } from '../circuits/support/checkpoints.ts';
import { built } from '../support/built.ts';
import { checkError, rejectionOf } from '../support/checks.ts';
import * as functionBounds from '../support/function-bounds.ts';
import { temporaryFolder } from '../support/temporary.ts';

beforeAll(() => built('report/client.js'));

const folder = temporaryFolder();
const layers = 3;
const heads = 4;
const vocabulary = 17;
const { config, tensors } = tinyLlama({ layers, heads, vocabulary });
const llama = writeCheckpoint(folder('tiny-llama'), config, tensors, { dtype: 'BF16', shards: 2 });
writeFileSync(`${llama}/tokenizer.json`, JSON.stringify({ model: { vocab: { '▁a': 0, b: 1 } } }));

const collected = async (path = llama, options = {}): Promise<ReportData> => {
  await using model = await openCheckpoint(path);
  return await collectReport(model, options); // before it is closed
};

describe('what is collected of a checkpoint', () => {
  test('has every head of both kinds once, with the numbers of its decomposition', async () => {
    const { circuits, model } = await collected();
    expect(model).toEqual({ modelType: 'llama', layers, heads, kvHeads: 2, dModel: 10, dHead: 3 });
    expect(new Set(circuits.map(({ kind, layer, head }) => `${kind} ${layer} ${head}`)).size).toBe(
      2 * layers * heads,
    );
    expect(circuits.length).toBe(2 * layers * heads);
    await using checkpoint = await openCheckpoint(llama);
    for (const circuit of circuits) {
      const all = checkpoint[circuit.kind];
      const [A, B] = [all.A, all.B].map((x) => x.pick(circuit.layer, circuit.head, null, null));
      const M = new FactoredMatrix(A, B);
      const own = svd(M);
      const tau = bounds.singularValues('float32', own.bound as number, circuit.bound);
      Array.from(circuit.S).forEach((sigma, j) => {
        expect(Math.abs(sigma - own.S.get(j))).toBeLessThanOrEqual(tau);
      });
      const [size, kappa] = [M.norm() as number, cond(M) as number];
      const within = (found: number, expected: number, limit: number, what: string) =>
        expect(Math.abs(found - expected), what).toBeLessThanOrEqual(limit);
      within(circuit.norm, size, own.S.size * tau, 'norm');
      const factorNorm = (norm(A) as number) * (norm(B) as number);
      within(circuit.factorNorm, factorNorm, 2 * functionBounds.frobenius(factorNorm, 10, 3), 'factors');
      const sigma = Array.from(own.S.data);
      const rank = effectiveRank(M) as number;
      within(circuit.effectiveRank, rank, functionBounds.effectiveRank(tau, sigma, rank), 'effective rank');
      within(circuit.condition, kappa, functionBounds.condition(tau, sigma[0], sigma[2]), 'condition');
      const limit = bounds.reconstruction('float32', size, 10, 10, factorNorm);
      within(circuit.residual! * size, 0, limit, 'residual');
      expect(circuit.isolated).toBe(own.S.size);
    }
  });

  test('what chance gives is a spectrum of each kind, below the norms of the factors', async () => {
    const { random } = await collected();
    expect(random.map(({ kind, S }) => [kind, S.length])).toEqual([
      ['OV', 3],
      ['QK', 3],
    ]);
    for (const { S } of random) expect(Math.hypot(...Array.from(S))).toBeLessThan(1);
  });

  test('composition scores stand where the column is a later layer, and nowhere else', async () => {
    const { composition = [] } = await collected();
    expect(composition.map(({ kind }) => kind)).toEqual(['Q', 'K', 'V']);
    await using model = await openCheckpoint(llama);
    for (const { kind, scores, random } of composition) {
      const { data } = await compositionScores(model, kind);
      expect(random).toBe(randomCompositionScore(model));
      scores.forEach((score, e) => {
        const n = layers * heads;
        const [row, column] = [Math.floor(e / n), e % n].map((head) => Math.floor(head / heads));
        if (column > row) expect(score).toBe(data[e]);
        else expect(score).toBeNaN();
      });
    }
  });

  test('tokens are read at both sides of the first directions', async () => {
    const { tokens = [], circuits } = await collected();
    expect(tokens.length).toBe(2 * circuits.length * 3);
    await using model = await openCheckpoint(llama);
    for await (const { layer, svd: own } of model.decompose('OV', { layers: [1, 2] })) {
      const found = tokens.find(
        ({ kind, side, direction, ...at }) =>
          kind === 'OV' && side === 'right' && direction === 1 && at.layer === layer && at.head === 2,
      )!;
      expect(found.sigma).toBe(own.S.get(2, 1));
      const [{ top, bottom }] = await tokensOf(model, own.Vh.pick(2, 1, null) as Tensor, { k: 8 });
      const ids = (list: readonly unknown[]) => (list as { id: number }[]).map(({ id }) => id);
      expect([ids(found.top), ids(found.bottom)]).toEqual([ids(top), ids(bottom)]);
    }
    const names = tokens.flatMap(({ top }) => top.map(({ token }) => token));
    expect(names).toContain(' a');
    expect(names).toContain('2');
  });

  test('the state says what was done to the weights', async () => {
    const even = tinyLlama({ layers: 1, dHead: 4, vocabulary });
    const path = writeCheckpoint(folder('even'), even.config, even.tensors);
    await using model = await openCheckpoint(path, { foldNorms: true, biases: true });
    const { state, tokens = [] } = await collectReport(model, { rotaryOffset: 2 });
    expect(state).toEqual({
      foldNorms: true,
      centerWriting: false,
      biases: true,
      rotaryOffset: 2,
      qkNormGains: false,
    });
    expect(new Set(tokens.map(({ kind, side }) => `${kind} ${side}`)).size).toBe(4);
  });

  const runOf = async (name: string, options: Partial<PlanOptions> = {}) => {
    await using model = await openCheckpoint(llama);
    const plan = await planOf(model, { kinds: ['OV', 'QK'], ...options });
    await runCircuits(model, plan, { out: folder(name) });
    return await readRun(folder(name));
  };

  test('of a finished run and its checkpoint it is what the checkpoint alone gives, but for residuals', async () => {
    const run = await runOf('run');
    await using model = await openCheckpoint(llama);
    const [alone, both] = [await collectReport(model), await collectReport(run, { checkpoint: model })];
    const { seconds: _, ...expected } = {
      ...alone,
      circuits: alone.circuits.map(({ residual: _, ...circuit }) => circuit),
    };
    expect(both).toEqual(expected);
  });

  test('of a run alone it is the spectra and what is said of them', async () => {
    const [run, { circuits }] = [await runOf('run'), await collected()];
    const data = await collectReport(run);
    expect(data).toMatchObject({ source: 'run', model: { layers, heads } });
    expect(Object.keys(data)).not.toContain('composition');
    expect(Object.keys(data)).not.toContain('tokens');
    expect(data.circuits).toEqual(circuits.map(({ residual: _, ...circuit }) => circuit));
    expect(reportPage(data)).toContain('Attention circuits of run');
  });

  test('of a run of leading triplets nothing is said that needs the others', async () => {
    const [run, { circuits }] = [await runOf('leading', { rank: 2, layers: [1, 2] }), await collected()];
    const data = await collectReport(run);
    expect(data.circuits.length).toBe(2 * heads);
    for (const { kind, layer, head, S, ...circuit } of data.circuits) {
      const whole = circuits.find((c) => c.kind === kind && c.layer === layer && c.head === head)!;
      expect(S.length).toBe(2);
      expect([circuit.effectiveRank, circuit.condition, circuit.residual]).toEqual([NaN, NaN, undefined]);
      expect(circuit.isolated).toBe(2);
      const limit = 3 * bounds.singularValues('float32', circuit.bound, whole.bound);
      expect(Math.abs(circuit.norm - whole.norm)).toBeLessThanOrEqual(limit);
    }
  });

  test('a run of another checkpoint, or of another state of it, is refused', async () => {
    const run = await runOf('run');
    await using folded = await openCheckpoint(llama, { foldNorms: true });
    checkError(
      await rejectionOf(collectReport(run, { checkpoint: folded })),
      'ERR_SVD_ARGUMENT',
      'foldNorms false, not true',
    );
  });

  test('a checkpoint of one layer without a vocabulary has neither scores nor tokens', async () => {
    const bare = tinyLlama({ layers: 1 });
    const path = writeCheckpoint(folder('bare'), bare.config, bare.tensors);
    const data = await collected(path, { title: 'A title' });
    expect(data).toMatchObject({ title: 'A title', source: 'bare' });
    expect(data).not.toHaveProperty('composition');
    expect(data).not.toHaveProperty('tokens');
    expect(reportPage(data)).toContain('A title');
  });

  test('makes a page', async () => {
    const page = reportPage(await collected());
    expect(page).toContain('Attention circuits of tiny-llama');
  });

  test('progress never falls and ends with all passes; aborting rejects with the reason', async () => {
    const told: { done: number; total: number }[] = [];
    await collected(llama, {
      onProgress: (progress: { done: number; total: number }) => told.push(progress),
    });
    expect(told.at(-1)).toEqual({ done: 15, total: 15 });
    expect(told.every(({ done }, i) => i === 0 || done >= told[i - 1].done)).toBe(true);
    const controller = new AbortController();
    const reason = new Error('enough');
    const onProgress = () => controller.abort(reason);
    expect(await rejectionOf(collected(llama, { signal: controller.signal, onProgress }))).toBe(reason);
  });
});
