import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const path = fileURLToPath(
  new URL('../../../native/build-faults/Release/factored_svd.node', import.meta.url),
);

/** What the test build of the addon exports on top. */
export interface Faults {
  /** Bit d set: driver d of the ladder reports that it did not converge. */
  setFaults(drivers: number): void;
  /** Bit 0 (1) set: the left (right) vectors of `?gejsv` are not orthogonal, though its info is 0. */
  setSkewed(sides: number): void;
  /** From now on the addon's allocation with this number (1 is the next one) fails; 0: none. */
  failAllocation(number: number): void;
  allocationHasFailed(): boolean;
  /** Calls LAPACK with an illegal argument; returns its info. */
  illegalCall(): number;
}

/** The addon that was built with -DFSVD_FAULTS=ON: `npm test` builds it first. */
export function faultBuild(): string {
  if (existsSync(path)) return path;
  throw new Error('the test build of the addon is missing: run `npm run build:faults` first');
}

/** Makes the package use that build in this process. To be called before anything is computed. */
export async function loadFaults(): Promise<Faults> {
  process.env.FACTORED_SVD_BINARY = faultBuild();
  const { loadBinding } = await import('../../../lib/native/binary.ts');
  const addon = loadBinding() as Partial<Faults>;
  if (!addon.setFaults) throw new Error('another build of the addon was loaded before the test build');
  return addon as Faults;
}
