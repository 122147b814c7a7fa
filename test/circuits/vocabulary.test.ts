import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { readVocabulary, vocabularyOf } from '../../lib/circuits/vocabulary.ts';
import { checkError, rejectionOf } from '../support/checks.ts';
import { hostileTexts } from '../support/hostile-texts.ts';
import { temporaryFolder } from '../support/temporary.ts';

const names = (json: unknown, n: number) => {
  const vocabulary = vocabularyOf(json);
  return Array.from({ length: n }, (_, id) => vocabulary?.nameOf(id));
};

describe('names of tokens', () => {
  const byteLevel = { type: 'ByteLevel' };
  const vocab = { Ġthe: 0, Ċ: 1, 'Ã©': 2, âĢ: 3, '<|end|>': 4, ðŁĺĢ: 5 };
  const decoded = [' the', '\n', 'é', '<0xE2><0x80>', '<|end|>', '😀'];

  test.each([
    ['a decoder', { decoder: byteLevel }],
    ['a pre-tokenizer', { pre_tokenizer: byteLevel }],
    ['a part of one', { pre_tokenizer: { type: 'Sequence', pretokenizers: [{ type: 'Split' }, byteLevel] } }],
  ])('of byte-level BPE are the bytes, where %s says so', (_, parts) => {
    expect(names({ model: { type: 'BPE', vocab }, ...parts }, 6)).toEqual(decoded);
  });

  test("of GPT-2's vocab.json, which does not say so, too", () => {
    expect(names(vocab, 6)).toEqual(decoded);
  });

  test('every byte has its character', () => {
    const printable = (byte: number) =>
      (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    let other = 256;
    const all = Array.from({ length: 256 }, (_, byte) =>
      String.fromCodePoint(printable(byte) ? byte : other++),
    );
    const tokens = Object.fromEntries(all.map((character, byte) => [character, byte]));
    names({ model: { type: 'BPE', vocab: tokens }, decoder: byteLevel }, 256).forEach((name, byte) => {
      const hex = byte.toString(16).toUpperCase().padStart(2, '0');
      expect(name).toBe(byte < 128 ? String.fromCharCode(byte) : `<0x${hex}>`);
    });
  });

  test('of SentencePiece, as BPE or as Unigram, have spaces; those of WordPiece stay as they are', () => {
    const pieces = { '▁the': 0, ing: 1, '<0x0A>': 2 };
    expect(names({ model: { type: 'BPE', vocab: pieces } }, 3)).toEqual([' the', 'ing', '<0x0A>']);
    const scored = [
      ['▁the', -1],
      ['s', -2],
    ];
    expect(names({ model: { type: 'Unigram', vocab: scored } }, 2)).toEqual([' the', 's']);
    expect(names(scored, 2)).toEqual([' the', 's']);
    expect(names({ model: { type: 'WordPiece', vocab: { '##ing': 0, '▁': 1 } } }, 2)).toEqual(['##ing', '▁']);
  });

  test('that were added stand for themselves, and come first', () => {
    const added_tokens = [
      { id: 1, content: 'Ġpad' },
      { id: 7, content: '<s>' },
    ];
    const json = { model: { vocab: { Ġa: 0, Ġb: 1 } }, decoder: byteLevel, added_tokens };
    const vocabulary = vocabularyOf(json);
    expect([0, 1, 7, 2].map((id) => vocabulary?.nameOf(id))).toEqual([' a', 'Ġpad', '<s>', '2']);
  });

  test('nothing in a vocabulary makes it throw: what is no name is left out, and its id stands there', () => {
    const odd = JSON.parse(
      '{"__proto__": 0, "a": -1, "b": 1.5, "c": "2", "constructor": 3, "d": null, "\\ud800": 4}',
    );
    expect(names(odd, 5)).toEqual(['__proto__', '1', '2', 'constructor', '\ud800']);
    expect(names([null, 1, {}, [], [2], 'x', ['y', 0]], 7)).toEqual(['0', '1', '2', '3', '4', 'x', 'y']);
    const added_tokens = [
      null,
      1,
      {},
      { id: 'x', content: 'a' },
      { id: 0, content: 3 },
      { id: 0, content: 'z' },
    ];
    expect(names({ model: { vocab: 3 }, added_tokens, decoder: [3] }, 1)).toEqual(['z']);
    expect(names(hostileTexts, hostileTexts.length)).toEqual(hostileTexts);
    for (const json of [null, 3, 'x', [], {}, { model: {} }, { model: { vocab: {} } }])
      expect(vocabularyOf(json)).toBeUndefined();
  });
});

describe('the vocabulary of a folder', () => {
  const folder = temporaryFolder();
  const withFiles = (name: string, files: Record<string, string>) => {
    mkdirSync(folder(name));
    for (const [file, text] of Object.entries(files)) writeFileSync(folder(`${name}/${file}`), text);
    return folder(name);
  };
  const first = async (path: string) => (await readVocabulary(path)).nameOf(0);

  test('tokenizer.json before vocab.json, ids where there is neither', async () => {
    const files = { 'tokenizer.json': '{"model": {"vocab": {"a": 0}}}', 'vocab.json': '{"b": 0}' };
    expect(await first(withFiles('both', files))).toBe('a');
    expect(await first(withFiles('one', { 'vocab.json': files['vocab.json'] }))).toBe('b');
    expect(await first(withFiles('empty', { ...files, 'tokenizer.json': '{}' }))).toBe('b');
    expect(await first(withFiles('none', {}))).toBe('0');
  });

  test('what is there and cannot be read is an error that names it', async () => {
    const bad = withFiles('bad', { 'tokenizer.json': '{"model": ' });
    checkError(await rejectionOf(readVocabulary(bad)), 'ERR_SVD_FILE', 'tokenizer.json: is not JSON');
    mkdirSync(folder('folder/tokenizer.json'), { recursive: true });
    checkError(await rejectionOf(readVocabulary(folder('folder'))), 'ERR_SVD_FILE', 'is a directory');
    mkdirSync(folder('link'));
    symlinkSync('/dev/zero', folder('link/vocab.json'));
    checkError(await rejectionOf(readVocabulary(folder('link'))), 'ERR_SVD_FILE', 'not a regular file');
  });
});
