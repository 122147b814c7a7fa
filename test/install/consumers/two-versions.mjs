// Two versions of the package in one process, each with its own addon, which compute side by side.
import * as present from 'factored-svd';
import * as later from 'later';
import report from './report.cjs';

const [first, second] = [report(present), report(later)];
const x = [
  [3, 0],
  [0, -4],
];
const both = await Promise.all([
  present.svdAsync(x),
  later.svdAsync(x),
  present.svdAsync(x),
  later.svdAsync(x),
]);
console.log(
  JSON.stringify({ first, second, again: report(present), S: both.map(({ S }) => Array.from(S.data)) }),
);
