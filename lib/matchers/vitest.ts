/**
 * `factored-svd/vitest`: importing it (or naming it in `setupFiles`) adds the matchers below to vitest's `expect`. They are
 * the functions of `factored-svd/testing`; a failure says which check failed, by how much over which bound, and where.
 */
import { expect } from 'vitest';
import { matchers, type SvdMatchers } from './matchers.ts';

export type { MatchGoldenOptions } from './golden.ts';
export type { SvdMatchers } from './matchers.ts';

declare module 'vitest' {
  // biome-ignore lint/suspicious/noExplicitAny: vitest declares it so, and declarations that merge must agree
  interface Matchers<T = any> extends SvdMatchers<T> {}
  // biome-ignore lint/suspicious/noExplicitAny: as above; for expect.not
  interface AsymmetricMatchersContaining extends SvdMatchers<any> {}
}

expect.extend(matchers);
