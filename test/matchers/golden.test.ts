import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import '../../lib/matchers/vitest.ts';
import { openCheckpoint } from '../../lib/circuits/index.ts';
import { FactoredMatrix } from '../../lib/index.ts';
import { matchers } from '../../lib/matchers/matchers.ts';
import { openWeights } from '../../lib/weights/index.ts';
import { tinyLlama, writeCheckpoint } from '../circuits/support/checkpoints.ts';
import { checkError, rejectionOf } from '../support/checks.ts';
import { randomProduct } from '../support/matrices.ts';
import { temporaryFolder } from '../support/temporary.ts';

const at = temporaryFolder();
const { config, tensors } = tinyLlama({ layers: 1 });
const model = () => writeCheckpoint(at('model'), config, tensors);
const doubled = Object.fromEntries(
  Object.entries(tensors).map(([name, x]) => [name, { ...x, data: x.data.map((v) => 2 * v) }]),
);
const tuned = () => writeCheckpoint(at('tuned'), config, doubled);

type Update = 'new' | 'none' | 'all';

/** What the matcher answers in a test in the temporary folder, where snapshots are updated like that. */
async function answer(update: Update, received: unknown, file: string | URL, options = {}, isNot = false) {
  const { pass, message } = await matchers.toMatchGolden.call(
    {
      isNot,
      testPath: at('some.test.ts'),
      snapshotState: { _updateSnapshot: update },
      utils: { matcherHint: (name: string) => name },
    },
    received,
    file,
    options,
  );
  return { pass, message: message() };
}

describe('toMatchGolden', () => {
  test('writes a file that is missing beside the test, in a folder of its own; in CI it fails and says so', async () => {
    expect(await answer('none', model(), 'golden/new.json')).toMatchObject({
      pass: false,
      message: expect.stringMatching(/new\.json is not there: in CI it is not written/),
    });
    expect(existsSync(at('golden'))).toBe(false);
    expect(await answer('new', model(), 'golden/new.json', { leading: 3 })).toMatchObject({ pass: true });
    expect(JSON.parse(readFileSync(at('golden/new.json'), 'utf8'))).toMatchObject({
      leading: 3,
      checkpoint: '../model',
    });
    for (const update of ['none', 'new', 'all'] as const)
      expect(await answer(update, model(), 'golden/new.json')).toMatchObject({ pass: true });
  });

  test('what has changed fails, and says what; only -u writes it anew', async () => {
    await answer('new', model(), 'changed.json');
    const before = readFileSync(at('changed.json'), 'utf8');
    for (const update of ['none', 'new'] as const) {
      const { pass, message } = await answer(update, tuned(), 'changed.json');
      expect({ pass, message }).toMatchObject({ pass: false, message: expect.stringContaining('with -u') });
      expect(message).toMatch(/- "model\.layers\.0\.self_attn\.q_proj\.weight": singular values: /);
    }
    expect(readFileSync(at('changed.json'), 'utf8')).toBe(before);
    expect(await answer('all', model(), 'changed.json')).toMatchObject({ pass: true });
    expect(readFileSync(at('changed.json'), 'utf8')).toBe(before); // it held
    expect(await answer('all', tuned(), 'changed.json')).toMatchObject({ pass: true });
    expect(await answer('none', tuned(), 'changed.json')).toMatchObject({ pass: true });
    expect(await answer('none', model(), 'changed.json')).toMatchObject({ pass: false });
  });

  test('.not holds for what has changed, and never writes', async () => {
    expect((await answer('new', model(), 'not.json', {}, true)).pass).toBe(true); // which fails
    expect(existsSync(at('not.json'))).toBe(false);
    await answer('new', model(), 'not.json');
    const before = readFileSync(at('not.json'), 'utf8');
    expect((await answer('all', tuned(), 'not.json', {}, true)).pass).toBe(false);
    expect((await answer('all', model(), 'not.json', {}, true)).pass).toBe(true);
    expect(readFileSync(at('not.json'), 'utf8')).toBe(before);
  });

  test('takes open weights, checkpoints and decompositions', async () => {
    await using weights = await openWeights(model());
    await using checkpoint = await openCheckpoint(model());
    const { A, B } = randomProduct(1, [6, 2, 5]);
    const product = new FactoredMatrix(A, B);
    const cases: [string, unknown, object][] = [
      ['weights.json', weights, { include: ['*norm*'] }],
      ['checkpoint.json', checkpoint, { circuits: ['OV'] }],
      ['circuits.json', model(), { circuits: ['QK'], full: true }],
      ['svd.json', product, {}],
    ];
    for (const [file, received, options] of cases)
      for (const update of ['new', 'none'] as const)
        expect(await answer(update, received, file, options)).toMatchObject({ pass: true });
    expect(await answer('none', product.mul(2), 'svd.json')).toMatchObject({ pass: false });
  });

  test('options that are not those of the record are an error, and -u takes them', async () => {
    await answer('new', model(), 'options.json');
    const wrong = (options: object) => rejectionOf(answer('new', model(), 'options.json', options));
    checkError(await wrong({ leading: 3 }), 'ERR_SVD_ARGUMENT', 'leading: 3, but', 'with 16: -u');
    checkError(await wrong({ circuits: ['OV'] }), 'ERR_SVD_ARGUMENT', 'circuits: ["OV"], but');
    checkError(await wrong({ exclude: ['x'] }), 'ERR_SVD_ARGUMENT', 'exclude');
    checkError(await wrong({ wihtin: 3 }), 'ERR_SVD_ARGUMENT', 'within');
    await answer('all', model(), 'options.json', { leading: 3 });
    expect(JSON.parse(readFileSync(at('options.json'), 'utf8'))).toMatchObject({ leading: 3 });
    const broken = '{"format": "factored-svd golden checkpoint 0"}';
    writeFileSync(at('broken.json'), broken);
    checkError(await rejectionOf(answer('new', model(), 'broken.json')), 'ERR_SVD_FILE', 'broken.json');
    expect(await answer('all', model(), 'broken.json')).toMatchObject({ pass: true });
    writeFileSync(at('precious.txt'), 'no golden file');
    const error = await rejectionOf(answer('all', model(), 'precious.txt'));
    checkError(error, 'ERR_SVD_FILE', 'precious.txt', 'is no golden file');
    expect(readFileSync(at('precious.txt'), 'utf8')).toBe('no golden file');
  });

  test('as an assertion', async () => {
    await answer('new', model(), 'assertion.json');
    const file = pathToFileURL(at('assertion.json'));
    await expect(model()).toMatchGolden(file, { within: 0 });
    await expect(tuned()).not.toMatchGolden(file);
    await expect(expect(tuned()).toMatchGolden(file, { within: 0 })).rejects.toThrow(
      /same bytes: they have changed/,
    );
    await expect(expect(model()).not.toMatchGolden(file)).rejects.toThrow('all 15 checks hold');
  });
});
