import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { escaped, escapedJson, escapedLines, quote } from '../../lib/array/escape.ts';
import { svd, versions } from '../../lib/index.ts';
import { openSafetensors, writeSafetensors } from '../../lib/weights/index.ts';
import { errorOf } from '../support/checks.ts';
import { cli } from '../support/cli.ts';
import { hostileTexts, runnerCommandsIn, unsafeIn } from '../support/hostile-texts.ts';
import { randomMatrix } from '../support/matrices.ts';
import { temporaryFolder } from '../support/temporary.ts';

const anyText = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.array(fc.integer({ min: 0, max: 0xffff })).map((units) => String.fromCharCode(...units)),
  fc.array(fc.constantFrom(...hostileTexts, ':', '#', '[', ' ', 'a')).map((parts) => parts.join('')),
);

describe('escaped text', () => {
  test('holds nothing unsafe and no command to a runner, on one line, and is not escaped again', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const out = escaped(text);
        expect({ unsafe: unsafeIn(out), commands: runnerCommandsIn(out) }).toEqual({
          unsafe: [],
          commands: [],
        });
        expect(out).not.toContain('\n');
        expect(escaped(out)).toBe(out);
      }),
      { numRuns: 2000 },
    );
  });

  test('of several lines keeps the lines', () => {
    expect(escapedLines('a\u001b\n::b\n')).toBe('a\\u001b\n\\u003a:b\n');
  });

  test('as JSON means the same', () => {
    fc.assert(
      fc.property(anyText, fc.constantFrom(undefined, 2), (text, indent) => {
        const json = escapedJson({ [text]: [text] }, indent);
        expect(JSON.parse(json)).toEqual({ [text]: [text] });
        expect({ unsafe: unsafeIn(json), commands: runnerCommandsIn(json) }).toEqual({
          unsafe: [],
          commands: [],
        });
      }),
      { numRuns: 2000 },
    );
  });

  test('leaves letters of any script as they are', () => {
    for (const text of ['naïve', '名前', 'имя', 'שם', 'a: b', 'C::D', '#1 [2]', '\u0301e', '🙂'])
      expect(escaped(text)).toBe(text);
  });

  test('takes time in proportion to its length', () => {
    for (const unit of [':', ' :', '#', '##a', '\u202e', `${' '.repeat(1000)}:`]) {
      const text = unit.repeat(2 ** 18 / unit.length);
      const start = performance.now();
      escaped(text);
      expect(performance.now() - start, JSON.stringify(unit.slice(-5))).toBeLessThan(5000); // a thousand times as long as it takes, but a fraction of the square
    }
  });

  test('of a name is cut after 200 characters, and a pair of surrogates that is cut is escaped', () => {
    expect(quote(`${'a'.repeat(199)}🙂b`)).toBe(`"${'a'.repeat(199)}\\ud83d…"`);
  });

  test('the checks of this file find what they look for', () => {
    for (const text of hostileTexts.slice(0, 11))
      expect(unsafeIn(text.replaceAll('\n', '\u0000'))).not.toEqual([]);
    for (const text of hostileTexts.slice(11, 19)) {
      if (!text.startsWith('%')) expect(runnerCommandsIn(text), JSON.stringify(text)).not.toEqual([]);
    }
  });
});

/** Each text after a form of it that may stand in the title of a test. */
const titled = (texts: readonly string[]) => texts.map((text) => [escaped(text), text] as const);

const at = temporaryFolder();
const wellFormed = hostileTexts.filter((text) => !/\p{Surrogate}/u.test(text));
const pathNames = wellFormed.filter((text) => !text.includes('/') && text !== ':');

beforeAll(async () => {
  const tensors = wellFormed.map((name, i) => [name, randomMatrix(i + 1, [3, 2])] as const);
  const metadata = Object.fromEntries(wellFormed.map((text) => [text, text]));
  for (const name of ['weights', ...pathNames])
    await writeSafetensors(at(name), Object.fromEntries(tensors), metadata);
});

/** That nothing in the outputs of a command does harm; `commands` are those to the runner that are meant. */
async function harmless(argv: string[], commands = 0): Promise<string> {
  const { stdout, stderr } = await cli(...argv);
  for (const output of [stdout, stderr]) expect(unsafeIn(output), JSON.stringify(argv)).toEqual([]);
  expect(runnerCommandsIn(stdout), JSON.stringify(argv)).toHaveLength(commands);
  expect(runnerCommandsIn(stderr), JSON.stringify(argv)).toEqual([]);
  return stdout + stderr;
}

describe('what comes from outside does no harm in any output', () => {
  test('names and metadata in inspect, and --json gives them back', async () => {
    await harmless(['inspect', at('weights')]);
    const report = JSON.parse(await harmless(['inspect', at('weights'), '--json']));
    await using file = await openSafetensors(at('weights'));
    expect(report.tensors.map(({ name }: { name: string }) => name)).toEqual(file.names);
    expect(report.metadata).toEqual({ ...file.metadata });
  });

  test.each(titled(wellFormed))('a tensor "%s" in svd, golden and their errors', async (_, name) => {
    for (const rest of [[], ['--json'], ['--rank', '9']])
      await harmless(['svd', at('weights'), '--matrix', name, ...rest]);
    await harmless(['svd', at('weights'), '--a', name, '--b', name, '--transpose-a']);
    await harmless(['svd', at('weights'), '--matrix', `${name}?`]);
    const recorded = await harmless(['golden', at('weights'), '--matrix', name]);
    expect(JSON.parse(recorded).records[0].source).toEqual({ matrix: name });
  });

  test.each(titled(pathNames))('a file "%s" in every command and error', async (_, name) => {
    for (const path of [at(name), `${at(name)}?`, name]) {
      await harmless(['inspect', path]);
      await harmless(['inspect', path, '--json']);
      await harmless(['svd', path, '--matrix', ':', '--out', at(`out ${name}`)]);
      await harmless(['golden', path, '--matrix', ':', '--out', at(`golden ${name}`)]);
      await harmless(['compare', path]);
    }
    for (const format of ['text', 'tap', 'json', 'github'])
      await harmless(['compare', at(`golden ${name}`), '--format', format]);
  });

  test.each(titled(hostileTexts))('an argument "%s" in the words of the command', async (_, text) => {
    for (const argv of [[text], [`--${text}`], ['inspect', `--${text}`], ['svd', 'f', '--rank', text]])
      await harmless(argv);
  });

  test.each(titled(hostileTexts))(
    'a golden file that says "%s", in every format, whether it holds or not',
    async (_, text) => {
      const record = { file: 'weights', source: { matrix: wellFormed[0] } };
      await cli('golden', at('weights'), '--matrix', wellFormed[0], '--out', at('plain.json'));
      const golden = JSON.parse(readFileSync(at('plain.json'), 'utf8'));
      expect(golden.records[0]).toMatchObject(record);
      const said = Object.keys(versions()).filter((key) => key !== 'lapackIntBits');
      golden.versions = { ...golden.versions, ...Object.fromEntries(said.map((key) => [key, text])) };
      const failing = structuredClone(golden);
      failing.records[0].items[0].clusters[0].S[0] *= 2;
      const variants = { holds: golden, fails: failing };
      for (const [outcome, contents] of Object.entries(variants)) {
        writeFileSync(at('hostile.json'), JSON.stringify(contents));
        for (const format of ['text', 'tap', 'json', 'github']) {
          const annotations = format === 'github' && outcome === 'fails' ? 1 : 0;
          await harmless(['compare', at('hostile.json'), '--format', format], annotations);
        }
      }
      for (const change of [
        { file: text },
        { source: { matrix: text } },
        { source: { [text]: 'a' } },
        { dtype: text },
      ]) {
        writeFileSync(
          at('hostile.json'),
          JSON.stringify({ ...golden, records: [{ ...golden.records[0], ...change }] }),
        );
        await harmless(['compare', at('hostile.json'), '--format', 'tap']);
      }
      writeFileSync(at('hostile.json'), `{ "format": ${text}`);
      await harmless(['compare', at('hostile.json')]);
    },
  );

  test('an annotation for GitHub stays one command whatever the names are', async () => {
    for (const name of pathNames) {
      const path = at(`golden ${name}`);
      const golden = JSON.parse(readFileSync(path, 'utf8'));
      golden.records[0].items[0].clusters[0].S[0] *= 2;
      writeFileSync(path, JSON.stringify(golden));
      const output = await harmless(['compare', path, '--format', 'github'], 1);
      expect(runnerCommandsIn(output)[0]).toMatch(
        /^::error file=[^,]*,title=[^,:]*::1 of \d+ checks failed%0A- /,
      );
    }
  });

  test('messages of the library', async () => {
    for (const text of hostileTexts) {
      for (const wrong of [
        () => svd([[1]], { [text]: 1 } as never),
        () => svd([[1]], { signs: text as never }),
        () => svd(text as never),
        () => svd({ data: new Float32Array(1), shape: [1, 1], dtype: text }),
        () => svd({ data: { [text]: 1 }, shape: [1, 1] }),
      ]) {
        const { code, message } = errorOf(wrong);
        expect({ code, unsafe: unsafeIn(message), commands: runnerCommandsIn(message) }).toEqual({
          code: 'ERR_SVD_ARGUMENT',
          unsafe: [],
          commands: [],
        });
      }
      await using file = await openSafetensors(at('weights'));
      const errors = [
        await file.read(`${text}?`).catch((error) => error),
        await openSafetensors(`${at(text)}?`).catch((error) => error),
        await writeSafetensors(join(at('weights'), text), {}).catch((error) => error),
        await writeSafetensors(at('x'), { [text]: [[true]] as never }).catch((error) => error),
      ];
      for (const { code, message } of errors) {
        expect({ code, unsafe: unsafeIn(message), commands: runnerCommandsIn(message) }, message).toEqual({
          code: expect.stringMatching(/^ERR_SVD_(FILE|ARGUMENT)$/),
          unsafe: [],
          commands: [],
        });
      }
    }
  });
});
