import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['**/*.scenario.ts'],
    globalSetup: 'support/setup.ts',
    testTimeout: 90_000,
    hookTimeout: 90_000,
    maxWorkers: 2,
    reporters: ['verbose'],
  },
});
