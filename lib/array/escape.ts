/**
 * What must not reach a message, a terminal or the log of a CI run as it is, wherever a text comes from outside (names
 * and metadata in files, paths, arguments, the system's own words):
 * - control characters, lone surrogates, line and paragraph separators;
 * - what is not seen or turns the direction of the text: bidirectional controls, zero-width and other format characters;
 * - what starts a command to a CI runner: `::` at the start of a line (a colon that is one half of it, too), `##[` and
 *   `##vso[` anywhere.
 */
const unsafe = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]|:(?<=^\s*:)|#(?=#\w*\[)/gu;

/** `text` on one line, as it can be shown: every unsafe character as `\uXXXX`. What is escaped already stays as it is. */
export const escaped = (text: string): string => text.replace(unsafe, asEscape);

/** The same of a text of several lines, which stay lines. */
export const escapedLines = (text: string): string => text.split('\n').map(escaped).join('\n');

/** JSON that means the same as that of `JSON.stringify` and can be shown. */
export const escapedJson = (value: unknown, indent?: number): string =>
  escapedLines(JSON.stringify(value, null, indent));

/** A name in a message: quoted, escaped, at most 200 characters. */
export const quote = (name: string): string =>
  escapedJson(name.length > 200 ? `${name.slice(0, 200)}…` : name);

function asEscape(character: string): string {
  let escapes = '';
  for (let i = 0; i < character.length; i++)
    escapes += `\\u${character.charCodeAt(i).toString(16).padStart(4, '0')}`;
  return escapes;
}
