const { FactoredMatrix, svd } = require('factored-svd');
const { openSafetensors } = require('factored-svd/weights');
const { join } = require('node:path');

const weights = join(__dirname, '../weights/attention.safetensors');
let ov;

beforeAll(async () => {
  const file = await openSafetensors(weights);
  ov = new FactoredMatrix(await file.read('W_V'), await file.read('W_O'));
  await file.close();
});

test('the decomposition is one, and of these weights', () => {
  expect(ov.svd()).toBeValidSvd(ov);
  expect(ov.svd().U).toBeOrthonormal();
  expect(ov.T.svd()).toMatchSingularValues(ov);
  expect(ov.T.svd()).not.toMatchSvd(ov);
  expect(() => expect(svd([[2]])).toMatchSvd(svd([[3]]))).toThrow('singular values, S[0]: 1 > ');
});

test('the checkpoint is the one that was recorded', async () => {
  await expect(weights).toMatchGolden('../golden/checkpoint.json', { within: 1e-6 });
});
