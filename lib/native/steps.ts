import { setImmediate as turnOfTheLoop } from 'node:timers/promises';
import type { turn } from '../array/turns.ts';
import { kernels, type Task } from './addon.ts';
import { type CopyAlone, flattened, type KernelCall } from './contract.ts';

/** What is called when a signal aborts. */
type Listener = () => void;

// One listener of the signal for all computations that have it: Node warns of more than ten.
const listeners = new WeakMap<AbortSignal, Set<Listener>>();

/** Calls `listener` once when `signal` aborts, unless the function that is returned is called before. */
export function onAbort(signal: AbortSignal, listener: Listener): () => void {
  const known = listeners.get(signal) ?? listenTo(signal);
  known.add(listener);
  return () => {
    if (known.delete(listener) && known.size === 0) {
      signal.removeEventListener('abort', abort);
      listeners.delete(signal);
    }
  };
}

function listenTo(signal: AbortSignal): Set<Listener> {
  const all = new Set<Listener>();
  listeners.set(signal, all);
  signal.addEventListener('abort', abort, { once: true });
  return all;
}

function abort(this: AbortSignal): void {
  const all = listeners.get(this) ?? [];
  listeners.delete(this);
  for (const listener of [...all]) listener();
}

/** How far a computation is. */
export interface Progress {
  /** Matrices that are done; a fraction inside a large one. */
  readonly done: number;
  /** Matrices in all. */
  readonly total: number;
}

/**
 * Yielded before kernel calls that take long: they take the computation from `from` finished matrices to `to`, of `total`.
 * Fractions are shares of one matrix.
 */
export interface Span {
  readonly from: number;
  readonly to: number;
  readonly total: number;
}

/** The same inside a block of the batch, as shares of that block. */
export interface Within {
  readonly within: readonly [from: number, to: number];
}

/** A computation, written once: it yields kernel calls, which one driver makes in place and the other awaits. */
export type Steps<T> = Generator<KernelCall | CopyAlone | Progress | Span | Within | typeof turn, T, void>;

/** The same computation as a part of another: it reports no progress of its own. */
export function* asPart<T>(steps: Steps<T>): Steps<T> {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
    if ('kernel' in step.value || 'turn' in step.value) yield step.value;
  }
}

/** The same computation as the part of a block from one share to another. */
export function* stage<T>(from: number, to: number, steps: Steps<T>): Steps<T> {
  const share = (x: number) => from + x * (to - from);
  yield { within: [from, to] };
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
    if ('within' in step.value) {
      const [first, last] = step.value.within;
      yield { within: [share(first), share(last)] };
    } else yield step.value;
  }
}

/** Options of every `…Async` function. */
export interface AsyncOptions {
  /**
   * Aborting rejects with `signal.reason`, and the computing ends within about a tenth of a second. Only a routine of LAPACK
   * itself cannot be stopped and runs to its end (`fullMatrices` of a matrix that is not square, eigenvalues, a fallback).
   * Nothing waits for it, not even the end of a worker or of the process.
   */
  readonly signal?: AbortSignal | undefined;
  /**
   * Told how many matrices of the batch are done, at most 20 times a second and once at the end; never where there is
   * nothing to compute. Inside a large matrix `done` is a fraction, estimated from the work: 2.4 is two matrices and part
   * of the third.
   */
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

/** Runs `steps` on this thread and the compute threads; returns when all is done. */
export function runSync<T>(steps: Steps<T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
    if ('kernel' in step.value) runHere(step.value);
  }
}

function runHere(call: KernelCall | CopyAlone): void {
  if ('alone' in call) kernels().copyAlone(...flattened(call));
  else kernels()[call.kernel](...flattened(call));
}

const progressInterval = 50; // milliseconds

/** Runs `steps` on the compute threads. Rejects with `signal.reason` as soon as `signal` aborts. */
export async function runAsync<T>(steps: Steps<T>, { signal, onProgress }: AsyncOptions = {}): Promise<T> {
  signal?.throwIfAborted();
  const task = kernels().task();
  const aborted = abortOf(signal, task);
  const teller = onProgress && new Teller(onProgress, task);
  try {
    for (;;) {
      const step = steps.next();
      if (step.done) return step.value;
      if ('alone' in step.value) runHere(step.value);
      else if ('kernel' in step.value) {
        const call = kernels()[`${step.value.kernel}Async`](task, ...flattened(step.value));
        const told = teller ? teller.during(call) : call;
        await (aborted.promise ? Promise.race([told, aborted.promise]) : told);
      } else if ('turn' in step.value) {
        await (aborted.promise ? Promise.race([nextTurn(), aborted.promise]) : nextTurn());
      } else if ('done' in step.value) teller?.reached(step.value);
      else if ('from' in step.value) teller?.goesOn(step.value);
    }
  } catch (error) {
    kernels().stop(task); // `onProgress` may throw while a call is being made
    throw error;
  } finally {
    aborted.dispose();
    teller?.end();
  }
}

/** Tells the caller how far a computation is, at most 20 times a second and once at the end; it never falls. */
class Teller {
  readonly #tell: (progress: Progress) => void;
  readonly #task: Task;
  #span: Span | undefined;
  #done = 0;
  #last = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;

  constructor(tell: (progress: Progress) => void, task: Task) {
    this.#tell = tell;
    this.#task = task;
  }

  reached({ done, total }: Progress): void {
    this.#span = undefined;
    const now = performance.now();
    if (done < total && now - this.#last < progressInterval) return;
    this.#last = now;
    this.#done = done;
    this.#tell({ done, total });
  }

  goesOn(span: Span): void {
    const { from, total } = span;
    if (from > this.#done && from < total) this.reached({ done: from, total });
    this.#span = span;
  }

  /** Tells, while `call` is being made, what share of it is done. */
  async during(call: Promise<void>): Promise<void> {
    if (!this.#span) return call;
    const watched = new Promise<never>((_, reject) => {
      this.#timer = setInterval(() => {
        try {
          this.#look();
        } catch (error) {
          reject(error);
        }
      }, progressInterval);
    });
    try {
      await Promise.race([call, watched]);
    } finally {
      this.end();
    }
  }

  /** Tells no more, though the call that is being made may take a while yet: where it was aborted. */
  end(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    if (!this.#span) return;
    const { from, to, total } = this.#span;
    const done = from + (to - from) * kernels().done(this.#task);
    if (done > this.#done && done < total) this.reached({ done, total });
    this.#span = { from, to, total };
  }
}

/** Runs what follows on the result of `runAsync`: all progress has been told by then. */
export const afterwards = <T>(steps: Steps<T>, { signal }: AsyncOptions): Promise<T> =>
  runAsync(steps, { signal });

let lastTurn: Promise<void> = Promise.resolve();

/** A turn of the event loop in which no other computation of this thread continues. */
function nextTurn(): Promise<void> {
  lastTurn = lastTurn.then(() => turnOfTheLoop());
  return lastTurn;
}

function abortOf(signal: AbortSignal | undefined, task: Task) {
  if (!signal) return { promise: undefined, dispose: () => {} };
  let dispose = () => {};
  const promise = new Promise<never>((_, reject) => {
    dispose = onAbort(signal, () => {
      kernels().stop(task);
      reject(signal.reason);
    });
  });
  promise.catch(() => {}); // nobody may be listening when it rejects
  return { promise, dispose };
}
