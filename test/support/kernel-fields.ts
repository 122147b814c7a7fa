import type { InputBatch } from '../../lib/native/batch.ts';
import { fieldsOf, type Kernel } from '../../lib/native/contract.ts';

/** The fields of a kernel call, from its arguments as the addon gets them. */
export function namedFields(kernel: Kernel, args: readonly unknown[]): Record<string, unknown> {
  const [numbers, ...arrays] = args as [Float64Array, ...unknown[]];
  const rest = [...numbers];
  const fields: Record<string, unknown> = {};
  for (const { name, form } of fieldsOf(kernel)) {
    if (form === 'number') fields[name] = rest.shift();
    else if (form === 'array') fields[name] = arrays.shift();
    else fields[name] = asBatch(arrays.splice(0, 2), rest.splice(0, 7));
  }
  return fields;
}

function asBatch([data, offsets]: unknown[], numbers: number[]) {
  const [count, rows, cols, rowStride, colStride, first, step] = numbers;
  const layout = { count, rows, cols, rowStride, colStride, first, step, offsets };
  return data === undefined ? undefined : ({ data, ...layout } as InputBatch);
}
