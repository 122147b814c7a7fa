import { spawnSync } from 'node:child_process';
import { built } from './built.ts';
import { patience } from './patience.ts';

/** The built command in a process that may take 20 s and a heap of 256 MB. */
export function within(...argv: string[]) {
  const node = ['--max-old-space-size=256', built('command.js'), ...argv];
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, node, {
    encoding: 'utf8',
    timeout: patience(20_000),
    maxBuffer: 2 ** 28,
    killSignal: 'SIGKILL',
  });
  return { status, signal, stdout, stderr };
}
