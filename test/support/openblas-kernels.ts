import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { versions } from '../../lib/index.ts';
import { built } from './built.ts';
import { patience } from './patience.ts';

/** The processor kernels that this machine can run and this OpenBLAS can be told to use; fewer than two elsewhere. */
export const kernels: readonly string[] = availableKernels();

function availableKernels(): string[] {
  if (process.arch !== 'x64' || !versions().openblasConfig.includes('DYNAMIC_ARCH')) return [];
  const info = existsSync('/proc/cpuinfo') ? readFileSync('/proc/cpuinfo', 'utf8') : '';
  const needs = { Prescott: 'pni', Haswell: 'avx2', SkylakeX: 'avx512f' };
  return Object.entries(needs)
    .filter(([, flag]) => new RegExp(`^flags.*\\b${flag}\\b`, 'm').test(info))
    .map(([kernel]) => kernel);
}

/** Runs the built command in a process of its own, under one kernel. */
export function runUnder(kernel: string, ...argv: string[]): SpawnSyncReturns<string> {
  const env = { ...process.env, OPENBLAS_CORETYPE: kernel };
  return spawnSync(process.execPath, [built('command.js'), ...argv], {
    env,
    encoding: 'utf8',
    timeout: patience(15_000),
  });
}
