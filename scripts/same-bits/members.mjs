import { inspect } from 'node:util';
import { dense } from './inputs.mjs';

// Views by index, small members, and what is shown.

export function* indexCalls(
  type,
  options,
  { FactoredMatrix, slice, diagEmbed, transpose, svd, svdLegacy, matmul },
) {
  const grid = () =>
    new FactoredMatrix(dense(100, [5, 1, 40, 6], options), dense(101, [1, 4, 6, 50], options));
  const index = [
    [[0, 2, 4]],
    [[3, 1, 1, -1], slice(null, null, -1)],
    [null, slice(-4, -1), 2],
    [slice(4, null, -2), [3, 0]],
    [-1, -1],
    [slice(3, 3)],
    [1, 2, null],
    [7],
    ['x'],
    [0, 0, 0],
    [1.5],
    [[0, 9]],
    [0, 0, slice(1, 3), [2, 0]],
  ];
  for (const at of index) {
    yield [
      `at ${JSON.stringify(at)} ${type}`,
      () =>
        grid()
          .at(...at)
          .svd(),
    ];
    yield [
      `at ${JSON.stringify(at)} async ${type}`,
      async () => [
        await grid()
          .at(...at)
          .svdvalsAsync(),
        grid()
          .at(...at)
          .norm(),
      ],
    ];
  }
  const M = () => grid().at(2, 1);
  yield [
    `shown ${type}`,
    () => [
      String(grid()),
      inspect(grid()),
      String(M()),
      JSON.stringify([M().svd(), M().svdLegacy(), svd(dense(102, [3, 2, 2], options))]),
      inspect(M().svd()),
      inspect(svdLegacy(dense(103, [4, 3], options))),
      [...M().svd()],
    ],
  ];
  yield [
    `small members by hand ${type}`,
    () => {
      const m = grid();
      return [
        m.ndim,
        m.ldim,
        m.mdim,
        m.rdim,
        m.hasLeadingDims,
        m.shape,
        m.pair,
        m.T.T,
        m.getCorner(2),
        m.mul(dense(104, [5, 4], options)),
        m.unsqueeze(-1),
        m.unsqueeze(1),
      ];
    },
  ];
  yield [
    `products of factored matrices ${type}`,
    () => [
      matmul(grid(), grid().T),
      M().matmul(dense(105, [50, 3], options)),
      M().rmatmul(dense(106, [7, 40], options)),
      M().rmatmul(M().T),
      M().matmul([...Array(50).keys()]),
      matmul([1, 2], [3, 4]),
      matmul([[1, 2]], [3, 4]),
      diagEmbed(dense(107, [2, 3, 4], options)),
      transpose(dense(108, [2, 3, 4], options)),
    ],
  ];
}
