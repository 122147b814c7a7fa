import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../support/temporary.ts';
import { output, run, succeeds, testLimit } from './support/child.ts';

// The addon of a platform package, which has its own OpenBLAS: FACTORED_SVD_TEST_STATIC, or the one that
// `npm run package:platform` made for this platform.

const root = fileURLToPath(new URL('../../', import.meta.url));
const packed = join(root, `packages/out/factored-svd-${process.platform}-${process.arch}/factored_svd.node`);
const own = process.env.FACTORED_SVD_TEST_STATIC ?? packed;
const system = join(root, 'native/build/Release/factored_svd.node');
if (process.env.FACTORED_SVD_TEST_STATIC && !existsSync(own)) throw new Error(`there is no ${own}`);

const at = temporaryFolder();
const withOwn = { FACTORED_SVD_BINARY: own };
const withSystem = { FACTORED_SVD_BINARY: system };
const mostBytes = 60e6;

/** A library that has routines of a BLAS, and ends the process when one is called. */
function trap(): string {
  const path = at('trap.so');
  const names =
    'sgemm_ dgemm_ sgesdd_ dgesdd_ dgemv_ dsyrk_ dtrmm_ dlarft_ dlasdq_ lsame_ ilaenv_ openblas_set_num_threads';
  const source = names.split(' ').map((name) => `extern "C" void ${name}() { abort(); }`);
  execFileSync('g++', ['-shared', '-fPIC', '-x', 'c++', '-', '-o', path], {
    input: ['#include <cstdlib>', ...source].join('\n'),
  });
  return path;
}

interface Computed {
  readonly digest: string;
  readonly config: string;
}

async function computed(env: Record<string, string>): Promise<Computed> {
  // stderr is not judged: Node itself complains there of some libraries that are loaded before it.
  const { stdout, ...ended } = await run('same-bits.mjs', { env });
  expect(ended).toMatchObject({ status: 0, signal: null });
  return JSON.parse(stdout) as Computed;
}

/** The system's OpenBLAS, by the name under which the dynamic loader knows it. */
const openblas = existsSync(system)
  ? /=> (\S*libopenblas\S*)/.exec(execFileSync('ldd', [system], { encoding: 'utf8' }))?.[1]
  : undefined;

describe.runIf(existsSync(own))('the addon with its own OpenBLAS', { timeout: testLimit }, () => {
  it('takes less than 60 MB when loaded', async () => {
    const { build, bytes } = JSON.parse(await output('load-memory.mjs', { env: withOwn }));
    expect(build).toContain('static OpenBLAS');
    expect(bytes).toBeGreaterThan(0);
    expect(bytes).toBeLessThan(mostBytes);
  });

  it.runIf(existsSync('/proc/self/task'))('starts no threads, whoever loads it', async () => {
    for (const env of [{}, { OPENBLAS_NUM_THREADS: '8' }, { OMP_NUM_THREADS: '8' }]) {
      await succeeds('no-blas-threads.mjs', { env: { ...withOwn, ...env } });
      expect(await output('worker-loads.mjs', { env: { ...withOwn, ...env } })).toBe('0\n');
    }
  });

  it.runIf(process.platform === 'linux')('calls no other BLAS of the process', async () => {
    const preloaded = { LD_PRELOAD: trap() };
    expect(await computed({ ...withOwn, ...preloaded })).toEqual(await computed(withOwn));
    // The trap works: whose OpenBLAS is a library of the process runs into it.
    if (existsSync(system)) {
      const ended = await run('same-bits.mjs', { env: { ...withSystem, ...preloaded } });
      expect(ended.signal).toBe('SIGABRT');
    }
  });

  it.runIf(openblas)('has the same bits where the OpenBLAS of the system is in the process', async () => {
    expect(await computed({ ...withOwn, LD_PRELOAD: openblas as string })).toEqual(await computed(withOwn));
  });

  it.runIf(openblas)(
    'has the bits of a build with the OpenBLAS of the system, of the same version',
    async ({ skip }) => {
      const [ours, theirs] = [await computed(withOwn), await computed(withSystem)];
      skip(ours.config !== theirs.config, `${ours.config} and ${theirs.config} are two`);
      expect(ours.digest).toBe(theirs.digest);
    },
  );

  it.runIf(openblas)('works beside a copy of itself and that build', () =>
    succeeds('copies.mjs', { args: [own, system, copyOf(own)] }),
  );
});

function copyOf(file: string): string {
  const copy = at('copy.node');
  execFileSync('cp', [file, copy]);
  return copy;
}
