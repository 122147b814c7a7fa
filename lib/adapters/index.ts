/** `factored-svd/adapters`: low-rank adapters. */
export { Adapter, type AdapterFormat, type AdapterParts, type Module, type ModuleInfo } from './adapter.ts';
