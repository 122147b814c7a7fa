import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { names } from '../../lib/native/platforms.cjs';
import manifest from '../../package.json' with { type: 'json' };
import platforms from '../../packages/platforms.json' with { type: 'json' };
import { built } from '../support/built.ts';
import { patience } from '../support/patience.ts';
import { temporaryFolder } from '../support/temporary.ts';

// How the built package finds its addon where there is no build in it: as it is installed, and moved into a bundle.

const root = fileURLToPath(new URL('../../', import.meta.url));
const addon = process.env.FACTORED_SVD_BINARY ?? join(root, 'native/build/Release/factored_svd.node');
const at = temporaryFolder();
let projects = 0;

/** An empty project with this package in its node_modules, and no addon. */
function project(called = 'project'): string {
  const folder = at(`${called}-${projects++}`);
  const installed = join(folder, 'node_modules/factored-svd');
  cpSync(dirname(built('index.js')), join(installed, 'dist'), { recursive: true });
  cpSync(join(root, 'package.json'), join(installed, 'package.json'));
  for (const name of ['ndarray', 'iota-array', 'is-buffer']) {
    cpSync(join(root, 'node_modules', name), join(folder, 'node_modules', name), { recursive: true });
  }
  return folder;
}

const platform = `${process.platform}-${process.arch}`;
const name = `factored-svd-${platform}`;

/** Puts the package for this platform into a project, with the main file that `fill` makes. */
function addPlatformPackage(folder: string, main: string, fill: (path: string) => void): void {
  const installed = join(folder, 'node_modules', name);
  mkdirSync(installed, { recursive: true });
  writeFileSync(join(installed, 'package.json'), JSON.stringify({ name, version: manifest.version, main }));
  fill(join(installed, main));
}

const forms = {
  mjs: "import { svd, versions } from 'factored-svd';",
  cjs: "const { svd, versions } = require('factored-svd');",
};

/** What a file of the project prints. */
function output(file: string, source: string, env: NodeJS.ProcessEnv): string {
  writeFileSync(file, source);
  const child = spawnSync(process.execPath, [file], {
    encoding: 'utf8',
    timeout: patience(20_000),
    env: { ...process.env, FACTORED_SVD_BINARY: '', ...env },
  });
  expect(child).toMatchObject({ status: 0, stderr: '' });
  return child.stdout.trim();
}

function run(folder: string, form: 'mjs' | 'cjs', source: string): string {
  return output(join(folder, `main.${form}`), `${forms[form]}\n${source}`, {});
}

const compute = 'console.log(svd([[3, 0], [0, -4]]).S.data.join(), versions().factoredSvd);';
const computed = `4,3 ${manifest.version}`;
const fail = 'try { svd([[1]]); } catch (error) { console.log(error.code + ": " + error.message); }';

it('the platforms of the loader are those that there are packages for', () => {
  expect(names).toEqual(Object.keys(platforms));
  const source = readFileSync(join(root, 'lib/native/platforms.cjs'), 'utf8');
  for (const name of names) expect(source).toContain(`require('factored-svd-${name}')`);
});

describe.each(['mjs', 'cjs'] as const)('without a build, from .%s', (form) => {
  it('the package for the platform is loaded', () => {
    const folder = project();
    addPlatformPackage(folder, 'factored_svd.node', (path) => cpSync(addon, path));
    expect(run(folder, form, compute)).toBe(computed);
  });

  it('where that is not installed, ERR_SVD_BINARY says how to install it', () => {
    const told = run(project(), form, fail);
    expect(told).toMatch(/^ERR_SVD_BINARY: /);
    expect(told).toContain(`- ${name}: not installed\n`);
    expect(told).toContain(`npm install --include=optional factored-svd@${manifest.version}\n`);
    expect(told).toContain(`--os=${process.platform} --cpu=${process.arch}`);
    expect(told).toMatch(/node ['"].*factored-svd.native.build\.mjs['"]$/);
  });

  it('one of another version is refused', () => {
    const folder = project();
    addPlatformPackage(folder, 'index.js', (path) =>
      writeFileSync(path, 'exports.versions = () => ({ package: "0.0.9" });'),
    );
    const told = run(folder, form, fail);
    expect(told).toContain(`- ${name}: built for factored-svd 0.0.9, and this is ${manifest.version}\n`);
  });

  it('one that lacks its file is not called "not installed"', () => {
    const folder = project();
    addPlatformPackage(folder, 'factored_svd.node', () => {});
    expect(run(folder, form, fail)).toMatch(
      new RegExp(`^- ${name}: (?!not installed).*factored_svd\\.node`, 'm'),
    );
  });

  it('what is there but not as it should be is to be removed first, because npm takes it for what should be there', () => {
    const folder = project('it\'s "$HOME" `here`');
    addPlatformPackage(folder, 'factored_svd.node', (path) =>
      writeFileSync(path, readFileSync(addon).subarray(0, 1e5)),
    );
    const told = run(folder, form, fail);
    expect(told).toMatch(new RegExp(`^- ${name}: .*cut off: it has 100000 of \\d+ bytes`, 'm'));
    const command = /^ {4}(rm -r .*)$/m.exec(told)?.[1] ?? '';
    const words = spawnSync('sh', ['-c', `printf '%s' ${command.slice('rm -r '.length)}`], {
      encoding: 'utf8',
    });
    expect(words.stdout).toBe(join(folder, 'node_modules', name));
  });

  it('one for another processor is called so', () => {
    const folder = project();
    addPlatformPackage(folder, 'factored_svd.node', (path) => {
      const elf = readFileSync(addon);
      elf.writeUInt16LE(process.arch === 'arm64' ? 62 : 183, 18);
      writeFileSync(path, elf);
    });
    expect(run(folder, form, fail)).toMatch(
      new RegExp(`^- ${name}: .*\\(the file was built for (arm64|x64)\\)`, 'm'),
    );
  });

  it('one that does not load gives the reason of the dynamic loader', () => {
    const folder = project();
    addPlatformPackage(folder, 'factored_svd.node', (path) => writeFileSync(path, 'no library '.repeat(100)));
    expect(run(folder, form, fail)).toMatch(new RegExp(`^- ${name}: .*invalid ELF header`, 'm'));
  });
});

it('without leave for addons Node is to be run with it, in the words of the flag that took it', () => {
  const file = join(project(), 'main.cjs');
  writeFileSync(file, `${forms.cjs}\n${fail}`);
  const told = (...flags: string[]) => {
    const env = { ...process.env, FACTORED_SVD_BINARY: addon, NODE_NO_WARNINGS: '1' };
    return spawnSync(process.execPath, [...flags, file], { encoding: 'utf8', timeout: 20_000, env }).stdout;
  };
  expect(told('--no-addons')).toContain('without --no-addons');
  const permission = process.allowedNodeEnvironmentFlags.has('--permission')
    ? '--permission'
    : '--experimental-permission';
  expect(told(permission, '--allow-fs-read=*')).toContain('with --allow-addons');
});

it('a relative FACTORED_SVD_BINARY in a folder that is gone is ERR_SVD_BINARY', () => {
  const folder = project();
  const source = `const { mkdtempSync, rmSync } = require('node:fs'); ${forms.cjs}
    const gone = mkdtempSync(${JSON.stringify(join(folder, 'x'))}); process.chdir(gone); rmSync(gone, { recursive: true });
    process.env.FACTORED_SVD_BINARY = 'x.node'; ${fail}`;
  expect(output(join(folder, 'gone.cjs'), source, {})).toMatch(
    /^ERR_SVD_BINARY: .*\n(?:.*\n)*- x\.node: .*cwd/,
  );
});

describe('moved out of its package', () => {
  /** A project in which a bundler took this package over whole, and which has no package of that name. */
  function bundle(): string {
    const folder = project();
    cpSync(join(folder, 'node_modules/factored-svd/dist'), join(folder, 'bundle'), { recursive: true });
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
    rmSync(join(folder, 'node_modules/factored-svd'), { recursive: true });
    return folder;
  }

  function runBundle(source: string, env: NodeJS.ProcessEnv = {}): string {
    const imports = "import { svd, versions } from './bundle/index.js';";
    return output(join(bundle(), 'main.js'), `${imports}\n${source}`, env);
  }

  it('it works with FACTORED_SVD_BINARY, versions() too', () => {
    expect(runBundle(compute, { FACTORED_SVD_BINARY: addon })).toBe(computed);
  });

  it('and without it ERR_SVD_BINARY says what to do, of versions() too', () => {
    const told = runBundle(
      `${fail} try { versions(); } catch (error) { console.log(error.code + ', at the end'); }`,
    );
    expect(told).toMatch(/^ERR_SVD_BINARY: /);
    expect(told).toContain('mark it as external');
    expect(told).toMatch(/ERR_SVD_BINARY, at the end$/);
  });
});
