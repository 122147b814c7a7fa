import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { patience } from '../../support/patience.ts';

const folder = fileURLToPath(new URL('../children/', import.meta.url));
const dist = fileURLToPath(new URL('../../../dist/index.js', import.meta.url));

/** How a process ended. */
export interface Ended {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ChildOptions {
  readonly args?: readonly unknown[];
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Seconds after which the process counts as hanging and is killed. */
  readonly limit?: number;
  /** Options of node. */
  readonly node?: readonly string[];
}

/** Seconds a child may take: a multiple of what it needs on two busy cores. Tests allow a little more. */
export const childLimit = patience(60);
export const testLimit = 1000 * (childLimit + 15);

/** Runs a script of test/robust/children with the package as it was built, and says how it ended. */
export async function run(script: string, options: ChildOptions = {}): Promise<Ended> {
  if (!existsSync(dist)) throw new Error('dist/index.js is not built: run `npm run build:lib` first');
  const { args = [], env = {}, limit = childLimit, node = [] } = options;
  const argv = [...node, `${folder}${script}`, ...args.map(String)];
  const child = spawn(process.execPath, argv, {
    env: { ...process.env, NODE_OPTIONS: undefined, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const text = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (part: string) => {
      text[name] += part;
    });
  }
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    child.kill('SIGKILL');
  }, 1000 * limit);
  const [status, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (...how) => resolve(how));
  });
  clearTimeout(timer);
  if (late)
    throw new Error(`${script} ${args.join(' ')} still ran after ${limit} s\n${text.stdout}${text.stderr}`);
  return { status, signal, ...text };
}

/** That the script ends by itself, with status 0 and nothing on stderr. */
export async function succeeds(script: string, options?: ChildOptions): Promise<void> {
  await output(script, options);
}

/** The same; returns what it printed. */
export async function output(script: string, options?: ChildOptions): Promise<string> {
  const { stdout, ...ended } = await run(script, options);
  expect(ended, `${script}: ${stdout}`).toEqual({ status: 0, signal: null, stderr: '' });
  return stdout;
}
