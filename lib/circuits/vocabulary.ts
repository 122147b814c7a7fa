import { join } from 'node:path';
import { isPlain } from '../arguments/options.ts';
import { readJson } from '../weights/storage.ts';

/** What a tokenizer calls its tokens, for people to read. */
export interface Vocabulary {
  /** Of the token `id`; the id itself where it has no name. */
  nameOf(id: number): string;
}

/** Of checkpoints that have no names. */
export const noVocabulary: Vocabulary = { nameOf: String };

const files = ['tokenizer.json', 'vocab.json'];
const mostBytes = 2 ** 28;

/**
 * The names in `tokenizer.json` of a folder, or else in its `vocab.json`: a list, or an object of ids by token. Characters that stand
 * for bytes or spaces are decoded (`Ġthe`, `▁the` → ` the`); bytes that are no text by themselves are shown as `<0xE2>`.
 *
 * @throws `ERR_SVD_FILE` for a file that is there and cannot be read, is larger than 256 MiB or no JSON
 */
export async function readVocabulary(folder: string): Promise<Vocabulary> {
  for (const file of files) {
    const json = await ifThere(join(folder, file));
    const vocabulary = json === undefined ? undefined : vocabularyOf(json);
    if (vocabulary) return vocabulary;
  }
  return noVocabulary;
}

/** `undefined` where there is no such file. */
const ifThere = (path: string): Promise<unknown> =>
  readJson(path, mostBytes).catch((error) => {
    if (error.cause?.code === 'ENOENT') return undefined;
    throw error;
  });

/** The names in a tokenizer, a list of tokens or an object of ids; undefined where there are none. */
export function vocabularyOf(json: unknown): Vocabulary | undefined {
  const tokenizer = isPlain(json) && isPlain(json.model) ? json : undefined;
  const model = tokenizer?.model as Record<string, unknown> | undefined;
  const names = namesOf(model ? model.vocab : json);
  const own = new Set<number>();
  for (const added of asList(tokenizer?.added_tokens)) {
    if (!isPlain(added) || typeof added.content !== 'string' || !isId(added.id)) continue;
    names.set(added.id, added.content);
    own.add(added.id); // stands for itself
  }
  if (names.size === 0) return undefined;
  const decoded = tokenizer ? decoding(tokenizer) : guessed(names);
  return {
    nameOf(id) {
      const name = names.get(id);
      return name === undefined ? String(id) : own.has(id) ? name : decoded(name);
    },
  };
}

const asList = (x: unknown): readonly unknown[] => (Array.isArray(x) ? x : []);
const isId = (x: unknown): x is number => Number.isSafeInteger(x) && (x as number) >= 0;

/** `{ token: id }`, `[[token, score], …]` (Unigram) or `[token, …]`. What is neither is left out. */
function namesOf(vocab: unknown): Map<number, string> {
  const names = new Map<number, string>();
  if (isPlain(vocab)) {
    for (const [token, id] of Object.entries(vocab)) if (isId(id)) names.set(id, token);
  } else
    asList(vocab).forEach((entry, id) => {
      const token = Array.isArray(entry) ? entry[0] : entry;
      if (typeof token === 'string') names.set(id, token);
    });
  return names;
}

type Decoding = (token: string) => string;

function decoding({ model, decoder, pre_tokenizer }: Record<string, unknown>): Decoding {
  if (mentions(decoder, 'ByteLevel') || mentions(pre_tokenizer, 'ByteLevel')) return fromBytes;
  return isPlain(model) && model.type === 'WordPiece' ? asItIs : withSpaces;
}

/** Whether a part of a tokenizer is of that type, or one of those that it is a sequence of. */
function mentions(part: unknown, type: string): boolean {
  if (!isPlain(part)) return false;
  const parts = [...asList(part.decoders), ...asList(part.pretokenizers)];
  return part.type === type || parts.some((one) => isPlain(one) && one.type === type);
}

/** Of a vocabulary without its tokenizer: GPT-2's, and those made like it, have tokens that begin with Ġ. */
function guessed(names: ReadonlyMap<number, string>): Decoding {
  for (const name of names.values()) if (name.startsWith('Ġ')) return fromBytes;
  return withSpaces;
}

const asItIs: Decoding = (token) => token;
const withSpaces: Decoding = (token) => token.replaceAll('▁', ' ');

/** GPT-2's alphabet: bytes that are printable in Latin-1 stand for themselves, the others for what follows from U+0100 on. */
const alphabet = new Map<string, number>();
for (let byte = 0, other = 256; byte < 256; byte++) {
  const printable = (byte > 32 && byte < 127) || (byte > 160 && byte < 173) || (byte > 173 && byte < 256);
  alphabet.set(String.fromCharCode(printable ? byte : other++), byte);
}

function fromBytes(token: string): string {
  const bytes: number[] = [];
  for (const character of token) {
    const byte = alphabet.get(character);
    if (byte === undefined) return token;
    bytes.push(byte);
  }
  return textOf(Uint8Array.from(bytes));
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** UTF-8 as text; bytes that belong to no whole character as `<0xE2>`. */
function textOf(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; ) {
    const length = lengthOf(bytes[at]);
    try {
      text += utf8.decode(bytes.subarray(at, at + length));
      at += length;
    } catch {
      text += `<0x${bytes[at].toString(16).toUpperCase().padStart(2, '0')}>`;
      at++;
    }
  }
  return text;
}

/** Of the character that begins with this byte. */
const lengthOf = (byte: number): number => (byte < 0xc0 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4);
