import { beforeAll, describe, expect, test } from 'vitest';
import { unpack } from '../../lib/report/client/unpack.ts';
import { pack } from '../../lib/report/pack.ts';
import { reportPage } from '../../lib/report/page.ts';
import { built } from '../support/built.ts';
import { reportData } from '../support/report-data.ts';
import { hostileNames } from '../support/report-texts.ts';

beforeAll(() => built('report/client.js'));

const hostile = hostileNames.join(' ');
const named = (name: string) => ({
  ...reportData({ words: hostileNames }),
  title: name,
  source: name,
  state: { foldNorms: true, [name]: name },
});

describe('a page', () => {
  test('is allowed to load nothing, and asks for nothing', () => {
    const page = reportPage(reportData());
    expect(page).toMatch(/<meta http-equiv="Content-Security-Policy" content="default-src 'none'; /);
    const markup = page.replace(/<(script|style)\b.*?<\/\1>/gs, '');
    expect(markup).not.toMatch(/\b(?:src|srcset|data|action|poster)=|<link|@import|url\(/);
    expect([...markup.matchAll(/href="([^"]*)"/g)].every(([, target]) => target.startsWith('#'))).toBe(true);
  });

  test('has two scripts, whatever the names in it', () => {
    const page = reportPage(named(hostile));
    expect(page.match(/<script\b/gi)).toHaveLength(2);
    expect(page.match(/<\/script/gi)).toHaveLength(2);
    for (const text of ['<!--', '<img', '<svg', '\u202e', '\u0000', '\ud800'])
      expect(page.includes(text), JSON.stringify(text)).toBe(false);
  });

  test('says what went into the circuits', () => {
    const page = reportPage({ ...reportData(), state: { foldNorms: true, rotaryOffset: 0, other: 'x<y' } });
    expect(page).toContain('norms folded in, QK not rotated, other: x&#60;y');
  });

  test('has no section for what the checkpoint does not have', () => {
    const page = reportPage(reportData({ directions: 0, composition: false }));
    expect(page).not.toMatch(/id="(tokens|composition)"/);
    expect(page).toContain('id="numbers"');
  });
});

describe('what a page holds', () => {
  const data = reportData();
  const report = unpack(pack(data));

  test('is every number of every circuit', () => {
    expect(report.circuits).toHaveLength(data.circuits.length);
    for (const circuit of data.circuits) {
      const { id: _, ...held } = report.byId.get(`L${circuit.layer}H${circuit.head}-${circuit.kind}`)!;
      expect(held).toEqual(circuit);
    }
    expect(report.random.get('OV')!.S).toEqual(data.random[0].S);
  });

  test('is ordered by layer, kind and head', () => {
    const ids = unpack(pack({ ...data, circuits: data.circuits.toReversed() })).circuits.map(({ id }) => id);
    expect(ids.slice(5, 8)).toEqual(['L0H5-OV', 'L0H0-QK', 'L0H1-QK']);
    expect(ids).toEqual(report.circuits.map(({ id }) => id));
  });

  test('is the scores of all pairs of heads', () => {
    expect(report.composition.map(({ kind, scores }) => [kind, scores])).toEqual(
      data.composition!.map(({ kind, scores }) => [kind, scores]),
    );
  });

  test('is the readings of all tokens, whatever these are called', () => {
    const { tokens } = reportData({ words: hostileNames });
    const held = unpack(pack({ ...data, tokens })).tokens;
    expect(held).toEqual(tokens!.toSorted((a, b) => a.direction - b.direction));
  });

  test('keeps double precision, infinities, and what is not known', () => {
    const [first, ...others] = data.circuits;
    const exact = {
      ...first,
      S: [Math.PI, 1e-300, 0],
      condition: Infinity,
      effectiveRank: Number.NaN,
      residual: undefined,
    };
    const [held] = unpack(pack({ ...data, circuits: [exact, ...others] })).circuits;
    expect(Array.from(held.S)).toEqual(exact.S);
    expect(held.condition).toBe(Infinity);
    expect([held.effectiveRank, held.residual]).toEqual([Number.NaN, Number.NaN]);
  });
});

test('10,000 heads with 128 singular values make a page under 20 MB, of everything but the least important', () => {
  const page = reportPage(reportData({ layers: 100, heads: 100, dHead: 128, composition: false }));
  expect(Buffer.byteLength(page)).toBeLessThan(20e6);
  const report = unpack(/<script type="application\/json" id="report">(.*?)<\/script>/s.exec(page)![1]);
  expect(report.circuits).toHaveLength(20_000);
  expect(report.circuits.every(({ S }) => S.length === 128)).toBe(true);
  expect(report.tokensLeftOut).toBeGreaterThan(0);
  expect(report.tokens.every(({ direction }) => direction === 0)).toBe(true);
});

test('of more pairs of heads than a page can hold it has the largest score of each pair of layers', () => {
  const [layers, heads] = [40, 50];
  const n = layers * heads;
  const scores = new Float32Array(n * n).fill(Number.NaN);
  scores[0 * n + 2 * heads] = 0.5;
  scores[1 * n + 2 * heads + 1] = 0.25;
  const data = reportData({ layers, heads, dHead: 1, directions: 0, composition: false });
  const composition = (['Q', 'K', 'V'] as const).map((kind) => ({ kind, scores, random: 0.01 }));
  const report = unpack(pack({ ...data, composition }));
  expect(report.composition[2]).toMatchObject({ kind: 'V', unit: 'layer', n: layers });
  expect(report.composition[2].scores[0 * layers + 2]).toBe(0.5);
});
