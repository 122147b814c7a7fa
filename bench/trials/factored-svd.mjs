import { FactoredMatrix, svd } from '../../dist/index.js';
import { operands, trial } from './trial.mjs';

const { A, B } = operands();
trial(() => (B ? new FactoredMatrix(A, B).svd() : svd(A)));
