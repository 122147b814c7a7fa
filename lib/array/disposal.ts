/**
 * `Symbol.dispose` and `Symbol.asyncDispose`, which Node 20 has, but not in the contexts of `node:vm` in which Jest 29 runs tests: there
 * the names by which TypeScript, and what bundles this, look for them.
 */
export const dispose: typeof Symbol.dispose = Symbol.dispose ?? Symbol.for('Symbol.dispose');
export const asyncDispose: typeof Symbol.asyncDispose =
  Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose');
