import { existsSync, readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { type Report, unpack } from '../../lib/report/client/unpack.ts';
import { tinyLlama, writeCheckpoint } from '../circuits/support/checkpoints.ts';
import { built } from '../support/built.ts';
import { cli } from '../support/cli.ts';
import { temporaryFolder } from '../support/temporary.ts';

const at = temporaryFolder();
const [layers, heads] = [3, 4];

beforeAll(() => {
  built('report/client.js');
  const { config, tensors } = tinyLlama({ layers, heads, dHead: 4 });
  writeCheckpoint(at('tiny-llama'), config, tensors, { dtype: 'BF16', shards: 2 });
});

/** Runs the command, and reads what the page that it writes holds. */
async function page(...argv: string[]): Promise<Report> {
  const out = at('page.html');
  const { code, stdout, stderr } = await cli('report', ...argv, '--out', out);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toMatch(/^wrote a page of \d+ circuits to .*page\.html, [\d,]+ bytes\n$/);
  const text = readFileSync(out, 'utf8');
  return unpack(/<script type="application\/json" id="report">(.*?)<\/script>/s.exec(text)![1]);
}

async function refused(code: number, ...argv: string[]): Promise<string> {
  const result = await cli('report', ...argv);
  expect({ code: result.code, stdout: result.stdout }).toEqual({ code, stdout: '' });
  return result.stderr;
}

describe('of a checkpoint', () => {
  test('the page has every head, beside chance, and is called as it is', async () => {
    const report = await page(at('tiny-llama'));
    expect(report.circuits).toHaveLength(2 * layers * heads);
    expect([...report.random.keys()]).toEqual(['OV', 'QK']);
    expect(report.composition.map(({ kind }) => kind)).toEqual(['Q', 'K', 'V']);
    expect(report).toMatchObject({ source: 'tiny-llama', title: 'Attention circuits of tiny-llama' });
  });

  test('the options say what goes into the circuits, and the title', async () => {
    const report = await page(at('tiny-llama'), '--fold', '--rotary-offset', '2', '--title', 'A </title>');
    expect(report).toMatchObject({ title: 'A </title>', state: { foldNorms: true, rotaryOffset: 2 } });
  });
});

describe('of a run', () => {
  test('the page has the spectra that the run has', async () => {
    await cli('circuits', at('tiny-llama'), '--fold', '--out', at('run'));
    const [report, whole] = [await page(at('run')), await page(at('tiny-llama'), '--fold')];
    expect(report.state).toEqual(whole.state);
    expect(report.model).toEqual(whole.model);
    for (const circuit of whole.circuits) {
      const { S, bound, norm, factorNorm, effectiveRank, condition, isolated } = circuit;
      expect(report.byId.get(circuit.id)).toMatchObject({
        ...{ S, bound, norm, factorNorm, effectiveRank, condition, isolated },
        residual: Number.NaN,
      });
    }
  });

  test('with its checkpoint the page has the rest, too', async () => {
    await cli('circuits', at('tiny-llama'), '--fold', '--out', at('whole'));
    const [report, whole] = [
      await page(at('whole'), '--checkpoint', at('tiny-llama')),
      await page(at('tiny-llama'), '--fold'),
    ];
    expect(report.composition).toEqual(whole.composition);
    const file = at('whole/circuits.json');
    expect(await refused(2, at('whole'), '--out', file)).toContain('a file of the run');
  });

  test('of some layers, kinds and leading values, what is not known is not said', async () => {
    const folder = at('part');
    await cli(
      'circuits',
      at('tiny-llama'),
      '--kind',
      'QK',
      '--layers',
      '1-2',
      '--rank',
      '2',
      '--out',
      folder,
    );
    const { circuits, kinds } = await page(folder);
    expect(kinds).toEqual(['QK']);
    expect(circuits.map(({ id }) => id)).toEqual(
      [1, 2].flatMap((layer) => [0, 1, 2, 3].map((head) => `L${layer}H${head}-QK`)),
    );
    for (const { S, norm, effectiveRank } of circuits) {
      expect(S).toHaveLength(2);
      expect(effectiveRank).toBeNaN();
      expect(norm).toBeGreaterThan(Math.hypot(...S));
    }
  });

  test('what it was made of cannot be chosen any more', async () => {
    await cli('circuits', at('tiny-llama'), '--out', at('made'));
    expect(await refused(2, at('made'), '--out', at('x.html'), '--rotary-offset', '1')).toContain(
      '--rotary-offset cannot be chosen for a run',
    );
  });

  test('that is divided is refused', async () => {
    await cli('circuits', at('tiny-llama'), '--out', at('shards'), '--shard', '1/2');
    expect(await refused(1, at('shards'), '--out', at('x.html'))).toMatch(
      /not a whole run: .* \[ERR_SVD_FILE\]/,
    );
  });
});

describe('what goes wrong', () => {
  test('a page needs a place', async () => {
    expect(await refused(2, at('tiny-llama'))).toContain('--out <file>');
  });

  test('no page is written over the checkpoint, or of none', async () => {
    const file = at('tiny-llama/model-00001-of-00002.safetensors');
    expect(await refused(2, file, '--out', file)).toContain('--out would overwrite');
    expect(await refused(1, at('nothing'), '--out', at('none.html'))).toContain('[ERR_SVD_FILE]');
    expect(existsSync(at('none.html'))).toBe(false);
  });
});
