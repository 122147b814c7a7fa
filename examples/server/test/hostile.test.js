import assert from 'node:assert/strict';
import test from 'node:test';
import { start } from './support.js';

const a = { shape: [1, 2], data: [1, 2] };

const cases = {
  'no JSON': ['{', 400, 'FST_ERR_CTP_INVALID_JSON_BODY'],
  'no body': ['', 400, 'FST_ERR_CTP_EMPTY_JSON_BODY'],
  'a key that poisons prototypes': [
    '{"a":"W_V","__proto__":{"rank":1}}',
    400,
    'FST_ERR_CTP_INVALID_JSON_BODY',
  ],
  'a name that does not exist': [{ a, rang: 1 }, 400, 'FST_ERR_VALIDATION'],
  'a string for a number': [{ a: { shape: [1, 1], data: ['5'] } }, 400, 'FST_ERR_VALIDATION'],
  'null for a number': [{ a: { shape: [1, 1], data: [null] } }, 400, 'FST_ERR_VALIDATION'],
  'an infinite number': ['{"a":{"shape":[1,1],"data":[1e999]}}', 400, 'FST_ERR_VALIDATION'],
  'NaN, which is not JSON': ['{"a":{"shape":[1,1],"data":[NaN]}}', 400, 'FST_ERR_CTP_INVALID_JSON_BODY'],
  'a rank without a product': [{ a, rank: 1 }, 400, 'FST_ERR_VALIDATION'],
  'a negative size': [{ a: { shape: [-1, -2], data: [1, 2] } }, 400, 'FST_ERR_VALIDATION'],
  'a vector': [{ a: { shape: [2], data: [1, 2] } }, 400, 'FST_ERR_VALIDATION'],
  'a shape that its data does not fill': [
    { a: { shape: [2 ** 31, 2 ** 31], data: [1] } },
    400,
    'ERR_SVD_SHAPE',
  ],
  'data that its shape does not use': [{ a: { shape: [1, 1], data: [1, 2] } }, 400, 'ERR_SVD_SHAPE'],
  'factors that do not fit': [{ a, b: a }, 400, 'ERR_SVD_SHAPE'],
  'a rank that the product cannot have': [{ a: 'W_V', b: 'W_O', rank: 1000 }, 400, 'ERR_SVD_ARGUMENT'],
  'a tensor that is not there': [{ a: 'constructor' }, 404, 'NO_TENSOR'],
  'a product of huge numbers': [
    { a: { shape: [1, 1], data: [1e300] }, b: { shape: [1, 1], data: [1e300] } },
    422,
    'ERR_SVD_OVERFLOW',
  ],
  'two billion empty matrices': [{ a: { shape: [2 ** 31, 0, 5], data: [] } }, 413, 'TOO_LARGE'],
  'a column times a row': [
    {
      a: { shape: [2000, 1], data: Array(2000).fill(1) },
      b: { shape: [1, 2000], data: Array(2000).fill(1) },
      vectors: true,
    },
    413,
    'TOO_LARGE',
  ],
  'a body beyond the limit': [' '.repeat(200_000), 413, 'FST_ERR_CTP_BODY_TOO_LARGE'],
};

test('what cannot be computed is refused with a status and a code, and the server goes on', async (t) => {
  const { post, health } = await start(t, { numbers: 4000, bodyBytes: 100_000 });
  for (const [name, [body, status, code]] of Object.entries(cases)) {
    await t.test(name, async () => {
      const response = await post(body);
      const answer = await response.json();
      assert.deepEqual([response.status, answer.code], [status, code], answer.message);
    });
  }
  assert.deepEqual(await (await post({ a })).json(), { S: { shape: [1], data: [Math.sqrt(5)] } });
  assert.equal((await health()).running, 0);
});
