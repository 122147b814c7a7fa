/** Runs over all circuits of a checkpoint, in a folder: resumable, divisible, and read back. */
export type { PartSpectra, PartSvd } from './folder.ts';
export type { Part } from './manifest.ts';
export { type MergeResult, mergeShards } from './merge.ts';
export { type Plan, planOf, type RunState } from './plan.ts';
export { type Run, readRun } from './read.ts';
export { type RunResult, runCircuits } from './run.ts';
export { mostShards, type Shard, shardText } from './shard.ts';
