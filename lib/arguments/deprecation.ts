import { deprecate } from 'node:util';

/** Emits the `DeprecationWarning` of `svdLegacy`, once per process however many copies of this package it holds. */
export const warnLegacy: () => void = deprecate(
  () => {},
  'svdLegacy() returns V; use svd(), which returns Vh with a = U·diag(S)·Vh',
  'FSVD_DEP0001',
);
