// rolldown INPUT OUTPUT [TYPE of .node files]: a bundle with all of the package in it.
import { build } from 'rolldown';

const [input, file, type] = process.argv.slice(2);
await build({
  input,
  platform: 'node',
  ...(type && { moduleTypes: { '.node': type } }),
  output: { file, format: file.endsWith('.cjs') ? 'cjs' : 'es', codeSplitting: false },
});
