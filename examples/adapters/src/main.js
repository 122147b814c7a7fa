import { parseArgs } from 'node:util';
import { shrink } from './shrink.js';

const usage = 'usage: node src/main.js --out PATH --rank N [--energy SHARE] ADAPTER[:WEIGHT]...';
const { values, positionals } = parseArgs({
  options: { out: { type: 'string' }, rank: { type: 'string' }, energy: { type: 'string' } },
  allowPositionals: true,
});
if (values.out === undefined || values.rank === undefined || positionals.length === 0) {
  console.error(usage);
  process.exit(2);
}

const inputs = positionals.map((text) => {
  const [, path, weight = '1'] = /^(.*?)(?::([-+.\d]+))?$/.exec(text);
  return { path, weight: Number(weight) };
});
const keep = { rank: Number(values.rank), ...(values.energy && { energy: Number(values.energy) }) };
try {
  const modules = await shrink(inputs, values.out, keep);
  console.table(modules);
} catch (error) {
  console.error(`${error.code ?? 'error'}: ${error.message}`);
  process.exitCode = 1;
}
