/** `factored-svd/weights`: readers and writers of weight files. */
export type { ReadableDtype, SafetensorsDtype } from './dtypes.ts';
export type { TensorInfo } from './header.ts';
export { openSafetensors, type SafetensorsFile } from './reader.ts';
export { writeSafetensors } from './writer.ts';
