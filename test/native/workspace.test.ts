import { describe, expect, test } from 'vitest';
import type { Steps } from '../../lib/native/steps.ts';
import {
  inWorkspace,
  returnWorkspace,
  scratch,
  takeWorkspace,
  Workspace,
} from '../../lib/native/workspace.ts';

/** Takes an array of each length in turn, with a step after each, and gives their memories. */
function* takes(...lengths: number[]): Steps<ArrayBufferLike[]> {
  const taken: ArrayBufferLike[] = [];
  for (const length of lengths) {
    taken.push(scratch('float64', [length]).buffer);
    yield { within: [0, 1] };
  }
  return taken;
}

function finish<R>(steps: Steps<R>): R {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

const sharedBy = (x: readonly ArrayBufferLike[], y: readonly ArrayBufferLike[]) =>
  x.filter((buffer) => y.includes(buffer));

describe('memory for intermediate results', () => {
  test('is reused by the next block, whatever its dtype', () => {
    const workspace = new Workspace();
    const first = finish(inWorkspace(workspace, takes(6, 8, 6)));
    expect(new Set(first).size).toBe(3);
    const second = finish(inWorkspace(workspace, takes(8, 6, 6)));
    expect(new Set(second)).toEqual(new Set(first));
    expect(sharedBy(first, second)).toHaveLength(3);
    const other = workspace.take('float32', [4, 3]);
    expect(other).toHaveLength(12);
    expect(sharedBy([other.buffer], first)).toHaveLength(1);
  });

  test('of another size is fresh', () => {
    const workspace = new Workspace();
    const first = finish(inWorkspace(workspace, takes(6)));
    expect(sharedBy(first, finish(inWorkspace(workspace, takes(7))))).toEqual([]);
  });

  test('is not shared by computations that interleave', () => {
    const each = [takeWorkspace(), takeWorkspace()].map((workspace) =>
      inWorkspace(workspace, takes(6, 6, 6)),
    );
    const results: ArrayBufferLike[][] = [];
    while (results.length < 2)
      for (const steps of each) {
        const step = steps.next();
        if (step.done && step.value) results.push(step.value);
      }
    const [one, two] = results;
    expect(new Set(one).size).toBe(3);
    expect(sharedBy(one, two)).toEqual([]);
  });

  test('of a computation inside a step of another is its own', () => {
    const outer = new Workspace();
    const inner = new Workspace();
    const around = finish(
      inWorkspace(
        outer,
        (function* (): Steps<ArrayBufferLike[][]> {
          const before = yield* takes(6);
          const inside = finish(inWorkspace(inner, takes(6)));
          return [[...before, ...(yield* takes(6))], inside];
        })(),
      ),
    );
    expect(sharedBy(around[0], around[1])).toEqual([]);
    expect([outer.bytes, inner.bytes]).toEqual([2 * 6 * 8, 6 * 8]);
  });

  test('may be taken again after a computation that fails or is given up', () => {
    const workspace = new Workspace();
    const failing = inWorkspace(
      workspace,
      (function* (): Steps<never> {
        yield* takes(6);
        throw new Error('failed');
      })(),
    );
    expect(() => finish(failing)).toThrow('failed');
    const givenUp = inWorkspace(workspace, takes(6, 8));
    givenUp.next();
    givenUp.return([]);
    expect(workspace.bytes).toBe(6 * 8);
  });

  test('is an array of its own outside of all computations', () => {
    const [one, two] = [scratch('float64', [6]), scratch('float64', [6])];
    expect(one.buffer).not.toBe(two.buffer);
  });

  test('is kept for the next computation, once, unless it is large', () => {
    const small = new Workspace();
    finish(inWorkspace(small, takes(2 ** 10)));
    returnWorkspace(small);
    expect(takeWorkspace()).toBe(small);
    expect(takeWorkspace()).not.toBe(small);
    const large = new Workspace();
    finish(inWorkspace(large, takes(2 ** 22 + 1))); // elements of 8 bytes: one more than 32 MiB
    returnWorkspace(large);
    expect(takeWorkspace()).not.toBe(large);
  });
});
