import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { escaped } from '../array/escape.ts';
import type { Versions } from '../index.ts';

/** What a page shows. */
export interface PageContents {
  readonly title: string;
  /** What comes before the sections, HTML. */
  readonly header: string;
  readonly sections: readonly Section[];
  readonly versions: Versions;
  /** What the script shows, and which of its views does: JSON as it can stand in a script. */
  readonly kind: 'circuits' | 'scan';
  readonly payload: string;
}

/** A part of the page that the list of contents leads to. */
export interface Section {
  readonly id: string;
  readonly title: string;
  /** HTML */
  readonly text: string;
}

/**
 * One HTML file that loads nothing from anywhere, and is not allowed to.
 */
export function pageOf({ title, header, sections, versions, kind, payload }: PageContents): string {
  const style = asset('page.css');
  const script = asset('client.js');
  const policy = [
    "default-src 'none'",
    `style-src ${sourceHash(style)}`,
    `script-src ${sourceHash(script)}`,
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');
  const links = sections.map(({ id, title }) => `<a href="#${id}">${title}</a>`);
  return `<!doctype html>
<html lang="en" data-page="${kind}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="factored-svd ${html(versions.factoredSvd)}">
<title>${html(title)}</title>
<style>${style}</style>
</head>
<body>
<a class="skip" href="#${sections[0].id}">Skip to the ${sections[0].title.toLowerCase()}</a>
<main>
${header}
<nav class="contents" aria-label="Sections">${links.join(' ')}</nav>
<noscript><p>The plots and tables of this page are drawn by a script that it holds; scripts are turned off.</p></noscript>
${sections.map(({ text }) => text).join('\n')}
<footer>${footer(kind, versions)}</footer>
</main>
<script type="application/json" id="report">${payload}</script>
<script>${script}</script>
</body>
</html>
`;
}

/** A file beside the built command, or of the build where this runs from its source. */
function asset(name: string): string {
  const places = [`./report/${name}`, `../../dist/report/${name}`].map((place) =>
    fileURLToPath(new URL(place, import.meta.url)),
  );
  const path = places.find((place) => existsSync(place));
  if (path === undefined) throw new Error(`${places[0]} is missing: run npm run build:lib first`);
  return readFileSync(path, 'utf8').trim();
}

const sourceHash = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;

/** Text from outside, as it can be shown in HTML. */
export const html = (text: unknown): string =>
  escaped(String(text)).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

export const number = (n: number): string => n.toLocaleString('en-US');
export const plural = (n: number, one: string): string => `${number(n)} ${one}${n === 1 ? '' : 's'}`;

export const duration = (seconds: number): string =>
  seconds < 100 ? `${seconds.toFixed(1)} s` : `${number(Math.round(seconds / 60))} min`;

export const section = (id: string, title: string, content: string): Section => ({
  id,
  title,
  text: `<section id="${id}">
  <h2>${title}</h2>
  ${content}
</section>`,
});

/** Terms in large letters. Both are HTML. */
export const largeFacts = (facts: readonly (readonly string[])[]): string => `<dl class="facts large">
    ${facts.map(([term, value]) => `<div><dt>${term}</dt><dd>${value}</dd></div>`).join('\n    ')}
  </dl>`;

const footer = (kind: PageContents['kind'], versions: Versions): string =>
  `Made by <code>factored-svd ${kind === 'scan' ? 'scan' : 'report'}</code> with factored-svd ${html(versions.factoredSvd)}, OpenBLAS
${html(versions.openblas)} (${html(versions.openblasCore)}). Plots: µPlot, © 2025 Leon Sorokin, MIT licence.`;
