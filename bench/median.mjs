export const median = (x) => x.toSorted((a, b) => a - b)[Math.floor(x.length / 2)];
