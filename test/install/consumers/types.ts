// What a consumer in TypeScript writes; compiled as a module and as CommonJS, by every kind of module resolution.
import { FactoredMatrix, type Svd, svd, svdAsync, type Versions, versions } from 'factored-svd';
import { matchSvd } from 'factored-svd/testing';
import { openSafetensors } from 'factored-svd/weights';

const decomposition: Svd<Float32Array, number> = svd({ data: Float32Array.of(3, 0, 0, -4), shape: [2, 2] });
const largest: number = decomposition.S.get(0);
const later: Promise<Svd<Float64Array, number>> = svdAsync([[1]], { signal: AbortSignal.timeout(60_000) });
const rank: number | ArrayLike<number> = new FactoredMatrix([[1], [2]], [[2, 1]]).rank();
const told: Versions = versions();

// @ts-expect-error: text is no matrix
const wrong = () => svd('3');
// @ts-expect-error: there is no such option
const unknown = () => svd([[1]], { nothing: true });

later.then(({ S }) => {
  if (largest !== 4 || S.get(0) !== 1 || rank !== 1)
    throw new Error(`wrong: ${largest}, ${S.get(0)}, ${rank}`);
  if (![matchSvd, openSafetensors, wrong, unknown].every((f) => typeof f === 'function'))
    throw new Error('empty');
  console.log(told.factoredSvd);
});
