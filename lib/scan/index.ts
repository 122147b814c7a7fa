/** Scans of whole checkpoints: what the singular values and the elements of every tensor say. */
export { csvLines } from './csv.ts';
export type { Selection } from './plan.ts';
export { type Column, columnNames, columns, isBroken, rowName, type ScanRow } from './row.ts';
export { isScan, partText, readScan, type Scan, type ScanOptions, scanWeights } from './run.ts';
