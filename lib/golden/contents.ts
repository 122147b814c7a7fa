import type { Versions } from '../runtime.ts';
import type { SpectrumRecord } from './record.ts';

/** Which matrix of a weight file was recorded: factors that are there, one tensor, or the product of two. */
export interface Source {
  readonly factors?: boolean;
  readonly matrix?: string;
  readonly a?: string;
  readonly b?: string;
  readonly transposeA?: boolean;
  readonly transposeB?: boolean;
}

export interface GoldenRecord extends SpectrumRecord {
  /** The weight file, relative to the folder of the golden file, with `/`. */
  readonly file: string;
  readonly source: Source;
}

/** The contents of a golden file. */
export interface Golden {
  /** What computed it. */
  readonly versions: Versions;
  readonly records: readonly GoldenRecord[];
}

/** The first line of every golden file. */
export const format = 'factored-svd golden 1';
