/** `factored-svd/adapters`: low-rank adapters. */
export { Adapter, type AdapterFormat, type AdapterParts, type Module, type ModuleInfo } from './adapter.ts';
export { describeAdapter, type ModuleDescription } from './describe.ts';
export { type Extraction, type ExtractOptions, extract } from './extract.ts';
export type { Keep } from './keep.ts';
export { mergeAdapters } from './merge.ts';
export type { NameOptions } from './module-names.ts';
export { type OpenAdapterOptions, openAdapter } from './open.ts';
export type { ModuleReport } from './recompress.ts';
export { type AdapterResult, resize } from './resize.ts';
export { type WriteAdapterOptions, writeAdapter } from './write.ts';
