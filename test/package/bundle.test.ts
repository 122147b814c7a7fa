import { expect, test } from 'vitest';

// What the bundler might leave out because it seems to do nothing.

test('a revoked proxy is refused by the built package too', async () => {
  const { svd } = await import(new URL('../../dist/index.js', import.meta.url).href);
  const { proxy, revoke } = Proxy.revocable([[1]], {});
  revoke();
  for (const x of [proxy, { data: proxy, shape: [1, 1] }, [proxy]]) {
    const error = (() => {
      try {
        svd(x);
      } catch (thrown) {
        return thrown as { code?: string };
      }
    })();
    expect(error?.code).toBe('ERR_SVD_ARGUMENT');
  }
});
