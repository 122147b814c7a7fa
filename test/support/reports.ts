import type { Check, Report } from '../../lib/testing/index.ts';

/** The three answers of a report. */
export const holds = { pass: true, undetermined: false };
export const fails = { pass: false, undetermined: false };
export const open = { pass: false, undetermined: true };

export const failed = ({ checks }: Report): Check[] => checks.filter(({ pass }) => !pass);
export const failedNames = (report: Report): string[] => failed(report).map(({ name }) => name);
