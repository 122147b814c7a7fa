// Loads the addon and computes with the kernels that OPENBLAS_CORETYPE names; prints what came of it.
import { svd, versions } from '../../../dist/index.js';

try {
  svd(Array.from({ length: 100 }, (_, i) => Array.from({ length: 80 }, (_, j) => Math.sin(i * 80 + j * j))));
  console.log(JSON.stringify({ core: versions().openblasCore }));
} catch ({ code, message }) {
  console.log(JSON.stringify({ code, message }));
}
