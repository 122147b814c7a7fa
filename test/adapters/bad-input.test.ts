import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openAdapter } from '../../lib/adapters/index.ts';
import { nameTest } from '../../lib/adapters/pattern.ts';
import { rulesOf } from '../../lib/adapters/scaling.ts';
import { Config } from '../../lib/weights/config.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { type FileTensors, factors, peftConfig, small, writeFixture, writePeft } from './files.ts';

const at = temporaryFolder();
let files = 0;
const next = () => at(`${files++}.safetensors`);

const refused = (...words: string[]) =>
  expect.objectContaining({
    code: 'ERR_SVD_FILE',
    message: expect.stringMatching(
      new RegExp(words.map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('.*')),
    ),
  });

const [down, up] = ['lora_unet_a.lora_down.weight', 'lora_unet_a.lora_up.weight'];
const [A, B] = ['base_model.model.a.q_proj.lora_A.weight', 'base_model.model.a.q_proj.lora_B.weight'];
const kohya = factors([down, up]);
const peft = factors([A, B]);

describe('a file that is no adapter as it should be is refused', () => {
  const without = (tensors: FileTensors, name: string) =>
    Object.fromEntries(Object.entries(tensors).filter(([key]) => key !== name));
  const scalar = (value: number) => ({ shape: [], values: [value] });

  it.each<[string, FileTensors, string[]]>([
    ['a factor without its partner', without(kohya, up), ['"lora_unet_a"', down, 'B (up) is missing']],
    ['alpha without factors', { ...kohya, 'b.alpha': scalar(1) }, ['"b"', 'A (down)', 'B (up)']],
    [
      'ranks that differ',
      { ...kohya, [up]: { shape: [2, 3], values: small(6) } },
      ['"lora_unet_a"', 'the ranks of its factors, 2 and 3, differ'],
    ],
    ['rank zero', factors([down, up], { rank: 0 }), ['[0, 4]', 'nothing may be 0']],
    [
      'shapes that are no factors',
      { ...kohya, [up]: { shape: [3, 2, 2, 1], values: small(12) } },
      ['no factors of a weight', '[rank, in, …kernel]'],
    ],
    ['alpha NaN', { ...kohya, 'lora_unet_a.alpha': scalar(Number.NaN) }, ['lora_unet_a.alpha', 'NaN']],
    ['alpha zero', { ...kohya, 'lora_unet_a.alpha': scalar(0) }, ['lora_unet_a.alpha', 'other than 0']],
    [
      'alpha with two elements',
      { ...kohya, 'lora_unet_a.alpha': { shape: [2], values: [1, 1] } },
      ['lora_unet_a.alpha', 'one number', '[2]'],
    ],
    ['integers', { ...kohya, [up]: { shape: [3, 2], values: small(6), dtype: 'I64' } }, [up, 'I64', 'BF16']],
    [
      'an unknown name beside known ones, with the nearest known',
      { ...kohya, 'lora_unet_a.lora_dwn.weight': scalar(1) },
      ['"lora_unet_a.lora_dwn.weight"', 'recognised lora_down / lora_up in 2', '".lora_down.weight"'],
    ],
    ['only unknown names', { 'a.weight': scalar(1) }, ['"a.weight"', 'nothing was recognised']],
    ['no tensors', {}, ['holds no tensors']],
    [
      'two kinds of names',
      { ...kohya, ...factors(['b.lora_A.weight', 'b.lora_B.weight']) },
      ['several kinds', 'lora_down / lora_up', 'lora_A / lora_B'],
    ],
    [
      'one module twice',
      { ...factors(['a.lora_A.x.weight', 'a.lora_B.x.weight']), 'a.lora_A.y.weight': scalar(1) },
      ['"a" is there twice', 'a.lora_A.x.weight', 'a.lora_A.y.weight'],
    ],
    ['names of PEFT without a config', peft, ['adapter_config.json', 'alpha']],
    [
      'names of PEFT beside others',
      { ...peft, ...factors(['b.lora_A.weight', 'b.lora_B.weight']) },
      ['ambiguous', '2 of 4 names'],
    ],
    ['DoRA', { ...kohya, 'lora_unet_a.dora_scale': scalar(1) }, ['recognised DoRA']],
    ['LoHa', { 'lora_unet_a.hada_w1_a': scalar(1) }, ['recognised LoHa']],
    ['LoKr', { 'lora_unet_a.lokr_w1': scalar(1) }, ['recognised LoKr']],
    ['LoCon with a core', { ...kohya, 'lora_unet_a.lora_mid.weight': scalar(1) }, ['lora_mid']],
  ])('%s', async (_, tensors, words) => {
    await expect(openAdapter(writeFixture(next(), tensors))).rejects.toThrow(refused(...words));
  });

  it.each(['F32', 'F64', 'F16', 'BF16'] as const)('NaN and infinities in %s, counted', async (dtype) => {
    const values = [...small(6)];
    values[2] = Number.NaN;
    values[5] = Number.NEGATIVE_INFINITY;
    const file = writeFixture(next(), { ...kohya, [up]: { shape: [3, 2], values, dtype } });
    await expect(openAdapter(file)).rejects.toThrow(refused(up, '2 of its 6 elements'));
  });

  it('metadata of diffusers that is no JSON', async () => {
    const file = writeFixture(next(), factors(['a.lora_A.weight', 'a.lora_B.weight']), {
      lora_adapter_metadata: '{',
    });
    await expect(openAdapter(file)).rejects.toThrow(refused('lora_adapter_metadata', 'JSON'));
  });
});

describe('a folder whose config does not fit is refused', () => {
  it.each<[string, object, string[]]>([
    ['another rank', { r: 8 }, ['"a.q_proj"', 'have rank 2, its config says 8']],
    ['another rank by a pattern', { rank_pattern: { q_proj: 4 } }, ['rank 2', 'says 4']],
    ['alpha missing', { lora_alpha: undefined }, ['adapter_config.json', '"lora_alpha": is missing']],
    ['alpha null', { lora_alpha: null }, ['"lora_alpha"']],
    ['alpha zero', { lora_alpha: 0 }, ['"lora_alpha"', 'positive number']],
    ['alpha of a pattern', { alpha_pattern: { q_proj: 'x' } }, ['"alpha_pattern"', '"q_proj"']],
    ['rank missing', { r: undefined }, ['"r": is missing']],
    ['another kind', { peft_type: 'LOHA' }, ['"LOHA"', 'only "LORA"']],
    ['DoRA', { use_dora: true }, ['recognised DoRA']],
    ['biases of factors', { lora_bias: true }, ['lora_bias']],
    ['PiSSA', { init_lora_weights: 'pissa_niter_4' }, ['"pissa_niter_4"', 'base weights']],
    ['a pattern of another form', { rank_pattern: { '(a+)+$': 2 } }, ['"(a+)+$"', 'not known here']],
  ])('%s', async (_, change, words) => {
    const folder = writePeft(next(), { ...peftConfig, ...change }, peft);
    await expect(openAdapter(folder)).rejects.toThrow(refused(...words));
  });

  it('and one that is as it should be is not', async () => {
    expect((await openAdapter(writePeft(next(), peftConfig, peft))).modules.size).toBe(1);
  });

  it('names of kohya beside a config of PEFT', async () => {
    await expect(openAdapter(writePeft(next(), peftConfig, kohya))).rejects.toThrow(
      refused('lora_down / lora_up', 'lora_A / lora_B'),
    );
  });

  it('an abort rejects with its reason', async () => {
    const folder = writePeft(next(), peftConfig, peft);
    const reason = new Error('enough');
    await expect(openAdapter(folder, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });
});

describe('patterns of modules', () => {
  const test = (pattern: string) =>
    nameTest(pattern, () => {
      throw new Error('unknown');
    });

  // What Python's re.match(rf"(.*\.)?({pattern})$", name) says.
  it.each<[string, string, boolean]>([
    ['q_proj', 'model.layers.0.q_proj', true],
    ['q_proj', 'q_proj', true],
    ['q_proj', 'model.layers.0.xq_proj', false],
    ['q_proj', 'model.q_proj.weight', false],
    ['layers.0.q_proj', 'model.layers.0.q_proj', true],
    ['layers.1.q_proj', 'model.layers.11.q_proj', false],
    ['ayers.0.q_proj', 'model.layers.0.q_proj', false],
    ['^model.layers.0.q_proj', 'model.layers.0.q_proj', true],
    ['^layers.0.q_proj', 'model.layers.0.q_proj', false],
    ['q_proj$', 'a.q_proj', true],
    ['.*q_proj', 'model.layers.0.xq_proj', true],
    ['layers\\.\\d+\\.q_proj', 'model.layers.17.q_proj', true],
    ['layers\\.\\d+\\.q_proj', 'model.layers.x.q_proj', false],
    ['layers.[0-3].(q|k)_proj', 'model.layers.2.k_proj', true],
    ['layers.[^0-3].(?:q|k)_proj', 'model.layers.2.k_proj', false],
    ['q_proj|k_proj', 'a.k_proj', true],
    ['(a|b(c|d))e?', 'x.bd', true],
    ['a.*b.*c', 'a12bb3c', true],
    ['a.*b.*c', 'a12bb3cd', false],
    ['a+b', 'b', false],
    ['a?b', 'b', true],
    ['', 'a.', true],
  ])('%j and %j: %j', (pattern, name, expected) => {
    expect(test(pattern)(name)).toBe(expected);
    let python = false;
    try {
      python = new RegExp(`^(?:(.*\\.)?(${pattern})$)`).test(name);
    } catch {}
    expect(python).toBe(expected);
  });

  it.each(['(a+)+', '(a|b)*', 'a{2}', '\\b', '(?=a)', '(a', 'a)', '[a', '*a', 'a**', '[\\d]', '(?i)a'])(
    '%j is refused',
    (pattern) => {
      expect(() => test(pattern)).toThrow('unknown');
    },
  );

  it('take no time that grows with more than pattern times name', () => {
    const began = performance.now();
    expect(test('.*a.*a.*a.*a.*a.*a.*a.*a.*b'.repeat(20))('a'.repeat(5000))).toBe(false);
    expect(() => test('(a|b)'.repeat(40))).toThrow('unknown');
    expect(performance.now() - began).toBeLessThan(2000);
  });

  it('nor do many of them', () => {
    const rank_pattern = Object.fromEntries(Array.from({ length: 20_000 }, (_, i) => [`.*.*.*.*b${i}`, 2]));
    const rules = rulesOf(new Config('config', { r: 1, lora_alpha: 1, rank_pattern }));
    const began = performance.now();
    expect(() => {
      for (let i = 0; i < 100_000; i++) rules.scaling('a'.repeat(1000));
    }).toThrow('more patterns than can be matched');
    expect(performance.now() - began).toBeLessThan(15_000);
  });
});

describe('whatever is in a file', () => {
  const ends = [
    '.lora_A.weight',
    '.lora_B.weight',
    '.lora_up.weight',
    '.lora_down.weight',
    '.alpha',
    '.weight',
    '.hada_w1_a',
  ];
  const tensor = fc
    .tuple(
      fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 6 }),
      fc.constantFrom('F64', 'F32', 'F16', 'BF16', 'I64'),
      fc.constantFrom(0, 1, 2, 0.5),
    )
    .map(([shape, dtype, x]) => ({
      shape,
      dtype,
      values: Array(shape.reduce((a, b) => a * b, 1)).fill(dtype === 'I64' ? Math.ceil(x) : x),
    }));
  const name = fc
    .tuple(
      fc.constantFrom('', 'base_model.model.'),
      fc.constantFrom('a', 'unet.b', '__proto__'),
      fc.constantFrom(...ends),
    )
    .map((parts) => parts.join(''));

  it('it opens, or is refused as a file', async () => {
    let opened = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(name, tensor), { maxLength: 4 }),
        fc.option(
          fc.record({ r: fc.constantFrom(1, 2, '2', null), lora_alpha: fc.constantFrom(1, 0, 1e39) }),
        ),
        async (tensors, config) => {
          const folder = writePeft(next(), config ?? undefined, Object.fromEntries(tensors));
          await openAdapter(config ? folder : `${folder}/adapter_model.safetensors`).then(
            () => opened++,
            ({ code }) => expect(['ERR_SVD_FILE', 'ERR_SVD_OVERFLOW']).toContain(code),
          );
        },
      ),
      {
        numRuns: 200,
        examples: [[[...Object.entries(kohya)] as never, null]],
      },
    );
    expect(opened).toBeGreaterThan(0);
  });
});
