import { openSync, readSync } from 'node:fs';

/**
 * The most milliseconds that this thread computes between two turns of the event loop while the promise that `f` gives
 * is pending. What other programs do on the machine has no part in it. 0 where the system does not tell (not Linux).
 */
export async function longestTurn(f: () => Promise<unknown>): Promise<number> {
  const file = process.platform === 'linux' ? openSync('/proc/thread-self/schedstat', 'r') : undefined;
  const text = Buffer.alloc(100);
  const computed = (): number =>
    file === undefined
      ? 0
      : Number(text.toString('latin1', 0, readSync(file, text, 0, 100, 0)).split(' ')[0]) / 1e6;
  let longest = 0;
  let last = computed();
  const look = () => {
    const now = computed();
    longest = Math.max(longest, now - last);
    last = now;
  };
  let running = true;
  const turn = () => {
    look();
    if (running) setImmediate(turn);
  };
  setImmediate(turn);
  await f().finally(() => {
    look();
    running = false;
  });
  return longest;
}
