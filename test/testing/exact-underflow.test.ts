import { describe, test } from 'vitest';
import type { Tensor } from '../../lib/array/tensor.ts';
import { FactoredMatrix } from '../../lib/index.ts';
import { judgeDecomposition, judgeDistances, judgeValidSvd, type Subject } from '../support/judgement.ts';
import { array } from '../support/matrices.ts';

// As in exact.test.ts, of products whose terms are of sizes that a double holds, but not together.

const diagonal = (...d: number[]): Tensor =>
  array(
    d.flatMap((x, i) => d.map((_, j) => (i === j ? x : 0))),
    [d.length, d.length],
  );
const ones = (l: number, r: number, dtype: 'float32' | 'float64' = 'float64'): Tensor =>
  array(new Float64Array(l * r).fill(1), [l, r], dtype);

const classes: { name: string; M: Subject }[] = [
  {
    name: 'a pair that underflows, times I',
    M: new FactoredMatrix(
      [
        [1, 5e-324],
        [0, 5e-324],
      ],
      [
        [1, 0],
        [0, 1],
      ],
    ),
  },
  {
    name: 'a pair whose lengths multiply to less than η',
    M: new FactoredMatrix(
      [
        [1, 1e-170],
        [0, 1e-170],
      ],
      diagonal(1, 1e-160),
    ),
  },
  { name: 'diag(1, 1e-200) squared', M: new FactoredMatrix(diagonal(1, 1e-200), diagonal(1, 1e-200)) },
  { name: 'diag(1e300, 1e-30)·I', M: new FactoredMatrix(diagonal(1e300, 1e-30), diagonal(1, 1)) },
  {
    name: 'lengths of 1e3 and 1e-305',
    M: new FactoredMatrix(
      [
        [1000, 1e-305],
        [0, 1e-305],
      ],
      diagonal(1, 1),
    ),
  },
];

describe.each(classes)('$name', ({ M }) => {
  test('dist and norm are those of the formed matrices', () => judgeDistances(M));
  test('validSvd accepts what is right and refuses what is wrong', () => judgeValidSvd(M));
});

test('matrices of ones: the singular values fade out, and dist and validSvd know what they are worth', () => {
  for (let l = 1; l <= 25; l++) for (let r = 1; r <= 25; r += 3) judgeDecomposition(ones(l, r), `${l}×${r}`);
});
