import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';

/** Paths in a folder of the caller's own, which is made when the first is asked for and removed after its tests. */
export function temporaryFolder(): (name?: string) => string {
  let folder: string | undefined;
  afterAll(() => {
    if (folder) rmSync(folder, { recursive: true, force: true });
  });
  return (name = '') => {
    folder ??= mkdtempSync(join(tmpdir(), 'factored-svd-test-'));
    return join(folder, name);
  };
}
