import { availableParallelism } from 'node:os';
import { delimiter } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { ForksPoolWorker, type PoolOptions } from 'vitest/node';

const bin = fileURLToPath(new URL('bin', import.meta.url));
const slowdown = 30; // at most; 10 for small computations

/** Runs test files in Node.js for arm64. vitest itself, which only reads and transforms them, runs on this processor. */
class EmulatedWorker extends ForksPoolWorker {
  constructor(options: PoolOptions) {
    super(options);
    this.env = {
      ...this.env,
      PATH: `${bin}${delimiter}${process.env.PATH}`,
      FACTORED_SVD_TEST_SLOWDOWN: `${slowdown}`,
    };
  }

  override start(): Promise<void> {
    const { execPath } = process;
    process.execPath = `${bin}/node`; // which the worker is forked from before start() first waits
    try {
      return super.start();
    } finally {
      process.execPath = execPath;
    }
  }
}

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: [
      'test/golden/example.test.ts', // vitest itself in that process, and its bundler is not installed for arm64
    ],
    testTimeout: slowdown * 60_000,
    hookTimeout: slowdown * 60_000,
    maxWorkers: availableParallelism(),
    pool: { name: 'emulated', createPoolWorker: (options) => new EmulatedWorker(options) },
  },
});
