import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const command = fileURLToPath(new URL('../../dist/command.js', import.meta.url));

/** The built command in a process that may take 20 s and a heap of 256 MB. */
export function within(...argv: string[]) {
  if (!existsSync(command)) throw new Error('dist/command.js is not built: run npm run build:lib first');
  const node = ['--max-old-space-size=256', command, ...argv];
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, node, {
    encoding: 'utf8',
    timeout: 20_000,
    maxBuffer: 2 ** 28,
    killSignal: 'SIGKILL',
  });
  return { status, signal, stdout, stderr };
}
