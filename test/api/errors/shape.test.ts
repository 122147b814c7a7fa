import { describe, it } from 'vitest';
import { dist, FactoredMatrix, matmul, svd } from '../../../lib/index.ts';
import { checkError, errorOf } from '../../support/checks.ts';
import { array, randomMatrix } from '../../support/matrices.ts';
import { product } from '../../support/wrong-arguments.ts';

describe('ERR_SVD_SHAPE', () => {
  it.each([
    [
      'inner dimensions of two matrices',
      () => matmul(randomMatrix(1, [2, 3]), randomMatrix(2, [4, 5])),
      ['[2, 3]', '[4, 5]'],
    ],
    ['matrix and vector', () => matmul(randomMatrix(1, [2, 3]), [1, 2]), ['[2, 3]', '[2]']],
    ['vector and matrix', () => matmul([1, 2, 3], randomMatrix(1, [2, 3])), ['[3]', '[2, 3]']],
    ['two vectors', () => matmul([1, 2, 3], [1, 2]), ['[3]', '[2]']],
    ['batches', () => matmul(randomMatrix(1, [2, 3, 3]), randomMatrix(2, [4, 3, 3])), ['[2]', '[4]']],
    [
      'the inner dimension of a FactoredMatrix',
      () => new FactoredMatrix(randomMatrix(1, [2, 3]), randomMatrix(2, [4, 5])),
      ['[2, 3]', '[4, 5]'],
    ],
    [
      'its leading dimensions',
      () => new FactoredMatrix(randomMatrix(1, [2, 2, 3]), randomMatrix(2, [3, 3, 5])),
      ['[2]', '[3]'],
    ],
    [
      'FactoredMatrix and matrix',
      () => product(4, 2, 3).matmul(randomMatrix(1, [4, 2])),
      ['[4, 3]', '[4, 2]'],
    ],
    ['FactoredMatrix and vector', () => product(4, 2, 3).matmul([1, 2, 3, 4]), ['[4, 3]', '[4]']],
    ['FactoredMatrix and FactoredMatrix', () => product(4, 2, 3).matmul(product(4, 2, 3)), ['[4, 3]']],
    [
      'matrix and FactoredMatrix',
      () => product(4, 2, 3).rmatmul(randomMatrix(1, [2, 3])),
      ['[2, 3]', '[4, 3]'],
    ],
    ['vector and FactoredMatrix', () => product(4, 2, 3).rmatmul([1, 2, 3]), ['[3]', '[4, 3]']],
    ['batches of them', () => product(4, 2, 3, [2]).matmul(randomMatrix(1, [5, 3, 3])), ['[2]', '[5]']],
    ['BA of a matrix that is not square', () => product(4, 2, 3).BA, ['BA', '[4, 3]']],
    ['eigenvalues of one', () => product(4, 2, 3).eigenvalues(), ['[4, 3]']],
    ['mul by a matrix', () => product(4, 2, 3).mul([[1, 2]]), ['[1, 2]']],
    ['cond of an empty matrix', () => product(4, 0, 3).cond(), ['cond']],
    [
      'dist of other shapes',
      () => dist(randomMatrix(1, [2, 3]), randomMatrix(2, [3, 2])),
      ['[2, 3]', '[3, 2]'],
    ],
    [
      'dist of other batches',
      () => dist(randomMatrix(1, [2, 3, 3]), randomMatrix(2, [4, 3, 3])),
      ['[2]', '[4]'],
    ],
    ['dist to a FactoredMatrix', () => dist(randomMatrix(1, [2, 3]), product(4, 2, 3)), ['[2, 3]', '[4, 3]']],
    [
      'dist to factors of two matrices',
      () => dist([[1]], { U: [[1]], S: [1, 2], Vh: [[1]] }),
      ['[1, 1], [2], [1, 1]'],
    ],
    [
      'dist to V of too few columns',
      () => dist([[1], [1]], { U: [[1], [1]], S: [1], V: array([], [1, 0]) }),
      ['b'],
    ],
    ['a ragged nested array', () => svd([[1, 2], [3]]), ['[1]', '1', '2']],
    ['a ragged batch', () => svd([[[1], [2]], [[3]]]), ['[1]']],
    ['a row where others are empty', () => svd([[], [1]]), ['[1]']],
  ] as [string, () => unknown, string[]][])('%s: the text has the shapes', (_, f, says) => {
    checkError(errorOf(f), 'ERR_SVD_SHAPE', ...says);
  });
});
