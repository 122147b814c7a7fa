import type { SvdError } from './errors.ts';
import { itemOffsets } from './item-offsets.ts';
import type { Svd } from './svd-result.ts';
import { dtypeOf, showShape, type Tensor } from './views.ts';

// Results as JSON, and as text for people.

/** An array in JSON: its elements in row-major order. What is not finite is `null` there. */
export interface ArrayJson {
  /** Size of every dimension. */
  readonly shape: readonly number[];
  /** All elements, in row-major order. */
  readonly data: readonly number[];
}

export const arrayJson = (x: Tensor): ArrayJson => ({
  shape: [...x.shape],
  data: Array.from(itemOffsets(x, x.shape.length), (offset) => x.data[offset]),
});

/** One number per matrix in JSON. */
export const perMatrixJson = (x: Svd['bound']): number | ArrayJson =>
  typeof x === 'number' ? x : arrayJson(x);

/** An error in JSON. */
export interface ErrorJson {
  /** One of `SvdErrorCode`. */
  readonly code: string;
  /** What went wrong, where, and what was expected. */
  readonly message: string;
  /** Indices of the matrix in the leading dimensions, where there are any. */
  readonly batchIndex?: readonly number[];
}

export const errorJson = ({ code, message, batchIndex }: SvdError): ErrorJson => ({
  code,
  message,
  ...(batchIndex && { batchIndex }),
});

/** `float64 [3, 2]` */
const kind = (x: Tensor): string => `${dtypeOf(x)} ${showShape(x.shape)}`;

const short = (x: number): string => String(Number(x.toPrecision(5)));

/** A few of the singular values: `float64 [4] (3.1, 2.2, … 0.1)`. */
function shownValues(S: Tensor): string {
  if (S.shape.length > 1 || S.size === 0) return kind(S);
  const all = Array.from(S.data.subarray(S.offset, S.offset + S.size), short);
  const some = all.length > 4 ? [...all.slice(0, 3), `… ${all.at(-1)}`] : all;
  return `${kind(S)} (${some.join(', ')})`;
}

/** One line for a decomposition, whose last array is called `last`. */
export function shownDecomposition(
  name: string,
  { U, S, ...last }: { readonly U: Tensor; readonly S: Tensor } & Record<string, Tensor>,
  more: Record<string, string> = {},
): string {
  const fields = {
    U: kind(U),
    S: shownValues(S),
    ...Object.fromEntries(Object.entries(last).map(([key, x]) => [key, kind(x)])),
    ...more,
  };
  return `${name} { ${Object.entries(fields)
    .map(([key, text]) => `${key}: ${text}`)
    .join(', ')} }`;
}

/** `1.2e-15`, or the dtype and shape. */
export const shownPerMatrix = (x: Svd['bound']): string => (typeof x === 'number' ? short(x) : kind(x));

/** The name, or each of several with how many there are. */
export function shownNames(names: string | readonly string[]): string {
  if (typeof names === 'string') return names;
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return Array.from(counts, ([name, n]) => `${name} (${n})`).join(', ');
}
