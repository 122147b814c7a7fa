import { dense, float32 } from './inputs.mjs';
import { outcome, outcomes } from './outcomes.mjs';

// Matrices that fail, alone and in a batch.

const slicePlain = (start, stop) => ({ start, stop, step: null });

export function* failureCalls({ FactoredMatrix, svd, svdAsync, svdvals, matmul, prepare }) {
  for (const [type, options] of [
    ['float64', {}],
    ['float32', float32],
  ]) {
    const large = type === 'float32' ? 2 ** 100 : 2 ** 900;
    const some = (rows, f) => (x, i) => (Math.floor(i / rows) % 5 === 2 ? f(x) : x);
    const overflow = () =>
      new FactoredMatrix(
        dense(120, [700, 30, 4], { ...options, element: some(30, (x) => x * large) }),
        dense(121, [700, 4, 40], { ...options, element: some(4, (x) => x * large) }),
      );
    const notFinite = () =>
      new FactoredMatrix(
        dense(122, [700, 30, 4], { ...options, element: some(30, () => Number.NaN) }),
        dense(123, [4, 40], options),
      );
    const both = dense(124, [40, 9, 9], {
      ...options,
      element: (x, i) => (i === 30 ? Number.POSITIVE_INFINITY : i === 200 ? x * large * large : x),
    });
    for (const onError of ['throw', 'collect']) {
      for (const [name, M] of Object.entries({ overflow, notFinite })) {
        yield [`${name} of some items ${type} ${onError}`, () => M().svd({ onError })];
        yield [`${name} of some items async ${type} ${onError}`, () => M().svdAsync({ onError, rank: 2 })];
        yield [
          `${name} of some items ${type} three ${onError}`,
          () => M().svd({ onError, algorithm: 'three-svd' }),
        ];
        yield [
          `${name} of some items ${type} shown ${onError}`,
          () => JSON.stringify(M().at(slicePlain(0, 4)).svd({ onError })),
        ];
      }
      yield [
        `of some matrices ${type} ${onError}`,
        async () => [
          await outcome(() => svd(both, { onError })),
          await outcome(() => svdAsync(both, { onError, signs: 'canonical' })),
        ],
      ];
    }
    yield [
      `members of what fails ${type}`,
      () =>
        outcomes(
          () => overflow().norm(),
          () => overflow().norm('nuc'),
          () => overflow().AB,
          () => overflow().eigenvalues(),
          () => notFinite().norm(),
          () => notFinite().AB,
          () => notFinite().pinv(),
          () => svdvals(both),
          () => prepare(both),
          () => matmul(both, both),
        ),
    ];
    const tiny = dense(125, [3, 3], {
      ...options,
      element: (x) => (type === 'float32' ? 2 ** -140 : 2 ** -1060) * x,
    });
    yield [
      `inverse that does not fit ${type}`,
      () =>
        outcomes(
          () => new FactoredMatrix(tiny, dense(126, [3, 3], options)).pinv({ tol: 0 }),
          () => new FactoredMatrix(tiny, tiny).cond(),
          () => new FactoredMatrix(tiny, tiny).rank(),
        ),
    ];
    const row = {
      data: new (options.type ?? Float64Array)(1),
      shape: [2 ** 24, 1],
      stride: [0, 0],
      offset: 0,
    };
    yield [
      `too large ${type}`,
      () =>
        outcomes(
          () => svd(row, { fullMatrices: true }),
          () => new FactoredMatrix(row, { ...row, shape: [1, 2 ** 24] }).AB,
          () => svd({ ...row, shape: [2 ** 22, 2 ** 22] }),
          () =>
            new FactoredMatrix(
              { ...row, shape: [2 ** 22, 2 ** 22] },
              { ...row, shape: [2 ** 22, 2 ** 22] },
            ).svd(),
        ),
    ];
  }
}
