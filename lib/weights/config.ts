import { isPlain } from '../arguments/options.ts';
import { shown } from '../array/errors.ts';
import { quote } from '../array/escape.ts';
import { fileError } from './file-errors.ts';
import { readJson } from './storage.ts';

/** Bytes of such a file at most; those of real models have a few thousand. */
const mostBytes = 16 * 2 ** 20;

/** A `config.json` of a model or an adapter: its values by name, checked when they are asked for. `null` counts as absent. */
export class Config {
  readonly path: string;
  /** All of it, as it was read. */
  readonly values: Readonly<Record<string, unknown>>;
  /** Where in the file, for messages. */
  readonly #place: string;

  constructor(path: string, values: Readonly<Record<string, unknown>>, place = '') {
    this.path = path;
    this.values = values;
    this.#place = place;
  }

  /** `ERR_SVD_FILE` when the file is not there or not JSON of an object. */
  static async read(path: string): Promise<Config> {
    const values = await readJson(path, mostBytes);
    if (!isPlain(values)) throw fileError(path, `expected an object, found ${shown(values)}`);
    return new Config(path, values);
  }

  /** The first of the names that the file has. */
  #find(names: readonly string[]): { name: string; value: unknown } | undefined {
    for (const name of names) {
      const value = this.raw(name);
      if (value !== undefined && value !== null) return { name, value };
    }
    return undefined;
  }

  raw(name: string): unknown {
    return Object.hasOwn(this.values, name) ? this.values[name] : undefined;
  }

  /** Whether the name is there, be it as `null`. */
  has(name: string): boolean {
    return this.raw(name) !== undefined;
  }

  fail(name: string, problem: string): never {
    throw fileError(this.path, `${this.#place}${quote(name)}: ${problem}`);
  }

  /** How many; the first of several names that is there. */
  count(names: string | readonly string[], absent: number): number {
    const found = this.#find([names].flat());
    if (!found) return absent;
    const { name, value } = found;
    if (Number.isSafeInteger(value) && (value as number) > 0) return value as number;
    return this.fail(name, `expected a positive integer, found ${shown(value)}`);
  }

  number(names: string | readonly string[], absent: number): number {
    const found = this.#find([names].flat());
    if (!found) return absent;
    if (Number.isFinite(found.value) && (found.value as number) > 0) return found.value as number;
    return this.fail(found.name, `expected a positive number, found ${shown(found.value)}`);
  }

  flag(name: string, absent: boolean): boolean {
    const found = this.#find([name]);
    if (!found) return absent;
    if (typeof found.value === 'boolean') return found.value;
    return this.fail(name, `expected true or false, found ${shown(found.value)}`);
  }

  text(name: string): string | undefined {
    const found = this.#find([name]);
    if (!found) return undefined;
    if (typeof found.value === 'string') return found.value;
    return this.fail(name, `expected a string, found ${shown(found.value)}`);
  }

  /** A list of some of a few words. */
  texts(name: string, known: readonly string[]): readonly string[] | undefined {
    const found = this.#find([name]);
    if (!found) return undefined;
    if (!Array.isArray(found.value)) return this.fail(name, `expected a list, found ${shown(found.value)}`);
    for (const x of found.value)
      if (!known.includes(x))
        this.fail(name, `expected ${known.map((word) => quote(word)).join(' or ')}, found ${shown(x)}`);
    return found.value;
  }

  /** A part that is an object itself, such as `text_config`; an empty one where it is absent. */
  part(name: string): Config {
    const found = this.#find([name]);
    if (!found) return new Config(this.path, {}, `${this.#place}${name}.`);
    if (isPlain(found.value)) return new Config(this.path, found.value, `${this.#place}${name}.`);
    return this.fail(name, `expected an object, found ${shown(found.value)}`);
  }
}
