import { vi } from 'vitest';
import { kernels } from '../../lib/native/addon.ts';
import type { Batch } from '../../lib/native/batch.ts';
import { namedFields } from './kernel-fields.ts';

/** A kernel that looks at the elements of every matrix it is given, for norms or for Gram matrices. */
type Measures = 'scan' | 'gram';

/**
 * How many matrices of `m×n`, or transposes of one, are measured while `f` runs. The second Gram matrix of CholeskyQR2
 * does not count: it is not that of the matrix.
 */
export async function passes(m: number, n: number, f: () => unknown): Promise<number> {
  let count = 0;
  const see = (name: Measures, args: readonly unknown[]) => {
    const fields = namedFields(name, args);
    const { count: items, rows, cols } = fields.a as Batch;
    const ofSolution = fields.root !== undefined;
    const same = (rows === m && cols === n) || (rows === n && cols === m);
    if (same && !ofSolution) count += items;
  };
  const spies = (['scan', 'gram'] as const).flatMap((name) => {
    const [inPlace, offThread] = [kernels()[name], kernels()[`${name}Async`]];
    return [
      vi.spyOn(kernels(), name).mockImplementation((...args) => {
        see(name, args);
        inPlace(...args);
      }),
      vi.spyOn(kernels(), `${name}Async`).mockImplementation((control, ...args) => {
        see(name, args);
        return offThread(control, ...args);
      }),
    ];
  });
  try {
    await f();
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
  return count;
}
