import {
  arrayOf,
  bytesPerElement,
  type Dtype,
  type FloatArray,
  type Format,
  type Stored,
} from '../array/elements.ts';
import { allocate } from '../array/memory.ts';
import { product } from '../array/tensor.ts';
import type { Steps } from './steps.ts';

/**
 * Storage for the intermediate results of one block of a batch. The next block gets the same memory: fresh pages cost
 * as much time as half of the arithmetic.
 */
export class Workspace {
  #free = new Map<number, ArrayBufferLike[]>();
  #taken: ArrayBufferLike[] = [];

  take(format: Format, shape: readonly number[]): Stored {
    const bytes = product(shape) * bytesPerElement(format);
    const known = this.#free.get(bytes)?.pop();
    if (!known) {
      const fresh = allocate(format, shape, 'workspace');
      this.#taken.push(fresh.buffer);
      return fresh;
    }
    this.#taken.push(known);
    return new (arrayOf(format))(known);
  }

  /** Everything taken may be taken again. */
  release(): void {
    for (const buffer of this.#taken) {
      const same = this.#free.get(buffer.byteLength);
      if (same) same.push(buffer);
      else this.#free.set(buffer.byteLength, [buffer]);
    }
    this.#taken = [];
  }

  get bytes(): number {
    return [...this.#free].reduce((sum, [size, buffers]) => sum + size * buffers.length, 0);
  }
}

const keptBytes = 32 * 2 ** 20;
let idle: Workspace | undefined; // of the last computation, for the next one
let current: Workspace | undefined; // of the computation that is being stepped right now

/** Storage that lives as long as the block being computed; outside of `inWorkspace` an array of its own. */
export function scratch(format: 'float64', shape: readonly number[]): Float64Array;
export function scratch(format: Dtype, shape: readonly number[]): FloatArray;
export function scratch(format: Format, shape: readonly number[]): Stored;
export function scratch(format: Format, shape: readonly number[]): Stored {
  return current ? current.take(format, shape) : allocate(format, shape, 'workspace');
}

/** The workspace of the last computation, or a new one. One that fails keeps its own to itself. */
export function takeWorkspace(): Workspace {
  const workspace = idle ?? new Workspace();
  idle = undefined;
  return workspace;
}

/** Keeps `workspace` for the next computation, unless it is large. */
export function returnWorkspace(workspace: Workspace): void {
  if (workspace.bytes <= keptBytes) idle = workspace;
}

/** `steps` whose `scratch` comes from `workspace` and ends with them; computations may interleave between steps. */
export function* inWorkspace<R>(workspace: Workspace, steps: Steps<R>): Steps<R> {
  try {
    for (;;) {
      const step = nextIn(workspace, steps);
      if (step.done) return step.value;
      yield step.value;
    }
  } finally {
    workspace.release();
  }
}

function nextIn<R>(workspace: Workspace, steps: Steps<R>) {
  const outer = current;
  current = workspace;
  try {
    return steps.next();
  } finally {
    current = outer;
  }
}
