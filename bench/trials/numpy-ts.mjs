import * as np from 'numpy-ts';
import { operands, theCase, trial } from './trial.mjs';

const { A } = operands();
const { n, l, r } = theCase;
const items = Array.from({ length: n }, (_, i) =>
  np.array(Array.from(A.data.subarray(i * l * r, (i + 1) * l * r))).reshape(l, r),
);
trial(() => items.map((a) => np.linalg.svd(a)));
