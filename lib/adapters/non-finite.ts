import type { StoredTensor } from '../weights/index.ts';

/** Bits of the exponent, all of which are set in NaN and infinities. */
const exponents = { float16: 0x7c00, bfloat16: 0x7f80 } as const;

/** How many elements are NaN or infinite. */
export function countNonFinite({ data, dtype }: StoredTensor): number {
  let count = 0;
  if (dtype === 'float16' || dtype === 'bfloat16') {
    const exponent = exponents[dtype];
    for (let i = 0; i < data.length; i++) if (((data[i] as number) & exponent) === exponent) count++;
  } else if (dtype === 'float32' || dtype === 'float64')
    for (let i = 0; i < data.length; i++) if (!Number.isFinite(data[i])) count++;
  return count;
}
