import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { label, managers } from './support/managers.ts';
import { root, runtimeVersion } from './support/tools.ts';

// The table of what is tried, in docs/install.md; with UPDATE=1 in the environment it is written there.

const columns = ['node-20-lowest', 'node-22', 'node-24', 'node-26', 'bun'] as const;

function table(): string {
  const rows = [
    ['', ...columns.map((runtime) => `${runtime === 'bun' ? 'bun' : 'Node'} ${runtimeVersion(runtime)}`)],
    columns.map(() => '---').concat('---'),
    ...Object.entries(managers).map(([name, manager]) => [
      label(name, manager),
      ...columns.map((runtime) => (manager.runtimes.includes(runtime) ? 'works' : '')),
    ]),
  ];
  return rows.map((row) => `| ${row.join(' | ')} |\n`).join('');
}

test('docs/install.md tells what is tried', () => {
  const path = join(root, 'docs/install.md');
  const text = readFileSync(path, 'utf8');
  const updated = text.replace(/(?<=^## What was tried\n(?:(?!##).*\n)*?)(\|.*\n)+/m, table());
  if (process.env.UPDATE === '1') writeFileSync(path, updated);
  else expect(text).toBe(updated);
  expect(updated).toContain(table());
});
