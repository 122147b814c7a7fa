/**
 * Probe number `j` of `length`: fixed numbers in (−1, 1), made of integer operations alone, so that they are the same on
 * every machine. Golden files hold what singular vectors make of them: they must never change.
 */
export function probe(j: number, length: number): Float64Array {
  return Float64Array.from({ length }, (_, i) => {
    let h = (Math.imul(i + 1, 0x9e3779b1) + Math.imul(j + 1, 0x85ebca77)) | 0;
    h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
    h ^= h >>> 16;
    return (h + 0.5) * 2 ** -31;
  });
}

/** Probes of each side; a wrong vector escapes both with a probability of about the square of its tolerance. */
export const probeCount = 2;

/** Euclidean norm. */
export const norm = (x: Float64Array): number => Math.sqrt(x.reduce((sum, value) => sum + value * value, 0));
