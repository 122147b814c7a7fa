import { FactoredMatrix, matmul } from 'factored-svd';
import { openSafetensors } from 'factored-svd/weights';

/** The OV circuits W_V·W_O of all heads of a file, `[heads, d_model, d_model]`, kept factored. */
export async function readOV(path) {
  const file = await openSafetensors(path);
  try {
    return new FactoredMatrix(await file.read('W_V'), await file.read('W_O'));
  } finally {
    await file.close();
  }
}

/** The same circuits after a change of basis inside every head: W_V·Q and Qᵀ·W_O, with Q `[d_head, d_head]` orthogonal. */
export function rebase(ov, Q) {
  return new FactoredMatrix(matmul(ov.A, Q), matmul(Q.transpose(1, 0), ov.B));
}
