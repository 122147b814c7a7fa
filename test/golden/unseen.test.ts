import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { SignedSums, sumsApart } from '../../lib/golden/sums.ts';
import { norm } from '../../lib/index.ts';
import { compareGolden, recordGolden } from '../../lib/matchers/testing.ts';
import { tinyLlama, writeCheckpoint } from '../circuits/support/checkpoints.ts';
import { checkError, rejectionOf } from '../support/checks.ts';
import { array, random, randomMatrix } from '../support/matrices.ts';
import { failedNames, fails, holds } from '../support/reports.ts';
import { temporaryFolder } from '../support/temporary.ts';

// Changes that one number of a record does not show, and numbers at the ends of the range: what differs fails, what was
// recorded is read again.

const at = temporaryFolder();
const write = (name: string, data: ArrayLike<number>, shape: number[], dtype: 'F32' | 'F64' = 'F32') =>
  writeCheckpoint(at(name), undefined, { w: { data: Float64Array.from(data), shape, dtype } });

/** Every way to compare with δ > 0, or with none. */
const ways = [{}, { within: 1e-9 }, { within: 1e-6 }, { within: 1e-3 }];

async function verdicts(
  then: ArrayLike<number>,
  now: ArrayLike<number>,
  shape: number[],
  dtype?: 'F32' | 'F64',
) {
  const golden = await recordGolden(write('then', then, shape, dtype), { leading: 0 });
  const path = write('now', now, shape, dtype);
  const reports = [];
  for (const options of ways) reports.push(await compareGolden(golden, path, options));
  return reports;
}

describe('few elements that change', () => {
  const [m, n] = [48, 64];
  const x = Float64Array.from(randomMatrix(7, [m, n]).data, Math.fround);
  const estimate = (y: Float64Array) => {
    const [a, b] = [x, y].map((values) => {
      const sums = new SignedSums(values.length);
      sums.add(values);
      return sums.values;
    });
    return sumsApart(a, b, x.length).all;
  };

  test('any two that change places move the sums, by a part of their difference', () => {
    const next = random(11);
    const place = () => Math.floor(((next() + 1) / 2) * m * n) % (m * n);
    const ratios = Array.from({ length: 2000 }, () => {
      const y = x.slice();
      const [i, j] = [place(), place()];
      if (x[i] === x[j]) return 1;
      [y[i], y[j]] = [x[j], x[i]];
      return estimate(y) / (Math.SQRT2 * Math.abs(x[i] - x[j]));
    });
    expect(Math.min(...ratios)).toBeGreaterThan(1e-5);
    expect(ratios.filter((r) => r < 0.05).length).toBeLessThan(20);
  });

  test('one moves them by 0.48 to 1.45 of what it changes by', () => {
    const ratios = Array.from({ length: m * n }, (_, place) => {
      const y = x.slice();
      y[place] += 0.25;
      return estimate(y) / 0.25;
    });
    expect(Math.min(...ratios)).toBeGreaterThan(0.48);
    expect(Math.max(...ratios)).toBeLessThan(1.45);
  });

  test.each([24, 64, 65, 768])('of a vector of %i: no swap and no equal addition passes', async (length) => {
    const v = Float64Array.from({ length }, (_, i) => i + 1);
    const golden = await recordGolden(write('vector', v, [length]));
    for (const [i, j] of [
      [1, 3],
      [0, 10],
      [0, 21],
      [2, 11],
      [6, 12],
      [8, 13],
      [10, 21],
    ]) {
      const swapped = v.slice();
      [swapped[i], swapped[j]] = [v[j], v[i]];
      const added = v.map((value, e) => (e === i || e === j ? value + 1000 : value));
      for (const y of [swapped, added])
        for (const options of ways.slice(0, 3))
          expect(await compareGolden(golden, write('vector-now', y, [length]), options)).toMatchObject(fails);
    }
  });

  test('a norm or a largest element that does not fit fails, whatever the sums say', async () => {
    const golden = (await recordGolden(write('other', x, [m, n]), { leading: 0 })) as Json;
    const y = x.slice();
    y[5] = Math.fround(y[5] * (1 + 1e-7));
    const path = write('other-now', y, [m, n]);
    expect(await compareGolden(golden, path, { within: 1e-6 })).toMatchObject(holds);
    for (const key of ['norm', 'largest']) {
      const other = structuredClone(golden);
      other.tensors[0].elements[key] *= 1.01;
      for (const options of ways.slice(0, 3))
        expect(await compareGolden(other, path, options)).toMatchObject(fails);
    }
  });

  test('small tensors are kept whole: of them ‖W′ − W‖_F is exact', async () => {
    const v = x.subarray(0, 64);
    const golden = await recordGolden(write('small', v, [8, 8]), { leading: 0 });
    const y = v.map((value, i) => Math.fround(value + 1e-3 * x[100 + i]));
    const difference = norm(
      array(
        y.map((value, i) => value - v[i]),
        [8, 8],
      ),
    ) as number;
    const { checks } = await compareGolden(golden, write('small-now', y, [8, 8]), { within: 1 });
    const change = checks.find(({ name }) => name.endsWith('estimated'));
    expect(change?.value).toBeCloseTo(difference, 12);
  });
});

describe('NaN and infinities', () => {
  const whole = () => Float64Array.from({ length: 400 }, (_, i) => (i % 7) - 3);
  const set = (values: Record<number, number>) => Object.assign(whole(), values);
  const { NaN: nan, POSITIVE_INFINITY: inf } = Number;
  test.each<[string, Float64Array, Float64Array]>([
    ['an infinity of another sign', set({ 3: inf }), set({ 3: -inf })],
    ['a NaN that is infinite now', set({ 3: nan }), set({ 3: inf })],
    ['a NaN that moved to where a zero was', set({ 10: nan, 17: 0 }), set({ 10: 0, 17: nan })],
    ['NaN and infinity that changed places', set({ 10: nan, 17: inf }), set({ 10: inf, 17: nan })],
    ['many that were turned round', whole().fill(nan, 0, 200), whole().fill(nan, 200).fill(0, 0, 200)],
  ])('%s: is found in matrices and vectors', async (_, then, now) => {
    for (const shape of [[20, 20], [400]])
      for (const report of await verdicts(then, now, shape)) {
        expect(report).toMatchObject(fails);
        expect(failedNames(report)).toContain('"w": NaN and infinite elements');
      }
  });

  test('where they are the same, others are still compared', async () => {
    const [then, now] = [set({ 3: inf, 50: nan }), set({ 3: inf, 50: nan, 61: 2.000001 })];
    const reports = await verdicts(then, now, [20, 20]);
    expect(reports.map(({ pass }) => pass)).toEqual([true, false, true, true]);
  });
});

describe('numbers at the ends of float64', () => {
  const x = randomMatrix(9, [40, 30]).data as Float64Array;
  test.each([
    ['a norm that is infinite', 1e308],
    ['squares that are', 1e200],
    ['squares that are zero', 1e-200],
    ['nearly none', 1e-320],
  ])('%s: a record holds for itself, and not for another', async (_, scale) => {
    const then = x.map((value) => value * scale);
    const path = write('end', then, [40, 30], 'F64');
    const flipped = then.map((value, i) => (i < 20 ? -value : value));
    for (const choice of [{}, { leading: 0 }, { full: true }]) {
      const file = at(`end ${scale} ${JSON.stringify(choice).replace(/\W/g, '')}.json`);
      await recordGolden(path, { file, ...choice, update: true });
      expect(await compareGolden(file, path)).toMatchObject(holds);
      const now = write('end-now', flipped, [40, 30], 'F64');
      for (const options of ways) expect(await compareGolden(file, now, options)).toMatchObject(fails);
      const zeros = write(
        'end-zeros',
        then.map(() => 0),
        [40, 30],
        'F64',
      );
      for (const options of ways) expect(await compareGolden(file, zeros, options)).toMatchObject(fails);
    }
    const far = await recordGolden(
      write(
        'zeros',
        then.map(() => 0),
        [40, 30],
        'F64',
      ),
    );
    for (const options of ways) expect(await compareGolden(far, path, options)).toMatchObject(fails);
  });

  test('a small change holds within δ, in whatever units', async () => {
    for (const scale of [1e308, 1e200, 1e-200]) {
      const then = x.map((value) => value * scale);
      const now = then.map((value, i) => value * (1 + 1e-7 * Math.sin(i)));
      const reports = await verdicts(then, now, [40, 30], 'F64');
      expect(reports.map(({ pass }) => pass)).toEqual([false, false, true, true]);
    }
  });

  test('float32 whose norm is beyond its range is recorded without its spectrum, the others with theirs', async () => {
    const big = randomMatrix(3, [20, 20]).data.map((value) => value * 3e38);
    const tensors = { a: { data: big, shape: [20, 20] }, b: { data: x, shape: [40, 30] } };
    const path = writeCheckpoint(at('beyond'), undefined, tensors as never);
    for (const choice of [{}, { full: true }]) {
      const golden = (await recordGolden(path, choice)) as Json;
      expect(golden.tensors.map((t: Json) => 'spectra' in t || 'items' in t)).toEqual([false, true]);
      expect(await compareGolden(golden, path)).toMatchObject(holds);
      const less = { ...tensors, a: { data: big.map((v) => v / 1000), shape: [20, 20] } };
      const now = writeCheckpoint(at('beyond-now'), undefined, less as never);
      expect(await compareGolden(golden, now)).toMatchObject(fails);
      const back = await compareGolden(await recordGolden(now, choice), path);
      expect(back).toMatchObject(fails);
      expect(failedNames(back).join()).toContain('"a": ');
    }
  });
});

describe('circuits with NaN', () => {
  const { config, tensors } = tinyLlama({ layers: 2 });
  const name = 'model.layers.1.self_attn.v_proj.weight';
  const wrong = (value: number) => {
    const data = tensors[name].data.slice();
    data[3] = value;
    return writeCheckpoint(at('wrong'), config, { ...tensors, [name]: { ...tensors[name], data } });
  };
  test('do not hold, and say in which layer; they are not recorded', async () => {
    const golden = await recordGolden(writeCheckpoint(at('right'), config, tensors), {
      circuits: ['OV', 'QK'],
    });
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, 3e38])
      for (const options of ways) {
        const report = await compareGolden(golden, wrong(value), options);
        expect(report).toMatchObject(fails);
        expect(new Set(failedNames(report).map((text) => text.replace(/: .*/, '')))).toEqual(
          new Set(['"OV of layer 1"']),
        );
      }
    const error = await rejectionOf(recordGolden(wrong(Number.NaN), { circuits: ['OV'] }));
    checkError(error, 'ERR_SVD_NON_FINITE', 'OV of layer 1');
  });
});

describe('--resume of weights that changed where no sample is', () => {
  const { config, tensors } = tinyLlama({ layers: 3 });
  const large = (changed: boolean) => {
    const data = randomMatrix(5, [150, 150]).data.slice();
    if (changed) data[9000] += 1;
    const first = { 'a.weight': { data: data as Float64Array, shape: [150, 150] } };
    return writeCheckpoint(at('large'), config, { ...first, ...tensors });
  };
  async function stopped(file: string, options: object) {
    const abort = new AbortController();
    const onProgress = ({ done }: { done: number }) => done >= 2 && abort.abort();
    await rejectionOf(
      recordGolden(large(false), { file, resume: true, ...options, signal: abort.signal, onProgress }),
    );
  }

  test('records what is there', async () => {
    const file = at('resumed.json');
    await stopped(file, {});
    expect(readFileSync(`${file}.journal`, 'utf8')).toContain('"a.weight"');
    await recordGolden(large(true), { file, resume: true });
    const report = await compareGolden(file);
    expect(report).toMatchObject(holds);
    expect(report.checks.filter(({ name }) => name.endsWith('same bytes')).length).toBeGreaterThan(10);
  });

  test.each([{}, { circuits: ['OV'] as const }])('refuses a line of another name %j', async (options) => {
    const file = at(`renamed ${Object.keys(options)}.json`);
    await stopped(file, options);
    const journal = `${file}.journal`;
    const text = readFileSync(journal, 'utf8');
    writeFileSync(journal, text.replace(/^(\["[^"]*",.*?)("name":"|"layer":)\w/m, '$1$28'));
    const error = await rejectionOf(recordGolden(large(false), { file, ...options, resume: true }));
    checkError(error, 'ERR_SVD_FILE', 'not a journal', 'expected its own record');
  });

  test('refuses for circuits what was kept of others', async () => {
    const q = 'model.layers.2.self_attn.q_proj.weight';
    const file = at('circuits.json');
    await stopped(file, { circuits: ['OV'] });
    const journal = `${file}.journal`;
    const [head] = readFileSync(journal, 'utf8').split('\n');
    expect(JSON.parse(head)).toHaveProperty('source');
    writeFileSync(journal, readFileSync(journal, 'utf8').replace(/"source":"../, '"source":"zz'));
    const error = await rejectionOf(recordGolden(large(false), { file, circuits: ['OV'], resume: true }));
    checkError(error, 'ERR_SVD_FILE', 'is of something else', 'source');
    expect(tensors).toHaveProperty([q]);
  });
});

describe('a file that is no golden file', () => {
  test('is not replaced, with update either; a golden one or an empty one is', async () => {
    const path = write('replace', [1, 2, 3, 4], [2, 2]);
    const file = at('precious.txt');
    for (const text of ['precious', '{"a": 1}', '{"format": "something"}', '[1]']) {
      writeFileSync(file, text);
      const error = await rejectionOf(recordGolden(path, { file, update: true }));
      checkError(error, 'ERR_SVD_FILE', 'precious.txt', 'no golden file');
      expect(readFileSync(file, 'utf8')).toBe(text);
    }
    writeFileSync(file, '');
    await recordGolden(path, { file, update: true });
    await recordGolden(path, { file, update: true });
    expect(await compareGolden(file)).toMatchObject(holds);
  });
});

// biome-ignore lint/suspicious/noExplicitAny: JSON
type Json = any;
