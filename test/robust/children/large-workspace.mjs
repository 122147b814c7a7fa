// float32 counts exactly only up to 2^24: LAPACK's own answers about workspaces longer than that are rounded down.
import { svd } from '../../../dist/index.js';
import { validSvd } from '../../../dist/testing.js';
import { check, matrix } from './support.mjs';

const M = matrix(1, [2400, 2400], { type: Float32Array });
const report = validSvd(svd(M), M);
check(report.pass, report.message);
