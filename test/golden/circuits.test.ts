import { describe, expect, test } from 'vitest';
import { openCheckpoint } from '../../lib/circuits/index.ts';
import { FactoredMatrix, svd } from '../../lib/index.ts';
import { compareGolden, recordGolden } from '../../lib/matchers/testing.ts';
import { openWeights } from '../../lib/weights/index.ts';
import { type Tensors, tinyLlama, writeCheckpoint } from '../circuits/support/checkpoints.ts';
import { checkError, rejectionOf } from '../support/checks.ts';
import { orthogonal, randomProduct } from '../support/matrices.ts';
import { failedNames, fails, holds } from '../support/reports.ts';
import { temporaryFolder } from '../support/temporary.ts';

const at = temporaryFolder();
const { config, tensors } = tinyLlama({ layers: 2 });
const write = (name: string, changes: Tensors = {}) =>
  writeCheckpoint(at(name), config, { ...tensors, ...changes });

const value = (layer: number, part: string) => `model.layers.${layer}.self_attn.${part}_proj.weight`;

/** v and o of a layer in other bases inside every head: W_V·Q and Qᵀ·W_O, which is the same OV. */
function rebased(layer: number): Tensors {
  const Q = orthogonal(3, 3, 3);
  const [v, o] = [tensors[value(layer, 'v')], tensors[value(layer, 'o')]];
  const at = (x: typeof v, i: number, j: number) => x.data[i * x.shape[1] + j];
  const turned = (x: typeof v, element: (i: number, j: number) => number) => ({
    ...x,
    data: x.data.map((_, e) => element(Math.floor(e / x.shape[1]), e % x.shape[1])),
  });
  const sum = (term: (k: number) => number) => term(0) + term(1) + term(2);
  return {
    [value(layer, 'v')]: turned(v, (i, j) => sum((k) => Q.get(k, i % 3) * at(v, i - (i % 3) + k, j))),
    [value(layer, 'o')]: turned(o, (i, j) => sum((k) => at(o, i, j - (j % 3) + k) * Q.get(k, j % 3))),
  };
}

describe('circuits', () => {
  test('hold for themselves without a decomposition, by every source', async () => {
    const file = at('golden.json');
    const golden = await recordGolden(write('same'), { circuits: ['OV', 'QK'], file });
    expect(golden).toMatchObject({ format: 'factored-svd golden circuits 1', checkpoint: 'same' });
    await using checkpoint = await openCheckpoint(at('same'));
    for (const source of [undefined, at('same'), checkpoint]) {
      const report = await compareGolden(file, source, { within: 0 });
      expect(report).toMatchObject(holds);
      expect(report.checks.map(({ name }) => name)).toEqual(['"model": same model', '"model": same bytes']);
    }
  });

  test.each([{}, { full: true }])('are the same in another basis inside the heads %j', async (choice) => {
    const golden = await recordGolden(write('basis'), { circuits: ['OV', 'QK'], ...choice });
    const turned = write('basis-turned', rebased(1));
    const report = await compareGolden(golden, turned);
    expect(report).toMatchObject(holds);
    expect(report.checks.length).toBeGreaterThan(16);
    expect(await compareGolden(golden, turned, { within: 1e-6 })).toMatchObject(holds);
    expect(await compareGolden(golden, turned, { within: 1e-9 })).toMatchObject(fails);
    const tensorwise = await recordGolden(at('basis'));
    expect(await compareGolden(tensorwise, turned)).toMatchObject(fails);
  });

  test('one number that changes is found, in its layer, head and kind', async () => {
    const golden = await recordGolden(write('number'), { circuits: ['OV', 'QK'] });
    const q = tensors[value(1, 'q')];
    const data = q.data.slice();
    data[4 * 10 + 2] += 1e-3; // row 4 is of head 1
    const now = write('number-now', { [value(1, 'q')]: { ...q, data } });
    const { checks } = await compareGolden(golden, now, { within: 1e-6 });
    expect(checks.filter(({ pass }) => !pass)).toMatchObject([
      { name: '"QK of layer 1": change ‖M′ − M‖_F, estimated', batchIndex: [1] },
    ]);
    expect(await compareGolden(golden, now)).toMatchObject(fails);
  });

  test('a rotation of the stream keeps every spectrum, and is found', async () => {
    const golden = await recordGolden(write('stream'), { circuits: ['OV'] });
    const o = tensors[value(0, 'o')];
    const data = o.data.map((_, e) => o.data[(e + 12) % o.data.length]);
    const names = failedNames(
      await compareGolden(golden, write('stream-now', { [value(0, 'o')]: { ...o, data } })),
    );
    expect(new Set(names)).toEqual(new Set(['"OV of layer 0": change ‖M′ − M‖_F, estimated']));
  });

  test('of another state are refused, those of another model fail', async () => {
    await using folded = await openCheckpoint(write('state'), { foldNorms: true });
    const golden = await recordGolden(folded);
    await using plain = await openCheckpoint(at('state'));
    checkError(await rejectionOf(compareGolden(golden, plain)), 'ERR_SVD_ARGUMENT', 'another state');
    expect(await compareGolden(golden, at('state'))).toMatchObject(holds); // opened as it was
    const other = tinyLlama({ layers: 3 });
    const path = writeCheckpoint(at('other'), other.config, other.tensors);
    expect(await compareGolden(golden, path)).toMatchObject({
      ...fails,
      text: expect.stringContaining('layers is 3, was 2'),
    });
  });
});

describe('what has no meaning is refused', () => {
  const { A, B } = randomProduct(1, [6, 2, 5]);
  const product = new FactoredMatrix(A, B);
  test.each<[string, () => Promise<unknown>, string]>([
    ['nothing', () => recordGolden({} as never), 'expected a path'],
    [
      'circuits of open weights',
      async () => {
        await using weights = await openWeights(write('a'));
        await recordGolden(weights, { circuits: ['OV'] });
      },
      'circuits',
    ],
    ['circuits of a decomposition', () => recordGolden(product, { circuits: ['OV'] }), 'circuits'],
    ['leading of a decomposition', () => recordGolden(product, { leading: 3 }), 'leading'],
    ['names of circuits', () => recordGolden(write('a'), { circuits: ['OV'], include: ['x'] }), 'include'],
    ['update of nothing', () => recordGolden(write('a'), { update: true }), 'update'],
    ['leading of everything', () => recordGolden(write('a'), { full: true, leading: 3 }), 'leading'],
    ['no tensor at all', () => recordGolden(write('a'), { include: ['x'] }), 'no tensor'],
    [
      'another kind',
      async () => compareGolden(await recordGolden(write('a')), product),
      'tensors are recorded',
    ],
    [
      'a path for a decomposition',
      async () => compareGolden(await recordGolden(product), write('a')),
      'a decomposition is recorded',
    ],
    [
      'within of it',
      async () => compareGolden(await recordGolden(product), product, { within: 1 }),
      'within',
    ],
    ['no golden file', () => compareGolden(5 as never), 'golden file'],
  ])('%s', async (_, call, says) => {
    checkError(await rejectionOf(call()), 'ERR_SVD_ARGUMENT', says);
  });

  test('a decomposition is recorded and compared as well', async () => {
    const golden = await recordGolden(product);
    expect(await compareGolden(golden, product.svd())).toMatchObject(holds);
    expect(await compareGolden(golden, svd(product.AB))).toMatchObject(fails); // five values, two were recorded
    expect(await compareGolden(golden, product.mul(2))).toMatchObject(fails);
  });
});
