import { existsSync, mkdirSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import { temporaryFolder } from '../support/temporary.ts';

const executable = process.env.FACTORED_SVD_TEST_CHROMIUM ?? '/usr/bin/chromium';
export const screenshots = fileURLToPath(new URL('screenshots/', import.meta.url));
const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** What opens pages in a browser of the caller's tests, which fail of what a page asks for beside itself, and of what goes wrong in it. */
export function pages(): (html: string, options?: BrowserContextOptions, fragment?: string) => Promise<Page> {
  const at = temporaryFolder();
  let browser: Browser;
  let complaints: string[] = [];
  beforeAll(async () => {
    if (!existsSync(executable))
      throw new Error(`${executable} is missing: apt-get install -y --no-install-recommends chromium`);
    mkdirSync(screenshots, { recursive: true });
    browser = await chromium.launch({ executablePath: executable, args: ['--no-sandbox'] });
  });
  afterAll(() => browser?.close());
  afterEach(async () => {
    await Promise.all(browser.contexts().map((context) => context.close()));
    const found = complaints;
    complaints = [];
    expect(found).toEqual([]);
  });
  return async (html, options = {}, fragment = '') => {
    const file = at('page.html');
    await writeFile(file, html);
    const page = await browser.newPage({ viewport: { width: 1280, height: 900 }, ...options });
    page.setDefaultTimeout(10_000);
    page.on('console', (message) => complaints.push(`${message.type()}: ${message.text()}`));
    page.on('pageerror', (error) => complaints.push(String(error)));
    page.on('request', (request) => {
      if (!/^(file:.*page\.html|blob:)/.test(request.url())) complaints.push(`asked for ${request.url()}`);
    });
    await page.goto(pathToFileURL(file).href + fragment);
    await page.locator('html.ready').waitFor();
    return page;
  };
}

/** Scrolls through the page, so that all of it is drawn, and keeps a picture. */
export async function picture(page: Page, name: string): Promise<void> {
  await page.evaluate(`(async () => {
    for (let y = 0; y < document.documentElement.scrollHeight; y += 500) {
      scrollTo({ top: y, behavior: 'instant' });
      await new Promise((resolve) => setTimeout(resolve, 30));
    }
    scrollTo({ top: 0, behavior: 'instant' });
  })()`);
  await page.screenshot({ path: `${screenshots}${name}.png`, fullPage: true });
}

export async function findings(page: Page): Promise<string[]> {
  await page.evaluate(axe);
  const { violations } = (await page.evaluate('axe.run()')) as {
    violations: { id: string; nodes: { html: string; failureSummary: string }[] }[];
  };
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary}`),
  );
}

export const width = (page: Page) => page.evaluate('document.documentElement.scrollWidth');
export const texts = (page: Page, selector: string) => page.locator(selector).allTextContents();
