/** Points of a spectrum that are kept at most. */
const points = 48;

/** Which singular values of p are kept to draw them, denser where they are large. */
export function curvePlaces(p: number): number[] {
  if (p <= points) return Array.from({ length: p }, (_, i) => i);
  const at = Array.from({ length: points }, (_, i) => Math.round((i / (points - 1)) ** 2 * (p - 1)));
  return at.map((place, i) => Math.max(place, i)); // the first ones one by one
}
