// Errors of pinv, lstsq and lowRank against the exact answers of test/fixtures/solutions.json, in units of what rounding can do.
import { readFileSync } from 'node:fs';
import { lowRank, lstsq, matmul, pinv } from 'factored-svd';
import { plain, scientific, table, typed } from './accuracy-tables.mjs';

const epsilon = { float64: 2 ** -52, float32: 2 ** -23 };
const norm = (x) => Math.hypot(...x);
const distance = (x, y) => norm(Array.from(y, (value, i) => x[i] - value));

export function solutionTable() {
  const fixture = new URL('../test/fixtures/solutions.json', import.meta.url);
  const rows = JSON.parse(readFileSync(fixture, 'utf8')).map((json) => {
    const [a, b] = [json.a, json.b].map(({ data, shape }) => ({ data: typed(json.dtype, data), shape }));
    const [inverse, x, squares, ofRank2, sigma] = [
      'inverse',
      'x',
      'squares',
      'ofRank2',
      'singularValues',
    ].map((name) => json[name].map(Number));
    const delta = epsilon[json.dtype];
    const [size, sizeInverse, sizeX] = [sigma, inverse, x].map(norm);
    const kappa = size * sizeInverse;
    const rest = Math.sqrt(squares[0] + squares[1]);
    const unitX = delta * (kappa * (sizeX + sizeInverse * rest) + sizeInverse * norm(b.data));
    const product = lowRank(a, { rank: 2 });
    const unitRank2 = delta * size * (sigma[1] / (sigma[1] - (sigma[2] ?? 0)));
    return [
      json.name,
      scientific(kappa),
      plain(distance(pinv(a).data, inverse) / (delta * sizeInverse * kappa)),
      plain(distance(lstsq(a, b).x.data, x) / unitX),
      plain(distance(matmul(product.A, product.B).data, ofRank2) / unitRank2),
      plain((product.truncationError - Number(json.left)) / (delta * size)),
    ];
  });
  const columns = ['matrix', 'κ', '`pinv`', '`lstsq`', '`lowRank`', '`truncationError`'];
  return `## Solutions against 160-digit arithmetic

Errors of \`pinv(a)\`, of the x of \`lstsq(a, b)\`, and of \`lowRank(a, { rank: 2 })\`, in units of what an error of ε·‖a‖_F in
a does to them: ε·κ·‖a⁺‖_F, κ = ‖a‖_F·‖a⁺‖_F; ε·(κ·(‖x‖ + ‖a⁺‖_F·‖b − a·x‖) + ‖a⁺‖_F·‖b‖); ε·‖a‖_F·σ₂/(σ₂ − σ₃). The last column
is by how much \`truncationError\` is above the norm of what the best approximation leaves, in units of ε·‖a‖_F.

${table(columns, rows)}`;
}
