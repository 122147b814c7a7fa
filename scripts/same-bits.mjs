// Whether two checkouts, both built, answer with the same bits: `npm run same-bits -- ../other`. A fixed set of calls of the
// public API that takes every path there is; each checkout makes them in a process of its own. Prints every call that
// differs, and ends with status 1 when one does. `--digests CHECKOUT` prints what is compared.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';

const here = fileURLToPath(new URL('..', import.meta.url));
const { values, positionals } = parseArgs({
  options: { digests: { type: 'boolean', default: false } },
  allowPositionals: true,
});
if (positionals.length !== 1) {
  console.error('usage: npm run same-bits -- CHECKOUT, a folder with another build of this package');
  process.exit(2);
}
const other = resolve(positionals[0]);

function compare() {
  const [ours, theirs] = [here, other].map(digestsOf);
  const differing = [...new Set([...ours.keys(), ...theirs.keys()])].filter(
    (name) => ours.get(name) !== theirs.get(name),
  );
  for (const name of differing) console.log(`differs: ${name}`);
  console.log(`${ours.size - differing.length} of ${ours.size} calls have the same bits as in ${other}`);
  return differing.length > 0 || ours.size === 0 ? 1 : 0;
}

/** The digest of every call, by its name. */
function digestsOf(checkout) {
  const script = fileURLToPath(import.meta.url);
  const { FACTORED_SVD_BINARY: _, ...env } = process.env;
  const { status, stdout } = spawnSync(process.execPath, ['--no-warnings', script, '--digests', checkout], {
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...env, FACTORED_SVD_BINARY: join(checkout, 'native/build/Release/factored_svd.node') },
  });
  if (status !== 0) throw new Error(`${checkout}: the calls ended with status ${status}`);
  return new Map(
    stdout
      .trim()
      .split('\n')
      .map((line) => line.split('\t')),
  );
}

async function printDigests(checkout) {
  const load = (entry) => import(pathToFileURL(join(checkout, 'dist', `${entry}.js`)));
  const [api, checks, weights] = await Promise.all(['index', 'testing', 'weights'].map(load));
  for (const [name, f] of calls(api, checks, weights, join(checkout, 'dist/command.js')))
    console.log(`${name}\t${await digestOf(f)}`);
  return 0;
}

async function digestOf(f) {
  const hash = createHash('sha256');
  try {
    feed(hash, await f());
  } catch (error) {
    if (!error.code) throw error; // a mistake of this script
    feed(hash, [error.code, error.message, error.index, error.batchIndex, error.bytes, error.info]);
  }
  return hash.digest('hex').slice(0, 24);
}

/** Everything that a caller sees of `x`: bits, shapes and order in memory, names. */
function feed(hash, x) {
  if (ArrayBuffer.isView(x)) {
    hash
      .update(`${x.constructor.name} ${x.length}`)
      .update(new Uint8Array(x.buffer, x.byteOffset, x.byteLength));
  } else if (x instanceof Error) feed(hash, [x.code, x.message, x.batchIndex]);
  else if (Array.isArray(x)) {
    hash.update(`[${x.length}`);
    for (const entry of x) feed(hash, entry);
  } else if (x !== null && typeof x === 'object' && 'data' in x && 'shape' in x) {
    feed(hash, [[...x.shape], [...x.stride], x.offset, x.data]);
  } else if (x !== null && typeof x === 'object' && 'mdim' in x) feed(hash, [x.A, x.B]);
  else if (x !== null && typeof x === 'object' && 'U' in x && 'S' in x) {
    feed(hash, [x.U, x.S, x.Vh ?? x.V, x.bound, x.next, x.driver, x.errors]);
  } else if (x !== null && typeof x === 'object') feed(hash, Object.entries(x));
  else hash.update(`${typeof x} ${Object.is(x, -0) ? '-0' : String(x)};`);
}

// ------------------------------------------------------------------------------------------ inputs

/** Numbers from −1/2 to 1/2, the same on every run. */
function numbers(seed) {
  let state = (seed * 2654435761 + 12345) >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32 - 0.5;
  };
}

const size = (shape) => shape.reduce((p, n) => p * n, 1);

function dense(seed, shape, { type = Float64Array, element = (x) => x } = {}) {
  const next = numbers(seed);
  const cols = shape[shape.length - 1];
  return {
    data: type.from({ length: size(shape) }, (_, i) =>
      element(next() + next(), Math.floor(i / cols), i % cols),
    ),
    shape,
  };
}

const float32 = { type: Float32Array };

/** The same matrices with rows or columns that lie apart, backwards, repeated, or the other way round. */
const views = {
  'as they are': (a) => a,
  transposed: (a) =>
    view(
      a,
      (s) => [...s.slice(0, -2), s.at(-1), s.at(-2)],
      (t) => [...t.slice(0, -2), t.at(-1), t.at(-2)],
    ),
  'every other column': (a) =>
    view(
      a,
      (s) => [...s.slice(0, -1), Math.ceil(s.at(-1) / 2)],
      (t) => [...t.slice(0, -1), 2 * t.at(-1)],
    ),
  'rows backwards': (a) => {
    const v = view(
      a,
      (s) => s,
      (t) => t,
    );
    const n = v.shape.length - 2;
    v.offset = (v.shape[n] - 1) * v.stride[n];
    v.stride[n] *= -1;
    return v;
  },
  'one row again and again': (a) =>
    view(
      a,
      (s) => s,
      (t) => t.with(-2, 0),
    ),
};

function strides(shape) {
  const out = new Array(shape.length).fill(1);
  for (let i = shape.length - 2; i >= 0; i--) out[i] = out[i + 1] * shape[i + 1];
  return out;
}
const view = (a, shape, stride) => ({
  data: a.data,
  shape: shape([...a.shape]),
  stride: stride(a.stride ?? strides(a.shape)),
  offset: 0,
});

/** Elements that lead to other paths than random ones do. */
const elements = {
  random: (x) => x,
  'coin tosses': (x) => (x > 0 ? 1 : 0),
  equal: () => 0.1,
  'with zero columns': (x, _, j) => (j % 3 === 1 ? 0 : x),
  'columns of many sizes': (x, _, j) => x * 2 ** (((j * 37) % 61) - 30),
  'columns beyond squares': (x, _, j) => x * 2 ** (((j * 37) % 11) * 30 - 150),
  'columns nearly parallel': (x, i, j) => Math.cos(i) + 1e-4 * x * (j + 1),
  'columns equal to float32': (x, i) => Math.fround(Math.cos(i)) + 1e-9 * x,
  'of low rank': (_, i, j) => Math.cos(i) * Math.sin(j + 1) + Math.cos(2 * i) * Math.sin(3 * j),
  'sharing a component': (x) => x + 2,
};

// ------------------------------------------------------------------------------------------ calls

function* calls(api, checks, weights, command) {
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
  yield [
    'files',
    async () => {
      const folder = mkdtempSync(join(tmpdir(), 'same-bits-'));
      try {
        const [file, out] = [join(folder, 'a.safetensors'), join(folder, 'out.safetensors')];
        await weights.writeSafetensors(file, {
          a: dense(31, [2, 40, 6]),
          b: dense(32, [2, 6, 30], float32),
          c: dense(33, [5, 5]),
        });
        const golden = join(folder, 'golden.json');
        const runs = [
          ['inspect', file],
          ['inspect', file, '--json'],
          ['svd', file, '--a', 'a', '--b', 'b', '--out', out],
          ['golden', file, '--a', 'a', '--b', 'b', '--out', golden],
          ['compare', golden, file],
          ['svd', file, '--a', 'nothing'],
        ].map((args) => {
          const { status, stdout, stderr } = spawnSync(process.execPath, [command, ...args], {
            encoding: 'utf8',
          });
          const plain = (text) => text.replaceAll(folder, '').replace(/[\d.]+ m?s$/gm, 'some time');
          return [status, plain(stdout), plain(stderr)];
        });
        return [runs, readFileSync(file), readFileSync(out)];
      } finally {
        rmSync(folder, { recursive: true });
      }
    },
  ];
}

process.exitCode = values.digests ? await printDigests(other) : compare();
