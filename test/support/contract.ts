import type { InputBatch } from '../../lib/native/batch.ts';
import { fieldsOf, type Kernel } from '../../lib/native/contract.ts';

/** The fields of a kernel call, from its arguments as the addon gets them. */
export function namedFields(kernel: Kernel, args: readonly unknown[]): Record<string, unknown> {
  const rest = [...args];
  const fields: Record<string, unknown> = {};
  for (const [name, kind] of fieldsOf(kernel)) {
    if (!/batch|stored|output/.test(kind)) fields[name] = rest.shift();
    else fields[name] = asBatch(rest.splice(0, 9));
  }
  return fields;
}

function asBatch([data, count, rows, cols, rowStride, colStride, first, step, offsets]: unknown[]) {
  return data === undefined
    ? undefined
    : ({ data, count, rows, cols, rowStride, colStride, first, step, offsets } as InputBatch);
}
