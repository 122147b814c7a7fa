import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, resolve } from 'node:path';
import { createContext, runInContext } from 'node:vm';
import { expect, test } from 'vitest';
import { built } from '../support/built.ts';
import { temporaryFolder } from '../support/temporary.ts';

const at = temporaryFolder();

/** `require` of what is built, in a context of its own: that is how Jest loads modules. */
function requireInContext(entry: string): Record<string, (...args: unknown[]) => Promise<unknown>> {
  const context = createContext({
    process,
    Buffer,
    URL,
    AbortController,
    AbortSignal,
    TextDecoder,
    TextEncoder,
    performance,
    setImmediate,
    setTimeout,
  });
  const loaded = new Map<string, { exports: object }>();
  const load = (path: string): object => {
    const module = loaded.get(path) ?? { exports: {} };
    if (loaded.has(path)) return module.exports;
    loaded.set(path, module);
    const own = createRequire(path);
    const required = (name: string) =>
      /^\..*\.cjs$/.test(name) ? load(resolve(dirname(path), name)) : own(name);
    const code = `(function (exports, require, module, __filename, __dirname) {${readFileSync(path, 'utf8')}\n})`;
    runInContext(code, context)(module.exports, required, module, path, dirname(path));
    return module.exports;
  };
  expect(runInContext('typeof Symbol.asyncDispose', context)).toBe(
    process.versions.node.startsWith('20.') ? 'undefined' : 'symbol',
  );
  return load(entry) as ReturnType<typeof requireInContext>;
}

test('files are opened and closed in a context of node:vm, which has no Symbol.asyncDispose in Node 20', async () => {
  const { writeSafetensors } = requireInContext(built('weights.cjs'));
  const { recordGolden, compareGolden } = requireInContext(built('testing.cjs'));
  const file = at('w.safetensors');
  await writeSafetensors(file, { w: { data: Float32Array.from([3, 0, 0, 4]), shape: [2, 2] } });
  await recordGolden(file, { file: at('w.json') });
  expect(await compareGolden(at('w.json'))).toMatchObject({ pass: true });
});
