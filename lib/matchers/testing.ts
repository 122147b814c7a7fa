/** `factored-svd/testing`: checks for numeric regression tests, as plain functions that return a report. */
export {
  type CompareGoldenOptions,
  compareGolden,
  type GoldenChoice,
  type GoldenData,
  type GoldenSource,
  type RecordGoldenOptions,
  recordGolden,
} from '../golden/index.ts';
export * from '../testing/index.ts';
