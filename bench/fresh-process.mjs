import { execFileSync } from 'node:child_process';

/** Runs `program`, in a process of its own, and reads what it prints as JSON. */
export const inFreshProcess = (program, args) =>
  JSON.parse(execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] }));
