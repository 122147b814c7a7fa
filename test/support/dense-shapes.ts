import type { Dtype } from '../../lib/array/tensor.ts';

export const dtypes: Dtype[] = ['float64', 'float32'];
