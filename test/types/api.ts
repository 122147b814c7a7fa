// What the types say to users. Compiled, never run: `npm run typecheck`, and from the packed tarball in CI.
import {
  diagEmbed,
  dist,
  distAsync,
  FactoredMatrix,
  type Matrix,
  type MatrixBatch,
  type MatrixLike,
  matmul,
  type PerMatrix,
  prepare,
  type Svd,
  svd,
  svdAsync,
  svdvals,
  type Tensor,
  transpose,
  type Vector,
} from '../../lib/index.ts';

type Same<X, Y> = (<T>() => T extends X ? 1 : 2) extends <T>() => T extends Y ? 1 : 2 ? true : false;
/** That `x` is of type T, no more and no less. */
const is = <T>() => ({ exactly: <X>(_x: X, ..._same: Same<X, T> extends true ? [] : [never]): void => {} });
type Floats = Float32Array | Float64Array;

const a = [
  [3, 0],
  [4, 5],
];
const single = { data: new Float32Array(6), shape: [2, 3] as [number, number] };
const batch = [a, a];
declare const unknownRank: Tensor<Float32Array>;
declare const anything: MatrixLike;

// Two dimensions give numbers, batches arrays, an unknown number of them either.
is<number>().exactly(svd(a).bound);
is<number>().exactly(svd(single).bound);
is<number>().exactly(svd({ data: new Float64Array(4), shape: [2, 2] }).bound);
is<number>().exactly(svd({ data: new Float64Array(4), dims: [2, 2] }).bound);
is<Tensor<Float64Array>>().exactly(svd(batch).bound);
is<Tensor<Float64Array>>().exactly(svd({ data: new Float64Array(8), shape: [2, 2, 2] }).bound);
is<PerMatrix>().exactly(svd(unknownRank).bound);
is<PerMatrix>().exactly(svd(anything).bound);
is<number>().exactly(dist(a, single));
is<number>().exactly(dist(a, svd(a)));
is<Tensor<Float64Array>>().exactly(dist(batch, a));
is<PerMatrix>().exactly(dist(a, unknownRank));
is<Promise<number>>().exactly(distAsync(a, a));

const M = new FactoredMatrix(a, single);
is<FactoredMatrix<Float64Array, number>>().exactly(M);
is<number>().exactly(M.norm());
is<number>().exactly(M.rank({ rtol: 1e-3 }));
is<number>().exactly(M.cond());
is<Promise<number>>().exactly(M.normAsync('nuc'));
is<number>().exactly(M.svd().bound);
is<number>().exactly(dist(M, M.svd()));
is<number>().exactly(M.pinv().norm(2));
is<Tensor<Float64Array>>().exactly(new FactoredMatrix(batch, a).rank());
is<Tensor<Float64Array>>().exactly(M.unsqueeze(0).norm());
is<PerMatrix>().exactly(new FactoredMatrix(a, unknownRank).norm());
is<PerMatrix>().exactly(M.at(0).norm());

// float32 stays float32.
is<Svd<Float32Array, number>>().exactly(svd(single));
is<Svd<Float32Array, number>>().exactly(svd([Float32Array.of(1, 2)]));
is<Svd<Float64Array, number>>().exactly(svd([Float64Array.of(1, 2)]));
is<Promise<Svd<Float32Array, number>>>().exactly(svdAsync(single));
is<Vector<Float32Array>>().exactly(svdvals(single));
is<Svd<Float32Array, number>>().exactly(svd({ data: new Uint16Array(4), dtype: 'bfloat16', shape: [2, 2] }));
is<FactoredMatrix<Float32Array, number>>().exactly(new FactoredMatrix(single, transpose(single)));
is<FactoredMatrix<Float64Array, number>>().exactly(new FactoredMatrix(single, [[1], [2], [3]]));
is<Matrix<Float32Array>>().exactly(prepare(single));
is<Svd<Float32Array, number>>().exactly(svd(new FactoredMatrix(single, transpose(single))));

// Results are tuples.
const [U, S, Vh] = svd(single);
is<Matrix<Float32Array>>().exactly(U);
is<Vector<Float32Array>>().exactly(S);
is<Matrix<Float32Array>>().exactly(Vh);
is<number>().exactly(S.get(0));
const [, , V] = M.svdLegacy();
is<Matrix<Float64Array>>().exactly(V);
const [batchU] = svd(batch);
is<MatrixBatch<Float64Array>>().exactly(batchU);
is<3>().exactly(svd(a).length);

// Products.
is<Matrix<Float32Array>>().exactly(matmul(matmul(U, diagEmbed(S)), Vh));
is<Vector<Float64Array>>().exactly(matmul(a, [1, 2]));
is<number>().exactly(matmul([1, 2], [3, 4]));
is<FactoredMatrix<Float64Array, number>>().exactly(matmul(M, transpose(single)));
is<FactoredMatrix<Float64Array, number>>().exactly(matmul(a, M));
is<Vector<Float64Array>>().exactly(M.matmul([1, 2, 3]));
is<FactoredMatrix<Float64Array, number>>().exactly(M.T);
is<Matrix<Float64Array>>().exactly(M.AB);
is<number | Tensor<Floats>>().exactly(matmul(anything, anything) as number | Tensor<Floats>);

// A result of any kind is one of unknown kind, and goes where that is asked for.
const general: Svd = svd(single);
const product: FactoredMatrix = M;
const tensor: Tensor = U;
export const all = [general, product, tensor, svd(general.U), dist(product, general)];

// What is no option, or no array, does not compile.
// @ts-expect-error there is no such option
svd(a, { full_matrices: true });
// @ts-expect-error one of two names
svd(a, { signs: 'positive' });
// @ts-expect-error the options of a product are others
svd(M, { fullMatrices: true });
// @ts-expect-error not an object
M.rank(1e-3);
// @ts-expect-error no such norm
M.norm(1);
// @ts-expect-error one argument
svdvals(a, {});
// @ts-expect-error not an array
svd('a');
// @ts-expect-error read only
svd(a).U = U;
// Absent and undefined are the same.
svd(a, { signs: undefined, fullMatrices: undefined });
// @ts-expect-error the checks of this file see a difference
is<PerMatrix>().exactly(svd(a).bound);
// @ts-expect-error in both directions
is<number>().exactly(svd(unknownRank).bound);
