import type { FloatArray } from '../array/elements.ts';
import type { Batch, InputBatch } from './batch.ts';

// What every kernel is called with, by name, in the order in which native/binding/kernels.cc reads it under the same names;
// test/native/contract.test.ts compares the two.

/** The kinds of fields: their types here, and the member of `Arguments` in native/binding/arguments.h that reads them. */
interface Kinds {
  batch: Batch; // batch<T>
  'batch?': Batch | undefined; // optional_batch<T>
  stored: InputBatch; // batch<T>, of any format
  output: Batch; // output<T>
  'stored output': InputBatch; // output<T>
  'output?': Batch | undefined; // optional_output<T>
  float64: Float64Array; // required_array<double>
  float: FloatArray; // required_array<T>
  int32: Int32Array; // required_array<std::int32_t>
  'int32?': Int32Array | null | undefined; // array<std::int32_t>
  number: number;
  integer: number;
  flag: boolean;
}

const gauge = { perm: 'int32?', exponents: 'int32?' } as const;
const roots = { ...gauge, unit: 'int32', rootD: 'output', r: 'output', status: 'float64' } as const;

const contract = {
  /** Norms of the columns as fraction · 2^exponent; whether all elements are finite. */
  scan: { a: 'batch', fraction: 'float64', exponent: 'int32', status: 'float64' },
  /** out = (accumulate ? out : 0) + alpha · a with its gauge */
  pack: { format: 'integer', a: 'stored', out: 'output', ...gauge, alpha: 'number', accumulate: 'flag' },
  /** The same elements with their bits. */
  copy: { a: 'stored', out: 'stored output' },
  /** Gram matrices, one below the other, of equal blocks of rows of a; or of a with its gauge times root⁻¹. */
  gram: { a: 'batch', ...gauge, root: 'batch?', gram: 'output' },
  cholesky: { root: 'output', gram: 'batch', ...roots },
  choleskyAgain: { root: 'batch', gram: 'batch', ...roots },
  /** x = root⁻¹ · c, for the factor without its gauge */
  solveRoot: { c: 'batch', x: 'output', ...gauge, root: 'batch' },
  /** out = a with its gauge · root⁻¹ · x, by blocks of rows */
  multiplySolved: { a: 'batch', ...gauge, root: 'batch', x: 'batch', blocks: 'integer', out: 'output' },
  gramSvd: {
    left: 'batch',
    leftPerm: 'int32?',
    leftExponents: 'int32?',
    x: 'output?',
    right: 'batch',
    rightPerm: 'int32?',
    rightExponents: 'int32?',
    y: 'output?',
    s: 'float64',
    status: 'float64',
  },
  qr: { a: 'batch', q: 'float64', t: 'float64', r: 'float64', status: 'float64' },
  applyQ: {
    c: 'batch',
    rows: 'integer',
    cols: 'integer',
    q: 'float64',
    t: 'float64',
    out: 'float64',
    status: 'float64',
  },
  /** c = alpha · a · b (+ c) */
  gemm: { a: 'batch', b: 'batch', alpha: 'number', accumulate: 'flag', c: 'output', status: 'float64' },
  /** c = a · diag(2^exponents) · bᵀ, its columns scaled */
  scaledCore: { a: 'batch', b: 'batch', exponents: 'int32?', c: 'float64', scales: 'int32' },
  /** a = u · diag(s) · vh, by the first of some routines that converges, or by `only` one of LAPACK's */
  svdLadder: {
    a: 'batch',
    vectors: 'integer',
    only: 'integer',
    scales: 'int32?',
    u: 'output',
    s: 'output',
    vh: 'output',
    status: 'float64',
  },
  /** c = a · aᵀ */
  outer: { a: 'batch', c: 'output' },
  /** Whether a, which is overwritten, is positive definite. */
  definite: { a: 'output', status: 'float64' },
  geev: { a: 'batch', real: 'float', imag: 'float', status: 'float64' },
} as const satisfies Record<string, Record<string, keyof Kinds>>;

export type Kernel = keyof typeof contract;

export type Fields<K extends Kernel> = {
  readonly [F in keyof (typeof contract)[K]]: Kinds[(typeof contract)[K][F] & keyof Kinds];
};

/** One kernel call that a composition asks its driver to make. */
export interface KernelCall<K extends Kernel = Kernel> {
  readonly kernel: K;
  readonly fields: AnyFields;
}

/** A copy by the calling thread, which waits for no other. */
export interface CopyAlone extends KernelCall<'copy'> {
  readonly alone: true;
}

type AnyFields = Readonly<Record<string, unknown>>;

/** The call of `kernel` with these fields. */
export const call = <K extends Kernel>(kernel: K, fields: Fields<K>): KernelCall<K> => ({ kernel, fields });

export const kernelNames = Object.keys(contract) as readonly Kernel[];

interface Field {
  readonly name: string;
  readonly kind: keyof Kinds;
  readonly form: 'batch' | 'number' | 'array';
}

/** The fields of `kernel` with their kinds, in the order of the addon. */
export const fieldsOf = (kernel: Kernel): readonly Field[] => orders[kernel];

const orders = Object.fromEntries(
  Object.entries(contract).map(([kernel, fields]) => [
    kernel,
    Object.entries(fields).map(([name, kind]) => ({ name, kind, form: formOf(kind) })),
  ]),
) as Record<Kernel, Field[]>;

function formOf(kind: keyof Kinds): Field['form'] {
  if (/batch|stored|output/.test(kind)) return 'batch';
  return kind === 'number' || kind === 'integer' || kind === 'flag' ? 'number' : 'array';
}

/** All numbers of one call: the addon reads them before it returns, and gets one array sooner than many numbers. */
const numbers = new Float64Array(64);

/**
 * The arguments of the addon for a call of `kernel`: `numbers`, and then the arrays. Of a batch these are its elements and
 * its offsets, and seven numbers. Valid until the next call is flattened.
 */
export function flattened({ kernel, fields }: KernelCall): unknown[] {
  const args: unknown[] = [numbers];
  let n = 0;
  for (const { name, form } of orders[kernel]) {
    const value = fields[name];
    if (form === 'array') args.push(value);
    else if (form === 'number') numbers[n++] = Number(value);
    else {
      const a = value as InputBatch | undefined;
      args.push(a?.data, a?.offsets);
      if (a) {
        numbers[n] = a.count;
        numbers[n + 1] = a.rows;
        numbers[n + 2] = a.cols;
        numbers[n + 3] = a.rowStride;
        numbers[n + 4] = a.colStride;
        numbers[n + 5] = a.first;
        numbers[n + 6] = a.step;
      }
      n += 7;
    }
  }
  return args;
}
