import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { versions } from '../../lib/index.ts';
import { output, testLimit } from './support/child.ts';

// OpenBLAS uses the kernels that OPENBLAS_CORETYPE names, whether the processor can run them or not.

const needs = { Opteron: '3dnow', Excavator: 'fma4', SkylakeX: 'avx512f', Haswell: 'avx2', Prescott: 'pni' };
const info = existsSync('/proc/cpuinfo') ? readFileSync('/proc/cpuinfo', 'utf8') : '';
const has = (flag: string) => new RegExp(`^flags.*\\s${flag}(\\s|$)`, 'm').test(info);
const named = Object.entries(needs);
const dynamic = process.arch === 'x64' && info !== '' && versions().openblasConfig.includes('DYNAMIC_ARCH');

const computedWith = async (core: string) =>
  JSON.parse(await output('coretype.mjs', { env: { OPENBLAS_CORETYPE: core } }));

describe.runIf(dynamic)('OPENBLAS_CORETYPE', { timeout: testLimit }, () => {
  it.each(named.filter(([, flag]) => !has(flag)))(
    'of kernels that this processor cannot run is ERR_SVD_BINARY, not SIGILL: %s needs %s',
    async (core, feature) => {
      const { code, message } = await computedWith(core);
      expect(code).toBe('ERR_SVD_BINARY');
      expect(message).toContain(`kernels for ${core}, which this processor cannot run: it has no ${feature}`);
      expect(message).toMatch(/To mend it:\n- .*\n {4}unset OPENBLAS_CORETYPE$/);
    },
  );

  it.each(named.filter(([, flag]) => has(flag)))('of others computes with them: %s', async (core) => {
    expect(await computedWith(core)).toEqual({ core });
  });
});
