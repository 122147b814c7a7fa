import { asTensor, type MatrixLike } from '../arrays.ts';
import { exposed } from '../boundary.ts';
import { itemOffsets } from '../item-offsets.ts';
import { dtypeOf, showShape, type Tensor, unravel } from '../views.ts';
import { asDecomposition, isSvdOperand, type SvdOperand } from './decomposition.ts';
import { type Check, exact, type Report, report } from './report.ts';

/**
 * Whether two decompositions (U, S and Vh), or two arrays of any shape, have the same shapes, dtypes and bits; −0 is not 0.
 * Between machines that is not to be expected: the bits of a result depend on the processor kernel OpenBLAS picks.
 *
 * @throws `ERR_SVD_ARGUMENT`, `ERR_SVD_SHAPE` when an argument is neither
 * @function
 */
export const bitIdentical = exposed(
  { takes: ['received', 'expected'] },
  function bitIdentical(received: SvdOperand | MatrixLike, expected: SvdOperand | MatrixLike): Report {
    if (!isSvdOperand(received) && !isSvdOperand(expected))
      return report([
        sameBits('array', asTensor(received, 'received', 0), asTensor(expected, 'expected', 0)),
      ]);
    const a = asDecomposition(received as SvdOperand, 'received');
    const b = asDecomposition(expected as SvdOperand, 'expected');
    return report((['U', 'S', 'Vh'] as const).map((name) => sameBits(name, a[name], b[name])));
  },
);

function sameBits(name: string, a: Tensor, b: Tensor): Check {
  const kind = (x: Tensor) => `${dtypeOf(x)} ${showShape(x.shape)}`;
  if (kind(a) !== kind(b))
    return exact(`${name} bit-identical`, 1, { detail: `received ${kind(a)}, expected ${kind(b)}` });
  const [as, bs] = [a, b].map((x) => itemOffsets(x, x.shape.length));
  const [ws, vs] = [bits(a), bits(b)];
  const different = Array.from(as.keys()).filter((i) => ws[as[i]] !== vs[bs[i]]);
  if (different.length === 0) return exact(`${name} bit-identical`, 0);
  const [first] = different;
  const [s, t] = [a.data[as[first]], b.data[bs[first]]];
  const element = `element ${showShape(unravel(first, a.shape))}`;
  const values = `received ${show(s)}, expected ${show(t)}`;
  const detail = `${different.length} of ${as.length} elements differ, first ${element}: ${values}`;
  return exact(`${name} bit-identical`, different.length, { detail });
}

/** The elements of `x` as unsigned integers. */
const bits = ({ data }: Tensor): Uint32Array | BigUint64Array =>
  data instanceof Float32Array
    ? new Uint32Array(data.buffer, data.byteOffset, data.length)
    : new BigUint64Array(data.buffer, data.byteOffset, data.length);

const show = (x: number): string => (Object.is(x, -0) ? '-0' : String(x));
