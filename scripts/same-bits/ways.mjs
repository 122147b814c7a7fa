import { dense, elements, float32, views } from './inputs.mjs';
import { outcomes } from './outcomes.mjs';

// Ways that are seldom taken: all QR decompositions in one batch, cores beyond order 128, factors that blocks share.

/** The same kinds of columns in every item, so that one batch takes several ways at once. */
const manyKinds = (rows) => (x, i, j) => Object.values(elements)[Math.floor(i / rows) % 10](x, i % rows, j);

export function* waysCalls(type, options, { FactoredMatrix, prepare, svd, svdvals, svdAsync, matmul }) {
  const product = (seed, a, b, element) =>
    new FactoredMatrix(
      dense(seed, a, { ...options, element }),
      dense(seed + 1, b, { ...options, element: element && ((x, i, j) => element(x, j, i)) }),
    );
  const tall = dense(40, [10, 2000, 10], { ...options, element: manyKinds(2000) });
  const flat = dense(41, [10, 10, 150], options);
  for (const [name, A, B] of [
    ['A', tall, flat],
    ['B', views.transposed(flat), views.transposed(tall)],
    ['both', tall, views.transposed(tall)],
  ]) {
    const M = () => new FactoredMatrix(A, B);
    yield [`all QR decompositions in one batch, of ${name}, ${type}`, () => M().svd()];
    yield [`all QR decompositions in one batch, of ${name}, async ${type}`, () => M().svdAsync({ rank: 3 })];
    yield [
      `all QR decompositions in one batch, of ${name}, members ${type}`,
      () => [M().svdvals(), M().norm(), M().rank()],
    ];
  }
  yield [
    `QR decompositions of mixed types ${type}`,
    () => new FactoredMatrix(tall, dense(42, [10, 10, 150], type === 'float32' ? {} : float32)).svd(),
  ];
  for (const [kind, element] of Object.entries(elements)) {
    const M = () => product(43, [200, 150], [150, 180], element);
    yield [`core beyond order 128 ${type} ${kind}`, () => [M().svd(), M().svdvals()]];
    const N = () => product(44, [900, 140], [140, 900], element);
    yield [`core of tall factors beyond order 128 ${type} ${kind}`, () => N().svd({ rank: 4 })];
    yield [
      `formed product ${type} ${kind}`,
      () =>
        [product(45, [200, 40], [40, 10], element), product(46, [10, 40], [40, 200], element)].map((x) =>
          x.svd(),
        ),
    ];
  }
  const square = dense(47, [90, 90], options);
  yield [`eigenvalues ${type}`, () => new FactoredMatrix(square, square).eigenvalues()];
  yield [
    `formed product of many rows ${type}`,
    () =>
      [product(48, [60000, 40], [40, 4]), product(49, [4, 40], [40, 60000])].map((x) => x.svd({ rank: 1 })),
  ];
  yield [`formed products ${type}`, () => product(50, [3, 5, 40], [3, 40, 300]).svd()];
  const once = dense(51, [3000, 12], options);
  const many = dense(52, [900, 12, 20], options);
  const one = (x) => ({ ...x, shape: [1, ...x.shape] });
  for (const [name, A, B] of [
    ['A', () => prepare(once), () => many],
    ['B', () => views.transposed(many), () => prepare(views.transposed(once))],
    ['of many', () => prepare(one(once)), () => prepare(many)],
  ]) {
    yield [
      `prepared factor over several blocks, ${name} ${type}`,
      async () => [
        new FactoredMatrix(A(), B()).svdvals(),
        await new FactoredMatrix(A(), B()).svdAsync({ rank: 1 }),
        new FactoredMatrix(A(), B()).norm(),
      ],
    ];
  }
  const [A, B] = [dense(53, [30, 1, 200, 12], options), dense(54, [1, 40, 12, 90], options)];
  yield [
    `repeated along one axis ${type}`,
    async () => {
      const M = new FactoredMatrix(A, B);
      return [M.svdvals(), await M.svdvalsAsync(), matmul(M, dense(55, [90, 2], options))];
    },
  ];
  const mixed = dense(56, [30, 60, 60], { ...options, element: manyKinds(60) });
  yield [`batch of all kinds ${type}`, async () => [svd(mixed), await svdAsync(mixed), svdvals(mixed)]];
  for (const shape of [
    [260, 260],
    [400, 200],
    [150, 400],
    [520, 130],
  ]) {
    for (const [kind, element] of Object.entries(elements)) {
      const a = dense(57, shape, { ...options, element });
      yield [`larger ${type} ${shape} ${kind}`, () => [svd(a), svdvals(a)]];
    }
    const a = dense(58, shape, options);
    yield [`larger ${type} ${shape} full`, () => svd(a, { fullMatrices: true, signs: 'canonical' })];
  }
  // Equal and nearly equal singular values, and such as are at the ends of the range.
  const identity = (_, i, j) => (i % 140 === j ? 1 : 0);
  const bidiagonal = (_, i, j) => (i === j ? 1 : j === i + 1 ? 1e-3 : 0);
  const glued = (x, i, j) => (i === j ? 1 + 1e-9 * x : j === i + 1 ? 1e-10 : 0);
  const wilkinson = (_, i, j) => (i === j ? Math.abs((i % 21) - 10) : Math.abs(i - j) === 1 ? 1 : 0);
  const graded = (x, i, j) => x * 2 ** -(i + j);
  const tiny = (x) => x * (type === 'float32' ? 2 ** -140 : 2 ** -1060);
  const hugeOnes = (x) => x * (type === 'float32' ? 2 ** 124 : 2 ** 1018);
  for (const [kind, element] of Object.entries({
    identity,
    bidiagonal,
    glued,
    wilkinson,
    graded,
    tiny,
    hugeOnes,
  })) {
    for (const n of [8, 30, 60, 140]) {
      const a = dense(59, [n, n], { ...options, element });
      yield [
        `${kind} ${n} ${type}`,
        () =>
          outcomes(
            () => svd(a),
            () => svdvals(a),
            () => svd(a, { fullMatrices: true }),
          ),
      ];
      const M = () => new FactoredMatrix(a, dense(60, [n, n], options));
      yield [
        `${kind} product ${n} ${type}`,
        () =>
          outcomes(
            () => M().svd(),
            () => M().norm('nuc'),
            () => M().norm(2),
          ),
      ];
    }
  }
}
