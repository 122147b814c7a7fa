import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';
import { describe, expect, test } from 'vitest';
import { weightsIdentity } from '../../lib/weights/identity.ts';
import { openWeights, writeSafetensors } from '../../lib/weights/index.ts';
import { Journal, readJournal } from '../../lib/weights/journal.ts';
import { checkError, rejectionOf } from '../support/checks.ts';
import { randomMatrix } from '../support/matrices.ts';
import { npyBytes, npyHeader, zipBytes } from '../support/numpy-files.ts';
import { patience } from '../support/patience.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { bytesOf } from '../support/weight-files.ts';

const at = temporaryFolder();
const head = { format: 'factored-svd test 1', of: { files: { 'a.safetensors': 12 }, rank: 4 } };
let count = 0;
const fresh = () => at(`journal-${count++}`);
const lines = (path: string) => readFileSync(path, 'utf8').split('\n');

/** A journal of three records that was closed. */
async function written(path = fresh()): Promise<string> {
  await using journal = await Journal.open(path, head);
  for (const i of [1, 2, 3]) await journal.add(`record ${i}`, { i });
  return path;
}

describe('a journal', () => {
  test('that is opened again has its records in their order, and goes on', async () => {
    const path = await written();
    {
      await using journal = await Journal.open(path, head);
      expect([...journal.records]).toEqual([1, 2, 3].map((i) => [`record ${i}`, { i }]));
      await Promise.all([journal.add('a', 'x'), journal.add('b\n', ['y']), journal.add('__proto__', null)]);
      await journal.close();
      await journal.close();
    }
    const { records } = await readJournal(path);
    expect([...records.keys()]).toEqual(['record 1', 'record 2', 'record 3', 'a', 'b\n', '__proto__']);
  });

  test('keeps every number to the bit', async () => {
    const numbers = [0, -0, Number.NaN, Infinity, -Infinity, 5e-324, 1 / 3, -Number.MAX_VALUE, 2 ** 53];
    const path = fresh();
    {
      await using journal = await Journal.open(path, head);
      await journal.add('numbers', numbers);
    }
    const found = (await readJournal(path)).records.get('numbers') as number[];
    expect(found.every((x, i) => Object.is(x, numbers[i]))).toBe(true);
  });

  test('that ends in a torn line has all records before it, wherever it is torn', async () => {
    const whole = readFileSync(await written());
    const first = whole.indexOf(10) + 1;
    for (let size = first; size <= whole.length; size++) {
      const path = fresh();
      writeFileSync(path, whole.subarray(0, size));
      const done = [1, 2, 3].filter((i) => whole.subarray(0, size).includes(`["record ${i}",{"i":${i}}]\n`));
      await using journal = await Journal.open(path, head);
      expect([...journal.records.values()]).toEqual(done.map((i) => ({ i })));
      await journal.add('next', 4);
      await journal.close();
      expect([...(await readJournal(path)).records.keys()]).toEqual([
        ...done.map((i) => `record ${i}`),
        'next',
      ]);
    }
  });

  test('of something else is refused, says how it differs, and stays as it is', async () => {
    const path = await written();
    const before = readFileSync(path);
    const cases: [typeof head & Record<string, unknown>, string][] = [
      [{ ...head, of: { ...head.of, rank: 8 } }, 'of.rank 4, not 8'],
      [{ ...head, of: { ...head.of, files: { 'a.safetensors': 13 } } }, 'of.files.a.safetensors 12, not 13'],
      [{ ...head, shard: [1, 2] }, 'shard.0 is missing, not 1; shard.1 is missing, not 2'],
      [{ ...head, format: 'other' }, 'format "factored-svd test 1", not "other"'],
    ];
    for (const [other, says] of cases)
      checkError(await rejectionOf(Journal.open(path, other)), 'ERR_SVD_FILE', path, says);
    checkError(
      await rejectionOf(Journal.open(path, head, { resume: false })),
      'ERR_SVD_FILE',
      'is there already',
    );
    expect(readFileSync(path)).toEqual(before);
  });

  test('with a line that is no record is refused by its number', async () => {
    const [start, opened, first] = lines(await written());
    const cases: [string[], RegExp][] = [
      [[], /line 1: expected a head/],
      [['[]'], /line 1: expected an object/],
      [['{}'], /line 1: format: expected a string/],
      [['no JSON'], /line 1: expected JSON/],
      [[start, opened, first, 'x'], /line 4: expected JSON/],
      [[start, opened, first, '["a"]'], /line 4: expected \[name, value\]/],
      [[start, opened, first, '[1, 2]'], /line 4: expected a string/],
      [[start, opened, first, first], /line 4: .*"record 1" again/],
      [[start, opened, '{"other": 1}'], /line 3: expected \[name, value\]/],
      [[start, '{"opened": {"pid": -1}}'], /line 2: expected an integer/],
    ];
    for (const [content, says] of cases) {
      const path = fresh();
      writeFileSync(path, content.map((line) => `${line}\n`).join(''));
      checkError(await rejectionOf(Journal.open(path, head)), 'ERR_SVD_FILE', path, says);
    }
    const path = await written();
    const read = () => {
      throw new Error('of the caller');
    };
    await expect(Journal.open(path, head, { read })).rejects.toThrow('of the caller');
    await using journal = await Journal.open(path, head); // nothing was left open
    expect(journal.records.size).toBe(3);
  });

  test('that could not be written is refused', async () => {
    mkdirSync(at('folder'), { recursive: true });
    symlinkSync(at('nowhere'), at('dangling'));
    for (const path of [at('folder'), at('dangling'), at('missing/journal')])
      checkError(await rejectionOf(Journal.open(path, head)), 'ERR_SVD_FILE');
    checkError(
      await rejectionOf(Journal.open(fresh(), { ...head, long: 'x'.repeat(2 ** 24) })),
      'ERR_SVD_FILE',
      'too large',
    );
    const long = fresh();
    writeFileSync(long, Buffer.alloc(2 ** 24 + 2 ** 21, 'x'));
    checkError(await rejectionOf(Journal.open(long, head)), 'ERR_SVD_FILE', 'has a line of more than');
  });
});

describe('two on one journal', () => {
  test('in one process: the second is refused, and the first goes on', async () => {
    const path = await written();
    symlinkSync(path, at('other-name'));
    await using journal = await Journal.open(path, head);
    checkError(
      await rejectionOf(Journal.open(at('other-name'), head)),
      'ERR_SVD_FILE',
      `process ${process.pid}`,
    );
    await journal.add('next', 1);
    expect((await readJournal(path)).records.size).toBe(4);
  });

  test('that could not know of each other: who writes next is told, and close says nothing more', async () => {
    const path = await written();
    await using journal = await Journal.open(path, head);
    appendFileSync(path, '["of another machine",1]\n');
    checkError(await rejectionOf(journal.add('next', 1)), 'ERR_SVD_FILE', 'another process writes to it');
    checkError(await rejectionOf(journal.add('after', 1)), 'ERR_SVD_FILE', 'another process writes to it');
    await journal.close();
  });

  test('of which one is killed: the other finds all it had finished', {
    timeout: patience(20_000),
  }, async () => {
    const path = fresh();
    const child = await another(`
      const journal = await Journal.open(${JSON.stringify(path)}, ${JSON.stringify(head)});
      for (let i = 0; ; i++) { await journal.add('n' + i, i / 3); if (i % 100 === 0) console.log(i); }`);
    await once(child.stdout!, 'data');
    checkError(
      await rejectionOf(Journal.open(path, head)),
      'ERR_SVD_FILE',
      `is in use by process ${child.pid}`,
    );
    const before = (await readJournal(path)).records.size;
    child.kill('SIGKILL');
    await once(child, 'exit');
    appendFileSync(path, '["torn'); // as if it had been in the middle of one
    await using journal = await Journal.open<number>(path, head);
    expect(journal.records.size).toBeGreaterThanOrEqual(before);
    expect([...journal.records]).toEqual(Array.from(journal.records, (_, i) => [`n${i}`, i / 3]));
    await journal.add('mine', 0);
  });
});

/** Runs code that has `Journal` in another process. */
async function another(code: string) {
  const input = fileURLToPath(new URL('../../lib/weights/journal.ts', import.meta.url));
  const bundle = await rolldown({ input, platform: 'node', logLevel: 'silent' });
  const { output } = await bundle.generate({ format: 'esm' });
  const script = at('child.mjs');
  writeFileSync(script, `${output[0].code}\n${code}`);
  return spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] });
}

describe('the identity of weights', () => {
  const tensors = { a: randomMatrix(1, [40, 50]), b: randomMatrix(2, [8, 8]) };
  async function identityOf(path: string) {
    await using weights = await openWeights(path);
    return weightsIdentity(weights);
  }

  test('is that of a copy elsewhere, and not that of other names, values or sizes', async () => {
    for (const folder of ['x', 'y', 'z']) mkdirSync(at(folder), { recursive: true });
    const path = (folder: string) => join(at(folder), 'model.safetensors');
    await writeSafetensors(path('x'), tensors);
    await writeSafetensors(path('y'), { ...tensors });
    const own = await identityOf(path('x'));
    expect(own.files).toEqual({ 'model.safetensors': readFileSync(path('x')).length });
    expect(await identityOf(path('y'))).toEqual(own);
    const scaled = { ...tensors, b: { ...tensors.b, data: tensors.b.data.map((x) => 1.01 * x) } };
    for (const other of [scaled, { c: tensors.a, b: tensors.b }, { a: tensors.a }]) {
      await writeSafetensors(path('z'), other as typeof tensors);
      expect((await identityOf(path('z'))).sha256).not.toBe(own.sha256);
    }
  });

  test('of a compressed file is that of its bytes', async () => {
    const write = (name: string, first: number) => {
      const contents = npyBytes(npyHeader('<f4', [100]), bytesOf(new Float32Array(100).fill(first, 0, 1)));
      writeFileSync(at(name), zipBytes([{ name: 'a.npy', contents, method: 8 }]));
      return identityOf(at(name)).then(({ sha256 }) => sha256);
    };
    const own = await write('a.npz', 1);
    expect(await write('b.npz', 1)).toBe(own);
    expect(await write('c.npz', 2)).not.toBe(own);
  });
});
