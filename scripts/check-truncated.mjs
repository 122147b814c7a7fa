// Whether what `svd(a, { rank | tol | energy })` says of its triplets is true: `residuals`, `truncationError`, `certified`,
// `bound`, `tol`, `energy`, orthonormal vectors, the same bits again. Random and nasty matrices by every method, against all
// singular values and arithmetic of twice the precision. Prints the largest error as a part of what is allowed, by check, by
// class and by method, and what repeats each that is more; then it ends with status 1.
//   npm run check:truncated -- [--matrices N] [--seed N] [--only INDEX]
// `--corrupt` is the negative control: it makes each statement wrong, and every one of the checks must see it.
import { parseArgs } from 'node:util';
import { svd, svdvals } from 'factored-svd';
import { plain, table } from './accuracy-tables.mjs';
import { checks, corruptions, subject } from './check-truncated/checks.mjs';
import { classNames, draw, isHidden } from './check-truncated/matrices.mjs';

const { values } = parseArgs({
  options: {
    matrices: { type: 'string', default: '10000' },
    seed: { type: 'string', default: '0' },
    only: { type: 'string' },
    corrupt: { type: 'boolean', default: false },
  },
});
const [matrices, seed] = [Number(values.matrices), Number(values.seed)];
if (!(matrices > 0) || !Number.isInteger(seed)) {
  console.error('usage: npm run check:truncated -- [--matrices N] [--seed N] [--only INDEX] [--corrupt]');
  process.exit(2);
}

/** What is drawn at `index`, decomposed; every tenth a second time, and by LAPACK itself too. */
function at(index) {
  const drawn = draw(seed, index);
  const { a, options } = drawn;
  const wide = { data: Float64Array.from(a.data), shape: a.shape };
  const sigma = svdvals(wide).data;
  const twice = index % 10 === 0;
  return subject(drawn, svd(a, options), sigma, {
    again: twice ? svd(a, options) : undefined,
    lapack: twice ? svd(wide, { driver: 'gesvd' }) : undefined,
  });
}

function describe(index) {
  const { name, a, dtype, options } = draw(seed, index);
  return `--seed ${seed} --only ${index}: ${name}, ${a.shape.join('×')} ${dtype}, ${JSON.stringify(options)}`;
}

const columns = ['full', 'auto', 'gram', 'krylov'];
// Of the other checks the largest ratio is 1 by nature: what is stated is what is measured.
const errors = ['value within bound', 'none missed', 'error not more', 'U orthonormal', 'Vh orthonormal'];

/** Largest ratios by row and column. */
class Worst {
  #rows = new Map();

  keep(row, column, ratio) {
    const cells = this.#rows.get(row) ?? {};
    cells[column] = Math.max(cells[column] ?? 0, ratio);
    this.#rows.set(row, cells);
  }

  table(what, names) {
    const row = (name) => columns.map((column) => this.#rows.get(name)?.[column]);
    const shown = (ratio) => (ratio === undefined ? '' : plain(ratio));
    return table(
      [what, ...columns],
      names.map((name) => [name, ...row(name).map(shown)]),
    );
  }
}

function run() {
  const worst = new Worst();
  let [violations, missed] = [0, 0];
  const drivers = {};
  const indices = values.only === undefined ? [...Array(matrices).keys()] : [Number(values.only)];
  const violated = (index, what) => {
    violations++;
    console.error(`${what}; ${describe(index)}`);
  };
  for (const index of indices) {
    let x;
    try {
      x = at(index);
    } catch (error) {
      violated(index, error.stack);
      continue;
    }
    for (const [name, check] of Object.entries(checks)) {
      const ratio = check(x);
      if (ratio === undefined) continue;
      if (errors.includes(name)) worst.keep(x.name, x.options.method, ratio);
      worst.keep(name, x.options.method, ratio);
      if (!(ratio <= 1)) violated(index, `${name}: ${ratio} of what is allowed`);
    }
    const way = `${x.options.method}: ${x.result.driver}`;
    drivers[way] = (drivers[way] ?? 0) + 1;
    if (isHidden(x.name) && x.S[0] < x.sigma[0] / 1.01) missed++;
  }
  console.log(worst.table('check', Object.keys(checks)));
  console.log(worst.table(`class: ${errors.join(', ')}`, classNames));
  console.log(`${indices.length} matrices (seed ${seed}), ${violations} violations.`);
  console.log('Methods and the drivers that answered:', drivers);
  console.log(`${missed} hidden singular values were missed, and nothing certified.`);
  return violations;
}

function runCorrupted() {
  const counts = new Map(Object.keys(checks).map((name) => [name, { wrong: 0, seen: 0 }]));
  for (let index = 0; index < matrices; index++) {
    const x = at(index);
    for (const [name, count] of counts) {
      const corrupted = corruptions[name](x);
      if (!corrupted) continue;
      count.wrong++;
      if (!(checks[name](corrupted) <= 1)) count.seen++;
    }
  }
  console.log(
    table(
      ['check', 'made wrong', 'seen'],
      [...counts].map(([name, c]) => [name, c.wrong, c.seen]),
    ),
  );
  return [...counts.values()].filter(({ wrong, seen }) => wrong === 0 || seen < wrong).length;
}

process.exit((values.corrupt ? runCorrupted() : run()) > 0 ? 1 : 0);
