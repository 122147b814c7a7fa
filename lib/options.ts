import { isRevoked } from './describe.ts';
import { shown, svdError } from './errors.ts';
import { missingOption } from './option-names.ts';

// What the options of the public functions may be. Their types are interfaces, with a comment on every option; the
// tables below are checked against them by the compiler: none may be missing, none too many, none of another type.

/** What one option may be. */
export interface Kind<in out T> {
  /** For messages: `expected …`. */
  readonly expected: string;
  readonly accepts: (x: unknown) => x is T;
}

/** A kind for every option of `O`. */
export type OptionTable<O = Record<never, never>> = {
  readonly [K in keyof O]-?: Kind<Exclude<O[K], undefined>>;
};

export const flag: Kind<boolean> = {
  expected: 'true or false',
  accepts: (x): x is boolean => typeof x === 'boolean',
};

/** How many: its upper limit is known to the computation only. */
export const count: Kind<number> = {
  expected: 'an integer ≥ 0',
  accepts: (x): x is number => Number.isSafeInteger(x) && (x as number) >= 0,
};

export const tolerance: Kind<number> = {
  expected: 'a number ≥ 0',
  accepts: (x): x is number => typeof x === 'number' && x >= 0,
};

export const abortSignal: Kind<AbortSignal> = {
  expected: 'an AbortSignal',
  accepts: (x): x is AbortSignal =>
    x !== null && typeof x === 'object' && 'aborted' in x && 'addEventListener' in x && 'throwIfAborted' in x,
};

export const callback = <F extends (...args: never[]) => unknown>(): Kind<F> => ({
  expected: 'a function',
  accepts: (x): x is F => typeof x === 'function',
});

export const oneOf = <const T extends string | number>(...names: readonly T[]): Kind<T> => ({
  expected: names.map(shown).join(' or '),
  accepts: (x): x is T => names.includes(x as T),
});

/** The value itself. `ERR_SVD_ARGUMENT` unless it is of that kind. */
export function checkKind<T>(x: unknown, kind: Kind<T>, name: string): T {
  if (kind.accepts(x)) return x;
  throw svdError('ERR_SVD_ARGUMENT', `${name}: expected ${kind.expected}, got ${shown(x)}`);
}

/**
 * A copy of `options` in which each has been read once, without those that are `undefined`. Options by a symbol or that
 * are not enumerable are looked at like any other.
 *
 * @param of whose options they are, for messages
 * @throws `ERR_SVD_ARGUMENT` when it is no plain object, or an option does not exist or is of another kind
 */
export function checkOptions(options: unknown, table: OptionTable, of: string): Record<string, unknown> {
  if (!isPlain(options)) {
    const names = Object.keys(table).join(', ');
    throw svdError(
      'ERR_SVD_ARGUMENT',
      `${of}: options: expected an object, { ${names} }, got ${shown(options)}`,
    );
  }
  const out: Record<string, unknown> = {};
  for (const key of Reflect.ownKeys(options)) {
    const name = String(key);
    if (key !== name || !Object.hasOwn(table, name)) throw missingOption(name, Object.keys(table), of);
    const value = options[name];
    if (value === undefined) continue;
    const kind = (table as Record<string, Kind<unknown>>)[name];
    out[name] = checkKind(value, kind, `${of}: ${name}`);
  }
  return out;
}

/** `{ … }`, of this or another realm; not an instance of a class, which could be any other argument. */
export function isPlain(x: unknown): x is Record<string, unknown> {
  if (x === null || typeof x !== 'object' || isRevoked(x)) return false;
  const prototype = Object.getPrototypeOf(x);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}
