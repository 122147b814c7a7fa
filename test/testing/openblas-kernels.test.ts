import { describe, expect, test } from 'vitest';
import {
  bitIdentical,
  matchSingularValues,
  matchSubspaces,
  matchSvd,
  validSvd,
} from '../../lib/testing/index.ts';
import { openSafetensors, writeSafetensors } from '../../lib/weights/index.ts';
import { factoredOf } from '../support/factored.ts';
import { randomProduct } from '../support/matrices.ts';
import { kernels, runUnder } from '../support/openblas-kernels.ts';
import { holds } from '../support/reports.ts';
import { temporaryFolder } from '../support/temporary.ts';

describe.runIf(kernels.length > 1)('kernels of OpenBLAS for other processors', () => {
  const at = temporaryFolder();

  test.each(['float32', 'float64'] as const)(
    'give the same decomposition, not the same bits: %s',
    async (dtype) => {
      const weights = at(`${dtype}.safetensors`);
      const product = randomProduct(21, [96, 16, 80], dtype, [2]);
      await writeSafetensors(weights, { ...product });
      const results = kernels.map((kernel) => {
        const out = at(`${dtype}-${kernel}.safetensors`);
        const { status, stdout } = runUnder(
          kernel,
          'svd',
          weights,
          '--a',
          'A',
          '--b',
          'B',
          '--json',
          '--out',
          out,
        );
        const { versions, items } = JSON.parse(stdout);
        expect({ status, kernel: versions.openblasCore }).toEqual({ status: 0, kernel });
        return { out, bound: items.map((item: { bound: number }) => item.bound) };
      });
      const [first, ...others] = await Promise.all(
        results.map(async ({ out, bound }) => {
          await using file = await openSafetensors(out);
          const [U, S, Vh] = [await file.read('U'), await file.read('S'), await file.read('Vh')];
          return { U, S, Vh, bound, next: 0 };
        }),
      );
      const M = factoredOf(product);
      for (const other of others) {
        expect(matchSvd(other, first)).toMatchObject(holds);
        expect(matchSubspaces(other, first)).toMatchObject(holds);
        expect(matchSingularValues(other, first)).toMatchObject(holds);
        expect(validSvd(other, M)).toMatchObject(holds);
      }
      expect(others.some((other) => !bitIdentical(other, first).pass)).toBe(true);
    },
  );
});
