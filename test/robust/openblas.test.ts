import { copyFileSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { output, succeeds, testLimit } from './support/child.ts';

const binary =
  process.env.FACTORED_SVD_BINARY ??
  fileURLToPath(new URL('../../native/build/Release/factored_svd.node', import.meta.url));

describe('the environment', { timeout: testLimit }, () => {
  const settings = [
    {},
    { OPENBLAS_NUM_THREADS: '8' },
    { OPENBLAS_NUM_THREADS: '1' },
    { OMP_NUM_THREADS: '8', OMP_DYNAMIC: 'true' },
    { GOTO_NUM_THREADS: '3' },
    { FACTORED_SVD_THREADS: '3' },
  ];

  it('neither makes BLAS use threads of its own nor changes a bit', async () => {
    const digests = new Set<string>();
    for (const env of settings) digests.add(await output('one-blas-thread.mjs', { env }));
    expect(digests.size).toBe(1);
  });

  it.runIf(existsSync('/proc/self/task'))(
    'neither makes OpenBLAS start threads of its own nor is changed for good',
    async () => {
      for (const env of settings) await succeeds('no-blas-threads.mjs', { env });
    },
  );
});

describe('several copies of the addon', { timeout: testLimit }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'factored-svd-copies-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  it('work side by side in one process and give the same bits', () => {
    const copies = ['one', 'two', 'three'].map((name) => join(folder, `${name}.node`));
    for (const copy of copies) copyFileSync(binary, copy);
    return succeeds('copies.mjs', { args: copies });
  });
});

// Debian has three builds of OpenBLAS that can stand side by side. FACTORED_SVD_TEST_OPENBLAS names folders to look in
// besides those of the system.
const kinds = [
  ['serial', 'SINGLE_THREADED'],
  ['openmp', 'USE_OPENMP'],
] as const;
const roots = [...(process.env.FACTORED_SVD_TEST_OPENBLAS ?? '').split(':'), ...systemFolders()].filter(
  Boolean,
);
const folderOf = (kind: string) =>
  roots
    .map((root) => join(root, `openblas-${kind}`))
    .find((path) => existsSync(join(path, 'libopenblas.so.0')));

function systemFolders(): string[] {
  if (!existsSync('/usr/lib')) return [];
  return readdirSync('/usr/lib')
    .filter((name) => name.endsWith('-linux-gnu'))
    .map((name) => join('/usr/lib', name));
}

describe.each(kinds)('the %s build of OpenBLAS', { timeout: testLimit }, (kind, says) => {
  const folder = folderOf(kind);
  const env = { LD_LIBRARY_PATH: folder };

  it.skipIf(!folder)('computes correctly for several threads at once', async () => {
    const { config } = JSON.parse(await output('same-bits.mjs', { env })) as { config: string };
    expect(config).toContain(says);
  });

  it.skipIf(!folder)('computes correctly in several workers', () => succeeds('workers.mjs', { env }));

  it.skipIf(!folder)('lets processes be started', () => succeeds('spawn-storm.mjs', { args: [2], env }));
});
