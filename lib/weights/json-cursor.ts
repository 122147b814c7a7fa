import { quote } from '../array/escape.ts';

const [tab, lineFeed, carriageReturn, space] = [0x09, 0x0a, 0x0d, 0x20];
const [comma, colon, openBrace, closeBrace, openBracket, closeBracket] = [0x2c, 0x3a, 0x7b, 0x7d, 0x5b, 0x5d];
const [quoteMark, backslash, digit0, digit9] = [0x22, 0x5c, 0x30, 0x39];

/** How many bytes of a malformed literal a message shows. */
const shownLiteral = 40;

/** What `JsonCursor` throws: the problem and the byte it stands at. */
export class JsonSyntaxError extends Error {
  readonly at: number;

  constructor(problem: string, at: number) {
    super(problem);
    this.at = at;
  }
}

/** What is being read, for a message: made only when there is one. */
type Context = () => string;

/** How deep a value may be nested that is taken as it is. */
const deepest = 64;

/**
 * Reads the JSON of a safetensors header, or of an index, from its bytes, piece by piece. `JSON.parse` would hide
 * duplicate keys, round large integers, and let a hostile header nest a hundred million arrays; this knows only what a
 * header may contain, and stops at the first entry too many.
 */
export class JsonCursor {
  readonly #bytes: Buffer;
  readonly #decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  readonly #whole: string;
  #at = 0;

  /** @param whole what is read, for messages */
  constructor(bytes: Uint8Array, whole = 'the header') {
    this.#whole = whole;
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get at(): number {
    return this.#at;
  }

  fail(problem: string, at = this.#at): never {
    throw new JsonSyntaxError(problem, at);
  }

  #skipWhitespace(): void {
    for (; ; this.#at++) {
      const byte = this.#bytes[this.#at];
      if (byte !== space && byte !== tab && byte !== lineFeed && byte !== carriageReturn) return;
    }
  }

  /** Takes `character` if it comes next. */
  #accept(character: string): boolean {
    this.#skipWhitespace();
    if (this.#bytes[this.#at] !== character.charCodeAt(0)) return false;
    this.#at++;
    return true;
  }

  #expect(character: string, context: Context): void {
    if (!this.#accept(character)) this.fail(`expected ${character} ${context()}, found ${this.#found()}`);
  }

  #found(): string {
    const byte = this.#bytes[this.#at];
    if (byte === undefined) return `the end of ${this.#whole}`;
    return byte > 0x20 && byte < 0x7f
      ? String.fromCharCode(byte)
      : `byte 0x${byte.toString(16).padStart(2, '0')}`;
  }

  /**
   * Calls `member` with each key of an object, the cursor before the value. A key that comes twice is an error, and so is
   * a key more than `most`.
   */
  object(context: Context, most: number, member: (key: string, keyAt: number) => void): void {
    this.#expect('{', () => `to begin ${context()}`);
    if (this.#accept('}')) return;
    const seen = new Set<string>();
    do {
      this.#skipWhitespace();
      const keyAt = this.#at;
      const key = this.string(() => `a key of ${context()}`);
      if (seen.has(key)) this.fail(`duplicate key ${quote(key)} in ${context()}`, keyAt);
      if (seen.size === most) this.fail(`more than ${most} keys in ${context()}`, keyAt);
      seen.add(key);
      this.#expect(':', () => `after key ${quote(key)}`);
      member(key, keyAt);
    } while (this.#accept(','));
    this.#expect('}', () => `to end ${context()}`);
  }

  /** An array of non-negative safe integers, `most` of them at most. */
  integers(context: Context, most: number): number[] {
    const values: number[] = [];
    this.#expect('[', () => `to begin ${context()}`);
    if (this.#accept(']')) return values;
    do {
      if (values.length === most) this.fail(`more than ${most} numbers in ${context()}`);
      values.push(this.#integer(context));
    } while (this.#accept(','));
    this.#expect(']', () => `to end ${context()}`);
    return values;
  }

  #integer(context: Context): number {
    this.#skipWhitespace();
    const start = this.#at;
    let value = 0;
    for (let byte = this.#bytes[start]; byte >= digit0 && byte <= digit9; byte = this.#bytes[++this.#at]) {
      value = 10 * value + (byte - digit0);
      if (value > Number.MAX_SAFE_INTEGER)
        this.fail(`${this.#literal(start)} in ${context()} is larger than 2^53 - 1`, start);
    }
    const digits = this.#at - start;
    if (digits === 0 || !this.#endsLiteral() || (digits > 1 && this.#bytes[start] === digit0)) {
      const literal = this.#literal(start);
      const found = literal === '' ? this.#found() : quote(literal);
      this.fail(`expected a non-negative integer in ${context()}, found ${found}`, start);
    }
    return value;
  }

  #endsLiteral(at = this.#at): boolean {
    const byte = this.#bytes[at];
    return byte === undefined || '\t\n\r ,]'.includes(String.fromCharCode(byte));
  }

  /** What stands at `start`, up to white space, a comma or a bracket. */
  #literal(start: number): string {
    let end = start;
    while (end - start < shownLiteral && !this.#endsLiteral(end)) end++;
    return this.#bytes.toString('latin1', start, end);
  }

  string(context: Context): string {
    this.#skipWhitespace();
    const start = this.#at;
    if (this.#bytes[start] !== quoteMark)
      this.fail(`expected a string for ${context()}, found ${this.#found()}`);
    let end = start + 1;
    let plain = true; // ASCII without escapes, which most names are
    for (let byte = this.#bytes[end]; byte !== quoteMark; byte = this.#bytes[++end]) {
      if (byte === undefined) this.fail(`the string for ${context()} has no end`, start);
      if (byte < 0x20 || byte > 0x7e || byte === backslash) plain = false;
      if (byte === backslash) end++;
    }
    this.#at = end + 1;
    return plain ? this.#bytes.toString('latin1', start + 1, end) : this.#decode(start, end + 1, context);
  }

  #decode(start: number, end: number, context: Context): string {
    let text: string;
    try {
      text = this.#decoder.decode(this.#bytes.subarray(start, end));
    } catch {
      this.fail(`the string for ${context()} is not valid UTF-8`, start);
    }
    let value: string;
    try {
      value = JSON.parse(text);
    } catch {
      this.fail(`the string for ${context()} has a bad escape or a control character`, start);
    }
    if (/\p{Surrogate}/u.test(value))
      this.fail(`the string for ${context()} has an unpaired surrogate`, start);
    return value;
  }

  /** Any value, as `JSON.parse` makes it. */
  value(context: Context): unknown {
    this.#skipWhitespace();
    const start = this.#at;
    let depth = 0;
    do {
      this.#skipWhitespace();
      const byte = this.#bytes[this.#at];
      if (byte === undefined) this.fail(`${context()} has no end`, start);
      if (byte === quoteMark) this.string(context);
      else if (byte === openBrace || byte === openBracket) {
        if (++depth > deepest) this.fail(`${context()} is nested more than ${deepest} levels deep`, start);
        this.#at++;
      } else if (byte === closeBrace || byte === closeBracket) {
        depth--;
        this.#at++;
      } else if (byte === comma || byte === colon) this.#at++;
      else this.#at += this.#literalLength();
    } while (depth > 0);
    try {
      return JSON.parse(this.#bytes.toString('utf8', start, this.#at));
    } catch {
      this.fail(`${context()} is not JSON`, start);
    }
  }

  /** Bytes up to what may end a number or a word; at least one. */
  #literalLength(): number {
    let end = this.#at + 1;
    while (end < this.#bytes.length && !'\t\n\r ,:]}"[{'.includes(String.fromCharCode(this.#bytes[end])))
      end++;
    return end - this.#at;
  }

  /** Only white space may follow. */
  end(): void {
    this.#skipWhitespace();
    if (this.#at < this.#bytes.length)
      this.fail(`expected only spaces after ${this.#whole}, found ${this.#found()}`);
  }
}
