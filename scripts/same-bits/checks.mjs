import { dense } from './inputs.mjs';
import { outcomes } from './outcomes.mjs';

// The checks of factored-svd/testing, those that fail among them.

export function* checkCalls(type, options, { svd, svdvals, FactoredMatrix, dist }, checks) {
  const shown = ({ pass, undetermined, text, message, checks: all }) => [
    pass,
    undetermined,
    text,
    message,
    all,
  ];
  const a = dense(110, [2, 12, 7], options);
  const b = dense(111, [2, 12, 7], options);
  const equal = dense(112, [6, 6], { ...options, element: (_, i, j) => (i === j ? 1 : 0) });
  const M = new FactoredMatrix(dense(113, [2, 12, 4], options), dense(114, [2, 4, 7], options));
  const [s, t] = [svd(a), svd(b)];
  const changed = (x) => ({
    U: x.U,
    S: x.S,
    Vh: { data: x.Vh.data.map((v) => 1.01 * v), shape: x.Vh.shape },
  });
  const flipped = {
    U: { data: s.U.data.map((x) => -x), shape: s.U.shape },
    S: s.S,
    Vh: { data: s.Vh.data.map((x) => -x), shape: s.Vh.shape },
  };
  const broken = {
    U: { data: s.U.data.map((x, i) => (i === 3 ? Number.NaN : x)), shape: s.U.shape },
    S: s.S,
    Vh: s.Vh,
  };
  const negative = { U: s.U, S: { data: s.S.data.map((x) => -x), shape: s.S.shape }, Vh: s.Vh };
  const operands = {
    s,
    t,
    changed: changed(s),
    flipped,
    broken,
    negative,
    equal: svd(equal),
    product: M.svd(),
    leading: M.svd({ rank: 2 }),
  };
  for (const [name, x] of Object.entries(operands)) {
    yield [
      `checks of ${name} ${type}`,
      () =>
        outcomes(
          () => shown(checks.validSvd(x)),
          () => shown(checks.validSvd(x, a)),
          () => shown(checks.validSvd(x, M)),
          () => shown(checks.reconstructs(x, a)),
          () => shown(checks.reconstructs(x, M)),
          () => shown(checks.orthonormal(x.U)),
          () => shown(checks.orthonormal(x.Vh)),
        ),
    ];
    for (const [other, y] of Object.entries(operands)) {
      yield [
        `checks of ${name} against ${other} ${type}`,
        () =>
          outcomes(
            () => shown(checks.matchSvd(x, y)),
            () => shown(checks.matchSvd(x, y, { acceptUndetermined: true })),
            () => shown(checks.matchSubspaces(x, y)),
            () => shown(checks.matchSubspaces(x, y, { acceptUndetermined: true })),
            () => shown(checks.matchSingularValues(x, y)),
            () => shown(checks.matchSingularValues(x.S, y.S)),
            () => shown(checks.bitIdentical(x, y)),
            () => shown(checks.bitIdentical(x.S, y.S)),
          ),
      ];
    }
  }
  yield [
    `checks of no decomposition ${type}`,
    () =>
      outcomes(
        () => checks.validSvd(a),
        () => checks.bitIdentical(s, a),
        () => checks.matchSvd(1, 2),
        () => checks.orthonormal(3),
        () => shown(checks.orthonormal(dense(115, [300, 4], options))),
      ),
  ];
  const nearly = {
    U: s.U,
    S: { data: svdvals(a).data.map((x, i) => x * (1 + 1e-3 * i)), shape: s.S.shape },
    Vh: s.Vh,
  };
  yield [
    `checks with tolerances ${type}`,
    () =>
      outcomes(
        () => shown(checks.matchSingularValues(s, nearly)),
        () => shown(checks.matchSingularValues(s, nearly, { rtol: 0.1 })),
        () => shown(checks.matchSingularValues(s, nearly, { atol: 1 })),
        () => dist(s, nearly),
      ),
  ];
}
