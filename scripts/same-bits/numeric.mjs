import { dense, elements, float32, numbers, size, view, views } from './inputs.mjs';

// Decompositions and what is made of them, by every way from the input to the result.

export function* numericCalls(api, checks) {
  const {
    svd,
    svdAsync,
    svdvals,
    svdLegacy,
    dist,
    distAsync,
    matmul,
    FactoredMatrix,
    prepare,
    slice,
    diagEmbed,
    transpose,
  } = api;
  const shapes = [
    [0, 3],
    [3, 0],
    [1, 1],
    [1, 7],
    [2, 2],
    [4, 2],
    [5, 9],
    [24, 24],
    [33, 33],
    [40, 65],
    [300, 5],
    [5, 300],
    [130, 130],
    [2000, 20],
    [1500, 40],
  ];
  for (const [type, options] of [
    ['float64', {}],
    ['float32', float32],
  ]) {
    for (const shape of shapes) {
      for (const [kind, element] of Object.entries(elements)) {
        const a = dense(1, shape, { ...options, element });
        yield [`svd ${type} ${shape} ${kind}`, () => svd(a)];
        yield [`svdvals ${type} ${shape} ${kind}`, () => svdvals(a)];
      }
      const a = dense(2, shape, options);
      yield [`svd ${type} ${shape} full`, () => svd(a, { fullMatrices: true })];
      yield [`svd ${type} ${shape} canonical`, () => svd(a, { signs: 'canonical' })];
      for (const driver of ['gesdd', 'gesvd', 'gejsv'])
        yield [
          `svd ${type} ${shape} ${driver}`,
          () => [svd(a, { driver }), svd(a, { driver, fullMatrices: true })],
        ];
      for (const [kind, of] of Object.entries(views))
        yield [`svd ${type} ${shape} ${kind}`, async () => [svd(of(a)), await svdAsync(of(a))]];
    }
    for (const leading of [[0], [7], [3, 2], [600], [5000]]) {
      const a = dense(3, [...leading, 4, 3], options);
      yield [`svd ${type} batch ${leading}`, () => svd(a)];
      yield [`svdAsync ${type} batch ${leading}`, () => svdAsync(a)];
      const repeated = view(
        a,
        (s) => s,
        (t) => t.with(0, 0),
      );
      yield [`svdAsync ${type} batch ${leading} repeated`, () => svdAsync(repeated)];
    }
    const large = dense(4, [700, 800], options);
    yield [`svd ${type} 700×800`, () => svd(large)];
    yield [`svdAsync ${type} 700×800, column-major`, () => svdAsync(views.transposed(large))];
    const bad = dense(5, [6, 4, 4], options);
    bad.data[37] = Number.NaN;
    bad.data[80] = Number.POSITIVE_INFINITY;
    yield [`svd ${type} not finite`, () => svd(bad)];
    yield [`svd ${type} not finite, collected`, () => svd(bad, { onError: 'collect' })];

    const products = [
      [40, 5, 30],
      [30, 40, 20],
      [3, 20, 200],
      [200, 20, 3],
      [4, 5, 6],
      [1, 1, 1],
      [10, 0, 4],
      [0, 3, 4],
      [70, 64, 70],
      [300, 64, 300],
      [500, 130, 400],
      [3000, 12, 8],
      [8, 12, 3000],
      [2500, 33, 2500],
      [600, 200, 700],
    ];
    for (const [l, k, r] of products) {
      for (const [kind, element] of Object.entries(elements)) {
        const rows = (x, i, j) => element(x, j, i);
        const [A, B] = [
          dense(6, [l, k], { ...options, element }),
          dense(7, [k, r], { ...options, element: rows }),
        ];
        const C = dense(8, [k, r], options);
        const name = `${type} ${l}×${k}×${r} ${kind}`;
        yield [`product svd ${name}`, () => new FactoredMatrix(A, B).svd()];
        yield [`product svd ${name}, only A`, () => new FactoredMatrix(A, C).svd()];
        yield [`product svdvals ${name}`, () => new FactoredMatrix(A, B).svdvals()];
        yield [
          `product norm ${name}`,
          () => ['fro', 'nuc', 2].map((ord) => new FactoredMatrix(A, B).norm(ord)),
        ];
      }
      const [A, B] = [dense(9, [l, k], options), dense(10, [k, r], options)];
      const M = () => new FactoredMatrix(A, B);
      const name = `${type} ${l}×${k}×${r}`;
      for (const rank of [0, 1, 2].filter((p) => p <= Math.min(l, k, r)))
        yield [`product svd ${name} rank ${rank}`, () => M().svd({ rank })];
      yield [`product svdAsync ${name}`, () => M().svdAsync()];
      yield [`product canonical ${name}`, () => M().svd({ signs: 'canonical' })];
      yield [`product three ${name}`, () => M().svd({ algorithm: 'three-svd' })];
      yield [
        `product members ${name}`,
        () => [
          M().rank(),
          k > 0 && l > 0 && M().cond(),
          M().pinv(),
          M().makeEven(),
          M().collapseL(),
          M().collapseR(),
          M().V,
          M().AB,
          M().T,
          M().getCorner(),
        ],
      ];
      yield [`product eigenvalues ${name}`, () => M().eigenvalues()];
      yield [
        `product dist ${name}`,
        () => [dist(M(), M().svd()), dist(M(), M().AB), dist(M().AB, M().AB), dist(M().svd(), M())],
      ];
      yield [`product distAsync ${name}`, () => distAsync(M(), M().svd())];
      yield [
        `product of views ${name}`,
        () =>
          new FactoredMatrix(views['rows backwards'](A), views.transposed(dense(11, [r, k], options))).svd(),
      ];
      yield [
        `product of mixed types ${name}`,
        () => new FactoredMatrix(dense(12, [l, k]), dense(13, [k, r], float32)).svd(),
      ];
      yield [
        `product prepared ${name}`,
        () => [new FactoredMatrix(prepare(A), B).svd(), new FactoredMatrix(A, prepare(B)).svdvals()],
      ];
      yield [
        `checks ${name}`,
        () => {
          const s = M().svd();
          return [
            checks.validSvd(s, M()),
            checks.matchSvd(s, s),
            checks.matchSingularValues(s, M().svdvals()),
          ].map((x) => [x.pass, x.message]);
        },
      ];
    }
    const heads = new FactoredMatrix(dense(14, [40, 90, 16], options), dense(15, [40, 16, 100], options));
    yield [
      `heads ${type}`,
      () => [
        heads.svd(),
        heads.svdvals(),
        heads.norm(),
        heads.at(3).svd(),
        heads.at(slice(1, 9, 3), 2).svdvals(),
      ],
    ];
    yield [`headsAsync ${type}`, () => heads.svdAsync({ rank: 3 })];
    const shared = new FactoredMatrix(dense(16, [30, 64, 8], options), dense(17, [8, 900], options));
    yield [`heads with one factor ${type}`, () => [shared.svd(), shared.norm()]];
    yield [`heads with one factor, async ${type}`, () => shared.svdAsync()];
    const grid = new FactoredMatrix(dense(18, [5, 1, 40, 6], options), dense(19, [1, 4, 6, 50], options));
    yield [`grid ${type}`, () => [grid.svd(), grid.svdvals(), grid.rank()]];
    yield [`grid, async ${type}`, () => grid.svdAsync()];
    const mixed = dense(20, [12, 200, 10], {
      ...options,
      element: (x, i, j) => Object.values(elements)[Math.floor(i / 200) % 10](x, i, j),
    });
    const partner = dense(21, [12, 10, 150], options);
    yield [
      `mixed batch ${type}`,
      () => [new FactoredMatrix(mixed, partner).svd(), new FactoredMatrix(mixed, partner).svdvals()],
    ];
    yield [`mixed batch async ${type}`, () => new FactoredMatrix(mixed, partner).svdAsync()];
    mixed.data[5000] = Number.NaN;
    const failing = new FactoredMatrix({ ...mixed, data: mixed.data.slice() }, partner);
    yield [`mixed batch with an error ${type}`, () => failing.svd()];
    yield [`mixed batch with a collected error ${type}`, () => failing.svd({ onError: 'collect' })];
    const huge = dense(22, [6, 4], { ...options, element: (x) => x * (type === 'float32' ? 1e30 : 1e200) });
    yield [`overflow ${type}`, () => new FactoredMatrix(huge, transpose(huge)).svd()];
    yield [`overflow of matmul ${type}`, () => matmul(huge, transpose(huge))];
    yield [`overflow of norm ${type}`, () => new FactoredMatrix(huge, transpose(huge)).norm()];
    const [P, Q] = [dense(23, [3, 5, 4], options), dense(24, [4, 6], options)];
    yield [
      `matmul ${type}`,
      () => [
        matmul(P, Q),
        matmul(heads, dense(25, [100, 7], options)),
        matmul(dense(26, [90], options), heads),
        matmul(Q.data.slice(0, 4).length ? [1, 2, 3, 4] : [], Q),
      ],
    ];
    yield [
      `small members ${type}`,
      () => [
        diagEmbed(svdvals(P)),
        transpose(P),
        svdLegacy(P),
        heads.mul(2),
        heads.unsqueeze(0),
        heads.truncate(2),
      ],
    ];
  }
  for (const dtype of ['bfloat16', 'float16']) {
    const next = numbers(30);
    const half = (shape) => ({
      data: Uint16Array.from({ length: size(shape) }, () => 0x3c00 + Math.floor((next() + 0.5) * 1024)),
      shape,
      dtype,
    });
    for (const shape of [
      [5, 4],
      [2, 300, 6],
      [40, 50],
    ]) {
      yield [`svd ${dtype} ${shape}`, () => svd(half(shape))];
      yield [`svdAsync ${dtype} ${shape}`, () => svdAsync(half(shape))];
    }
    yield [`product ${dtype}`, () => new FactoredMatrix(half([3, 60, 8]), half([8, 70])).svd()];
    yield [`product async ${dtype}`, () => new FactoredMatrix(half([3, 60, 8]), half([8, 70])).svdAsync()];
  }
  yield [
    'nested',
    () => [
      svd([
        [3, 0],
        [4, 5],
      ]),
      svd([Float32Array.of(1, 2), Float32Array.of(3, 4)]),
    ],
  ];
  const wrong = {
    'one row too short': [[1, 2], [3]],
    'a string': 'x',
    'no numbers': [['a']],
    'a vector': [1, 2],
    'an option': [[1]],
  };
  for (const [name, x] of Object.entries(wrong))
    yield [`wrong: ${name}`, () => svd(x, name === 'an option' ? { full_matrices: false } : {})];
  yield ['wrong: inner dimensions', () => new FactoredMatrix([[1, 2]], [[1, 2]])];
  yield ['wrong: rank', () => new FactoredMatrix([[1, 2]], [[1], [2]]).svd({ rank: 7 })];
}
