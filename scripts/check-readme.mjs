// Runs the code of README.md (or of the file given): every fenced block marked js, ts or sh, each on its own, in a
// temporary copy of this folder in which `factored-svd` is this package. ts blocks must also pass the type checker.
// A block right below the line `<!-- ci: ran above -->` is skipped: for the setup commands that CI has run already.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, delimiter, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const readme = resolve(process.argv[2] ?? join(root, 'README.md'));
const skipMarker = '<!-- ci: ran above -->';
const timeout = 300_000;
const runners = { js: runJs, ts: runTs, sh: runSh };

const blocks = fencedBlocks(readFileSync(readme, 'utf8'));
if (blocks.length === 0) throw new Error(`${readme} has no js, ts or sh block`);
const copy = copyOfPackage();
try {
  for (const block of blocks) {
    const name = `${basename(readme)}:${block.line} (${block.language})`;
    if (block.skipped) {
      console.log(`${name}: skipped, ran above`);
      continue;
    }
    const { status, signal, output } = runners[block.language](block);
    if (status !== 0) {
      console.error(
        `${name}: failed with ${signal ?? `status ${status}`}\n${block.code}\n--- output\n${output}`,
      );
      process.exitCode = 1;
      break;
    }
    console.log(`${name}: ok`);
  }
} finally {
  rmSync(copy, { recursive: true });
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

/** With the built library and addon and the installed packages, and the package's own command among their programs. */
function copyOfPackage() {
  const folder = mkdtempSync(join(tmpdir(), 'factored-svd-readme-'));
  const left = ['.git', 'build', 'coverage', 'demo-out'].map((name) => join(root, name));
  cpSync(root, folder, {
    recursive: true,
    verbatimSymlinks: true,
    filter: (source) => !left.includes(source),
  });
  rmSync(join(folder, 'node_modules/.bin/factored-svd'), { force: true });
  symlinkSync('../../dist/command.js', join(folder, 'node_modules/.bin/factored-svd'));
  return folder;
}

function runJs({ line, code }) {
  const file = `readme-${line}.mjs`;
  writeFileSync(join(copy, file), code);
  return run(process.execPath, file);
}

function runTs({ line, code }) {
  const file = `readme-${line}.mts`;
  writeFileSync(join(copy, file), code);
  const options =
    '--ignoreConfig --module nodenext --target es2023 --strict --skipLibCheck --types node'.split(' ');
  const compiled = run('node_modules/.bin/tsc', ...options, file);
  return compiled.status === 0 ? run(process.execPath, `readme-${line}.mjs`) : compiled;
}

function runSh({ code }) {
  return run('bash', '-euo', 'pipefail', '-c', code);
}

function run(command, ...args) {
  const env = { ...process.env, PATH: `${join(copy, 'node_modules/.bin')}${delimiter}${process.env.PATH}` };
  const { status, signal, stdout, stderr, error } = spawnSync(command, args, {
    cwd: copy,
    env,
    timeout,
    encoding: 'utf8',
  });
  return { status, signal, output: `${stdout ?? ''}${stderr ?? ''}${error ?? ''}` };
}
