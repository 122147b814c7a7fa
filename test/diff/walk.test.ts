import { expect, test, vi } from 'vitest';
import { svdError } from '../../lib/array/errors.ts';
import { readChange } from '../../lib/diff/reading.ts';
import { diffWeights, type TensorDiff } from '../../lib/diff/walk.ts';
import { openWeights, writeSafetensors } from '../../lib/weights/index.ts';
import { cli } from '../support/cli.ts';
import { randomMatrix } from '../support/matrices.ts';
import { temporaryFolder } from '../support/temporary.ts';

vi.mock(import('../../lib/diff/reading.ts'), async (original) => {
  const { readChange, ...rest } = await original();
  return { ...rest, readChange: vi.fn(readChange) };
});

const at = temporaryFolder();
const write = (name: string, seed: number) =>
  writeSafetensors(at(name), {
    one: randomMatrix(seed, [24, 16]),
    two: randomMatrix(seed + 1, [24, 16]),
    three: randomMatrix(seed + 2, [24, 16]),
  } as never);

test('a tensor that cannot be compared is named, all others are compared, and diff is 2', async () => {
  await write('a', 1);
  await write('b', 7);
  const fail = () =>
    vi.mocked(readChange).mockRejectedValueOnce(svdError('ERR_SVD_OVERFLOW', 'svd: too large'));
  fail();
  const { code, stdout, stderr } = await cli('diff', at('a'), at('b'));
  expect({ code, stderr }).toEqual({
    code: 2,
    stderr: expect.stringContaining(
      'could not compare: 3 tensors differ: 1 unreadable, 2 changed everywhere',
    ),
  });
  expect(stdout).toMatch(/^one .* not compared: svd: too large$/m);
  expect(stdout).toMatch(/^three .*everywhere/m);
  fail();
  expect(JSON.parse((await cli('diff', at('a'), at('b'), '--json')).stdout)).toMatchObject({
    outcome: 'undecided',
    differences: [{ name: 'one', kinds: ['unreadable'], failed: 'svd: too large' }, {}, {}],
  });
  expect((await cli('diff', at('a'), at('b'))).code).toBe(1);
});

test('it is not in the journal, so that it is tried again', async () => {
  await write('a', 1);
  await write('b', 7);
  vi.mocked(readChange).mockRejectedValueOnce(svdError('ERR_SVD_OVERFLOW', 'svd: too large'));
  const out = ['diff', at('a'), at('b'), '--out', at('journal')];
  expect((await cli(...out)).code).toBe(2);
  expect((await cli(...out, '--resume')).code).toBe(1);
});

test('what is wrong with a file, or this package, ends it', async () => {
  await write('a', 1);
  await write('b', 7);
  await using a = await openWeights(at('a'));
  await using b = await openWeights(at('b'));
  for (const error of [svdError('ERR_SVD_FILE', 'ends'), new TypeError('a slip')]) {
    vi.mocked(readChange).mockRejectedValueOnce(error);
    const all = async () => {
      const found: TensorDiff[] = [];
      for await (const tensor of (await diffWeights(a, b, {})).tensors) found.push(tensor);
    };
    await expect(all()).rejects.toBe(error);
  }
});
