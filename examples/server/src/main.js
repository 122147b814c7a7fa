// node src/main.js FILE.safetensors
// PORT and HOST say where it listens; SIGTERM and Ctrl-C let it finish what it is computing.
import { versions } from 'factored-svd';
import { openSafetensors } from 'factored-svd/weights';
import { createServer } from './server.js';

const [file] = process.argv.slice(2);
if (file === undefined) {
  console.error('usage: node src/main.js FILE.safetensors');
  process.exit(2);
}
versions(); // where the addon does not load, ERR_SVD_BINARY says why now and not at the first request
const server = createServer(await openSafetensors(file), { logger: true });
for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => server.close());
await server.listen({ host: process.env.HOST ?? '127.0.0.1', port: Number(process.env.PORT ?? 3000) });
