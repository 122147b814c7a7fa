import { describe, expect, it } from 'vitest';
import { Adapter, infoOf, withModules } from '../../lib/adapters/adapter.ts';
import { FactoredMatrix } from '../../lib/index.ts';

describe('Adapter', () => {
  const matrix = new FactoredMatrix([[1], [2]], [[3, 4, 5, 6]]);
  const conv = infoOf(matrix, { weightShape: [2, 1, 2, 2], dtype: 'float16' });
  const adapter = new Adapter({ format: 'kohya', modules: [['a', { matrix, info: conv }]] });

  it('holds a matrix, [out, in·…kernel], and what is known of it, for every module', () => {
    expect(adapter.modules.get('a')).toBe(matrix);
    expect(adapter.info.get('a')).toMatchObject({ rank: 1, alpha: 1, scale: 1, dtype: 'float16' });
    expect(Object.isFrozen(adapter)).toBe(true);
  });

  it('refuses a matrix that does not fit the shape of the weight', () => {
    const info = infoOf(matrix, { weightShape: [2, 3] });
    expect(() => new Adapter({ format: 'peft', modules: [['a', { matrix, info }]] })).toThrow(
      expect.objectContaining({ code: 'ERR_SVD_SHAPE', message: expect.stringContaining('"a"') }),
    );
  });

  it('keeps the shapes of weights where matrices are replaced', () => {
    const other = new FactoredMatrix(
      [
        [1, 0],
        [0, 1],
      ],
      [
        [3, 4, 5, 6],
        [1, 1, 1, 1],
      ],
    );
    expect(withModules(adapter, [['a', other]]).info.get('a')).toMatchObject({
      rank: 2,
      alpha: 2,
      weightShape: [2, 1, 2, 2],
    });
  });
});
