// What the types say to users. Compiled, never run: `npm run typecheck`, and from the packed tarball in CI.
import { expectTypeOf } from 'vitest';
import {
  cond,
  condAsync,
  diagEmbed,
  dist,
  distAsync,
  effectiveRank,
  FactoredMatrix,
  lowRank,
  lowRankAsync,
  lstsq,
  lstsqAsync,
  type Matrix,
  type MatrixBatch,
  type MatrixLike,
  matmul,
  matrixRank,
  norm,
  type PerMatrix,
  pinv,
  pinvAsync,
  prepare,
  type Svd,
  stableRank,
  svd,
  svdAsync,
  svdvals,
  type Tensor,
  type TruncatedSvd,
  transpose,
  type Vector,
} from '../../lib/index.ts';

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
expectTypeOf(svd(a).bound).toEqualTypeOf<number>();
expectTypeOf(svd(single).bound).toEqualTypeOf<number>();
expectTypeOf(svd({ data: new Float64Array(4), shape: [2, 2] }).bound).toEqualTypeOf<number>();
expectTypeOf(svd({ data: new Float64Array(4), dims: [2, 2] }).bound).toEqualTypeOf<number>();
expectTypeOf(svd(batch).bound).toEqualTypeOf<Tensor<Float64Array>>();
expectTypeOf(svd({ data: new Float64Array(8), shape: [2, 2, 2] }).bound).toEqualTypeOf<
  Tensor<Float64Array>
>();
expectTypeOf(svd(unknownRank).bound).toEqualTypeOf<PerMatrix>();
expectTypeOf(svd(anything).bound).toEqualTypeOf<PerMatrix>();
expectTypeOf(dist(a, single)).toEqualTypeOf<number>();
expectTypeOf(dist(a, svd(a))).toEqualTypeOf<number>();
expectTypeOf(dist(batch, a)).toEqualTypeOf<Tensor<Float64Array>>();
expectTypeOf(dist(a, unknownRank)).toEqualTypeOf<PerMatrix>();
expectTypeOf(distAsync(a, a)).toEqualTypeOf<Promise<number>>();

const M = new FactoredMatrix(a, single);
expectTypeOf(M).toEqualTypeOf<FactoredMatrix<Float64Array, number>>();
expectTypeOf(M.norm()).toEqualTypeOf<number>();
expectTypeOf(M.rank({ rtol: 1e-3 })).toEqualTypeOf<number>();
expectTypeOf(M.cond()).toEqualTypeOf<number>();
expectTypeOf(M.normAsync('nuc')).toEqualTypeOf<Promise<number>>();
expectTypeOf(M.svd().bound).toEqualTypeOf<number>();
expectTypeOf(dist(M, M.svd())).toEqualTypeOf<number>();
expectTypeOf(M.pinv().norm(2)).toEqualTypeOf<number>();
expectTypeOf(new FactoredMatrix(batch, a).rank()).toEqualTypeOf<Tensor<Float64Array>>();
expectTypeOf(M.unsqueeze(0).norm()).toEqualTypeOf<Tensor<Float64Array>>();
expectTypeOf(norm(M.unsqueeze(0))).toEqualTypeOf<Tensor<Float64Array>>();
expectTypeOf(effectiveRank(M.unsqueeze(0))).toEqualTypeOf<Tensor<Float64Array>>();
expectTypeOf(svd(M.unsqueeze(0)).bound).toEqualTypeOf<Tensor<Float64Array>>();
expectTypeOf(svd(svd(batch).U).bound).toEqualTypeOf<Tensor<Float64Array>>();
expectTypeOf(new FactoredMatrix(a, unknownRank).norm()).toEqualTypeOf<PerMatrix>();
expectTypeOf(M.at(0).norm()).toEqualTypeOf<PerMatrix>();

expectTypeOf(norm(a)).toEqualTypeOf<number>();
expectTypeOf(norm(M, 2)).toEqualTypeOf<number>();
expectTypeOf(norm(batch, 'nuc')).toEqualTypeOf<Tensor<Float64Array>>();
expectTypeOf(norm(unknownRank)).toEqualTypeOf<PerMatrix>();
expectTypeOf(cond(single)).toEqualTypeOf<number>();
expectTypeOf(condAsync(batch)).toEqualTypeOf<Promise<Tensor<Float64Array>>>();
expectTypeOf(matrixRank(a, { tol: 1e-3 })).toEqualTypeOf<number>();
expectTypeOf(pinv(a)).toEqualTypeOf<Matrix<Float64Array>>();
expectTypeOf(pinv(single, { rtol: 1e-3 })).toEqualTypeOf<Matrix<Float32Array>>();
expectTypeOf(pinv(batch)).toEqualTypeOf<MatrixBatch<Float64Array>>();
expectTypeOf(pinv(M)).toEqualTypeOf<FactoredMatrix<Float64Array, number>>();
expectTypeOf(pinvAsync(single)).toEqualTypeOf<Promise<Matrix<Float32Array>>>();
expectTypeOf(pinvAsync(M, { tol: 1 })).toEqualTypeOf<Promise<FactoredMatrix<Float64Array, number>>>();

expectTypeOf(lstsq(a, [1, 2]).x).toEqualTypeOf<Vector<Float64Array>>();
expectTypeOf(lstsq(single, single).x).toEqualTypeOf<Matrix<Float32Array>>();
expectTypeOf(lstsq(single, a).x).toEqualTypeOf<Matrix<Float64Array>>();
expectTypeOf(lstsq(a, batch).x).toEqualTypeOf<MatrixBatch<Float64Array>>();
expectTypeOf(lstsq(M, a).x).toEqualTypeOf<Matrix<Float64Array>>();
expectTypeOf(lstsq(a, a).residuals).toEqualTypeOf<Tensor<Float64Array>>();
expectTypeOf(lstsq(a, batch).rank).toEqualTypeOf<number>();
expectTypeOf(lstsq(batch, a).rank).toEqualTypeOf<Tensor<Float64Array>>();
expectTypeOf(lstsq(single, single).S).toEqualTypeOf<Vector<Float32Array>>();
expectTypeOf(lstsqAsync(single, a).then(({ x }) => x)).toEqualTypeOf<Promise<Matrix<Float64Array>>>();
// @ts-expect-error
lstsq(a, a).rank = 1;
// @ts-expect-error
lstsq(a);

expectTypeOf(lowRank(single, { rank: 1 }).A).toEqualTypeOf<FactoredMatrix<Float32Array, number>['A']>();
expectTypeOf(lowRank(a, { tol: 1 }).truncationError).toEqualTypeOf<number>();
expectTypeOf(lowRank(batch, { energy: 0.9 }).truncationError).toEqualTypeOf<Tensor<Float64Array>>();
expectTypeOf(lowRank(M, { rank: 1 }).norm()).toEqualTypeOf<number>();
expectTypeOf(lowRankAsync(M, { rank: 1 }).then((x) => x.truncationError)).toEqualTypeOf<Promise<number>>();
// @ts-expect-error
lowRank(a, { k: 1 });

expectTypeOf(svd(a, { rank: 1 }).truncationError).toEqualTypeOf<number>();
expectTypeOf(svd(batch, { tol: 1 }).truncationError).toEqualTypeOf<Tensor<Float64Array>>();
// @ts-expect-error
svd(a).truncationError satisfies number;

expectTypeOf(effectiveRank(batch)).toEqualTypeOf<Tensor<Float64Array>>();
expectTypeOf(stableRank(anything)).toEqualTypeOf<PerMatrix>();

// float32 stays float32.
expectTypeOf(svd(single)).toEqualTypeOf<Svd<Float32Array, number>>();
expectTypeOf(svd([Float32Array.of(1, 2)])).toEqualTypeOf<Svd<Float32Array, number>>();
expectTypeOf(svd([Float64Array.of(1, 2)])).toEqualTypeOf<Svd<Float64Array, number>>();
expectTypeOf(svdAsync(single)).toEqualTypeOf<Promise<Svd<Float32Array, number>>>();
expectTypeOf(svdvals(single)).toEqualTypeOf<Vector<Float32Array>>();
expectTypeOf(svd({ data: new Uint16Array(4), dtype: 'bfloat16', shape: [2, 2] })).toEqualTypeOf<
  Svd<Float32Array, number>
>();
expectTypeOf(new FactoredMatrix(single, transpose(single))).toEqualTypeOf<
  FactoredMatrix<Float32Array, number>
>();
expectTypeOf(new FactoredMatrix(single, [[1], [2], [3]])).toEqualTypeOf<
  FactoredMatrix<Float64Array, number>
>();
expectTypeOf(prepare(single)).toEqualTypeOf<Matrix<Float32Array>>();
expectTypeOf(svd(new FactoredMatrix(single, transpose(single)))).toEqualTypeOf<Svd<Float32Array, number>>();

// One of rank, tol and energy gives evidence.
expectTypeOf(svd(a, { rank: 1 })).toEqualTypeOf<TruncatedSvd<Float64Array, number>>();
expectTypeOf(svd(M, { rank: 1 })).toEqualTypeOf<TruncatedSvd<Float64Array, number>>();
expectTypeOf(svdAsync(M, { tol: 1 })).toEqualTypeOf<Promise<TruncatedSvd<Float64Array, number>>>();
expectTypeOf(M.svd({ energy: 0.9, signs: 'canonical' })).toEqualTypeOf<TruncatedSvd<Float64Array, number>>();
expectTypeOf(M.svdAsync({ rank: 1 })).toEqualTypeOf<Promise<TruncatedSvd<Float64Array, number>>>();
expectTypeOf(M.svd({ rank: 1 }).certified).toEqualTypeOf<boolean>();
expectTypeOf(M.unsqueeze(0).svd({ rank: 1 }).truncationError).toEqualTypeOf<Tensor<Float64Array>>();
expectTypeOf(M.svd({ rank: undefined })).toEqualTypeOf<Svd<Float64Array, number>>();
expectTypeOf(M.svd({ signs: 'canonical' })).toEqualTypeOf<Svd<Float64Array, number>>();

// Results are tuples.
const [U, S, Vh] = svd(single);
expectTypeOf(U).toEqualTypeOf<Matrix<Float32Array>>();
expectTypeOf(S).toEqualTypeOf<Vector<Float32Array>>();
expectTypeOf(Vh).toEqualTypeOf<Matrix<Float32Array>>();
expectTypeOf(S.get(0)).toEqualTypeOf<number>();
const [, , V] = M.svdLegacy();
expectTypeOf(V).toEqualTypeOf<Matrix<Float64Array>>();
const [batchU] = svd(batch);
expectTypeOf(batchU).toEqualTypeOf<MatrixBatch<Float64Array>>();
expectTypeOf(svd(a).length).toEqualTypeOf<3>();

// Products.
expectTypeOf(matmul(matmul(U, diagEmbed(S)), Vh)).toEqualTypeOf<Matrix<Float32Array>>();
expectTypeOf(matmul(a, [1, 2])).toEqualTypeOf<Vector<Float64Array>>();
expectTypeOf(matmul([1, 2], [3, 4])).toEqualTypeOf<number>();
expectTypeOf(matmul(M, transpose(single))).toEqualTypeOf<FactoredMatrix<Float64Array, number>>();
expectTypeOf(matmul(a, M)).toEqualTypeOf<FactoredMatrix<Float64Array, number>>();
expectTypeOf(M.matmul([1, 2, 3])).toEqualTypeOf<Vector<Float64Array>>();
expectTypeOf(M.T).toEqualTypeOf<FactoredMatrix<Float64Array, number>>();
expectTypeOf(M.AB).toEqualTypeOf<Matrix<Float64Array>>();
expectTypeOf(matmul(anything, anything) as number | Tensor<Floats>).toEqualTypeOf<number | Tensor<Floats>>();

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
// @ts-expect-error all singular values of a product are computed
svd(M, { rank: 1, method: 'gram' });
// @ts-expect-error not an object
M.rank(1e-3);
// @ts-expect-error no such norm
M.norm(1);
// @ts-expect-error no such norm
norm(a, 1);
// @ts-expect-error cond is that of the 2-norm
cond(a, 'fro');
// @ts-expect-error one argument
svdvals(a, {});
// @ts-expect-error not an array
svd('a');
svd(a, { driver: 'gejsv', fullMatrices: true, rank: undefined });
// @ts-expect-error no routine of that name
svd(a, { driver: 'gesvdx' });
// @ts-expect-error not for a matrix that is kept as a product
svd(new FactoredMatrix(a, a), { driver: 'gesvd' });
// @ts-expect-error read only
svd(a).U = U;
// Absent and undefined are the same.
svd(a, { signs: undefined, fullMatrices: undefined });
// @ts-expect-error the checks of this file see a difference
expectTypeOf(svd(a).bound).toEqualTypeOf<PerMatrix>();
// @ts-expect-error in both directions
expectTypeOf(svd(unknownRank).bound).toEqualTypeOf<number>();
