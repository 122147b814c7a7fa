import { dense, views } from './inputs.mjs';

// Every asynchronous function: what it answers, its progress, and how it is stopped.

const reason = () => Object.assign(new Error('enough'), { code: 'ENOUGH' });

export function* asyncCalls(
  type,
  options,
  { svdAsync, svdvalsAsync, svdLegacyAsync, prepareAsync, distAsync, FactoredMatrix },
) {
  const a = dense(80, [4, 30, 20], options);
  yield [
    `async functions ${type}`,
    async () => [
      await svdvalsAsync(a),
      await svdLegacyAsync(a),
      await svdAsync(a, { signs: 'canonical', fullMatrices: true }),
    ],
  ];
  const M = () => new FactoredMatrix(dense(81, [3, 60, 8], options), dense(82, [8, 60], options));
  yield [
    `async members ${type}`,
    async () => [
      await M().svdvalsAsync(),
      await M().svdLegacyAsync(),
      await svdAsync(M(), { rank: 2 }),
      await svdvalsAsync(M()),
      await svdLegacyAsync(M()),
      await M().normAsync(),
      await M().normAsync('nuc'),
      await M().normAsync(2),
      await M().rankAsync({ rtol: 0.1 }),
      await M().condAsync(),
      await M().pinvAsync({ tol: 0.1 }),
      await M().makeEvenAsync(),
      await M().truncateAsync(2),
      await M().collapseLAsync(),
      await M().collapseRAsync(),
      await M().eigenvaluesAsync(),
      await M().svdAsync({ algorithm: 'three-svd' }),
      await M().svdAsync({ signs: 'canonical' }),
    ],
  ];
  yield [
    `members after svd ${type}`,
    () => {
      const x = M();
      return [
        x.svd(),
        x.U,
        x.S,
        x.Vh,
        x.V,
        x.svdvals(),
        x.rank({ tol: 1 }),
        x.rank({ rtol: 0.1, tol: 1e-3 }),
        x.cond(),
        x.norm('nuc'),
        x.svdLegacy(),
        x.BA,
      ];
    },
  ];
  yield [
    `prepareAsync ${type}`,
    async () => [
      await prepareAsync(a),
      await prepareAsync(views.transposed(a)),
      await new FactoredMatrix(await prepareAsync(a), dense(83, [20, 5], options)).svdAsync(),
    ],
  ];
  const large = dense(84, [300, 500], options);
  const long = dense(85, [2, 400000], options); // a row is more than one slice
  yield [
    `async inputs by slices ${type}`,
    async () => [
      await svdvalsAsync(views.transposed(dense(86, [3, 900, 400], options))),
      await svdvalsAsync(long),
      await svdAsync(views['one row again and again'](large)),
      await svdvalsAsync(views['every other column'](large)),
    ],
  ];
  for (const [name, f] of Object.entries({
    svd: (o) => svdAsync(a, o),
    'svd of a large one': (o) => svdAsync(large, o),
    'svd of many': (o) => svdAsync(dense(87, [3000, 12, 9], options), o),
    'svd of a product': (o) => M().svdAsync(o),
    'svd of products': (o) =>
      new FactoredMatrix(dense(88, [900, 40, 4], options), dense(89, [4, 50], options)).svdAsync(o),
    norm: (o) => M().normAsync('fro', o),
    eigenvalues: (o) => M().eigenvaluesAsync(o),
    dist: (o) => distAsync(a, a, o),
    prepare: (o) => prepareAsync(a, o),
  })) {
    yield [
      `progress at the end of ${name} ${type}`,
      async () => {
        let last;
        await f({
          onProgress: (progress) => {
            last = progress;
          },
        });
        return last ?? 'none';
      },
    ];
    yield [`${name}, aborted before ${type}`, () => f({ signal: AbortSignal.abort(reason()) })];
    yield [`${name}, not aborted ${type}`, async () => [await f({ signal: new AbortController().signal })]];
    yield [
      `${name}, its onProgress fails ${type}`,
      () =>
        f({
          onProgress: () => {
            throw reason();
          },
        }),
    ];
  }
  yield [
    `aborted while it computes ${type}`,
    async () => {
      const controller = new AbortController();
      const both = [
        svdAsync(dense(90, [700, 700], options), controller),
        svdAsync(dense(91, [700, 600], options), controller),
      ];
      setTimeout(() => controller.abort(reason()), 5);
      return (await Promise.allSettled(both)).map((x) => [x.status, x.reason?.code]);
    },
  ];
  yield [
    `transferred while it waits ${type}`,
    async () => {
      const gone = dense(92, [1200, 900], options);
      const result = svdvalsAsync(gone);
      structuredClone(gone.data.buffer, { transfer: [gone.data.buffer] });
      return await result;
    },
  ];
}
