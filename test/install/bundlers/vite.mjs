// vite INPUT OUTPUT external|copy: a build for the server, without the package or with all of it.
import { basename, dirname } from 'node:path';
import { build } from 'vite';

const [ssr, file, mode] = process.argv.slice(2);
await build({
  configFile: false,
  logLevel: 'warn',
  build: {
    ssr,
    outDir: dirname(file),
    ssrEmitAssets: true,
    rolldownOptions: { moduleTypes: { '.node': 'copy' }, output: { entryFileNames: basename(file) } },
  },
  ssr: { noExternal: mode === 'external' ? [] : true },
});
