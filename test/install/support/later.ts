import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { editJson, repack } from './tarball.ts';

/** A version of the same length: the addon has its own as a constant, which is written over. */
export function laterVersion(version: string): string {
  const last = version.at(-1)!;
  return version.slice(0, -1) + (last === '9' ? '8' : String.fromCharCode(last.charCodeAt(0) + 1));
}

/** The same package under another version, in its manifest, in what is built into its code, and in its addon. */
export function relabelled(tarball: Buffer, from: string, to: string): Buffer {
  return repack(tarball, (folder) => {
    editJson(join(folder, 'package.json'), (json) => {
      json.version = to;
      const optional = json.optionalDependencies as Record<string, string> | undefined;
      for (const name in optional) optional[name] = to;
    });
    let replaced = 0;
    for (const name of readdirSync(folder, { recursive: true }) as string[]) {
      const path = join(folder, name);
      if (!/\.(c?js|node)$/.test(name) || !statSync(path).isFile()) continue;
      const around = name.endsWith('.node') ? ['\0'] : ['"', "'", '`']; // as the bundler quotes it
      for (const end of around) replaced += replace(path, [`${from}${end}`, `${to}${end}`]);
    }
    if (replaced === 0)
      throw new Error(`${from} was found nowhere in the package: is the version no longer built in?`);
  });
}

function replace(path: string, [from, to]: [string, string]): number {
  const content = readFileSync(path);
  let found = 0;
  for (let at = content.indexOf(from); at >= 0; at = content.indexOf(from, at + 1)) {
    content.write(to, at, 'latin1');
    found++;
  }
  if (found > 0) writeFileSync(path, content);
  return found;
}
