// Runs the code of README.md and of the pages in docs/ and examples/ (or of the files given): every fenced block marked js,
// ts or sh, each on its own, in a temporary project that has installed the packed package. js and ts blocks must also pass
// the type checker, strictly, and so must test/types. A block right below the line `<!-- ci: ran above -->` is skipped:
// for the setup commands that CI has run already. And every path that these pages and those beside README.md name must exist.
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const given = process.argv.slice(2);
const pages = given.length > 0 ? given.map((page) => resolve(page)) : markdownFiles();
const skipMarker = '<!-- ci: ran above -->';
const timeout = 300_000;
const runners = { js: runJs, ts: runTs, sh: runSh };
const strict = [
  ...['--ignoreConfig', '--strict', '--noUncheckedIndexedAccess', '--exactOptionalPropertyTypes'],
  ...['--module', 'nodenext', '--target', 'es2023', '--lib', 'es2023', '--types', 'node'],
];

const beside = readdirSync(root).filter((file) => file.endsWith('.md') && given.length === 0);
for (const page of new Set([...pages, ...beside.map((file) => join(root, file))]))
  check(`${relative(root, page)}: paths`, () => namedPaths(page));

const project = projectWithPackage();
try {
  check('test/types', () => typecheck(typeTests()));
  for (const page of pages) {
    const blocks = fencedBlocks(readFileSync(page, 'utf8'));
    if (blocks.length === 0 && given.length > 0) throw new Error(`${page} has no js, ts or sh block`);
    for (const block of blocks) {
      const name = `${relative(root, page)}:${block.line} (${block.language})`;
      if (block.skipped) console.log(`${name}: skipped, ran above`);
      else check(name, () => runners[block.language](block), block.code);
    }
  }
} finally {
  rmSync(project, { recursive: true });
}

function check(name, run, code = '') {
  const { status, signal, output } = run();
  if (status === 0) return console.log(`${name}: ok`);
  console.error(`${name}: failed with ${signal ?? `status ${status}`}\n${code}\n--- output\n${output}`);
  process.exitCode = 1;
}

function markdownFiles() {
  const under = (folder) =>
    readdirSync(join(root, folder), { recursive: true })
      .filter((file) => file.endsWith('.md') && !file.includes('node_modules'))
      .map((file) => join(root, folder, file));
  return [join(root, 'README.md'), ...under('docs'), ...under('examples')];
}

/**
 * The paths in a page that look like those of this repository, and the targets of its links: each exists, from the root or
 * from where the page stands. Of `lib/*.ts` the folder does; what is built does not have to.
 */
function namedPaths(page) {
  const text = readFileSync(page, 'utf8');
  const paths = [
    ...text.matchAll(
      /(?<![\w./$-])(?:lib|native|test|scripts|bench|docs|examples|\.github|\.ci)\/[\w./*-]*[\w*]/g,
    ),
    ...text.matchAll(/(?<=\]\()(?!\w+:)[^)#]+/g),
  ].map(([path]) => path.replace(/\/[^/]*\*.*/, ''));
  const built = /^(native\/build|docs\/api)/;
  const missing = paths.filter(
    (path) => !built.test(path) && ![root, dirname(page)].some((from) => existsSync(join(from, path))),
  );
  return { status: missing.length, output: `there is no ${[...new Set(missing)].join(', no ')}` };
}

function fencedBlocks(markdown) {
  const blocks = [];
  let block;
  let above = '';
  markdown.split('\n').forEach((text, index) => {
    const fence = /^```(\S*)/.exec(text);
    if (fence && block === undefined) {
      block = { language: fence[1], line: index + 1, skipped: above === skipMarker, code: '' };
    } else if (fence) {
      blocks.push(block);
      block = undefined;
    } else if (block !== undefined) {
      block.code += `${text}\n`;
    } else if (text.trim() !== '') {
      above = text.trim();
    }
    if (fence) above = '';
  });
  const other = blocks.find(({ language }) =>
    ['bash', 'shell', 'javascript', 'typescript'].includes(language),
  );
  if (other)
    throw new Error(
      `line ${other.line}: mark the block js, ts or sh, not ${other.language}: it would not be run`,
    );
  return blocks.filter(({ language }) => language in runners);
}

/** The packed package as npm unpacks it, with the addon of this folder, and what else is installed here. */
function projectWithPackage() {
  const folder = mkdtempSync(join(tmpdir(), 'factored-svd-readme-'));
  const modules = join(folder, 'node_modules');
  mkdirSync(modules);
  for (const name of readdirSync(join(root, 'node_modules')))
    if (!name.startsWith('.')) symlinkSync(join(root, 'node_modules', name), join(modules, name));
  rmSync(join(modules, 'factored-svd'), { force: true });
  const [tarball] = must(
    spawnSync('npm', ['pack', '--silent', '--pack-destination', folder], { cwd: root, encoding: 'utf8' }),
  )
    .trim()
    .split('\n')
    .slice(-1);
  must(spawnSync('tar', ['-xzf', tarball], { cwd: folder, encoding: 'utf8' }));
  renameSync(join(folder, 'package'), join(modules, 'factored-svd'));
  cpSync(join(root, 'native/build/Release'), join(modules, 'factored-svd/native/build/Release'), {
    recursive: true,
  });
  mkdirSync(join(modules, '.bin'));
  symlinkSync('../factored-svd/dist/command.js', join(modules, '.bin/factored-svd'));
  chmodSync(join(modules, 'factored-svd/dist/command.js'), 0o755);
  writeFileSync(join(folder, 'package.json'), '{ "private": true, "type": "module" }\n');
  return folder;
}

function must({ status, stdout, stderr, error }) {
  if (status !== 0) throw error ?? new Error(`${stdout}${stderr}`);
  return stdout;
}

/** The type tests of this package, as a user's who has installed it. */
function typeTests() {
  const folder = join(root, 'test/types');
  return readdirSync(folder).map((name) => {
    const code = readFileSync(join(folder, name), 'utf8');
    writeFileSync(join(project, name), code.replaceAll('../../lib/index.ts', 'factored-svd'));
    return name;
  });
}

function typecheck(files, emit = '--noEmit') {
  return run(process.execPath, join(root, 'node_modules/typescript/bin/tsc'), emit, ...strict, ...files);
}

/** js blocks too: they are TypeScript that is run as it stands. */
function runJs({ line, code }) {
  const name = `block-${line}`;
  writeFileSync(join(project, `${name}.mts`), code);
  const compiled = typecheck([`${name}.mts`]);
  if (compiled.status !== 0) return compiled;
  writeFileSync(join(project, `${name}.mjs`), code);
  return run(process.execPath, `${name}.mjs`);
}

function runTs({ line, code }) {
  const name = `block-${line}`;
  writeFileSync(join(project, `${name}.mts`), code);
  const compiled = typecheck([`${name}.mts`], '--pretty');
  return compiled.status === 0 ? run(process.execPath, `${name}.mjs`) : compiled;
}

function runSh({ code }) {
  return run('bash', '-euo', 'pipefail', '-c', code);
}

function run(command, ...args) {
  const env = {
    ...process.env,
    PATH: `${join(project, 'node_modules/.bin')}${delimiter}${process.env.PATH}`,
  };
  const { status, signal, stdout, stderr, error } = spawnSync(command, args, {
    cwd: project,
    env,
    timeout,
    encoding: 'utf8',
  });
  return { status, signal, output: `${stdout ?? ''}${stderr ?? ''}${error ?? ''}` };
}
