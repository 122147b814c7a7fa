// Runs a fuzz script in a process of its own and ends it when it stops telling what it does: a hang or a crash in native
// code then still names the case. The fuzz script calls `watched` first thing, and `announce` before every case.
import { fork } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect, parseArgs } from 'node:util';

const patience = 60_000; // milliseconds for one case, under sanitizers too
const marker = 'FSVD_FUZZ_CASE';

/**
 * In the first process: runs the script again under watch and exits with its status. In the second: returns the options
 * `--seconds` (default 20), `--seed` (default: the time) and `--only` (a case).
 */
export async function watched() {
  const { values } = parseArgs({
    options: { seconds: { type: 'string' }, seed: { type: 'string' }, only: { type: 'string' } },
  });
  const options = {
    seconds: Number(values.seconds ?? 20),
    seed: Number(values.seed ?? Date.now() % 2 ** 31),
    only: values.only,
  };
  if (!(options.seconds > 0) || !Number.isInteger(options.seed)) {
    console.error(`usage: node ${process.argv[1]} [--seconds N] [--seed N]`);
    process.exit(2);
  }
  if (process.env[marker]) return options;
  const folder = mkdtempSync(join(tmpdir(), 'factored-svd-fuzz-'));
  const file = join(folder, 'case');
  writeFileSync(file, 'loading\n');
  const args = ['--seconds', String(options.seconds), '--seed', String(options.seed)];
  if (options.only) args.push('--only', options.only);
  const child = fork(process.argv[1], args, {
    env: { ...process.env, NODE_NO_WARNINGS: '1', [marker]: file },
  });
  let hung = false;
  const watch = setInterval(() => {
    hung = Date.now() - statSync(file).mtimeMs > patience;
    if (hung) child.kill('SIGKILL');
  }, 1000);
  const [status, signal] = await new Promise((resolve) => {
    child.on('exit', (...how) => resolve(how));
  });
  clearInterval(watch);
  if (signal) {
    console.error(
      hung ? `no sign of life for ${patience / 1000} s in the case` : `ended by ${signal} in the case`,
    );
    console.error(readFileSync(file, 'utf8'));
  }
  if (status !== 0) console.error(`to repeat it: --seed ${options.seed}`); // whatever failed, the script itself too
  rmSync(folder, { recursive: true });
  process.exit(signal ? 1 : status);
}

/** Says, before a case is run, which one it is. */
export function announce(name, args) {
  writeFileSync(
    process.env[marker],
    `${name} ${inspect(args, { depth: 8, maxArrayLength: 100, breakLength: 110 })}\n`,
  );
}
