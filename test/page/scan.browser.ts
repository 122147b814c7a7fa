import { readFile } from 'node:fs/promises';
import type { BrowserContextOptions } from 'playwright-core';
import { expect, test } from 'vitest';
import { versions } from '../../lib/index.ts';
import { scanPage } from '../../lib/report/scan-page.ts';
import type { Scan } from '../../lib/scan/index.ts';
import { hostileNames } from '../support/report-texts.ts';
import { scanData } from '../support/scan-data.ts';
import { findings, pages, picture, texts, width } from './support.ts';

const openHtml = pages();
const open = (scan: Scan, options?: BrowserContextOptions) => openHtml(scanPage(scan, versions()), options);
const scan = scanData();

test('the page of a scan shows every spectrum, every number, and the numbers along the layers', async () => {
  const page = await open(scan);
  expect(await texts(page, 'h2')).toEqual(['Layers', 'Spectra', 'Numbers', 'Data']);
  expect(await texts(page, '#layers-plots figcaption')).toEqual([
    'model.layers.*.q_proj.weight',
    'model.layers.*.experts',
  ]);
  await page.locator('#layers-by').selectOption('norm');
  expect(await page.locator('#layers-plots figure').count()).toBe(3);
  expect(await page.locator('#spectra-rows figure').count()).toBe(20);
  expect(await page.locator('#numbers-table tbody tr').count()).toBe(scan.rows.length);
  await picture(page, 'scan');
  expect(await page.locator('#spectra-rows canvas').count()).toBe(20);
  await page.locator('#spectra-rows .plot').first().focus();
  await page.keyboard.press('End');
  expect(await page.locator('[aria-live]').textContent()).toMatch(/^σ₆₀ = /);
});

test('its table is sorted, and filtered by name and number', async () => {
  const page = await open(scan);
  await page.getByRole('button', { name: 'Sort by spikes' }).click();
  const spikes = (await texts(page, '#numbers-table tbody td:nth-child(12)'))
    .map(Number)
    .filter((x) => !Number.isNaN(x));
  expect(spikes).toEqual([...spikes].sort((a, b) => b - a));
  await page.locator('#numbers-name').fill('Q_PROJ');
  expect(await page.locator('#numbers-count').textContent()).toBe('6 of 28 rows');
  await page.locator('#numbers-by').selectOption('spikes');
  await page.locator('#numbers-from').fill('4');
  expect(await page.locator('#numbers-count').textContent()).toBe('2 of 28 rows');
});

test('its numbers can be downloaded', async () => {
  const page = await open(scan);
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('button', { name: 'all numbers' }).click(),
  ]);
  expect((await readFile(await download.path(), 'utf8')).trimEnd().split('\r\n')).toHaveLength(
    1 + scan.rows.length,
  );
});

test('of a scan without layers or spectra, and with hostile names, it stays a page', async () => {
  const none = await open({ ...scan, rows: scan.rows.filter(({ name }) => name === 'ids') });
  expect(await none.locator('#layers-plots').textContent()).toContain('No tensors of several layers');
  const page = await open(scanData({ names: hostileNames }));
  await picture(page, 'scan-hostile');
  expect(await page.evaluate('globalThis.broken')).toBeUndefined();
  expect(await page.locator('main img, main svg, main script').count()).toBe(0);
  expect(await width(page)).toBe(1280);
});

test.each(['light', 'dark'] as const)('axe finds nothing in %s', async (colorScheme) => {
  const page = await open(scan, { colorScheme });
  await picture(page, `scan-${colorScheme}`);
  expect(await findings(page)).toEqual([]);
});

test('on a phone nothing is wider than the screen', async () => {
  const page = await open(scanData({ names: hostileNames }), {
    viewport: { width: 360, height: 740 },
    hasTouch: true,
    isMobile: true,
  });
  await picture(page, 'scan-phone');
  expect(await width(page)).toBe(360);
  expect(await findings(page)).toEqual([]);
});
