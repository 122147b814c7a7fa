import { mkdir, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { OptionTable } from '../arguments/options.ts';
import { isOwnError, svdError } from '../array/errors.ts';
import {
  type CompareGoldenOptions,
  compareAny,
  type GoldenChoice,
  type GoldenSource,
  goldenChoice,
  joined,
  readGolden,
  recordGolden,
  within,
} from '../golden/index.ts';
import type { Report } from '../testing/report.ts';
import { filePath, fileStep, shownPath } from '../weights/file-errors.ts';

/** Options of `toMatchGolden`: what is recorded where it is, and how it is compared. */
export interface MatchGoldenOptions extends GoldenChoice, Pick<CompareGoldenOptions, 'within'> {}

export const matchGoldenOptions: OptionTable<MatchGoldenOptions> = { ...goldenChoice, ...within };

/** What vitest and Jest tell of the test, and of `-u`. */
export interface TestState {
  readonly isNot?: boolean;
  readonly testPath?: string | undefined;
  readonly snapshotState?: object;
}

/** What became of it: a comparison, or a file that was written or may not be. */
export type GoldenOutcome = Report | 'written' | { readonly missing: string };

/**
 * Compares with a golden file as snapshots are compared: one that is missing is written, but not in CI; with `-u` one that does not
 * hold is written anew.
 */
export async function matchGolden(
  { isNot = false, testPath, snapshotState }: TestState,
  received: GoldenSource,
  file: string | URL,
  options: MatchGoldenOptions,
): Promise<GoldenOutcome> {
  const path = resolve(testPath === undefined ? '.' : dirname(testPath), filePath(file));
  const update = (snapshotState as { _updateSnapshot?: unknown } | undefined)?._updateSnapshot;
  const { within, ...choice } = options;
  const write = async (): Promise<'written'> => {
    await fileStep(path, 'write', () => mkdir(dirname(path), { recursive: true }));
    await recordGolden(received, { ...choice, file: path, update: update === 'all' });
    return 'written';
  };
  if (!(await exists(path))) {
    if (!isNot && (update === 'new' || update === 'all')) return write();
    return {
      missing: `${shownPath(path)} is not there: ${isNot ? 'with .not it is not written' : 'in CI it is not written; run the tests elsewhere, and commit it'}`,
    };
  }
  const rewrites = update === 'all' && !isNot;
  try {
    const report = await compareWith(path, received, options);
    return report.pass || !rewrites ? report : await write();
  } catch (error) {
    if (rewrites && isOwnError(error)) return write();
    throw error;
  }
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

async function compareWith(
  path: string,
  received: GoldenSource,
  { within, circuits, ...choice }: MatchGoldenOptions,
): Promise<Report> {
  const golden = await readGolden(path);
  const recorded: GoldenChoice =
    'records' in golden ? {} : { ...golden, circuits: 'kinds' in golden ? golden.kinds : undefined };
  const isOfPath = typeof received === 'string' || received instanceof URL;
  const asked: GoldenChoice = {
    ...choice,
    ...((circuits || isOfPath) && { circuits: circuits ?? undefined }),
  };
  for (const name of Object.keys(asked) as (keyof GoldenChoice)[]) {
    if (asked[name] === undefined && name !== 'circuits') continue;
    const [a, b] = [recorded[name], asked[name]].map((x) => JSON.stringify(x) ?? 'nothing');
    if (a !== b)
      throw svdError(
        'ERR_SVD_ARGUMENT',
        `${name}: ${b}, but ${shownPath(path)} was recorded with ${a}: -u records it anew`,
      );
  }
  const parts = [];
  for await (const part of compareAny(golden, received, { within })) parts.push(part);
  return joined(parts);
}
