import { SVD } from 'svd-js';
import { operands, theCase, trial } from './trial.mjs';

const { A } = operands();
const { n, l, r } = theCase;
const row = (i, j) => Array.from(A.data.subarray((i * l + j) * r, (i * l + j + 1) * r));
const items = Array.from({ length: n }, (_, i) => Array.from({ length: l }, (_, j) => row(i, j)));
trial(() => items.map((a) => SVD(a)));
