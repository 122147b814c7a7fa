import { FactoredMatrix, svdAsync, svdvalsAsync } from 'factored-svd';
import { RequestError } from './errors.js';

/**
 * What a body of POST /svd asks for: S, with U and Vh where it asks for vectors, and the error bound where there is one.
 *
 * @param file the open safetensors file that tensors are named of
 * @param most numbers that the result may hold
 */
export async function decompose(file, { a, b, rank, vectors = false }, most, signal) {
  const A = await matrix(file, a);
  const M = b === undefined ? A : new FactoredMatrix(A, await matrix(file, b)); // A·B is never formed
  mustFit(M.shape, { rank, vectors }, most);
  if (rank === undefined && !vectors) return { S: await svdvalsAsync(M, { signal }) };
  const { U, S, Vh, bound, driver } = await svdAsync(M, rank === undefined ? { signal } : { rank, signal });
  return vectors ? { U, S, Vh, bound, driver } : { S, bound, driver };
}

/** A tensor of the file, by its name, or a matrix that the request brings along. */
async function matrix(file, given) {
  if (typeof given === 'string') {
    if (file.tensors.has(given)) return file.read(given);
    throw new RequestError(404, 'NO_TENSOR', `there is no tensor ${JSON.stringify(given)}`);
  }
  const { shape, data } = given;
  const elements = shape.reduce((product, n) => product * n, 1);
  if (data.length === elements) return { shape, data: Float64Array.from(data) };
  throw new RequestError(
    400,
    'ERR_SVD_SHAPE',
    `data has ${data.length} numbers, its shape asks for ${elements}`,
  );
}

/** Small requests can have large answers: a column times a row, many empty matrices, a batch that is broadcast. */
function mustFit(shape, { rank, vectors }, most) {
  const [m, n] = shape.slice(-2);
  const count = shape.slice(0, -2).reduce((product, length) => product * length, 1);
  const triplets = rank ?? Math.min(m, n);
  const numbers = count * (triplets * (vectors ? m + n + 1 : 1) + 1); // and the error bound
  if (numbers <= most) return;
  throw new RequestError(413, 'TOO_LARGE', `the result would hold ${numbers} numbers, the limit is ${most}`);
}
