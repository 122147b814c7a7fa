import { exposed } from '../boundary.ts';
import { dist } from '../dist.ts';
import { matmul } from '../matmul.ts';
import { svd } from '../svd.ts';
import { swapLast, type Tensor } from '../views.ts';
import { clusters, pairGap } from './clusters.ts';
import { columns, type SvdOperand, type Triplets, wideColumns } from './decomposition.ts';
import { eachSoundPair } from './pairs.ts';
import { type Check, type Report, report, type UndeterminedOptions, undeterminedOptions } from './report.ts';
import { absolute } from './singular-values.ts';
import { comparison, vectorCheck } from './subspaces.ts';

/**
 * Whether `received` and `expected` are the same decomposition of one matrix, as far as the matrix determines it: the
 * singular values agree within τ, and for every cluster of them one rotation Q = polar(U_cᵀŨ_c + V_cᵀṼ_c) (a sign for a
 * single one) serves U and V both: ‖U_c·Q − Ũ_c‖_F and ‖V_c·Q − Ṽ_c‖_F ≤ 4·√|c|·τ/gap, with the floor of `matchSubspaces`
 * and undetermined from 0.5 on. So does a cluster whose singular values are 0: nothing ties its U to its V.
 *
 * @throws `ERR_SVD_ARGUMENT`, `ERR_SVD_SHAPE` when an argument is no decomposition
 * @function
 */
export const matchSvd = exposed(
  { takes: ['received', 'expected'], options: undeterminedOptions },
  function matchSvd(
    received: SvdOperand,
    expected: SvdOperand,
    { acceptUndetermined = false }: UndeterminedOptions = {},
  ): Report {
    return report(
      eachSoundPair(received, expected, (a, b) => [
        absolute(a, b),
        ...vectorChecks(a, b, acceptUndetermined),
      ]),
    );
  },
);

function vectorChecks(a: Triplets, b: Triplets, accept: boolean): Check[] {
  const setting = comparison(a, b);
  const spectra = [a.S, b.S];
  const [x, y] = [wideColumns(a), wideColumns(b)];
  return clusters(spectra, setting).flatMap((cluster) => {
    const range = [cluster.first, cluster.last] as const;
    const [U, V] = [columns(y.U, range), columns(y.V, range)];
    const [receivedU, receivedV] = [columns(x.U, range), columns(x.V, range)];
    const Q = polar(sum(overlap(U, receivedU), overlap(V, receivedV)));
    const paired = { ...cluster, gap: pairGap(cluster, spectra) };
    return [
      vectorCheck('left singular vectors', rotated(U, Q, receivedU), paired, setting, accept),
      vectorCheck('right singular vectors', rotated(V, Q, receivedV), paired, setting, accept),
    ];
  });
}

const overlap = (X: Tensor, Y: Tensor): Tensor => matmul(swapLast(X), Y) as Tensor;

/** X += Y, both contiguous. */
function sum(X: Tensor, Y: Tensor): Tensor {
  for (let i = 0; i < X.data.length; i++) X.data[i] += Y.data[i];
  return X;
}

/** The orthogonal factor of the polar decomposition: the rotation nearest to X. */
function polar(X: Tensor): Tensor {
  const { U, Vh } = svd(X);
  return matmul(U, Vh) as Tensor;
}

/** ‖X·Q − Y‖_F */
const rotated = (X: Tensor, Q: Tensor, Y: Tensor): number => dist(matmul(X, Q) as Tensor, Y) as number;
