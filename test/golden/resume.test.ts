import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { recordGolden } from '../../lib/matchers/testing.ts';
import { tinyLlama, writeCheckpoint } from '../circuits/support/checkpoints.ts';
import { checkError, rejectionOf } from '../support/checks.ts';
import { cli } from '../support/cli.ts';
import { temporaryFolder } from '../support/temporary.ts';

const at = temporaryFolder();
const { config, tensors } = tinyLlama({ layers: 3 });
const model = () => writeCheckpoint(at('model'), config, tensors);

/** Records until `done` parts are finished, and then is stopped. */
async function stopped(file: string, options: object, done: number): Promise<void> {
  const abort = new AbortController();
  const onProgress = (state: { done: number }) => {
    if (state.done >= done) abort.abort();
  };
  const recording = recordGolden(model(), {
    file,
    resume: true,
    ...options,
    signal: abort.signal,
    onProgress,
  });
  expect(await rejectionOf(recording)).toBe(abort.signal.reason);
}

const finished = (journal: string) =>
  readFileSync(journal, 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('[')).length;

describe.each<[string, object]>([
  ['a checkpoint', {}],
  ['everything of a checkpoint', { full: true }],
  ['circuits', { circuits: ['OV', 'QK'] }],
  ['everything of circuits', { circuits: ['QK'], full: true }],
])('the record of %s', (name, options) => {
  test('that was stopped goes on, and ends with the same bytes', async () => {
    const [file, once] = [at(`${name}.json`), at(`${name}, at once.json`)];
    await recordGolden(model(), { file: once, ...options });
    await stopped(file, options, 2);
    const before = finished(`${file}.journal`);
    expect(before).toBeGreaterThan(0);
    expect(existsSync(file)).toBe(false);
    await stopped(file, options, 0); // it computes nothing
    expect(finished(`${file}.journal`)).toBe(before);
    await recordGolden(model(), { file, resume: true, ...options });
    expect(readFileSync(file, 'utf8')).toBe(readFileSync(once, 'utf8'));
    expect(existsSync(`${file}.journal`)).toBe(false);
  });
});

test('what is in the journal is not computed again', async () => {
  const file = at('taken.json');
  await stopped(file, { leading: 1 }, 2);
  const text = readFileSync(`${file}.journal`, 'utf8');
  writeFileSync(`${file}.journal`, text.replace(/"norm":[\d.]+/, '"norm":12345'));
  await recordGolden(model(), { file, resume: true, leading: 1 });
  expect(readFileSync(file, 'utf8')).toContain('"norm":12345');
});

test('a journal of something else is refused: other options, other weights', async () => {
  const file = at('other.json');
  await stopped(file, {}, 2);
  const other = await rejectionOf(recordGolden(model(), { file, resume: true, leading: 3 }));
  checkError(other, 'ERR_SVD_FILE', 'other.json.journal', 'leading 16, not 3');
  const name = 'model.layers.0.self_attn.q_proj.weight';
  const changed = { ...tensors[name], data: tensors[name].data.map((x) => -x) };
  const tuned = writeCheckpoint(at('tuned'), config, { ...tensors, [name]: changed });
  checkError(await rejectionOf(recordGolden(tuned, { file, resume: true })), 'ERR_SVD_FILE', 'sha256');
});

test('--resume of the command', async () => {
  const out = at('command.json');
  await stopped(out, {}, 4);
  expect(await cli('golden', model(), '--out', out, '--resume')).toEqual({ code: 0, stdout: '', stderr: '' });
  expect(await cli('compare', out)).toMatchObject({ code: 0 });
  expect(existsSync(`${out}.journal`)).toBe(false);
  const done = await cli('golden', model(), '--resume');
  expect(done).toMatchObject({ code: 2, stderr: expect.stringContaining('--resume: only with --out') });
});
