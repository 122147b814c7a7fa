/** One of the parts into which a run is divided: number `index` of `count`, from 1. */
export interface Shard {
  readonly index: number;
  readonly count: number;
}

/** The layers `[from, to]`, without `to`, that a shard of those of a run takes: as many as any other, or one more. */
export function layersOf(
  { index, count }: Shard,
  [from, to]: readonly [from: number, to: number],
): [from: number, to: number] {
  const at = (part: number) => from + Math.floor((part * (to - from)) / count);
  return [at(index - 1), at(index)];
}

export const shardText = ({ index, count }: Shard): string => `shard ${index} of ${count}`;

/** Shards of a run at most. */
export const mostShards = 100_000;
