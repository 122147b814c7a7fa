/** Texts that steer a terminal, hide something, or give a command to a CI runner, where they are printed as they are. */
export const hostileTexts: readonly string[] = [
  '\u001b[31mred',
  'two\nlines',
  'back\r\u0008over',
  '\u007f',
  '\u009b31m',
  '\u0085next line',
  '\u2028line\u2029paragraph',
  '\u202eright to left\u2066isolate\u2069',
  '\u200bzero\u200d\u2060\ufeff width',
  '\u061c\u180e\u00ad\u034f\u3164',
  'tag\u{e0041}',
  '::warning::a',
  ' ::error file=x::b',
  '\n::warning::c',
  '\r\n::add-mask::d',
  '%0A::warning::e',
  '##[error]f',
  '###[group]g',
  '##vso[task.complete result=Succeeded;]h',
  ':',
  '\nok 2 - all is well\n',
  '# SKIP',
];

/** Code points that must not reach an output, `\n` between lines apart. Listed by hand, not by Unicode's properties. */
const unsafeRanges: readonly (readonly [number, number])[] = [
  [0x00, 0x09],
  [0x0b, 0x1f],
  [0x7f, 0x9f],
  [0xad, 0xad],
  [0x34f, 0x34f],
  [0x600, 0x605],
  [0x61c, 0x61c],
  [0x6dd, 0x6dd],
  [0x70f, 0x70f],
  [0x115f, 0x1160],
  [0x17b4, 0x17b5],
  [0x180b, 0x180f],
  [0x200b, 0x200f],
  [0x2028, 0x202e],
  [0x2060, 0x206f],
  [0x3164, 0x3164],
  [0xd800, 0xdfff],
  [0xfe00, 0xfe0f],
  [0xfeff, 0xfeff],
  [0xffa0, 0xffa0],
  [0xfff9, 0xfffb],
  [0x1d173, 0x1d17a],
  [0xe0000, 0xe0fff],
];

/** The code points of `output` that must not be there, in hexadecimal. */
export const unsafeIn = (output: string): string[] =>
  Array.from(output, (character) => character.codePointAt(0)!)
    .filter((code) => unsafeRanges.some(([first, last]) => code >= first && code <= last))
    .map((code) => code.toString(16));

/** The commands that a CI runner finds in `output`: a line that begins with `::`, `##[` or `##name[` anywhere. */
export const runnerCommandsIn = (output: string): string[] =>
  output.split(/[\r\n\u0085\u2028\u2029]/).filter((line) => /^\s*::|##\w*\[/.test(line));
