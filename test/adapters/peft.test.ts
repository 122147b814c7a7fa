import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type Adapter, openAdapter, writeAdapter } from '../../lib/adapters/index.ts';
import { temporaryFolder } from '../support/temporary.ts';

// Folders that PEFT 0.21 wrote, and what it adds to every weight: scripts/reference/make_adapters.py, which also opens in PEFT what
// is written here.

const at = temporaryFolder();
const fixture = (name: string) => new URL(`../fixtures/adapters/${name}`, import.meta.url);

type Changes = Record<string, { shape: number[]; values: number[] }>;

/** ‖found − expected‖_F/‖expected‖_F of every module. */
function errors({ modules, info }: Adapter, expected: Changes): number[] {
  expect([...modules.keys()].sort()).toEqual(Object.keys(expected).sort());
  return Object.entries(expected).map(([name, { shape, values }]) => {
    expect(info.get(name)?.weightShape).toEqual(shape);
    const { AB } = modules.get(name)!;
    const cols = AB.shape[1];
    const differences = values.map((x, i) => AB.get(Math.floor(i / cols), i % cols) - x);
    return Math.hypot(...differences) / Math.hypot(...values);
  });
}

describe.each(['plain', 'patterns', 'gpt2'])('an adapter that PEFT wrote (%s)', (name) => {
  const expected: Changes = JSON.parse(readFileSync(new URL(`${fixture(name)}/changes.json`), 'utf8'));

  it('is read as what PEFT adds to the weights', async () => {
    for (const error of errors(await openAdapter(fixture(name)), expected)) expect(error).toBeLessThan(1e-6);
  });

  it('is so again after it was written', async () => {
    const adapter = await openAdapter(fixture(name));
    await writeAdapter(at(name), adapter);
    const again = await openAdapter(at(name));
    for (const error of errors(again, expected)) expect(error).toBeLessThan(1e-6);
    expect(again.replaced).toEqual(adapter.replaced);
  });

  it('and one with another alpha is not', async () => {
    const { config, ...adapter } = await openAdapter(fixture(name));
    expect(config?.peft_version).toBe('0.21.0');
    for (const values of Object.values(expected)) values.values = values.values.map((x) => 1.001 * x);
    for (const error of errors(adapter as Adapter, expected)) expect(error).toBeGreaterThan(9e-4);
  });
});
