import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { checkJsonCost } from '../../lib/golden/file.ts';
import { writeSafetensors } from '../../lib/weights/index.ts';
import { checkError, errorOf } from '../support/checks.ts';
import { cli } from '../support/cli.ts';
import { within } from '../support/limited-process.ts';
import { randomMatrix } from '../support/matrices.ts';
import { temporaryFolder } from '../support/temporary.ts';

const at = temporaryFolder();
let path: string;
beforeAll(() => {
  path = at('file');
});

describe('a golden file', () => {
  test.each([
    ['brackets', '['],
    ['lists', '[],'],
    ['objects', '{},'],
    ['members', '"":1,'],
    ['numbers', '1,'],
  ])('of nothing but %s is refused before it is parsed', (_, unit) => {
    const bytes = Buffer.alloc(2 ** 27, unit);
    bytes.write('{"format":"factored-svd golden 1","records":[');
    checkError(
      errorOf(() => checkJsonCost('g', bytes)),
      'ERR_SVD_FILE',
      /^g: (not a golden file: nested more than 16|too large for a golden file: it would take \d{10})/,
    );
  });

  test('of a million singular values is read', async () => {
    await writeSafetensors(path, { M: randomMatrix(1, [40, 5, 25]) });
    const { stdout } = await cli('golden', path, '--matrix', 'M');
    const records = stdout.slice(stdout.indexOf('[') + 1, stdout.lastIndexOf(']')); // of 200 singular values
    checkJsonCost('g', Buffer.from(`[${new Array(5000).fill(records).join()}]`));
  });

  test.skipIf(process.platform === 'win32')('that never ends, or never begins, is refused at once', () => {
    const fifo = at('fifo');
    execFileSync('mkfifo', [fifo]);
    for (const endless of ['/dev/zero', fifo]) {
      for (const argv of [
        ['compare', endless],
        ['inspect', endless],
        ['svd', endless, '--matrix', 'M'],
      ])
        expect(within(...argv)).toMatchObject({
          status: argv[0] === 'compare' ? 2 : 1,
          stderr: expect.stringContaining(`${endless}: is not a regular file [ERR_SVD_FILE]`),
        });
    }
  });

  test('may be large: what is checked first is its size', () => {
    writeFileSync(path, 'x');
    execFileSync('truncate', ['-s', '300M', path]);
    expect(within('compare', path)).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('too large for a golden'),
    });
  });
});
