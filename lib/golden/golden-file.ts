import { escapedJson } from '../escape.ts';
import type { Dtype } from '../views.ts';
import { writeAtomically } from '../weights/atomic-file.ts';
import { fileError, fileStep } from '../weights/file-errors.ts';
import { openRegular } from '../weights/regular-file.ts';
import { format, type Golden, type GoldenRecord } from './contents.ts';
import { checkJsonCost } from './json-cost.ts';
import { parseGolden } from './parse.ts';
import type { ClusterRecord } from './record.ts';

/** What a golden file may have; records of a million singular values have 150 MB. */
const mostFileBytes = 2 ** 28;

/** Reads a golden file. `ERR_SVD_FILE` when it cannot be read or is none. */
export async function readGolden(path: string): Promise<Golden> {
  const { handle, stats } = await openRegular(path);
  try {
    if (stats.size > mostFileBytes)
      throw fileError(path, `too large for a golden file: ${stats.size} bytes, at most ${mostFileBytes}`);
    const bytes = await fileStep(path, 'read', () => handle.readFile());
    checkJsonCost(path, bytes);
    return parseGolden(path, bytes.toString());
  } finally {
    await handle.close();
  }
}

/** Writes a golden file: it appears whole or not at all. `ERR_SVD_FILE` */
export async function writeGolden(path: string, golden: Golden, signal?: AbortSignal): Promise<void> {
  await writeAtomically(path, (append) => append(Buffer.from(goldenJson(golden))), signal);
}

/** JSON with one line per cluster of singular values: small, and a change shows where it is. */
export function goldenJson({ versions, records }: Golden): string {
  const head = [`"format": ${escapedJson(format)}`, `"versions": ${escapedJson(versions)}`];
  return `{\n${[...head, `"records": ${lines(records.map(recordJson))}`].join(',\n')}\n}\n`;
}

const lines = (parts: readonly string[]): string => (parts.length > 0 ? `[\n${parts.join(',\n')}\n]` : '[]');

function recordJson({ items, dtype, file, source, shape }: GoldenRecord): string {
  const all = items.map(({ clusters, beta, bound }) =>
    opened({ beta, bound }, 'clusters', lines(clusters.map((cluster) => clusterJson(cluster, dtype)))),
  );
  return opened({ file, source, shape, dtype }, 'items', lines(all));
}

/** An object whose last member is JSON already. */
const opened = (members: object, last: string, json: string): string =>
  `${escapedJson(members).slice(0, -1)},"${last}":${json}}`;

const clusterJson = (cluster: ClusterRecord, dtype: Dtype): string =>
  JSON.stringify({ ...cluster, S: cluster.S.map((s) => (dtype === 'float32' ? shortFloat32(s) : s)) });

/** The shortest decimal that is nearest to the same float32. */
function shortFloat32(x: number): number {
  for (let digits = 6; digits < 9; digits++) {
    const decimal = Number(x.toPrecision(digits));
    if (Math.fround(decimal) === x) return decimal;
  }
  return Number(x.toPrecision(9));
}
