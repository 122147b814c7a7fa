// With so many megabytes of address space to spare: answers, or the code of an error.   node address-space.mjs MEGABYTES
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { svd, svdAsync, threads } from '../../../dist/index.js';

threads(); // loads the addon
const used = Number(/VmSize:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1]) * 1024;
const limit = used + Number(process.argv[2]) * 2 ** 20;
spawnSync('prlimit', ['--pid', process.pid, `--as=${limit}`]);

const M = { data: Float64Array.from({ length: 100 * 100 }, (_, i) => Math.sin(i)), shape: [100, 100] };
const outcome = async (compute) => {
  try {
    const { S } = await compute();
    return S.data[0] > S.data[99] ? 'right' : 'wrong';
  } catch (error) {
    return error.code;
  }
};
for (const compute of [svd, svdAsync]) console.log(await outcome(() => compute(M)));
