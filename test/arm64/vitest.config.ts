import { delimiter } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { ForksPoolWorker, type PoolOptions } from 'vitest/node';

const bin = fileURLToPath(new URL('bin', import.meta.url));

/** Runs test files in Node.js for arm64. vitest itself, which only reads and transforms them, runs on this processor. */
class EmulatedWorker extends ForksPoolWorker {
  constructor(options: PoolOptions) {
    super(options);
    this.env = { ...this.env, PATH: `${bin}${delimiter}${process.env.PATH}` };
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
    testTimeout: 600_000,
    hookTimeout: 600_000,
    pool: { name: 'emulated', createPoolWorker: (options) => new EmulatedWorker(options) },
  },
});
