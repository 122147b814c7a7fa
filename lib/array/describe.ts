import { svdError } from './errors.ts';

// What messages say of arguments that are wrong.

export const mostDims = 64; // as numpy

/** Throws `ERR_SVD_ARGUMENT` about the argument `name`. */
export function invalid(name: string, message: string): never {
  throw svdError('ERR_SVD_ARGUMENT', `${name}: ${message}`);
}

/** Whether `x` is a proxy that was revoked: `Array.isArray` throws for nothing else. */
export function isRevoked(x: object): boolean {
  try {
    return typeof Array.isArray(x) !== 'boolean'; // its result is used, or a bundler would leave the call out
  } catch {
    return true;
  }
}

/** Whether `x` is an object with these keys, its own or inherited. */
export const has = (x: unknown, ...keys: string[]): boolean =>
  x !== null && typeof x === 'object' && !isRevoked(x) && keys.every((key) => key in x);

/** `Array.isArray`. `ERR_SVD_ARGUMENT` for a proxy that was revoked. */
export function isArray(x: unknown, name: string): x is readonly unknown[] {
  if (isRevoked(x as object)) invalid(name, 'is a proxy that was revoked');
  return Array.isArray(x);
}

/** The kind of value that was given. */
export function describe(x: unknown): string {
  if (x === null || x === undefined) return String(x);
  if (typeof x === 'object') {
    const name: unknown = x.constructor?.name;
    return typeof name === 'string' ? name : 'an object';
  }
  return typeof x === 'string'
    ? `'${x}'`
    : typeof x === 'function'
      ? 'a function'
      : `${typeof x} ${String(x)}`;
}
