import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { SignedSums, sumCount, sumsApart } from '../../lib/golden/sums.ts';
import { norm, svdvals } from '../../lib/index.ts';
import { compareGolden, recordGolden } from '../../lib/matchers/testing.ts';
import { openWeights, writeSafetensors } from '../../lib/weights/index.ts';
import { writeCheckpoint } from '../circuits/support/checkpoints.ts';
import { checkError, rejectionOf } from '../support/checks.ts';
import { array, random, randomMatrix } from '../support/matrices.ts';
import { failedNames, fails, holds } from '../support/reports.ts';
import { temporaryFolder } from '../support/temporary.ts';

const at = temporaryFolder();

/** 768×768 numbers of the normal distribution, nearly: sums of twelve. */
const reference = (() => {
  const next = random(5);
  const normal = () => Array.from({ length: 6 }, next).reduce((sum, x) => sum + x, 0) * Math.SQRT1_2;
  return array(Float64Array.from({ length: 768 * 768 }, normal), [768, 768]);
})();
const singles = Float32Array.from(reference.data);
const changed = (place: number, by: number) => {
  const data = singles.slice();
  data[place] += by;
  return data;
};

async function written(name: string, data: Float32Array | Float64Array | Uint16Array): Promise<string> {
  const path = at(`${name}.safetensors`);
  const dtype = data instanceof Uint16Array ? { dtype: 'bfloat16' as const } : {};
  await writeSafetensors(path, { W: { data, shape: [768, 768], ...dtype } as never });
  return path;
}

describe('the same numbers, within δ', async () => {
  const original = await written('original', singles);
  const golden = await recordGolden(original, { leading: 0 });
  const compare = (path: string, within: number) => compareGolden(golden, path, { within });

  test.each([0, 12345, 768 * 768 - 1])('a change of 1e-3 in element %i alone is found', async (place) => {
    const path = await written('changed', changed(place, 1e-3));
    for (const within of [0, 1e-9, 1e-6]) expect(await compare(path, within)).toMatchObject(fails);
    expect(await compare(path, 1e-4)).toMatchObject(holds);
  });

  test('without δ rounding may do as much: that is why there is one', async () => {
    expect(await compareGolden(golden, await written('changed', changed(7, 1e-3)))).toMatchObject(holds);
  });

  test('a cast to bfloat16 is found, whatever it is stored as', async () => {
    const bits = Uint16Array.from(new Uint32Array(singles.buffer), (word) => (word + 0x8000) >>> 16);
    const halves = await written('bfloat16', bits);
    const widened = new Float32Array(Uint32Array.from(bits, (half) => half << 16).buffer);
    for (const path of [halves, await written('from-bfloat16', widened)]) {
      expect(await compare(path, 1e-4)).toMatchObject(fails);
      expect(await compare(path, 1e-2)).toMatchObject(holds);
      expect(await compareGolden(golden, path)).toMatchObject(fails);
    }
  });

  test('the same numbers stored as float64 hold within 0, and one bit of one of them does not', async () => {
    expect(await compare(await written('wide', Float64Array.from(singles)), 0)).toMatchObject(holds);
    const bit = Float64Array.from(singles);
    bit[99] += 2 ** -40;
    expect(await compare(await written('wide-changed', bit), 0)).toMatchObject(fails);
    expect(
      failedNames(await compareGolden(golden, await written('wide', Float64Array.from(singles)))),
    ).toEqual(['"W": dtype']);
  });

  test('a float64 reference rounded to float32 holds within 1e-6, not within 1e-9', async () => {
    const exact = await recordGolden(await written('reference', reference.data as Float64Array), {
      leading: 0,
    });
    expect(await compareGolden(exact, original, { within: 1e-6 })).toMatchObject(holds);
    expect(await compareGolden(exact, original, { within: 1e-9 })).toMatchObject(fails);
  });

  test('one element does not hide in a large matrix, whose norm would let it', async () => {
    const data = Float32Array.from({ length: 2048 * 2048 }, (_, i) => singles[i % singles.length]);
    const large = (name: string) => at(`${name}.safetensors`);
    await writeSafetensors(large('large'), { W: { data, shape: [2048, 2048] } });
    const record = await recordGolden(large('large'), { leading: 0 });
    data[2 ** 21 + 5] += 1e-3;
    await writeSafetensors(large('large-changed'), { W: { data, shape: [2048, 2048] } });
    const report = await compareGolden(record, large('large-changed'), { within: 1e-6 });
    expect(failedNames(report)).toEqual(['"W": change of few elements']);
  });

  test('two numbers that change places are found', async () => {
    const data = singles.slice();
    [data[3], data[4]] = [data[4], data[3]];
    expect(await compare(await written('swapped', data), 1e-6)).toMatchObject(fails);
  });
});

describe('signed sums', () => {
  const sumsOf = (x: Float64Array) => {
    const sums = new SignedSums(x.length);
    sums.add(x.subarray(0, 1000)); // in pieces
    sums.add(x.subarray(1000));
    return sums;
  };
  const x = randomMatrix(3, [200, 300]).data as Float64Array;

  test('of one element that changes one sum moves, by half to one and a half of that', () => {
    const y = x.slice();
    y[777] += 0.25;
    const [a, b] = [sumsOf(x).values, sumsOf(y).values];
    const moved = Array.from(a, (s, j) => Math.abs(s - b[j])).filter((d) => d > 0);
    expect(moved).toHaveLength(1);
    expect(moved[0] / 0.25).toBeGreaterThan(0.5);
    expect(moved[0] / 0.25).toBeLessThan(1.5);
  });

  test('their norm estimates ‖E‖_F, without bias, as well as their number says', () => {
    const ratios = Array.from({ length: 60 }, (_, seed) => {
      const e = randomMatrix(100 + seed, [60, 100]);
      const sums = sumsOf(e.data as Float64Array).values;
      return (sumsApart(sums, new Float64Array(64), 6000).all / (norm(e) as number)) ** 2;
    });
    const mean = ratios.reduce((a, b) => a + b) / ratios.length;
    const deviation = Math.sqrt(ratios.reduce((a, b) => a + (b - 1) ** 2, 0) / ratios.length);
    expect(Math.abs(mean - 1)).toBeLessThan((4 * Math.sqrt(2 / 64)) / Math.sqrt(60));
    expect(deviation / Math.sqrt(2 / 64)).toBeGreaterThan(0.6);
    expect(deviation / Math.sqrt(2 / 64)).toBeLessThan(1.6);
  });

  test('are as many as the tensor is large, and the same for ever', () => {
    const counts = {
      0: 0,
      1: 1,
      3: 3,
      64: 64,
      65: 64,
      [2 ** 21]: 64,
      [2 ** 21 + 1]: 128,
      [2 ** 30]: 2 ** 15,
    };
    expect(Object.keys(counts).map((n) => sumCount(Number(n)))).toEqual(Object.values(counts));
    expect(Array.from(sumsOf(Float64Array.from([1, 2, 4, 8])).values)).toEqual([1, 2, 4, 8]);
    const { values } = sumsOf(Float64Array.from({ length: 200 }, (_, i) => i));
    expect(Array.from(values.subarray(0, 4), (sum) => sum * 2 ** 24)).toMatchInlineSnapshot(`
      [
        795374088,
        -6542085088,
        1965945810,
        -3705386300,
      ]
    `);
  });
});

describe('a checkpoint', () => {
  const tensors = {
    'model.embed.weight': { shape: [30, 12], data: randomMatrix(1, [30, 12]).data as Float64Array },
    'model.layers.0.q.weight': { shape: [12, 12], data: randomMatrix(2, [12, 12]).data as Float64Array },
    'model.experts.w': { shape: [3, 20, 24], data: randomMatrix(3, [3, 20, 24]).data as Float64Array },
    'model.norm.weight': { shape: [12], data: randomMatrix(4, [12]).data as Float64Array },
    'model.ids': { shape: [4], data: Float64Array.of(1, 2, 3, 4), dtype: 'I64' as const },
  };
  const write = (name: string, changes: object = {}, shards = 1) =>
    writeCheckpoint(at(name), undefined, { ...tensors, ...changes }, { shards });

  test('is recorded as a small file that says what was kept', async () => {
    const file = at('small.json');
    const golden = await recordGolden(write('small'), { file });
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(golden);
    expect(golden).toMatchObject({
      format: 'factored-svd golden checkpoint 1',
      checkpoint: 'small',
      leading: 16,
    });
    expect(statSync(file).size).toBeLessThan(8000);
    const [embed] = (golden as unknown as { tensors: { spectra: { leading: number[]; last: number }[] }[] })
      .tensors;
    const S = svdvals(array(tensors['model.embed.weight'].data, [30, 12], 'float32'));
    expect(embed.spectra[0].leading.map(Math.fround)).toEqual(Array.from(S.data));
  });

  test('holds for itself, in shards, and by another path', async () => {
    const file = at('itself.json');
    await recordGolden(write('itself'), { file });
    await using weights = await openWeights(write('itself'));
    for (const source of [undefined, write('itself-sharded', {}, 2), weights]) {
      const report = await compareGolden(file, source);
      expect(report).toMatchObject(holds);
      expect(report.checks.filter(({ name }) => name.endsWith('same bytes'))).toHaveLength(5);
    }
  });

  const scaled = (name: keyof typeof tensors, by: number, dtype?: 'F64') => ({
    [name]: { ...tensors[name], data: tensors[name].data.map((x) => x * by), dtype },
  });
  test.each<[string, object, string[]]>([
    ['a tensor is missing', { 'model.norm.weight': undefined }, ['"model.norm.weight": there']],
    ['one is new', { new: tensors['model.norm.weight'] }, ['"new": recorded']],
    ['a dtype is another', scaled('model.norm.weight', 1, 'F64'), ['"model.norm.weight": dtype']],
    [
      'a shape is another',
      { 'model.norm.weight': { ...tensors['model.norm.weight'], shape: [3, 4] } },
      ['"model.norm.weight": shape'],
    ],
    [
      'integers change',
      { 'model.ids': { ...tensors['model.ids'], data: Float64Array.of(1, 2, 3, 5) } },
      ['"model.ids": same bytes'],
    ],
    [
      'a vector changes',
      scaled('model.norm.weight', 1.01),
      [
        '"model.norm.weight": change ‖W′ − W‖_F, estimated',
        '"model.norm.weight": norm',
        '"model.norm.weight": largest element',
      ],
    ],
    [
      'one of several matrices changes',
      {
        'model.experts.w': {
          ...tensors['model.experts.w'],
          data: tensors['model.experts.w'].data.map((x, e) => (e >= 480 && e < 960 ? 2 * x : x)),
        },
      },
      [
        '"model.experts.w": change ‖W′ − W‖_F, estimated',
        '"model.experts.w": norm',
        '"model.experts.w": largest element',
        '"model.experts.w": singular values',
        '"model.experts.w": nuclear norm',
      ],
    ],
  ])('fails where %s, and says where', async (_, changes, names) => {
    const golden = await recordGolden(write('whole'));
    const all = Object.fromEntries(Object.entries({ ...tensors, ...changes }).filter(([, x]) => x));
    const report = await compareGolden(golden, writeCheckpoint(at('other'), undefined, all));
    expect(failedNames(report)).toEqual(names);
  });

  test('a rotation of the rows keeps the spectrum, and is found by the sums, and by --full', async () => {
    const { shape, data } = tensors['model.layers.0.q.weight'];
    const turned = { shape, data: data.map((_, e) => data[(e + 12) % 144]) };
    for (const full of [false, true]) {
      const golden = await recordGolden(write('turned'), { full });
      expect(await compareGolden(golden, write('turned'))).toMatchObject(holds);
      const names = failedNames(
        await compareGolden(golden, write('turned-now', { 'model.layers.0.q.weight': turned })),
      );
      expect(names[0]).toBe('"model.layers.0.q.weight": change ‖W′ − W‖_F, estimated');
      expect(names).not.toContain('"model.layers.0.q.weight": singular values');
      expect(names.includes('"model.layers.0.q.weight": left singular vectors')).toBe(full);
    }
  });

  test('rounding in the last bits passes, with what is kept and with everything', async () => {
    for (const choice of [{}, { full: true }, { leading: 0 }, { leading: 1000 }]) {
      const golden = await recordGolden(write('rounded'), choice);
      const report = await compareGolden(
        golden,
        write('rounded-now', scaled('model.embed.weight', 1 + 2 ** -23)),
      );
      expect(report).toMatchObject(holds);
      expect(report.checks.filter(({ name }) => name.endsWith('same bytes'))).toHaveLength(4);
    }
  });

  test('include and exclude say which tensors, then and now', async () => {
    const golden = await recordGolden(write('chosen'), { include: ['*.weight'], exclude: ['*norm*'] });
    const { tensors: list } = golden as unknown as { tensors: { name: string }[] };
    expect(list.map(({ name }) => name)).toEqual(['model.embed.weight', 'model.layers.0.q.weight']);
    expect(await compareGolden(golden, write('chosen', { extra: tensors['model.ids'] }))).toMatchObject(
      holds,
    );
    const added = { 'extra.weight': tensors['model.norm.weight'] };
    expect(failedNames(await compareGolden(golden, write('chosen', added)))).toEqual([
      '"extra.weight": recorded',
    ]);
  });

  test('NaN and infinities are counted, and nothing is decomposed', async () => {
    const data = tensors['model.embed.weight'].data.slice();
    data[5] = Number.NaN;
    const golden = await recordGolden(write('nan', { 'model.embed.weight': { shape: [30, 12], data } }));
    expect(await compareGolden(golden, at('nan'))).toMatchObject(holds);
    expect(failedNames(await compareGolden(golden, write('no-nan')))).toContain(
      '"model.embed.weight": NaN and infinite elements',
    );
  });

  test('of a dtype that no array holds, dtype and shape are compared, and that is said', async () => {
    const write4 = (name: string, shape: number[]) => {
      const json = Buffer.from(
        JSON.stringify({ w: { dtype: 'F4', shape, data_offsets: [0, 4] } }).padEnd(80),
      );
      const length = Buffer.alloc(8);
      length.writeBigUInt64LE(80n);
      writeFileSync(at(name), Buffer.concat([length, json, Buffer.from([1, 2, 3, 4])]));
      return at(name);
    };
    const golden = await recordGolden(write4('four.safetensors', [2, 4]));
    const report = await compareGolden(golden, at('four.safetensors'));
    expect(report).toMatchObject({ ...holds, text: expect.stringContaining('(1 undetermined)') });
    expect(failedNames(await compareGolden(golden, write4('other.safetensors', [4, 2])))).toEqual([
      '"w": shape',
    ]);
  });

  test('a file that is there is replaced on purpose only', async () => {
    const file = at('there.json');
    await recordGolden(write('there'), { file });
    const before = readFileSync(file, 'utf8');
    checkError(await rejectionOf(recordGolden(at('there'), { file, leading: 2 })), 'ERR_SVD_FILE', 'update');
    expect(readFileSync(file, 'utf8')).toBe(before);
    await recordGolden(at('there'), { file, leading: 2, update: true });
    expect(readFileSync(file, 'utf8')).not.toBe(before);
  });

  test('no input is overwritten', async () => {
    const file = `${write('input')}/model.safetensors`;
    const before = readFileSync(file);
    const error = await rejectionOf(recordGolden(at('input'), { file, update: true }));
    checkError(error, 'ERR_SVD_FILE', 'is no golden file: it is not replaced');
    expect(readFileSync(file)).toEqual(before);
  });

  test('progress counts tensors; an abort rejects with its reason, and writes nothing', async () => {
    const seen: number[] = [];
    await recordGolden(write('progress'), { onProgress: ({ done, total }) => seen.push(done / total) });
    expect([seen[0], seen.at(-1)]).toEqual([0, 1]);
    const reason = new Error('enough');
    const file = at('aborted.json');
    expect(await rejectionOf(recordGolden(at('progress'), { file, signal: AbortSignal.abort(reason) }))).toBe(
      reason,
    );
    expect(() => statSync(file)).toThrow('ENOENT');
  });

  test.each<[string, (json: Json) => void, string]>([
    ['another format', (json) => (json.format = 'x'), 'format: expected "factored-svd golden 1" or another'],
    ['no tensors', (json) => (json.tensors = []), 'tensors: expected one record or more'],
    ['a name twice', (json) => json.tensors.push(json.tensors[0]), 'tensors: expected every name once'],
    [
      'no hash',
      (json) => (json.tensors[0].sha256 = 'abc'),
      'tensors[0].sha256: expected 64 hexadecimal digits',
    ],
    [
      'a sum too few',
      (json) => (json.tensors[0].elements.sums = 'AAAAAAAAAAA='),
      'sums: expected 64 finite numbers',
    ],
    [
      'sums of NaN',
      (json) => (json.tensors[3].elements.sums = Buffer.alloc(128, 255).toString('base64')),
      'sums: expected 12',
    ],
    ['a spectrum too few', (json) => json.tensors[2].spectra.pop(), 'tensors[2].spectra: expected 3'],
    ['a negative value', (json) => (json.tensors[0].spectra[0].last = -1), 'last: expected a number ≥ 0'],
    ['a pattern that is none', (json) => (json.include = [1]), 'include[0]: expected a string'],
  ])('a golden file with %s is an error that says where', async (_, change, says) => {
    const json = JSON.parse(JSON.stringify(await recordGolden(write('damaged')))) as Json;
    change(json);
    writeFileSync(at('damaged.json'), JSON.stringify(json));
    checkError(await rejectionOf(compareGolden(at('damaged.json'))), 'ERR_SVD_FILE', 'damaged.json', says);
    checkError(await rejectionOf(compareGolden(json, at('damaged'))), 'ERR_SVD_FILE', says);
  });
});

// biome-ignore lint/suspicious/noExplicitAny: JSON
type Json = any;
