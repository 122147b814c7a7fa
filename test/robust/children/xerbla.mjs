// An illegal argument: LAPACK calls XERBLA, whose usual version prints and may stop the process. Needs the test build.
import { threads } from '../../../dist/index.js';
import { check } from './support.mjs';

check(threads() > 0, 'the addon is loaded by the package, as always');
const addon = { exports: {} };
process.dlopen(addon, process.env.FACTORED_SVD_BINARY);
check(addon.exports.illegalCall() === -2, 'LAPACK returns and names the second argument');
