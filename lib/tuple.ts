const mutating = new Set(
  'constructor copyWithin fill pop push reverse shift sort splice toLocaleString toString unshift'.split(' '),
);

/**
 * Makes the instances of a class behave like a readonly tuple of some of their fields: indices, length, iteration and all
 * methods of an array that change nothing. They stay objects: `Array.isArray` is false, and their keys are their fields.
 */
export function likeTuple(
  { prototype }: abstract new (...args: never[]) => object,
  fields: readonly string[],
): void {
  for (const key of Reflect.ownKeys(Array.prototype)) {
    const method = Array.prototype[key as keyof unknown[]];
    if (typeof method === 'function' && !mutating.has(key as string))
      Object.defineProperty(prototype, key, { value: method, configurable: true, writable: true });
  }
  fields.forEach((field, i) => {
    Object.defineProperty(prototype, i, {
      get(this: Record<string, unknown>) {
        return this[field];
      },
      configurable: true,
    });
  });
  Object.defineProperty(prototype, 'length', { value: fields.length });
  Object.defineProperty(prototype, Symbol.isConcatSpreadable, { value: true });
}
