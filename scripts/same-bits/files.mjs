import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { dense, float32, views } from './inputs.mjs';

// Weight files, records of spectra, and every command with every form of its report.

/** Texts in lists, maps and plain objects by `plain`; arrays of numbers as they are. */
function placeless(x, plain) {
  const inside = (y) => placeless(y, plain);
  if (typeof x === 'string') return plain(x);
  if (Array.isArray(x)) return x.map(inside);
  if (x instanceof Map) return new Map([...x].map(inside));
  const isPlain = x !== null && typeof x === 'object' && Object.getPrototypeOf(x) === Object.prototype;
  return isPlain ? Object.fromEntries(Object.entries(x).map(inside)) : x;
}

export function* fileCalls({ svd }, { openSafetensors, writeSafetensors }, command) {
  const inFolder = (f) => async () => {
    const folder = mkdtempSync(join(tmpdir(), 'same-bits-'));
    // What depends on the place, the time and the build.
    const plain = (text) =>
      text
        .replaceAll(folder, '')
        .replace(/[\d.]+ m?s$/gm, 'some time')
        .replace(/"milliseconds":[\d.e+-]+/, 'some time')
        .replaceAll(/"build": ?"[^"]*"/g, 'some build');
    const run = (...args) => {
      const { status, stdout, stderr } = spawnSync(process.execPath, [command, ...args], {
        encoding: 'utf8',
        cwd: folder,
      });
      return [status, plain(stdout), plain(stderr)];
    };
    const outcome = async (g) => {
      try {
        return await g();
      } catch (error) {
        if (!error.code) throw error;
        return [error.code, plain(error.message)];
      }
    };
    try {
      await writeSafetensors(join(folder, 'w.safetensors'), weights(svd), {
        by: 'same-bits',
        line: 'one\ntwo',
      });
      const result = placeless(await f({ at: (name) => join(folder, name), run, outcome, folder }), plain);
      const left = readdirSync(folder, { withFileTypes: true }).filter((x) => x.isFile());
      return [result, left.map(({ name }) => [name, plain(readFileSync(join(folder, name), 'latin1'))])];
    } finally {
      rmSync(folder, { recursive: true });
    }
  };

  const product = ['--a', 'a', '--b', 'b'];
  const commands = {
    'what is said of itself': [['--help'], ['--version'], [], ['svd', '--help'], ['nothing'], ['inspect']],
    inspect: [
      ['inspect', 'w.safetensors'],
      ['inspect', 'w.safetensors', '--json'],
      ['inspect', 'missing'],
      ['inspect', '.'],
    ],
    svd: [
      ['svd', 'w.safetensors', ...product],
      ['svd', 'w.safetensors', ...product, '--json', '--rank', '2', '--out', 'out.safetensors'],
      ['svd', 'out.safetensors', '--matrix', 'U'],
      ['svd', 'w.safetensors', '--a', 'b', '--b', 'a', '--transpose-a', '--transpose-b'],
      ['svd', 'w.safetensors', '--matrix', 'c', '--rank', '2'],
      ['svd', 'w.safetensors', '--matrix', 'zero', '--json'],
      ['svd', 'w.safetensors', '--matrix', 'empty'],
    ],
    'svd, wrongly': [
      ['svd', 'w.safetensors'],
      ['svd', 'w.safetensors', '--matrix', 'c', '--a', 'a'],
      ['svd', 'w.safetensors', '--matrix', 'vector'],
      ['svd', 'w.safetensors', '--matrix', 'cc'],
      ['svd', 'w.safetensors', '--matrix', 'c', '--rank', '9'],
      ['svd', 'w.safetensors', '--matrix', 'c', '--rank', '0'],
      ['svd', 'w.safetensors', '--matrix', 'c', '--out', 'w.safetensors'],
      ['svd', 'w.safetensors', '--matrix', 'c', '--out', 'missing/out'],
      ['svd', 'w.safetensors', '--matrix', 'nan'],
    ],
    golden: [
      ['golden', 'w.safetensors', ...product],
      ['golden', 'w.safetensors', '--matrix', 'c', '--out', 'c.json'],
      ['golden', 'w.safetensors', '--matrix', 'equal', '--out', 'equal.json'],
      ['svd', 'w.safetensors', '--matrix', 'c', '--rank', '3', '--out', 'factors.safetensors'],
      ['golden', 'factors.safetensors', '--factors', '--out', 'factors.json'],
      ['golden', 'broken.safetensors', '--factors'],
      ['golden', 'w.safetensors'],
      ['golden', 'w.safetensors', '--factors', '--matrix', 'c'],
      ['golden', 'w.safetensors', '--factors'],
      ...['text', 'tap', 'json', 'github'].flatMap((format) => [
        ['compare', 'c.json', '--format', format],
        ['compare', 'c.json', 'w.safetensors', '--matrix', 'other', '--format', format],
        ['compare', 'equal.json', '--format', format],
      ]),
      ['compare', 'factors.json', 'factors.safetensors'],
      ['compare', 'c.json', 'factors.safetensors', '--factors'],
      ['compare', 'c.json', 'w.safetensors', '--matrix', 'a'],
      ['compare', 'c.json', '--factors', '--matrix', 'a'],
      ['compare', 'c.json', 'w.safetensors', 'factors.safetensors'],
      ['compare', 'w.safetensors'],
      ['compare', 'missing.json'],
      ['compare', 'c.json', '--format', 'xml'],
    ],
  };
  for (const [name, all] of Object.entries(commands))
    yield [`commands: ${name}`, inFolder(({ run }) => all.map((args) => run(...args)))];

  yield [
    'files: damaged records',
    inFolder(({ at, run }) => {
      run('golden', 'w.safetensors', '--matrix', 'c', '--out', 'c.json');
      const good = readFileSync(at('c.json'), 'utf8');
      const change = (f) => {
        const golden = JSON.parse(good);
        f(golden, golden.records[0]);
        return JSON.stringify(golden);
      };
      const damaged = [
        '{',
        '[]',
        change((g) => void delete g.records),
        change((_, r) => void delete r.file),
        change((_, r) => Object.assign(r, { dtype: 'int8' })),
        change((_, r) => Object.assign(r, { items: [] })),
        change((_, r) => Object.assign(r, { shape: [2, -1] })),
        change((_, r) => Object.assign(r, { source: { matrix: 3 } })),
        change((_, r) => Object.assign(r, { source: { table: 'c' } })),
        change((_, r) => Object.assign(r, { source: {} })),
        change((_, r) => r.items[0].clusters.pop()),
        change((_, r) => Object.assign(r.items[0].clusters[0], { S: [1e300] })),
        change((_, r) => Object.assign(r.items[0].clusters[0], { S: 'x' })),
        change((g) => g.records.push(...g.records)),
        change((g) => Object.assign(g, { format: 'another' })),
      ];
      return damaged.map((text) => {
        writeFileSync(at('c.json'), text);
        return run('compare', 'c.json');
      });
    }),
  ];

  yield [
    'files: what is read',
    inFolder(async ({ at, outcome }) => {
      const file = await openSafetensors(at('w.safetensors'));
      const out = [[...file.tensors], file.metadata];
      for (const name of [...file.tensors.keys(), 'nothing', 'factors.0'])
        out.push(await outcome(() => file.read(name)));
      await file.close();
      out.push(await outcome(() => file.read('a')));
      return out;
    }),
  ];
  const header = (text, bytes = 0) => {
    const json = Buffer.from(text);
    const out = Buffer.alloc(8 + json.length + bytes, 1);
    out.writeBigUInt64LE(BigInt(json.length));
    json.copy(out, 8);
    return out;
  };
  const entry = (dtype, shape, from, to) => JSON.stringify({ x: { dtype, shape, data_offsets: [from, to] } });
  const files = {
    'no header': Buffer.alloc(3),
    'a long header': Buffer.alloc(16, 0x7f),
    'no JSON': header('{x'),
    'a list': header('[]'),
    'no tensors': header('{}'),
    'half precision': header(entry('F16', [2, 2], 0, 8), 8),
    bfloat16: header(entry('BF16', [2, 2], 0, 8), 8),
    integers: header(entry('I64', [1], 0, 8), 8),
    'six bits': header(entry('F6_E2M3', [3], 0, 3), 3),
    'too short': header(entry('F32', [2, 2], 0, 16), 8),
    'too long': header(entry('F32', [2, 2], 0, 16), 20),
    'a hole': header(entry('F32', [2, 2], 4, 20), 20),
    'another size': header(entry('F32', [2, 3], 0, 16), 16),
    'a huge shape': header(entry('F32', [2 ** 40, 2 ** 40], 0, 16), 16),
    'an unknown dtype': header(entry('F13', [1], 0, 8), 8),
    'a broken shape': header(entry('F32', [-1], 0, 8), 8),
    'broken offsets': header(entry('F32', [1], 'a', 8), 8),
    'a key twice': header('{"x":1,"x":2}'),
    'metadata that are no texts': header('{"__metadata__":{"a":1}}'),
    'metadata of a factor': header('{"__metadata__":{"a":"1"}}'),
  };
  for (const [name, bytes] of Object.entries(files)) {
    yield [
      `files: ${name}`,
      inFolder(({ at, outcome }) => {
        writeFileSync(at('x.safetensors'), bytes);
        return outcome(async () => {
          const file = await openSafetensors(at('x.safetensors'));
          return [
            [...file.tensors],
            file.metadata,
            file.tensors.has('x') && (await outcome(() => file.read('x'))),
          ];
        });
      }),
    ];
  }
  yield [
    'files: what cannot be written',
    inFolder(async ({ at, outcome }) => {
      mkdirSync(at('folder'));
      const x = dense(150, [2, 2]);
      const write = (...args) => outcome(() => writeSafetensors(...args));
      return [
        await write(at('folder'), { x }),
        await write(at('missing/x'), { x }),
        await write(at('x'), []),
        await write(at('x'), { x: 1 }),
        await write(at('x'), { __metadata__: x }),
        await write(at('x'), { x }, { a: 1 }),
        await write(at('x'), { x }, []),
        await write(3, { x }),
        await write(
          at('views'),
          Object.fromEntries(Object.entries(views).map(([name, of]) => [name, of(x)])),
        ),
        await write(at('none'), {}),
      ];
    }),
  ];
}

const weights = (svd) => {
  const c = dense(33, [5, 5]);
  return {
    a: dense(31, [2, 40, 6]),
    b: dense(32, [2, 6, 30], float32),
    c,
    other: { ...c, data: c.data.map((x, i) => (i === 7 ? 1.001 * x : x)) },
    equal: dense(34, [6, 6], { element: (_, i, j) => (i === j ? 1 : 0) }),
    zero: dense(35, [2, 3, 3], { element: () => 0 }),
    nan: dense(36, [3, 3], { element: () => Number.NaN }),
    empty: { data: new Float64Array(0), shape: [0, 3, 3] },
    vector: { data: Float64Array.of(1, 2, 3), shape: [3] },
    'blocks.0\tname': views.transposed(dense(37, [3, 2], float32)),
    ...Object.fromEntries(Object.entries(svd(c)).filter(([name]) => name === 'U')),
  };
};
