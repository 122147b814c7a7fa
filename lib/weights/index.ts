/** `factored-svd/weights`: readers and writers of weight files. */
export type { NumpyDtype, ReadableDtype, SafetensorsDtype, StorableDtype, StoredTensor } from './dtypes.ts';
export type { SafetensorsInfo, TensorInfo } from './header.ts';
export { writeNpy, writeNpz } from './numpy-writer.ts';
export { openWeights } from './open.ts';
export { openSafetensors } from './reader.ts';
export type { ReadOptions, SafetensorsFile, Weights } from './weights.ts';
export { type Writable, writeSafetensors } from './writer.ts';
