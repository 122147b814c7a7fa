import { Matrix, SingularValueDecomposition } from 'ml-matrix';
import { operands, theCase, trial } from './trial.mjs';

const { A } = operands();
const { n, l, r } = theCase;
const items = Array.from({ length: n }, (_, i) =>
  Matrix.from1DArray(l, r, A.data.subarray(i * l * r, (i + 1) * l * r)),
);
trial(() => items.map((a) => new SingularValueDecomposition(a)));
