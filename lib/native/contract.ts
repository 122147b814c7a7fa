import type { FloatArray } from '../array/elements.ts';
import type { Batch, InputBatch } from './batch.ts';

// What every kernel is called with, by name, in the order in which native/binding/kernels.cc reads it under the same names;
// test/native/contract.test.ts compares the two.

/** What a kernel reads of one field: JavaScript on the left, the members of `Arguments` on the right. */
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
  gesdd: {
    a: 'batch',
    vectors: 'integer',
    scales: 'int32?',
    u: 'output',
    s: 'output',
    vh: 'output',
    status: 'float64',
  },
  geev: { a: 'batch', real: 'float', imag: 'float', status: 'float64' },
} as const satisfies Record<string, Record<string, keyof Kinds>>;

export type Kernel = keyof typeof contract;

export type Fields<K extends Kernel> = {
  readonly [F in keyof (typeof contract)[K]]: Kinds[(typeof contract)[K][F] & keyof Kinds];
};

/** One kernel call that a composition asks its driver to make. */
export interface KernelCall {
  readonly kernel: Kernel;
  readonly args: readonly unknown[];
  /** By the calling thread, which waits for no other. */
  readonly alone?: boolean;
}

export const kernelNames = Object.keys(contract) as readonly Kernel[];

/** The fields of `kernel` with their kinds, in the order of the addon. */
export const fieldsOf = (kernel: Kernel): readonly (readonly [name: string, kind: string])[] =>
  orders[kernel];

const orders = Object.fromEntries(
  Object.entries(contract).map(([kernel, fields]) => [kernel, Object.entries(fields)]),
) as Record<Kernel, [name: string, kind: keyof Kinds][]>;

const batchKinds: ReadonlySet<string> = new Set<keyof Kinds>([
  'batch',
  'batch?',
  'stored',
  'output',
  'stored output',
  'output?',
]);

/** The call of `kernel` with these fields, as the addon takes it. */
export function call<K extends Kernel>(kernel: K, fields: Fields<K>): KernelCall {
  const args: unknown[] = [];
  for (const [name, kind] of orders[kernel]) {
    const value = (fields as Record<string, unknown>)[name];
    if (kind === 'flag') args.push(Number(value));
    else if (!batchKinds.has(kind)) args.push(value);
    else pushBatch(args, value as InputBatch | undefined);
  }
  return { kernel, args };
}

/** As `Arguments::batch` reads it. */
function pushBatch(args: unknown[], a: InputBatch | undefined): void {
  args.push(a?.data, a?.count, a?.rows, a?.cols, a?.rowStride, a?.colStride, a?.first, a?.step, a?.offsets);
}
