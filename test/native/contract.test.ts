import { beforeAll, expect, test } from 'vitest';
import { denseSvd } from '../../lib/algorithms/dense.ts';
import { distance } from '../../lib/algorithms/distance.ts';
import { eigenvaluesOf } from '../../lib/algorithms/eigenvalues.ts';
import { productSvd } from '../../lib/algorithms/product.ts';
import { truncatedSvd } from '../../lib/algorithms/truncated.ts';
import { kernels } from '../../lib/native/addon.ts';
import { batchOf } from '../../lib/native/batch.ts';
import { fieldsOf, flattened, type Kernel, type KernelCall, kernelNames } from '../../lib/native/contract.ts';
import { owned } from '../../lib/native/owned.ts';
import type { Steps } from '../../lib/native/steps.ts';
import { loadFaults } from '../robust/support/faults.ts';
import { gradedProduct, powersOfTwo, randomMatrix, randomProduct } from '../support/matrices.ts';

// lib/native/contract.ts and native/binding/kernels.cc name the same fields, of the same kinds, in the same order.

interface Log {
  /** What the addon reads of these arguments, field by field: `name: kind`. */
  fieldsRead(kernel: string, ...args: readonly unknown[]): string[];
}

let log: Log;
beforeAll(async () => {
  log = (await loadFaults()) as unknown as Log;
});

/** Every kernel call of `steps`, each made once it has been seen. */
function* callsOf(steps: Steps<unknown>): Generator<KernelCall> {
  for (;;) {
    const step = steps.next();
    if (step.done) return;
    if (!('kernel' in step.value)) continue;
    yield step.value;
    kernels()[step.value.kernel](...flattened(step.value));
  }
}

const declared = (kernel: Kernel): string[] => fieldsOf(kernel).map(({ name, kind }) => `${name}: ${kind}`);

const computations = (dtype: 'float32' | 'float64'): Steps<unknown>[] => {
  const { A, B } = randomProduct(1, [40, 5, 30], dtype);
  const graded = gradedProduct(2, 40, 30, powersOfTwo(5, 0, -40), powersOfTwo(5, 0, 0), dtype);
  const matrix = randomMatrix(3, [2, 4, 3], dtype);
  return [
    productSvd(A, B),
    productSvd(A, B, { vectors: 'none' }),
    productSvd(A, B, { force: 'cholesky2' }),
    productSvd(A, B, { force: 'householder' }),
    productSvd(graded.A, graded.B),
    denseSvd(matrix, 'full'),
    truncatedSvd(randomMatrix(6, [100, 120], dtype), { rank: 2, method: 'gram' }),
    eigenvaluesOf(randomMatrix(4, [2, 3, 3], dtype)),
    distance({ M: A }, { M: A }),
    owned(batchOf(matrix, [2], 'a', true)),
  ];
};

test.each(['float32', 'float64'] as const)('both sides of every kernel agree, %s', (dtype) => {
  const seen = new Set<Kernel>();
  for (const steps of computations(dtype))
    for (const call of callsOf(steps)) {
      const { kernel } = call;
      seen.add(kernel);
      expect(log.fieldsRead(kernel, ...flattened(call))).toEqual(declared(kernel));
    }
  expect([...seen].sort()).toEqual(kernelNames.filter((k) => dtype === 'float32' || k !== 'gramSvd').sort());
});

test('a field in another place is noticed', () => {
  const [call] = callsOf(denseSvd(randomMatrix(5, [3, 3])));
  expect(log.fieldsRead(call.kernel, ...flattened(call))).not.toEqual(declared(call.kernel).toSorted());
  expect(() => log.fieldsRead(call.kernel, ...flattened(call).toReversed())).toThrow(TypeError);
});
