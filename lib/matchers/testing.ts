/** `factored-svd/testing`: checks for numeric regression tests, as plain functions that return a report. */
export * from '../testing/index.ts';
