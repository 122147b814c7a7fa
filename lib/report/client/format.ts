const superscripts = '⁰¹²³⁴⁵⁶⁷⁸⁹';
const raised = (exponent: number): string =>
  (exponent < 0 ? '⁻' : '') +
  String(Math.abs(exponent)).replace(/\d/g, (digit) => superscripts[Number(digit)]);

export const powerOfTen = (exponent: number): string => `10${raised(exponent)}`;

const special = (x: number): string | undefined =>
  Number.isNaN(x) ? '–' : Number.isFinite(x) ? undefined : x > 0 ? '∞' : '−∞';

const minus = (text: string): string => text.replace(/^-/, '−');

/** 3.1e-7 → 3.1·10⁻⁷ */
export function scientific(x: number, digits = 2): string {
  if (x === 0) return '0';
  const [mantissa, exponent] = x.toExponential(digits - 1).split('e');
  return minus(`${mantissa}·${powerOfTen(Number(exponent))}`);
}

/** As many significant digits as are asked for, as short as they can be read. */
export function short(x: number, digits = 3): string {
  const size = Math.abs(x);
  const text = special(x);
  if (text !== undefined) return text;
  return x === 0 || (size >= 1e-3 && size < 1e5)
    ? minus(String(Number(x.toPrecision(digits))))
    : scientific(x, digits);
}

/** All digits of a number in single precision. */
export const exact = (x: number): string => short(x, 8);

export const percent = (share: number): string =>
  special(share) ?? `${(100 * share).toFixed(share > 0.9995 && share < 1 ? 3 : 1)} %`;

export const fixed = (x: number, digits: number): string => special(x) ?? minus(x.toFixed(digits));

/** 12 of 64 in bars of text: for people who read the page in English, wherever. */
export const count = (n: number): string => n.toLocaleString('en-US');

export const plural = (n: number, one: string, many = `${one}s`): string =>
  `${count(n)} ${n === 1 ? one : many}`;
