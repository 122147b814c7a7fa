import { svd, transpose } from 'factored-svd';
import { expect, test } from 'vitest';
import { readOV, rebase } from '../src/ov.js';

const weights = new URL('../weights/attention.safetensors', import.meta.url);
const ov = await readOV(weights);
const reference = ov.svd();

// Any orthogonal matrix will do.
const { U: Q } = svd([
  [2, 1, 0, 1],
  [0, 3, 1, 0],
  [1, 0, 1, 2],
  [1, 1, 0, 5],
]);

test('the decomposition is one, and of these weights', () => {
  expect(reference).toBeValidSvd(ov);
  expect(reference.U).toBeOrthonormal();
});

test('a change of basis inside a head changes nothing that the weights determine', () => {
  expect(rebase(ov, Q).svd()).toMatchSvd(reference);
});

test('the transposed circuit has the same singular values, and other singular vectors', () => {
  expect(ov.T.svd()).toMatchSingularValues(reference);
  expect(ov.T.svd()).not.toMatchSvd(reference);
});

test('a decomposition off the event loop has the same bits', async () => {
  const again = await readOV(weights);
  expect(await again.svdAsync()).toBeBitIdenticalTo(reference);
});

test('an error in the code is noticed: V in the place of Vh', () => {
  const wrong = { ...reference, Vh: transpose(reference.Vh) };
  expect(wrong).not.toBeValidSvd(ov);
});
