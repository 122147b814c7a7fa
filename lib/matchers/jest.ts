/**
 * `factored-svd/jest`: naming it in `setupFilesAfterEnv` (or importing it) adds the matchers of `factored-svd/vitest` to Jest's
 * global `expect`. Where Jest injects no globals: `expect.extend(matchers)`.
 */
import { matchers, type SvdMatchers } from './matchers.ts';

export type { MatchGoldenOptions } from './golden.ts';
export { type Matcher, type MatcherFunctions, matchers, type SvdMatchers, type Verdict } from './matchers.ts';

declare global {
  namespace jest {
    // biome-ignore lint/complexity/noBannedTypes: @types/jest declares it so, and declarations that merge must agree
    interface Matchers<R, T = {}> extends SvdMatchers<R> {}
  }
}

const { expect } = globalThis as { expect?: { extend(added: object): void } };
expect?.extend(matchers);
