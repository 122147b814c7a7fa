// BLAS runs one thread inside ours, whatever the environment asks for: one compute thread never takes more processor
// time than time has passed. Prints the bits of the result, for comparison between environments.
import { createHash } from 'node:crypto';
import { FactoredMatrix, setThreads, svd } from '../../../dist/index.js';
import { bits, check, matrix } from './support.mjs';

setThreads(1);
const M = matrix(1, [500, 500]);
const factors = [matrix(2, [6000, 60]), matrix(3, [60, 5000])];
const compute = () => [svd(M), new FactoredMatrix(...factors).svd()];
const results = compute();
const [cpu, start] = [process.cpuUsage(), process.hrtime.bigint()];
for (let i = 0; i < 10; i++) compute();
const elapsed = Number(process.hrtime.bigint() - start) / 1000;
const { user, system } = process.cpuUsage(cpu);
// V8 has threads of its own; a second BLAS thread would add most of `elapsed` once more.
check(user + system < 1.5 * elapsed, `${user + system} µs of processor time in ${elapsed} µs`);
console.log(createHash('sha256').update(results.map(bits).join()).digest('hex'));
