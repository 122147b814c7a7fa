import { beforeAll, expect, test } from 'vitest';
import { versions } from '../../lib/index.ts';
import { unpackScan } from '../../lib/report/client/unpack-scan.ts';
import { packScan } from '../../lib/report/scan-pack.ts';
import { scanPage } from '../../lib/report/scan-page.ts';
import { built } from '../support/built.ts';
import { hostileNames } from '../support/report-texts.ts';
import { scanData } from '../support/scan-data.ts';

beforeAll(() => built('report/client.js'));

test('the page of a scan holds every row, with all that is known of it', () => {
  const scan = scanData();
  expect(unpackScan(packScan(scan))).toEqual(scan.rows);
});

test('it has two scripts, whatever the names in it, and asks for nothing', () => {
  const page = scanPage(scanData({ names: hostileNames }), versions());
  expect(page.match(/<script\b/gi)).toHaveLength(2);
  expect(page.match(/<\/script/gi)).toHaveLength(2);
  for (const text of ['<!--', '<img', '<svg', '\u202e', '\u0000', '\ud800'])
    expect(page.includes(text), JSON.stringify(text)).toBe(false);
  const markup = page.replace(/<(script|style)\b.*?<\/\1>/gs, '');
  expect(markup).not.toMatch(/\b(?:src|srcset|data|action|poster)=|<link|@import|url\(/);
});

test('it says what part of a scan it is of', () => {
  const scan = { ...scanData(), shard: { index: 2, count: 3 }, done: 5 };
  expect(scanPage(scan, versions())).toContain('Only shard 2 of 3, 5 of ');
  expect(scanPage(scanData(), versions())).not.toContain('Only ');
});

test('of 100,000 rows it is under 30 MB, without some of the curves', () => {
  const scan = scanData({ layers: 25_000 });
  const page = scanPage(scan, versions());
  expect(Buffer.byteLength(page)).toBeLessThan(30e6);
  const rows = unpackScan(/<script type="application\/json" id="report">(.*?)<\/script>/s.exec(page)![1]);
  expect(rows).toHaveLength(100_004);
  expect(rows.filter(({ curve }) => curve).length).toBeLessThan(75_000);
});
