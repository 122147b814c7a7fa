import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The path of a file in dist, which must have been built. */
export function built(name: string): string {
  const file = fileURLToPath(new URL(`../../dist/${name}`, import.meta.url));
  if (!existsSync(file)) throw new Error(`dist/${name} is not built: run npm run build:lib first`);
  return file;
}
