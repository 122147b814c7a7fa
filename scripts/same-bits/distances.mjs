import { dense, views } from './inputs.mjs';
import { outcomes } from './outcomes.mjs';

// Distances: by blocks of rows and of items, of every kind of operand.

export function* distanceCalls(type, options, { dist, distAsync, svd, svdLegacy, FactoredMatrix }) {
  const [M, N] = [dense(61, [2000, 1500], options), dense(62, [2000, 1500], options)];
  const P = () => new FactoredMatrix(dense(63, [2000, 6], options), dense(64, [6, 1500], options));
  yield [
    `dist by blocks of rows ${type}`,
    async () => [dist(M, N), dist(M, P()), dist(P(), N), await distAsync(M, P()), await distAsync(N, M)],
  ];
  const many = dense(65, [5000, 20, 30], options);
  yield [
    `dist by blocks of items ${type}`,
    () => [
      dist(many, dense(66, [20, 30], options)),
      dist(many, new FactoredMatrix(dense(67, [20, 2], options), dense(68, [2, 30], options))),
    ],
  ];
  const a = dense(69, [3, 9, 5], options);
  yield [
    `dist of decompositions ${type}`,
    () => [
      dist(a, svd(a)),
      dist(svd(a, { fullMatrices: true }), a),
      dist(svdLegacy(a), svd(a)),
      dist(views.transposed(a), views.transposed(dense(70, [9, 5], options))),
    ],
  ];
  for (const shape of [
    [0, 4, 3],
    [2, 0, 3],
    [2, 4, 0],
  ]) {
    const x = dense(71, shape, options);
    const y = new FactoredMatrix(
      dense(72, [...shape.slice(0, 2), 2], options),
      dense(73, [2, shape[2]], options),
    );
    yield [`dist ${type} ${shape}`, () => [dist(x, x), dist(x, y), dist(y, y)]];
  }
  const largest = type === 'float32' ? 2 ** 127 : 2 ** 1023;
  const huge = dense(74, [4, 4], { ...options, element: () => largest });
  const minus = dense(74, [4, 4], { ...options, element: () => -largest });
  const zero = dense(74, [4, 4], { ...options, element: () => 0 });
  yield [
    `dist at the ends of the range ${type}`,
    () =>
      outcomes(
        () => dist(huge, minus),
        () => dist(huge, huge),
        () => dist(zero, zero),
        () => dist(huge, zero),
      ),
  ];
  for (let bad = 0; bad < 4; bad++) {
    const [A, B, C, D] = [0, 1, 2, 3].map((i) =>
      dense(75, [4, 4], { ...options, element: (x, r) => (i === bad && r === 2 ? Number.NaN : x) }),
    );
    yield [
      `dist, the factor ${bad} not finite ${type}`,
      () =>
        outcomes(
          () => dist(new FactoredMatrix(A, B), new FactoredMatrix(C, D)),
          () => dist(A, new FactoredMatrix(B, C)),
          () => dist(A, B),
        ),
    ];
  }
}
