import { setImmediate as turnOfTheLoop } from 'node:timers/promises';
import { onAbort } from './abort.ts';
import { type Kernel, kernels, type Task } from './native.ts';

/** One native kernel call that a composition asks its driver to make. */
export interface KernelCall {
  readonly kernel: Kernel;
  readonly args: readonly unknown[];
}

/** Said by a composition between blocks of a batch. */
export interface Progress {
  readonly done: number;
  readonly total: number;
}

/** Said by a composition in the middle of long work on this thread: what else waits for the thread may have it. */
export const turn = { turn: true } as const;

/** A computation written once: it yields kernel calls, and a driver makes them in place or awaits them. */
export type Steps<T> = Generator<KernelCall | Progress | typeof turn, T, void>;

/** The same computation as a part of another, whose progress it is not. */
export function* asPart<T>(steps: Steps<T>): Steps<T> {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
    if (!('done' in step.value)) yield step.value;
  }
}

/** Options of every `…Async` function. */
export interface AsyncOptions {
  /** Aborting rejects with `signal.reason`, and ends the computing within about a tenth of a second of it. */
  readonly signal?: AbortSignal | undefined;
  /** Told how many matrices of the batch are done, at most 20 times a second and once at the end. */
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

/** Runs `steps` on this thread and the compute threads; returns when all is done. */
export function runSync<T>(steps: Steps<T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
    if ('kernel' in step.value) kernels()[step.value.kernel](...step.value.args);
  }
}

const progressInterval = 50; // milliseconds

/** Runs `steps` on the compute threads. Rejects with `signal.reason` as soon as `signal` aborts. */
export async function runAsync<T>(steps: Steps<T>, { signal, onProgress }: AsyncOptions = {}): Promise<T> {
  signal?.throwIfAborted();
  const task = kernels().task();
  const aborted = abortOf(signal, task);
  let last = Number.NEGATIVE_INFINITY;
  try {
    for (;;) {
      const step = steps.next();
      if (step.done) return step.value;
      if ('kernel' in step.value) {
        const call = kernels()[`${step.value.kernel}Async`](task, ...step.value.args);
        await (aborted.promise ? Promise.race([call, aborted.promise]) : call);
      } else if ('turn' in step.value) {
        await (aborted.promise ? Promise.race([nextTurn(), aborted.promise]) : nextTurn());
      } else if (onProgress) {
        const now = performance.now();
        if (step.value.done < step.value.total && now - last < progressInterval) continue;
        last = now;
        onProgress(step.value);
      }
    }
  } finally {
    aborted.dispose();
  }
}

/** What is made of the result of `runAsync`, whose progress has been told. */
export const afterwards = <T>(steps: Steps<T>, { signal }: AsyncOptions): Promise<T> =>
  runAsync(steps, { signal });

let lastTurn: Promise<void> = Promise.resolve();

/** A turn of the event loop that no other computation of this thread goes on in. */
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
  promise.catch(() => {}); // it may lose the race it is in, or never be raced
  return { promise, dispose };
}
