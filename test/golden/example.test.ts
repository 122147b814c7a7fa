import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { patience } from '../support/patience.ts';
import { temporaryFolder } from '../support/temporary.ts';

const at = temporaryFolder();

describe('examples/ci', () => {
  const example = fileURLToPath(new URL('../../examples/ci', import.meta.url));
  const root = fileURLToPath(new URL('../..', import.meta.url));

  /** A script of its package.json, in a copy where this package and vitest are installed. */
  function npmRun(script: string) {
    const copied = at('example');
    if (!existsSync(copied)) {
      cpSync(example, copied, { recursive: true, filter: (path) => !path.includes('node_modules') });
      mkdirSync(join(copied, 'node_modules/.bin'), { recursive: true });
      symlinkSync(root, join(copied, 'node_modules/factored-svd'));
      symlinkSync(join(root, 'node_modules/vitest'), join(copied, 'node_modules/vitest'));
      symlinkSync(join(root, 'dist/command.js'), join(copied, 'node_modules/.bin/factored-svd'));
      symlinkSync(join(root, 'node_modules/vitest/vitest.mjs'), join(copied, 'node_modules/.bin/vitest'));
    }
    const own = Object.entries(process.env).filter(([name]) => !/^(VITEST|TEST|NODE_ENV|npm_)/.test(name));
    const env = { ...Object.fromEntries(own), NO_COLOR: '1' };
    return spawnSync('npm', ['run', script], {
      cwd: copied,
      env,
      encoding: 'utf8',
      timeout: patience(60_000),
    });
  }

  test('its tests pass', { timeout: patience(60_000) }, () => {
    const { status, stdout, stderr } = npmRun('test');
    expect({ status, output: stdout + stderr }).toMatchObject({ status: 0 });
    expect(stdout).toMatch(/Tests +8 passed \(8\)/);
  });

  test('its golden files hold, and can be recorded anew', { timeout: patience(60_000) }, () => {
    for (const script of ['compare:checkpoint', 'golden:checkpoint', 'compare:checkpoint'])
      expect(npmRun(script)).toMatchObject({ status: 0 });
    expect(npmRun('compare')).toMatchObject({
      status: 0,
      stdout: expect.stringContaining('ok: weights/attention'),
    });
    expect(npmRun('golden')).toMatchObject({ status: 0 });
    expect(npmRun('compare')).toMatchObject({ status: 0 });
  });
});
