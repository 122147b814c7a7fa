import { spawn } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inject } from 'vitest';
import { commands, type Runtime, runtimePath } from './tools.ts';

export interface Result {
  status: number | null;
  stdout: string;
  stderr: string;
  milliseconds: number;
}

interface Options {
  env?: Record<string, string>;
  /** Whether OpenBLAS cannot be found, which is so unless a test needs it. */
  hidden?: boolean;
  /** Milliseconds after which the command and what it started are killed. */
  limit?: number;
}

const traps = [
  'cc',
  'c++',
  'gcc',
  'g++',
  'clang',
  'clang++',
  'make',
  'ninja',
  'cmake',
  'cmake-js',
  'node-gyp',
  'python3',
];
const consumers = fileURLToPath(new URL('../consumers/', import.meta.url));

/**
 * An empty folder and an environment of its own, where nothing stands on PATH but `sh`, one version of Node, the package
 * managers that are asked for, and a trap under the name of every build tool.
 */
export class Sandbox {
  readonly folder: string;
  readonly #bin: string;
  readonly #trapped: string;

  constructor(node: Runtime = 'running', ...managers: (keyof typeof commands)[]) {
    const { root } = inject('scene');
    const base = mkdtempSync(join(root, 'scenario-'));
    this.folder = join(base, 'project');
    this.#bin = join(base, 'bin');
    this.#trapped = join(base, 'trapped');
    mkdirSync(this.folder);
    mkdirSync(this.#bin);
    if (node !== 'bun') symlinkSync(runtimePath(node), join(this.#bin, 'node'));
    symlinkSync('/bin/sh', join(this.#bin, 'sh'));
    for (const name of traps) this.#script(name, `echo "${name} $*" >>'${this.#trapped}'; exit 1`);
    for (const manager of managers) {
      const [program, ...words] = commands[manager];
      const name = manager.replace(/-\d+$/, '');
      if (program === 'node') this.#script(name, `exec node '${words[0]}' "$@"`);
      else symlinkSync(program, join(this.#bin, name));
    }
  }

  #script(name: string, line: string): void {
    writeFileSync(join(this.#bin, name), `#!/bin/sh\n${line}\n`);
    chmodSync(join(this.#bin, name), 0o755);
  }

  /** The build tools that were called here. */
  get trapped(): string {
    return existsSync(this.#trapped) ? readFileSync(this.#trapped, 'utf8') : '';
  }

  path(...names: string[]): string {
    return join(this.folder, ...names);
  }

  write(name: string, content: string | object): void {
    writeFileSync(this.path(name), typeof content === 'string' ? content : JSON.stringify(content, null, 2));
  }

  /** Copies programs of the folder consumers. */
  consume(...names: string[]): void {
    for (const name of names) cpSync(join(consumers, name), this.path(name), { recursive: true });
  }

  /** Runs a command here to its end. */
  attempt(
    command: readonly string[],
    { env = {}, hidden = true, limit = 80_000 }: Options = {},
  ): Promise<Result> {
    const scene = inject('scene');
    const [program, ...words] = [...(hidden ? scene.hidden : []), ...command];
    const start = performance.now();
    const child = spawn(program, words, {
      cwd: this.folder,
      detached: true, // a process group of its own, which ends together
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...scene.env, PATH: this.#bin, ...env },
    });
    const result: Result = { status: null, stdout: '', stderr: '', milliseconds: 0 };
    child.stdout.setEncoding('utf8').on('data', (text) => {
      result.stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text) => {
      result.stderr += text;
    });
    const timer = setTimeout(() => process.kill(-child.pid!, 'SIGKILL'), limit);
    return new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (status) => {
        clearTimeout(timer);
        resolve({ ...result, status, milliseconds: performance.now() - start });
      });
    });
  }

  /** Runs a command here that must end with 0. */
  async run(command: readonly string[], options: Options = {}): Promise<Result> {
    const result = await this.attempt(command, options);
    if (result.status === 0) return result;
    throw new Error(
      `${command.join(' ')} ended with ${result.status}\n${result.stdout}${result.stderr}${this.trapped}`,
    );
  }
}
