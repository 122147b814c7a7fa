import { spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { patience } from '../support/patience.ts';
import { temporaryFolder } from '../support/temporary.ts';

// The built package in processes of their own, each with a time limit: what could hang, crash, or is once per process.

const root = fileURLToPath(new URL('../../', import.meta.url));
const esm = join(root, 'dist/index.js');
const cjs = join(root, 'dist/index.cjs');
const at = temporaryFolder();

beforeAll(() => {
  for (const file of [esm, cjs]) {
    if (!existsSync(file)) throw new Error(`${file} is not built: run npm run build:lib first`);
  }
});

interface Limits {
  /** Milliseconds after which the process counts as hanging, on a processor that is not emulated. */
  timeout?: number;
  env?: Record<string, string | undefined>;
  argv?: string[];
}

/** Runs a module in which `f` is the package; `signal` is SIGKILL when it ran into the limit. */
function run(source: string, { timeout = 20_000, env = {}, argv = [] }: Limits = {}) {
  const file = at(`${Math.abs(hash(source))}.mjs`);
  writeFileSync(file, `import * as f from ${JSON.stringify(esm)};\n${source}`);
  const { FACTORED_SVD_THREADS: _, ...inherited } = process.env;
  const child = spawnSync(process.execPath, [...argv, file], {
    encoding: 'utf8',
    timeout: patience(timeout),
    killSignal: 'SIGKILL',
    env: { ...inherited, ...env },
  });
  return {
    status: child.status,
    signal: child.signal,
    stdout: child.stdout.trim(),
    stderr: child.stderr.trim(),
  };
}

const hash = (text: string): number =>
  Array.from(text).reduce((h, c) => (Math.imul(h, 31) + c.charCodeAt(0)) | 0, 7);

/** That the process ended by itself, with 0 and no complaint. */
function quiet(result: ReturnType<typeof run>): string {
  expect(result).toMatchObject({ status: 0, signal: null, stderr: '' });
  return result.stdout;
}

/** The code of the error that `expression` throws; or how else its process ended. */
function codeOf(expression: string, limits: Limits = {}): string {
  const found = run(
    `try { const x = await (${expression}); console.log('no error', String(x)); } catch (e) { console.log(e.code ?? e); }`,
    limits,
  );
  return found.signal ? `ended by ${found.signal}` : quiet(found);
}

describe('DeprecationWarning of svdLegacy', () => {
  const legacy = `
    const m = new f.FactoredMatrix([[1, 2]], [[3], [4]]);
    for (let i = 0; i < 3; i++) { f.svdLegacy([[1]]); m.svdLegacy(); await f.svdLegacyAsync([[1]]); await m.svdLegacyAsync(); }`;
  const listen = `const seen = []; process.on('warning', (w) => seen.push([w.name, w.code]));`;
  const tell = `await new Promise(setImmediate); console.log(JSON.stringify(seen));`;

  it('comes exactly once per process, with code FSVD_DEP0001', () => {
    const { status, stdout, stderr } = run(`${listen}${legacy}${tell}`);
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toEqual([['DeprecationWarning', 'FSVD_DEP0001']]);
    expect(stderr.match(/FSVD_DEP0001/g)).toHaveLength(1);
    expect(stderr).toContain('Vh');
  });

  it('comes once though the package is there as ESM and as CommonJS', () => {
    const both = `
      import { createRequire } from 'node:module';
      const g = createRequire(import.meta.url)(${JSON.stringify(cjs)});
      g.svdLegacy([[1]]);`;
    const { stdout } = run(`${listen}${both}${legacy}${tell}`);
    expect(JSON.parse(stdout)).toHaveLength(1);
  });

  it('comes for each of the deprecated functions, and for no other', () => {
    for (const call of [
      'f.svdLegacy([[1]])',
      'm.svdLegacy()',
      'await f.svdLegacyAsync([[1]])',
      'await m.svdLegacyAsync()',
    ]) {
      const { stdout } = run(`${listen} const m = new f.FactoredMatrix([[1]], [[1]]); ${call}; ${tell}`);
      expect(JSON.parse(stdout), call).toHaveLength(1);
    }
    const others = 'f.svd([[1]]); f.svdvals([[1]]); new f.FactoredMatrix([[1]], [[1]]).V;';
    expect(quiet(run(`${listen}${others}${tell}`))).toBe('[]');
  });

  it('is silenced by --no-deprecation', () => {
    expect(quiet(run(`${listen}${legacy}${tell}`, { argv: ['--no-deprecation'] }))).toBe('[]');
  });
});

describe('nothing hangs', () => {
  it('on NaN or Inf, for which LAPACK loops for ever: any size, any place, every function', () => {
    const source = `
      const codes = {};
      const note = (g) => { let code = 'none'; try { g(); } catch (e) { code = e.code; } codes[code] = (codes[code] ?? 0) + 1; };
      for (const Kind of [Float64Array, Float32Array]) for (const bad of [NaN, Infinity, -Infinity])
        for (const [m, n] of [[1, 1], [2, 2], [3, 9], [9, 3], [26, 26], [60, 40], [130, 130], [200, 5]])
          for (const at of [0, Math.floor(m * n / 2), m * n - 1]) {
            const data = Kind.from({ length: m * n }, (_, i) => Math.sin(i + 1));
            data[at] = bad;
            const a = { data, shape: [m, n] };
            const b = { data: Kind.from({ length: n * 3 }, (_, i) => Math.cos(i)), shape: [n, 3] };
            const c = { data: Kind.from({ length: n * m }, (_, i) => Math.cos(i)), shape: [n, m] };
            note(() => f.svd(a)); note(() => f.svdvals(a)); note(() => f.svd(a, { fullMatrices: true }));
            note(() => new f.FactoredMatrix(a, b).svd()); note(() => new f.FactoredMatrix(f.transpose(b), f.transpose(a)).svdvals());
            note(() => new f.FactoredMatrix(a, b).svd({ algorithm: 'three-svd' })); note(() => new f.FactoredMatrix(a, c).eigenvalues());
            note(() => f.dist(a, f.transpose(c))); note(() => new f.FactoredMatrix(a, b).norm());
          }
      console.log(JSON.stringify(codes));`;
    expect(JSON.parse(quiet(run(source)))).toEqual({ ERR_SVD_NON_FINITE: 2 * 3 * 8 * 3 * 9 });
  });

  it('on a nested array that contains itself', () => {
    const limits = { timeout: 5000, argv: ['--max-old-space-size=200'] };
    expect(codeOf('(() => { const a = []; a.push(a); return f.svd(a); })()', limits)).toMatch(/^ERR_SVD_/);
    expect(codeOf('(() => { const a = [[1]]; a[0][0] = a; return f.svd(a); })()', limits)).toMatch(
      /^ERR_SVD_/,
    );
  });

  it('on a product whose core is larger than LAPACK can take: the size is looked at first', () => {
    const big = '({ data: new Float32Array(1), shape: [26754, 26754], stride: [0, 0] })';
    const limits = { timeout: 4000 };
    expect(codeOf(`new f.FactoredMatrix(${big}, ${big}).svd()`, limits)).toBe('ERR_SVD_TOO_LARGE');
    expect(codeOf(`new f.FactoredMatrix(${big}, ${big}).svdAsync()`, limits)).toBe('ERR_SVD_TOO_LARGE');
  });

  it('on a slice of step 0 that was made by hand', () => {
    expect(codeOf('new f.FactoredMatrix([[1]], [[1]]).at({ start: 0, stop: 1, step: 0 })')).toBe(
      'ERR_SVD_ARGUMENT',
    );
  });

  it('when an asynchronous call is all that the process waits for', () => {
    expect(quiet(run('f.svdAsync([[3]]).then(({ S }) => console.log(S.get(0)));'))).toBe('3');
  });

  it('when nothing is computed, or nothing more: the compute threads keep no process alive', () => {
    expect(quiet(run('console.log(Object.keys(f).length > 10);'))).toBe('true');
    expect(
      quiet(
        run(
          'await f.svdAsync({ data: new Float64Array(8e4).fill(1), shape: [8, 100, 100] }); console.log(1);',
        ),
      ),
    ).toBe('1');
  });
});

describe('a process that ends while it computes', () => {
  const job =
    'f.svdAsync({ data: Float64Array.from({ length: 16e4 }, (_, i) => Math.sin(i)), shape: [4, 200, 200] });';

  it.each([
    ['by process.exit', `${job} process.exit(3);`, 3],
    ['by process.exit a little later', `${job} setTimeout(() => process.exit(4), 5);`, 4],
    [
      'by an error that nobody catches',
      `process.on('uncaughtException', () => process.exit(5)); ${job} throw new Error('x');`,
      5,
    ],
  ])('%s, ends with the status that it asked for', (_, source, status) => {
    for (let i = 0; i < 3; i++) expect(run(source)).toMatchObject({ status, signal: null, stderr: '' });
  });

  it('because its job was aborted, ends cleanly', () => {
    const source = `const c = new AbortController(); const p = ${job}
      const q = f.svdAsync([[1]], { signal: c.signal }); c.abort('stop'); console.log(await q.catch((e) => e)); await p;`;
    expect(quiet(run(source))).toBe('stop');
  });
});

describe('workers', () => {
  const worker = (body: string) =>
    `new Worker(\`import('node:worker_threads').then(async ({ parentPort }) => { const f = await import(${JSON.stringify(esm)}); ${body} })\`, { eval: true })`;
  const job =
    'f.svdAsync({ data: Float64Array.from({ length: 16e4 }, (_, i) => Math.sin(i)), shape: [4, 200, 200] })';

  it('compute the same bits as the main thread, several at once', () => {
    const source = `
      import { Worker } from 'node:worker_threads';
      const input = "{ data: Float64Array.from({ length: 1200 }, (_, i) => Math.sin(i)), shape: [3, 20, 20] }";
      const workers = [0, 1, 2].map(() => ${worker(`parentPort.postMessage(Array.from((await f.svdAsync(\${input})).S.data));`)});
      const found = await Promise.all(workers.map((w) => new Promise((resolve, reject) => w.once('message', resolve).once('error', reject))));
      const own = Array.from(f.svd(eval('(' + input + ')')).S.data);
      console.log(found.every((S) => S.join() === own.join()), own.length);`;
    expect(quiet(run(source))).toBe('true 60');
  });

  it('terminated in the middle of a job do not take the process with them', () => {
    const source = `
      import { Worker } from 'node:worker_threads';
      for (let i = 0; i < 6; i++) {
        const w = ${worker(`${job}; ${job}; parentPort.postMessage(1); await ${job}; await ${job};`)};
        await new Promise((resolve, reject) => w.once('message', resolve).once('error', reject));
        await new Promise((resolve) => setTimeout(resolve, 3 * i));
        await w.terminate();
      }
      console.log((await ${job}).S.shape.join());`;
    expect(quiet(run(source))).toBe('4,200');
  });
});

describe('FACTORED_SVD_THREADS', () => {
  const digest = `
    import { createHash } from 'node:crypto';
    const x = (n, s) => Float64Array.from({ length: n }, (_, i) => Math.sin(s * (i + 1)));
    const h = createHash('sha256');
    const add = (r) => { for (const t of r) h.update(new Uint8Array(t.data.buffer)); };
    add(f.svd({ data: x(9 * 40 * 30, 1), shape: [9, 40, 30] }));
    const A = { data: x(5 * 700 * 6, 2), shape: [5, 700, 6] };
    const B = { data: x(6 * 300, 3), shape: [6, 300] };
    add(new f.FactoredMatrix(A, B).svd());
    add(await new f.FactoredMatrix(A, B).svdAsync());
    add([new f.FactoredMatrix(A, B).AB]);
    console.log(f.threads(), h.digest('hex'));`;
  const withThreads = (n?: string) => quiet(run(digest, { env: { FACTORED_SVD_THREADS: n } })).split(' ');

  it('sets the number of threads, and no bit depends on it', () => {
    const results = ['1', '2', '3', '7'].map(withThreads);
    expect(results.map(([n]) => n)).toEqual(['1', '2', '3', '7']);
    expect(new Set(results.map(([, digest]) => digest)).size).toBe(1);
    expect(withThreads()[1]).toBe(results[0][1]);
  });

  it('that is empty counts as not given: the cores this process may use', () => {
    const cores = quiet(run('import os from "node:os"; console.log(os.availableParallelism());'));
    expect(quiet(run('console.log(f.threads());', { env: { FACTORED_SVD_THREADS: '' } }))).toBe(cores);
    expect(quiet(run('console.log(f.threads());'))).toBe(cores);
  });

  it.each(['0', '-1', '1.5', 'many', '1e9', ' '])(
    '%o is ERR_SVD_ARGUMENT at the first use, not at import',
    (value) => {
      const env = { FACTORED_SVD_THREADS: value };
      expect(quiet(run('console.log(typeof f.svd);', { env }))).toBe('function');
      expect(codeOf('f.svd([[1]])', { env })).toBe('ERR_SVD_ARGUMENT');
    },
  );
});
