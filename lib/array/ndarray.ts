import compiled, { type NdArray } from 'ndarray';
import { type Dtype, dtypeOfStored, type Stored } from './elements.ts';

/** What scijs `ndarray` is: a constructor of views of `data`, strides and offset in elements. */
type Construct = <D extends Stored>(
  data: D,
  shape: number[],
  stride?: number[],
  offset?: number,
) => NdArray<D>;

/**
 * scijs `ndarray`. It compiles a class for each number of dimensions from source text, which
 * `node --disallow-code-generation-from-strings` forbids: then views are of one class that is written here.
 */
export const ndarray: Construct = compiles() ? known : strided;

type Class = new (data: Stored, ...numbers: number[]) => NdArray<Stored>;

/** The compiled classes of views of so many dimensions, by the prototype of what they are views of. */
const classes: Map<unknown, Class>[] = [1, 2, 3].map(() => new Map());

/** The same as scijs `ndarray` itself, which finds out what `data` is from the text of its class name: slowly. */
function known<D extends Stored>(data: D, shape: number[], stride?: number[], offset?: number): NdArray<D> {
  const View =
    stride && offset !== undefined ? classes[shape.length - 1]?.get(Object.getPrototypeOf(data)) : undefined;
  if (!View) {
    const view = compiled(data, shape, stride, offset);
    classes[shape.length - 1]?.set(Object.getPrototypeOf(data), view.constructor as Class);
    return view;
  }
  return new View(data, ...shape, ...(stride as number[]), offset as number) as NdArray<D>;
}

function compiles(): boolean {
  try {
    compiled(new Float64Array(1));
    return true;
  } catch (error) {
    if (error instanceof EvalError) return false;
    throw error;
  }
}

/** A view with the members of a scijs `ndarray`, by the same rules. */
export function strided<D extends Stored>(
  data: D,
  shape: number[],
  stride: number[] = contiguous(shape),
  offset = shape.reduce((sum, n, axis) => (stride[axis] < 0 ? sum - (n - 1) * stride[axis] : sum), 0),
): NdArray<D> {
  return new Strided(data, shape, stride, offset) as unknown as NdArray<D>;
}

function contiguous(shape: readonly number[]): number[] {
  const stride = new Array<number>(shape.length);
  for (let axis = shape.length - 1, step = 1; axis >= 0; axis--) {
    stride[axis] = step;
    step *= shape[axis];
  }
  return stride;
}

type Index = number | null | undefined;

/** Whether `i` is an index, not left out; a negative one counts as left out. */
const given = (i: Index): i is number => typeof i === 'number' && i >= 0;

class Strided {
  readonly data: Stored;
  readonly shape: number[];
  readonly stride: number[];
  offset: number;

  constructor(data: Stored, shape: readonly number[], stride: readonly number[], offset: number) {
    this.data = data;
    this.shape = [...shape];
    this.stride = [...stride];
    this.offset = offset;
  }

  get dtype(): Dtype {
    return dtypeOfStored(this.data);
  }
  get dimension(): number {
    return this.shape.length;
  }
  get size(): number {
    return this.shape.reduce((size, n) => size * n, 1);
  }
  /** The axes, the one with the smallest stride first. */
  get order(): number[] {
    const length = (axis: number) => Math.abs(this.stride[axis]);
    return [...this.shape.keys()].sort((a, b) => length(a) - length(b));
  }

  index(...at: number[]): number {
    return this.stride.reduce((sum, step, axis) => sum + step * at[axis], this.offset);
  }
  get(...at: number[]): number {
    return this.data[this.index(...at)];
  }
  set(...at: number[]): number {
    const value = at[this.shape.length];
    this.data[this.index(...at)] = value;
    return value;
  }

  /** The first `to[axis]` along each axis. */
  hi(...to: Index[]): Strided {
    const shape = this.shape.map((n, axis) => (given(to[axis]) ? Math.trunc(to[axis]) : n));
    return new Strided(this.data, shape, this.stride, this.offset);
  }
  /** What is left without the first `from[axis]` along each axis. */
  lo(...from: Index[]): Strided {
    const skip = this.shape.map((_, axis) => (given(from[axis]) ? Math.trunc(from[axis]) : 0));
    const shape = this.shape.map((n, axis) => n - skip[axis]);
    return new Strided(this.data, shape, this.stride, this.index(...skip));
  }
  /** Every `by[axis]`-th; backwards where that is negative. */
  step(...by: Index[]): Strided {
    const steps = this.shape.map((_, axis) => (typeof by[axis] === 'number' ? Math.trunc(by[axis]) : 1));
    const last = this.shape.map((n, axis) => (steps[axis] < 0 ? n - 1 : 0));
    const shape = this.shape.map((n, axis) => Math.ceil(n / Math.abs(steps[axis])));
    const stride = this.stride.map((step, axis) => step * steps[axis]);
    return new Strided(this.data, shape, stride, this.index(...last));
  }
  transpose(...axes: (number | undefined)[]): Strided {
    const from = this.shape.map((_, axis) => Math.trunc(axes[axis] ?? axis));
    const of = (x: readonly number[]) => from.map((axis) => x[axis]);
    return new Strided(this.data, of(this.shape), of(this.stride), this.offset);
  }
  /** Without the axes that have an index. */
  pick(...at: Index[]): Strided {
    const kept = [...this.shape.keys()].filter((axis) => !given(at[axis]));
    const offset = this.index(...this.shape.map((_, axis) => (given(at[axis]) ? at[axis] : 0)));
    const of = (x: readonly number[]) => kept.map((axis) => x[axis]);
    return new Strided(this.data, of(this.shape), of(this.stride), offset);
  }

  /** The element of a view without dimensions. */
  valueOf(): unknown {
    return this.shape.length === 0 ? this.get() : this;
  }
}
