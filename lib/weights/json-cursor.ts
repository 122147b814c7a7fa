import { quote } from './file-errors.ts';

const whitespace = new Set([0x20, 0x09, 0x0a, 0x0d]);
const endsNumber = new Set([...whitespace, 0x2c, 0x5d]);
const quoteMark = 0x22;
const backslash = 0x5c;

/** What `JsonCursor` throws: the problem and the byte it stands at. */
export class JsonSyntaxError extends Error {
  readonly at: number;

  constructor(problem: string, at: number) {
    super(problem);
    this.at = at;
  }
}

/**
 * Reads the JSON of a safetensors header from its bytes, piece by piece. `JSON.parse` would hide duplicate keys, round
 * large integers, and let a hostile header nest a hundred million arrays; this knows only what a header may contain.
 */
export class JsonCursor {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get at(): number {
    return this.#at;
  }

  fail(problem: string, at = this.#at): never {
    throw new JsonSyntaxError(problem, at);
  }

  #skipWhitespace(): void {
    while (whitespace.has(this.#bytes[this.#at])) this.#at++;
  }

  /** Takes `character` if it comes next. */
  #accept(character: string): boolean {
    this.#skipWhitespace();
    if (this.#bytes[this.#at] !== character.charCodeAt(0)) return false;
    this.#at++;
    return true;
  }

  #expect(character: string, context: string): void {
    if (!this.#accept(character)) this.fail(`expected ${character} ${context}, found ${this.#found()}`);
  }

  #found(): string {
    const byte = this.#bytes[this.#at];
    if (byte === undefined) return 'the end of the header';
    return byte > 0x20 && byte < 0x7f
      ? String.fromCharCode(byte)
      : `byte 0x${byte.toString(16).padStart(2, '0')}`;
  }

  /** Calls `member` with each key of an object, the cursor before the value. A key that comes twice is an error. */
  object(context: string, member: (key: string, keyAt: number) => void): void {
    this.#expect('{', `to begin ${context}`);
    if (this.#accept('}')) return;
    const seen = new Set<string>();
    do {
      this.#skipWhitespace();
      const keyAt = this.#at;
      const key = this.string(`a key of ${context}`);
      if (seen.has(key)) this.fail(`duplicate key ${quote(key)} in ${context}`, keyAt);
      seen.add(key);
      this.#expect(':', `after key ${quote(key)}`);
      member(key, keyAt);
    } while (this.#accept(','));
    this.#expect('}', `to end ${context}`);
  }

  /** An array of non-negative safe integers. */
  integers(context: string): number[] {
    const values: number[] = [];
    this.#expect('[', `to begin ${context}`);
    if (this.#accept(']')) return values;
    do values.push(this.#integer(context));
    while (this.#accept(','));
    this.#expect(']', `to end ${context}`);
    return values;
  }

  #integer(context: string): number {
    this.#skipWhitespace();
    const start = this.#at;
    while (this.#at < this.#bytes.length && !endsNumber.has(this.#bytes[this.#at])) this.#at++;
    const literal = Buffer.from(this.#bytes.subarray(start, Math.min(this.#at, start + 40))).toString(
      'latin1',
    );
    if (literal === '')
      this.fail(`expected a non-negative integer in ${context}, found ${this.#found()}`, start);
    if (!/^(0|[1-9]\d*)$/.test(literal))
      this.fail(`expected a non-negative integer in ${context}, found ${quote(literal)}`, start);
    const value = Number(literal);
    if (!Number.isSafeInteger(value)) this.fail(`${literal} in ${context} is larger than 2^53 - 1`, start);
    return value;
  }

  string(context: string): string {
    this.#skipWhitespace();
    const start = this.#at;
    if (this.#bytes[start] !== quoteMark)
      this.fail(`expected a string for ${context}, found ${this.#found()}`);
    let end = start + 1;
    while (end < this.#bytes.length && this.#bytes[end] !== quoteMark)
      end += this.#bytes[end] === backslash ? 2 : 1;
    if (end >= this.#bytes.length) this.fail(`the string for ${context} has no end`, start);
    this.#at = end + 1;
    return this.#decode(this.#bytes.subarray(start, end + 1), context, start);
  }

  #decode(literal: Uint8Array, context: string, at: number): string {
    let text: string;
    try {
      text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(literal);
    } catch {
      this.fail(`the string for ${context} is not valid UTF-8`, at);
    }
    let value: string;
    try {
      value = JSON.parse(text);
    } catch {
      this.fail(`the string for ${context} has a bad escape or a control character`, at);
    }
    if (/\p{Surrogate}/u.test(value)) this.fail(`the string for ${context} has an unpaired surrogate`, at);
    return value;
  }

  /** Only white space may follow. */
  end(): void {
    this.#skipWhitespace();
    if (this.#at < this.#bytes.length)
      this.fail(`expected only spaces after the header, found ${this.#found()}`);
  }
}
