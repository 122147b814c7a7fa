import assert from 'node:assert/strict';
import { rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { FactoredMatrix, svd } from 'factored-svd';
import { matchSvd } from 'factored-svd/testing';
import { openSafetensors } from 'factored-svd/weights';
import { start, tensors } from './support.js';

test('it says what it is and what is in its file', async (t) => {
  const { url, health } = await start(t);
  assert.match((await health()).versions.factoredSvd, /^\d+\.\d+\.\d+/);
  assert.deepEqual((await (await fetch(`${url}/tensors`)).json()).W_O, { dtype: 'F32', shape: [2, 8, 48] });
});

test('the decomposition of a matrix that the request brings along', async (t) => {
  const { post } = await start(t);
  const response = await post({ a: { shape: [2, 2], data: [3, 0, 0, -4] } });
  assert.deepEqual([response.status, await response.json()], [200, { S: { shape: [2], data: [4, 3] } }]);
});

test('the leading triplets of a product of two tensors are those that the library computes', async (t) => {
  const { post } = await start(t);
  const response = await post({ a: 'W_V', b: 'W_O', rank: 3, vectors: true });
  const { U, S, Vh, bound, driver } = await response.json();
  const expected = new FactoredMatrix(tensors.W_V, tensors.W_O).svd({ rank: 3 });
  assert.equal(response.status, 200);
  for (const [name, x] of Object.entries({ U, S, Vh, bound })) {
    assert.deepEqual(x, { shape: [...expected[name].shape], data: [...expected[name].data] }, name);
  }
  assert.deepEqual(driver, [...expected.driver]);
});

test('the same as a safetensors file', async (t) => {
  const { post } = await start(t);
  const matrix = { shape: [2, 3], data: [1, 2, 3, 4, 5, 6] };
  const response = await post({ a: matrix, vectors: true }, { accept: 'application/vnd.safetensors' });
  assert.equal(response.headers.get('content-type'), 'application/vnd.safetensors');
  const path = join(tmpdir(), `svd-server-${process.pid}.safetensors`);
  await writeFile(path, Buffer.from(await response.arrayBuffer()));
  t.after(() => rm(path));
  const file = await openSafetensors(path);
  t.after(() => file.close());
  const [U, S, Vh] = await Promise.all(['U', 'S', 'Vh'].map((name) => file.read(name)));
  const expected = svd({ ...matrix, data: new Float64Array(matrix.data) });
  assert.ok(matchSvd({ U, S, Vh }, expected).pass);
});

test('requests that come together get the answers that each would get alone', async (t) => {
  const { post } = await start(t, { concurrent: 3, waiting: 100 });
  const answer = async (k) => (await post({ a: { shape: [2, 2], data: [k, 0, 0, 1] } })).json();
  const answers = await Promise.all(Array.from({ length: 40 }, (_, k) => answer(k + 2)));
  assert.deepEqual(
    answers.map(({ S }) => S.data),
    Array.from({ length: 40 }, (_, k) => [k + 2, 1]),
  );
});
