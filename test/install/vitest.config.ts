import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['**/*.scenario.ts'],
    globalSetup: 'support/setup.ts',
    testTimeout: 90_000,
    hookTimeout: 90_000,
    teardownTimeout: 60_000, // on a busy machine a worker takes a while to end
    maxWorkers: 2,
    reporters: ['verbose'],
  },
});
