#!/usr/bin/env node
import { run } from './run.ts';

process.exitCode = await run(process.argv.slice(2), process);
// A LAPACK call that is under way cannot be stopped; the user need not wait for it.
if (process.exitCode > 128) process.exit();
