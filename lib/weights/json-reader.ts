import { fileError } from './file-errors.ts';

/** Checks the values of JSON that a command of this package wrote; its errors name the file and the place in it. */
export class JsonReader {
  readonly #path: string;
  readonly #kind: string;

  /** @param kind what the file should be: `golden file` */
  constructor(path: string, kind: string) {
    this.#path = path;
    this.#kind = kind;
  }

  fail(at: string, expected: string): never {
    throw fileError(this.#path, `not a ${this.#kind}: ${at}: expected ${expected}`);
  }

  object(value: unknown, at: string): Record<string, unknown> {
    if (value === null || typeof value !== 'object' || Array.isArray(value)) this.fail(at, 'an object');
    return value as Record<string, unknown>;
  }

  list<T>(value: unknown, at: string, read: (value: unknown, at: string) => T): T[] {
    if (!Array.isArray(value)) this.fail(at, 'a list');
    return value.map((entry, i) => read(entry, `${at}[${i}]`));
  }

  text(value: unknown, at: string): string {
    if (typeof value !== 'string') this.fail(at, 'a string');
    return value;
  }

  flag(value: unknown, at: string): boolean {
    if (typeof value !== 'boolean') this.fail(at, 'true or false');
    return value;
  }

  number(value: unknown, at: string): number {
    if (typeof value !== 'number') this.fail(at, 'a number'); // JSON has no NaN, but 1e999 reads as infinity
    if (!Number.isFinite(value)) this.fail(at, 'a finite number');
    return value;
  }

  nonNegative(value: unknown, at: string): number {
    const number = this.number(value, at);
    if (number < 0) this.fail(at, 'a number ≥ 0');
    return number;
  }

  size(value: unknown, at: string): number {
    if (!Number.isSafeInteger(value) || (value as number) < 0) this.fail(at, 'an integer ≥ 0');
    return value as number;
  }
}
