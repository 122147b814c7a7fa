// What is linked into the addon of a platform, and under which terms that is distributed.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const requireFromHere = createRequire(import.meta.url);

/** On macOS and Alpine too the compiler's runtime goes in where it is gcc's; on macOS it is the system's. */
function partsOf({ os }, { openblas, lapack, compiler } = {}) {
  const parts = [
    { title: `OpenBLAS ${openblas}`, license: ['BSD-3-Clause', 'BSD-2-Clause'], files: ['OpenBLAS.txt'] },
    {
      title: `LAPACK ${lapack ?? `as OpenBLAS ${openblas} has it`}`,
      license: ['BSD-3-Clause'],
      files: ['LAPACK.txt'],
    },
    { title: `node-addon-api ${addonApi().version}`, license: ['MIT'], text: addonApi().text },
  ];
  if (os.includes('darwin')) return parts;
  return [
    ...parts,
    {
      title: `libgcc and libstdc++ of ${compiler}`,
      license: ['GPL-3.0-or-later WITH GCC-exception-3.1'],
      files: ['GCC-runtime.txt', 'GPL-3.0.txt'],
    },
  ];
}

/** The SPDX expression of the whole. */
export function license(platform) {
  return [...new Set(['MIT', ...partsOf(platform).flatMap((part) => part.license)])].join(' AND ');
}

/** The texts, each under the name and version of its part. */
export function licences(platform, versions) {
  const rule = '='.repeat(80);
  return partsOf(platform, versions)
    .map(({ title, license, files = [], text }) => {
      const texts = text ? [text] : files.map(read);
      return `${rule}\n${title} (${license.join(' AND ')})\n${rule}\n\n${texts.join('\n')}`;
    })
    .join('\n');
}

function read(file) {
  return readFileSync(new URL(`../../packages/licenses/${file}`, import.meta.url), 'utf8');
}

/** Its headers are compiled into the addon. */
function addonApi() {
  const path = requireFromHere.resolve('node-addon-api/package.json');
  const { version } = requireFromHere(path);
  return { version, text: readFileSync(join(dirname(path), 'LICENSE.md'), 'utf8') };
}
