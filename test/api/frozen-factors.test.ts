import { describe, expect, it } from 'vitest';
import { FactoredMatrix } from '../../lib/index.ts';
import { allBits } from '../support/checks.ts';
import { randomMatrix } from '../support/matrices.ts';

describe('the factors that a product hands out', () => {
  it.each(['A', 'B'] as const)('%s: shape, strides and offset cannot be written', (name) => {
    const make = () => new FactoredMatrix(randomMatrix(1, [5, 4]), randomMatrix(2, [4, 6]));
    const M = make();
    const factor = M[name] as { shape: number[]; stride: number[]; offset: number };
    expect(() => {
      factor.shape[0] = 1;
    }).toThrow(TypeError);
    expect(() => {
      factor.stride[1] = 0;
    }).toThrow(TypeError);
    expect(() => {
      factor.offset = 1;
    }).toThrow(TypeError);
    expect(M.ldim).toBe(5);
    expect(allBits(M.svd())).toEqual(allBits(make().svd()));
  });

  it("leave the caller's own array as it is", () => {
    const a = randomMatrix(1, [5, 4]);
    void new FactoredMatrix(a, randomMatrix(2, [4, 6])).A;
    expect(Object.isFrozen(a)).toBe(false);
    expect(Object.isFrozen(a.shape)).toBe(false);
  });
});
